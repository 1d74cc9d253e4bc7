/** Flight reader: what a reader of flights may rely on, also while the flight is being recorded. */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { ChunkWriter } from '../../src/storage/tail/chunk.js'
import { FlightReader } from '../../src/storage/flight/flight-reader.js'
import type { FlightSegment } from '../../src/storage/flight/flight-segment.js'
import { FRAME, NOISE } from '../../src/storage/segment/records.js'
import { Sqlite } from '../../src/storage/flight/sqlite.js'
import { Tail } from '../../src/storage/tail/tail.js'
import { snapshotTails } from '../../src/storage/tail/tail-reader.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { HEAD } from '../support/chunks.js'
import { ATTITUDE, HEARTBEAT, filler, known } from '../support/frames.js'
import { linesOf, recordsOf } from '../support/recordings.js'
import type { TestRecord } from '../support/recordings.js'
import { storeFlight } from '../support/stored-flight.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder('flight-reader')
let vaults = 0
let vault: Vault

beforeEach(() => {
  vault = Vault.openOrCreate(join(folder, `vault-${++vaults}`))
})

/** What came in during second `s`: two messages of two vehicles and noise, over two links. */
function second(s: number): TestRecord[] {
  const timeUs = BigInt(s) * 1_000_000n
  return [
    { kind: FRAME, link: 0, timeUs, bytes: known(HEARTBEAT, { seq: 2 * s }) },
    { kind: NOISE, link: 0, timeUs, bytes: filler(5 + s) },
    { kind: FRAME, link: 1, timeUs: timeUs + 1n, bytes: known(ATTITUDE, { seq: s, sysid: 2 }) },
    { kind: FRAME, link: 0, timeUs: timeUs + 2n, bytes: known(ATTITUDE, { seq: 2 * s + 1 }) },
  ]
}

/** Puts chunks into a tail: chunk n holds what came in during second n. */
function fillTail(index: 0 | 1, sequences: readonly number[], head = HEAD): void {
  const tail = Tail.open(vault.tailPath(index))
  for (const sequence of sequences) {
    const chunk = new ChunkWriter()
    chunk.begin(head)
    for (const { kind, link, timeUs, bytes } of second(sequence))
      chunk.record(kind, link, Number(timeUs), bytes, 0, bytes.length)
    tail.append(chunk, sequence)
  }
  tail.close()
}

async function allRecords(segments: readonly FlightSegment[]): Promise<string[]> {
  const lines: string[] = []
  for (const segment of segments) lines.push(...linesOf(await segment.records()))
  return lines
}

const linesOfSeconds = (...seconds: number[]): string[] => linesOf(recordsOf(seconds.flatMap(second)))

describe('a flight that is being recorded', () => {
  test('is there before it has a file', async () => {
    fillTail(0, [7, 8, 9])
    const flight = await FlightReader.open(vault, 'last')
    expect(flight.info).toMatchObject({
      id: HEAD.id,
      state: 'recording',
      fileBytes: 0,
      frames: 9,
      records: 12,
    })
    expect(flight.figures.components).toHaveLength(2)
    expect(await allRecords(flight.segments)).toEqual(linesOfSeconds(7, 8, 9))
    await flight.close()
  })

  test('is its segments and, behind them, what only the tails have yet', async () => {
    await storeFlight(vault, { segments: [second(1), second(2)], open: true })
    fillTail(0, [1, 2])
    fillTail(1, [3, 4])
    const flight = await FlightReader.open(vault, HEAD.id)
    expect(flight.info).toMatchObject({ state: 'recording', frames: 12, noiseBytes: 6 + 7 + 8 + 9 })
    expect(await allRecords(flight.segments)).toEqual(linesOfSeconds(1, 2, 3, 4))
    const counts = await flight.messages()
    expect(counts.map(({ link, sysid, msgid, count }) => [link, sysid, msgid, count])).toEqual(
      expect.arrayContaining([
        [0, 1, HEARTBEAT.msgid, 4],
        [0, 1, ATTITUDE.msgid, 4],
        [1, 2, ATTITUDE.msgid, 4],
      ]),
    )
    expect(flight.figures.components.map(({ sysid, frames, lost }) => [sysid, frames, lost])).toEqual([
      [1, 8, 0],
      [2, 4, 0],
    ])
    await flight.close()
  })

  test('never has a hole: what came after a chunk that was missed waits for the next reader', async () => {
    await storeFlight(vault, { segments: [second(1)], open: true })
    // One tail was read before chunk 4 was written, the other when the station had moved on to it.
    fillTail(0, [2, 3])
    fillTail(1, [5, 6])
    const flight = await FlightReader.open(vault, HEAD.id)
    expect(await allRecords(flight.segments)).toEqual(linesOfSeconds(1, 2, 3))
    await flight.close()
  })

  test('is read from the tails as they were before the file was opened', async () => {
    fillTail(0, [1, 2, 3])
    const tails = snapshotTails(vault)
    await storeFlight(vault, { segments: [second(1), second(2)], open: true })
    const flight = await FlightReader.openId(vault, HEAD.id, tails)
    expect(await allRecords(flight.segments)).toEqual(linesOfSeconds(1, 2, 3))
    await flight.close()
  })

  test('is the last one, though another file was written later', async () => {
    fillTail(0, [1])
    await storeFlight(vault, { head: { id: 'imported' }, segments: [second(1)] })
    const flight = await FlightReader.open(vault, 'last')
    expect(flight.info.id).toBe(HEAD.id)
    await flight.close()
  })
})

describe('groups', () => {
  test('are the frames of the wanted messages and link, in rows as wide as is asked', async () => {
    await storeFlight(vault, { segments: [[...second(1), ...second(2)]], open: true })
    fillTail(0, [2])
    const flight = await FlightReader.open(vault, HEAD.id)
    for (const segment of flight.segments) {
      const [group, ...others] = await segment.groups({
        msgids: [ATTITUDE.msgid],
        link: 1,
        rowBytes: () => 40,
      })
      expect(others).toEqual([])
      expect(group).toMatchObject({ key: { link: 1, sysid: 2, msgid: ATTITUDE.msgid }, stride: 40 })
      const payload = known(ATTITUDE).subarray(10, 38)
      expect(Buffer.from(group!.payloads.subarray(0, 28))).toEqual(Buffer.from(payload))
      expect(group!.times[0]).toBeGreaterThan(1_000_000n)
    }
    expect(await flight.segments[0]!.groups({ msgids: [9999] })).toEqual([])
    await flight.close()
  })

  test('of one message cost little more than the pieces that hold it', async () => {
    const records: TestRecord[] = Array.from({ length: 8000 }, (_, i) => {
      const payload = createHash('sha256').update(String(i)).digest()
      const message = { msgid: 9000 + (i % 4), crcExtra: 7, baseLength: payload.length }
      return {
        kind: FRAME,
        link: 0,
        timeUs: BigInt(i * 1000),
        bytes: known(message, { payload, seq: i & 0xff }),
      }
    })
    await storeFlight(vault, { segments: [records, records, records] })
    const stored = await pieceBytes(9001)
    const flight = await FlightReader.open(vault, HEAD.id)
    const before = bytesRead()
    for (const segment of flight.segments) {
      const [group] = await segment.groups({ msgids: [9001] })
      expect(group!.count).toBe(2000)
    }
    const read = bytesRead() - before
    expect(stored).toBeGreaterThan(0.2 * flight.info.fileBytes)
    expect(read).toBeGreaterThanOrEqual(stored)
    expect(read).toBeLessThan(1.2 * stored)
    await flight.close()
  })
})

test('a flight without any record is one', async () => {
  await storeFlight(vault, { segments: [] })
  const flight = await FlightReader.open(vault, HEAD.id)
  expect(flight.info).toMatchObject({ state: 'closed', records: 0, lastUs: null })
  expect(await flight.messages()).toEqual([])
  expect(flight.segments).toEqual([])
  await flight.close()
})

test('a closed flight has the records that went in', async () => {
  const seconds = Array.from({ length: 50 }, (_, s) => s)
  await storeFlight(vault, { segments: [seconds.flatMap(second), seconds.flatMap(second)] })
  const flight = await FlightReader.open(vault, HEAD.id)
  const lines = linesOfSeconds(...seconds)
  expect(await allRecords(flight.segments)).toEqual([...lines, ...lines])
  await flight.close()
})

test('an empty vault has no last flight', async () => {
  mkdirSync(vault.flightsDir, { recursive: true })
  await expect(FlightReader.open(vault, 'last')).rejects.toMatchObject({
    code: 'GL-FLIGHT-04',
    found: expect.stringContaining('has no flight'),
  })
})

/** Stored bytes of the pieces that hold the message. */
async function pieceBytes(msgid: number): Promise<number> {
  const db = await Sqlite.open(vault.flightPath(HEAD.id), 'read')
  const [row] = await db.all(
    'SELECT sum(length(body)) AS bytes FROM piece WHERE id IN (SELECT piece FROM message_group WHERE msgid = ?)',
    [msgid],
  )
  await db.close()
  return Number(row!['bytes'])
}

/** Bytes that this process has read from files so far, by the kernel's count. */
function bytesRead(): number {
  return Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))![1])
}
