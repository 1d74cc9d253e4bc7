/** A card is spared: what is written to a device of its own for a recording is measured for seconds. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { REPOSITORY } from '../support/groundlock.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const own = temporaryFolder('device')

const { whyNoLoopDevice } = (await import(join(REPOSITORY, 'scripts', 'soak', 'loop-device.mjs'))) as {
  whyNoLoopDevice: () => string | undefined
}
const unable = whyNoLoopDevice()

const SECONDS = 5
/** Each byte is in a tail, compressed, in whole pages; a run this short also pays for making and closing the flight's file. */
const MOST_DEVICE_BYTES_A_BYTE = 8

interface Figures {
  rate: number
  rawBytes: number
  storedBytes: number
  lostBytes: number
  deviceBytes: number
  startBytes: number
  chunks: number
}

const loopDevices = (): string =>
  spawnSync('losetup', ['--list', '--noheadings'], { encoding: 'utf8' }).stdout

test.skipIf(unable !== undefined)(
  `what reaches the device is counted, and the device is let go of${unable === undefined ? '' : ` (skipped: ${unable})`}`,
  () => {
    const script = join(REPOSITORY, 'scripts', 'soak-device.mjs')
    const args = ['--seconds', String(SECONDS), '--rate', '92160', '--json']
    const { stdout, stderr } = spawnSync(script, args, {
      encoding: 'utf8',
      env: { ...process.env, TMPDIR: own },
    })
    expect(stderr).toBe('')
    const [figures] = JSON.parse(stdout) as Figures[]
    expect(figures).toMatchObject({ rate: 92_160, lostBytes: 0, storedBytes: figures?.rawBytes })
    const { rawBytes, deviceBytes, startBytes, chunks } = figures!
    expect(rawBytes).toBeGreaterThanOrEqual(SECONDS * 92_160)
    expect(chunks).toBeGreaterThanOrEqual(SECONDS)
    expect(deviceBytes).toBeGreaterThan(rawBytes / 4)
    expect(deviceBytes).toBeLessThan(rawBytes * MOST_DEVICE_BYTES_A_BYTE)
    // Two tails of 4 MiB.
    expect(startBytes).toBeGreaterThan(8 * 1024 * 1024)
    expect(loopDevices()).not.toContain(own)
  },
  60_000,
)
