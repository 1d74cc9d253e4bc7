/** Flight builder: what was gathered is committed once, whatever fails on the way. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { FlightBuilder } from '../../src/storage/flight/flight-builder.js'
import type { CommitSink } from '../../src/storage/flight/flight-builder.js'
import { FlightReader } from '../../src/storage/flight/flight-reader.js'
import { FlightWriter } from '../../src/storage/flight/flight-writer.js'
import { Tally } from '../../src/storage/flight/tally.js'
import { FRAME } from '../../src/storage/segment/records.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { HEARTBEAT, known } from '../support/frames.js'

const ID = 'test-0000-12345678-1'
const TOTALS = { bytesIn: 0, bytesLost: 0, redactions: 0 }
const dialect = loadDialect()

let dir: string
let vault: Vault
let writer: FlightWriter

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'flight-builder-'))
  vault = Vault.openOrCreate(dir)
  const head = { station: 'test-0000', bootId: '', origin: 'live' as const, previousPart: null, openedUs: 1 }
  writer = await FlightWriter.create(vault.flightPath(ID), { ...head, id: ID, links: ['radio'] })
})

afterEach(() => rmSync(dir, { recursive: true }))

function put(builder: FlightBuilder, count: number): void {
  for (let i = 0; i < count; i++) {
    const bytes = known(HEARTBEAT, { seq: i & 0xff })
    builder.append(FRAME, 0, BigInt(i), bytes, 0, bytes.length)
  }
}

test('an encoder that is interrupted loses nothing: a retry commits what was cut, and no more', async () => {
  let failures = 1
  const builder = new FlightBuilder(
    (...all) => writer.commit(...all),
    dialect,
    new Tally(dialect.byId),
    async () => {
      put(builder, 7) // what comes in while a segment is encoded belongs to the next
      if (failures-- > 0) throw new Error('the tail took nothing')
    },
  )
  put(builder, 1000)
  await expect(builder.cut({ firstChunk: 1, lastChunk: 1 }, TOTALS)).rejects.toThrow('the tail took nothing')
  await builder.retry()
  expect(await committed()).toEqual([1000])
  await builder.cut({ firstChunk: 2, lastChunk: 2 }, TOTALS)
  expect(await committed()).toEqual([1000, 14])
})

test('a writer that refuses is asked again, and then nothing is committed twice', async () => {
  let refusals = 2
  const commit: CommitSink = async (...all) => {
    if (refusals-- > 0) throw new Error('the card is full')
    await writer.commit(...all)
  }
  const builder = new FlightBuilder(commit, dialect, new Tally(dialect.byId))
  put(builder, 30)
  await expect(builder.cut({ firstChunk: 1, lastChunk: 1 }, TOTALS)).rejects.toThrow('the card is full')
  await expect(builder.retry()).rejects.toThrow('the card is full')
  await builder.retry()
  await builder.retry()
  expect(await committed()).toEqual([30])
})

/** Records of each segment in the file. */
async function committed(): Promise<number[]> {
  const flight = await FlightReader.open(vault, ID)
  await flight.close()
  return flight.segments.map(({ recordCount }) => recordCount)
}
