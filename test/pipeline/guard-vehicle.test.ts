/** What the guard hears of a vehicle that flies, from a station as a process: disarmed, armed, and lost when it falls silent. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openGuardServer } from '../../src/hw/protocol/guard-server.js'
import type { GuardServer } from '../../src/hw/protocol/guard-server.js'
import { simulate } from '../../src/simulator/simulate.js'
import { RunningStation } from '../support/running-station.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const dir = temporaryFolder('guard-vehicle')
const interrupt = new AbortController()
let station: RunningStation | undefined
let guard: GuardServer | undefined

afterEach(async () => {
  interrupt.abort()
  guard?.close()
  await station?.end('SIGKILL')
})

// The token's file has to be root's, as systemd-tmpfiles makes it.
test.skipIf(process.getuid?.() !== 0)(
  'disarmed, armed, and lost after ten seconds of silence (needs root)',
  async () => {
    mkdirSync(join(dir, 'guard'))
    writeFileSync(join(dir, 'token'), '', { mode: 0o640 })
    const words: string[] = []
    let wake = (): void => {}
    const heard: GuardServer = await openGuardServer({
      path: join(dir, 'guard', 'guard.sock'),
      onStation: () => {
        const { station: who, link, vehicle } = heard
        words.push(`${who} ${link} ${vehicle}`)
        wake()
      },
      verifyShut: async () => true,
    })
    guard = heard
    const until = async (word: string): Promise<void> => {
      while (words.at(-1) !== word) await new Promise<void>((resolve) => (wake = resolve))
    }
    station = new RunningStation(dir)
    const flying = simulate({
      link: join(dir, 'radio'),
      durationS: 60,
      speed: 5,
      seed: 3,
      signal: interrupt.signal,
    })
    await until('present open armed')
    interrupt.abort()
    await flying
    await until('present open lost')
    expect(words.filter((word) => word.includes('open'))).toEqual(
      ['none', 'disarmed', 'armed', 'lost'].map((vehicle) => `present open ${vehicle}`),
    )
    expect(await station.end('SIGTERM')).toBe(0)
    await until('absent closed none')
  },
  40_000,
)
