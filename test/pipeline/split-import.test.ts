/**
 * What a person may rely on of `import --split`: a long tlog becomes the flights that a station would have recorded.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { importFile } from '../../src/storage/import/import.js'
import type { ImportOptions } from '../../src/storage/import/import.js'
import { importSplit } from '../../src/storage/import/split-import.js'
import type { SplitResult } from '../../src/storage/import/split-import.js'
import { Sqlite } from '../../src/storage/flight/sqlite.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { ATTITUDE, HEARTBEAT, frame, known } from '../support/frames.js'

/** 2024-01-01, µs. */
const START_US = 1_704_067_200e6

let dir: string
let options: ImportOptions

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'split-'))
  options = {
    vault: Vault.openOrCreate(join(dir, 'vault')),
    station: 'test-0000',
    dialect: loadDialect(),
    format: 'auto',
  }
})

afterEach(() => rmSync(dir, { recursive: true }))

test('two flights five minutes apart become two, the second with the half minute before it', async () => {
  const path = writeTwoFlights()
  const result = await importSplit(path, options)
  expect(result).toMatchObject({ kind: 'imported', frames: 500, outsideBytes: (390 - 179) * 40 })
  const [first, second] = idsOf(result)
  expect(await spanOf(first!)).toEqual({ openedS: 0, reason: 'landed', frames: 179 })
  expect(await spanOf(second!)).toEqual({ openedS: 390, reason: 'imported', frames: 110 })
  expect(readdirSync(options.vault.flightsDir)).toHaveLength(2)
})

test('a flight armed behind a hill for ten minutes stays one', async () => {
  const path = write([
    ...every(1, 0, 60, (seq) => heartbeat(seq, true)),
    ...every(1, 660, 700, (seq) => heartbeat(seq, true)),
  ])
  expect(await importSplit(path, options)).toMatchObject({ ids: { length: 1 }, outsideBytes: 0 })
})

test('a recording that was split into the vault is not split into it again, under whatever station', async () => {
  const path = write(every(1, 0, 10, (seq) => heartbeat(seq)))
  const [id] = idsOf(await importSplit(path, options))
  const other = { ...options, station: 'other-0000' }
  expect(await importSplit(path, other)).toEqual({ kind: 'already there', id })
})

test('a whole import and a split one of the same recording do not keep each other out', async () => {
  const path = write(every(1, 0, 10, (seq) => heartbeat(seq)))
  const [part] = idsOf(await importSplit(path, options))
  const whole = await importFile(path, options)
  expect(whole.kind).toBe('imported')
  expect(await importFile(path, options)).toEqual({ kind: 'already there', id: whole.id })
  rmSync(options.vault.flightPath(part!), { force: true })
  expect(idsOf(await importSplit(path, options))).toEqual([part])
})

test('where the first flight is there, all are; one that was interrupted is made good by the next', async () => {
  const path = writeTwoFlights()
  const [first, second] = idsOf(await importSplit(path, options))
  for (const id of [first!, second!]) rmSync(options.vault.flightPath(id), { force: true })
  // A folder in its place: the second flight cannot get its name.
  mkdirSync(options.vault.flightPath(second!))
  await expect(importSplit(path, options)).rejects.toMatchObject({ code: 'GL-IMPORT-04' })
  expect(readdirSync(options.vault.flightsDir)).toEqual([`${second!}.glk`])
  rmdirSync(options.vault.flightPath(second!))
  // What a crash before the last name leaves, once under this station and once under another.
  writeFileSync(options.vault.flightPath(second!), 'old')
  writeFileSync(options.vault.flightPath(second!.replace('test', 'other')), 'old')
  expect(idsOf(await importSplit(path, options))).toEqual([first, second])
  expect(options.vault.flightIds().toSorted()).toEqual([first, second])
  expect(await spanOf(second!)).toMatchObject({ frames: 110 })
})

test('two at once that split one recording leave each flight once', async () => {
  const path = writeTwoFlights()
  const results = await Promise.all([importSplit(path, options), importSplit(path, options)])
  expect(results.map(({ kind }) => kind).toSorted()).toEqual(['already there', 'imported'])
  expect(readdirSync(options.vault.flightsDir)).toHaveLength(2)
  expect(await spanOf(options.vault.flightIds().toSorted()[0]!)).toMatchObject({ frames: 179 })
})

test('a raw stream has no times to split by, and nothing of it is left', async () => {
  const path = join(dir, 'stream.raw')
  writeFileSync(path, Buffer.concat(Array.from({ length: 10 }, (_, seq) => heartbeat(seq))))
  await expect(importSplit(path, options)).rejects.toMatchObject({ code: 'GL-IMPORT-05' })
  expect(readdirSync(options.vault.flightsDir)).toEqual([])
})

function idsOf(result: SplitResult): string[] {
  return result.kind === 'imported' ? result.ids : []
}

/** One that lands, and five minutes of silence later another. */
function writeTwoFlights(): string {
  return write([
    ...every(1, 0, 120, (seq) => heartbeat(seq)),
    ...every(1, 120, 420, (seq) => known(ATTITUDE, { seq })),
    ...every(1, 420, 500, (seq) => heartbeat(seq)),
  ])
}

interface TimedFrame {
  timeS: number
  bytes: Uint8Array
}

function every(stepS: number, fromS: number, toS: number, make: (seq: number) => Uint8Array): TimedFrame[] {
  return Array.from({ length: (toS - fromS) / stepS }, (_, i) => ({
    timeS: fromS + i * stepS,
    bytes: make(i & 0xff),
  }))
}

function heartbeat(seq: number, armed = false): Uint8Array {
  const payload = [0, 0, 0, 0, 2, 3, armed ? 0x80 : 0, 4, 3]
  return frame({ msgid: HEARTBEAT.msgid, crcExtra: HEARTBEAT.crcExtra, payload, seq })
}

function write(frames: readonly TimedFrame[]): string {
  const path = join(dir, 'flight.tlog')
  const records = frames.map(({ timeS, bytes }) => {
    const record = Buffer.alloc(8 + bytes.length)
    record.writeBigUInt64BE(BigInt(START_US + timeS * 1e6))
    record.set(bytes, 8)
    return record
  })
  writeFileSync(path, Buffer.concat(records))
  return path
}

async function spanOf(id: string): Promise<object> {
  const db = await Sqlite.open(options.vault.flightPath(id), 'read')
  const [row] = await db.all(
    'SELECT opened_us, close_reason, (SELECT sum(frames) FROM segment) AS frames FROM flight',
  )
  await db.close()
  return {
    openedS: (Number(row!['opened_us']) - START_US) / 1e6,
    reason: row!['close_reason'],
    frames: row!['frames'],
  }
}
