#!/usr/bin/env node
/**
 * Device: how much is written to the card for a byte that is recorded, each on the card within a second.
 * A station's vault lies on an ext4 of its own, on a loop device whose sectors the kernel counts:
 *
 *     source ──PTY──▶ groundlock run ──▶ vault ──▶ ext4 ──▶ /sys/block/loopN/stat
 *
 * Counted is from the station's start (its two tails made) to the closed flight, all of it synced. The rates are
 * measured side by side, each on its own device. Never by /proc/self/io: that says what was asked, not what was written.
 *
 * npm run soak:device [-- --seconds 600 --rate 3400 --rate 92160 --mount commit=60 --block 1024 --json]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startSource, startStation } from './soak/children.mjs'
import { createLoopDevice, whyNoLoopDevice } from './soak/loop-device.mjs'
import { tableLines } from './soak/table.mjs'

/** Device bytes a raw byte that are allowed, by rate (bytes/s): what a copter sends, and a full 921600-baud line. */
const GOALS = { 3400: 2, 92160: 1.4 }

/** Room of the disk (bytes): a sparse file; room for an hour at full flow. */
const DISK_BYTES = 1024 * 1024 * 1024

/** The source's pieces (ms): what is stored is cut by time, not by pieces. */
const PIECE_MS = 10

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    rate: { type: 'string', multiple: true, default: Object.keys(GOALS) },
    mount: { type: 'string', default: 'defaults' },
    block: { type: 'string', default: '4096' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(
    'npm run soak:device [-- --seconds 600 --rate 3400 --rate 92160 --mount commit=60 --block 1024 --json]',
  )
  process.exit(0)
}
const unable = whyNoLoopDevice()
if (unable !== undefined) {
  console.error(`No device to measure on: ${unable}.`)
  process.exit(2)
}
const dir = mkdtempSync(join(tmpdir(), 'groundlock-device-'))
process.once('exit', () => rmSync(dir, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))

const seconds = Number(options.seconds)
if (!options.json) console.log(`Recording for ${seconds} s at ${options.rate.join(' and ')} bytes/s …`)
const rows = await Promise.all(options.rate.map((rate) => measure(Number(rate))))
if (options.json) console.log(JSON.stringify(rows, null, 2))
else for (const line of tableLines(...table())) console.log(line)
process.exitCode = rows.every(({ met }) => met) ? 0 : 1

async function measure(rate) {
  const own = join(dir, String(rate))
  const disk = createLoopDevice({
    dir: own,
    bytes: DISK_BYTES,
    blockBytes: options.block,
    mountOptions: options.mount,
  })
  try {
    const link = join(own, 'radio')
    const source = await startSource({ rate, seconds, periodMs: PIECE_MS, links: [link] })
    const madeBytes = disk.writtenBytes()
    const station = await startStation({ dir: own, device: link, vault: join(disk.path, 'vault') })
    const beganBytes = disk.writtenBytes()
    const sent = await source.done
    await station.until(({ links: [{ bytesIn }] }) => bytesIn >= sent.bytes)
    await station.close()
    const deviceBytes = disk.writtenBytes() - beganBytes
    const { links, stored } = station.status()
    await station.end()
    await source.end()
    const ratio = deviceBytes / sent.bytes
    const goal = GOALS[rate] ?? null
    return {
      rate,
      seconds,
      rawBytes: sent.bytes,
      storedBytes: stored.bytes,
      lostBytes: links[0].lostBytes,
      chunks: stored.sequence,
      deviceBytes,
      startBytes: beganBytes - madeBytes,
      ratio,
      goal,
      met: links[0].lostBytes === 0 && stored.bytes === sent.bytes && (goal === null || ratio <= goal),
    }
  } finally {
    disk.end()
  }
}

function table() {
  return [
    ['bytes/s', 's', 'raw bytes', 'device bytes', 'ratio', 'goal', 'met', 'chunks', 'before, at the start'],
    rows.map((row) => [
      row.rate,
      row.seconds,
      row.rawBytes,
      row.deviceBytes,
      row.ratio.toFixed(3),
      row.goal ?? '-',
      row.met ? 'yes' : 'NO',
      row.chunks,
      row.startBytes,
    ]),
  ]
}
