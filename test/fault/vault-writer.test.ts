/**
 * What a person may rely on of the storage when the card, a file or the clock of a power cut is against it: nothing is
 * lost without a gap, and nothing keeps a station from recording.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Log } from '../../src/base/log.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { FlightReader } from '../../src/storage/flight/flight-reader.js'
import type { FlightInfo } from '../../src/storage/flight/flight-reader.js'
import type { FlightHead } from '../../src/storage/flight/flight.js'
import { LiveFlight } from '../../src/storage/flight/live-flight.js'
import { Sqlite } from '../../src/storage/flight/sqlite.js'
import { recover } from '../../src/storage/recorder/recovery.js'
import { OPEN, RingWriter, createSharedRing } from '../../src/storage/recorder/ring.js'
import type { SharedRing } from '../../src/storage/recorder/ring.js'
import { VaultWriter } from '../../src/storage/recorder/vault-writer.js'
import type { Stored } from '../../src/storage/recorder/vault-writer.js'
import { MAX_SEGMENT_RECORDS, NOISE } from '../../src/storage/segment/records.js'
import { CLOSE, chunkAt } from '../../src/storage/tail/chunk.js'
import { TailPair } from '../../src/storage/tail/tail-pair.js'
import { TAIL_BYTES } from '../../src/storage/tail/tail.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { chunkOf } from '../support/chunks.js'

const HEAD: FlightHead = {
  id: 'test-0000-12345678-1',
  station: 'test-0000',
  bootId: '12345678',
  origin: 'live',
  previousPart: null,
  links: ['radio'],
  openedUs: 1,
}

let dir: string
let vault: Vault
let lines: string[]
let mounted: boolean

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vault-writer-'))
  vault = Vault.openOrCreate(join(dir, 'vault'))
  lines = []
  mounted = false
})

afterEach(() => {
  if (mounted) execFileSync('umount', [vault.dir])
  rmSync(dir, { recursive: true })
})

test('Counted: a clean stop with a full ring behind it stores every byte of it', async () => {
  const ring = createSharedRing()
  const records = fill(ring, HEAD)
  const writer = await start(ring)
  expect(await writer.stop()).toBe(0)
  expect(lines).toEqual([`closed ${HEAD.id} shutdown`])
  expect(await stored()).toEqual({ records, bytesLost: 0, reason: 'shutdown' })
})

test('a flight file whose power went before its tables were made does not stop the next start', async () => {
  writeFileSync(vault.flightPath(HEAD.id), '')
  const ring = createSharedRing()
  const records = fill(ring, { ...HEAD, id: 'test-0000-12345678-2' })
  const writer = await start(ring)
  expect(await writer.stop()).toBe(0)
  expect(lines[0]).toMatch(/GL-FLIGHT-03 {2}flight test-0000-12345678-1 is damaged .*set aside/)
  expect(await stored()).toMatchObject({ records, bytesLost: 0 })
})

test('a file that is no flight is set aside, and what the tails hold of that flight is recovered without it', async () => {
  const ring = createSharedRing()
  const writer = new RingWriter(ring)
  open(writer, HEAD)
  put(writer, 50)
  const first = await start(ring)
  first.pump()
  writeFileSync(vault.flightPath(HEAD.id), 'this is not SQLite, it is a card that forgot')
  // The first station is cut off here: it never stops, and its lock goes with it.
  rmSync(vault.lockPath)

  const second = await start(createSharedRing())
  expect(await second.stop()).toBe(0)
  expect(lines.join('\n')).toMatch(/GL-FLIGHT-03 .*set aside[^]*had been cut off: recovered and closed/)
  expect(await stored()).toEqual({ records: 50, bytesLost: 0, reason: 'recovered' })
  expect(readdirSync(vault.flightsDir).toSorted()).toEqual([`${HEAD.id}.glk`, `${HEAD.id}.glk.damaged`])
})

test('a flight that lost a row of its tables is set aside, and not gone on with', async () => {
  const lost = await begunFlight(2)
  const db = await Sqlite.open(lost, 'write')
  await db.run('DELETE FROM gap WHERE id = 2')
  await db.close()
  const writer = await start(createSharedRing())
  expect(await writer.stop()).toBe(0)
  expect(lines).toEqual([expect.stringMatching(/GL-FLIGHT-03 .*its table gap has 1 rows, not 2.*set aside/)])
  expect(readdirSync(vault.flightsDir)).toEqual([`${HEAD.id}.glk.damaged`])
  expect(openFiles()).toEqual([])
})

test.each(['the tails', 'no tails'])(
  'Bounded: recovery of a flight of which %s hold more keeps no file of a try that failed',
  async (held) => {
    const path = await begunFlight(1)
    if (held === 'the tails') {
      const tails = new TailPair(vault, 1)
      tails.append(chunkOf(100, 1, HEAD), 2)
      tails.close()
    }
    const other = await Sqlite.open(path, 'write')
    await other.run('BEGIN IMMEDIATE')
    await expect(recover(vault, loadDialect())).rejects.toThrow('SQLITE_BUSY')
    await other.run('ROLLBACK')
    await other.close()
    expect(openFiles()).toEqual([])
    expect((await recover(vault, loadDialect())).flightIds).toEqual([HEAD.id])
    expect(openFiles()).toEqual([])
  },
)

test('a chunk in another form than ours, with a right checksum, is damage: the station begins without it', async () => {
  const chunk = chunkOf(100, 1, HEAD).finish({ generation: 1, sequence: 1 })
  const { length } = chunkAt(chunk, 0)!
  chunk.fill(0xff, length - 100, length) // what was compressed is not any more
  new DataView(chunk.buffer).setUint32(4, crc32(chunk.subarray(8, length)), true)
  writeFileSync(vault.tailPath(0), Buffer.concat([chunk], TAIL_BYTES))
  const ring = createSharedRing()
  const records = fill(ring, { ...HEAD, id: 'test-0000-12345678-2' }, 50)
  const writer = await start(ring)
  expect(await writer.stop()).toBe(0)
  expect(lines).toEqual(['closed test-0000-12345678-2 shutdown'])
  expect(await stored()).toEqual({ records, bytesLost: 0, reason: 'shutdown' })
})

test('chunk numbers go on over a clean stop', async () => {
  const sequences: number[] = []
  for (const n of [1, 2]) {
    const ring = createSharedRing()
    fill(ring, { ...HEAD, id: `test-0000-12345678-${n}` })
    const writer = await start(ring, { onStored: ({ sequence }) => sequences.push(sequence) })
    await writer.stop()
  }
  expect(sequences).toEqual(sequences.map((_, i) => i + 1))
})

test('a stop while a cut cannot be committed leaves it, and the end behind it, to the next start', async () => {
  const ring = createSharedRing()
  const first = await start(ring)
  mkdirSync(vault.flightPath(HEAD.id)) // so that no file can be made
  const writer = new RingWriter(ring)
  open(writer, HEAD)
  const records = put(writer, 1500)
  json(writer, CLOSE, { reason: 'asked', closedUs: 9 })
  first.pump()
  await untilLine('GL-VAULT-02')
  fill(ring, { ...HEAD, id: 'test-0000-12345678-2' }, 3000)
  expect(await first.stop()).toBe(0)
  expect(lines.filter((line) => line.startsWith('closed'))).toEqual([])

  rmdirSync(vault.flightPath(HEAD.id))
  const second = await start(createSharedRing())
  expect(await second.stop()).toBe(0)
  expect(await stored(HEAD.id)).toEqual({ records, bytesLost: 0, reason: 'asked' })
  expect(await stored()).toEqual({ records: 3000, bytesLost: 0, reason: 'shutdown' })
})

test.each([1, 1000])(
  'Bounded: while nothing can be committed no more is gathered than two tails take, however small it becomes there (%i B)',
  async (recordBytes) => {
    const ring = createSharedRing()
    let durableBytes = 0
    const first = await start(ring, { onStored: ({ bytes }) => (durableBytes = bytes) })
    mkdirSync(vault.flightPath(HEAD.id)) // so that no file can be made
    const writer = new RingWriter(ring)
    open(writer, HEAD)
    const zeros = new Uint8Array(recordBytes)
    let sentBytes = 0
    // Records of a byte cost the ring 24: it has to be filled that often for what the tails take.
    for (let before = -1; before !== sentBytes;) {
      before = sentBytes
      while (writer.write(NOISE, 0, 1, zeros, 0, recordBytes)) sentBytes += recordBytes
      first.pump()
    }
    await untilLine('GL-VAULT-02')
    expect(durableBytes).toBeGreaterThan(recordBytes === 1 ? TAIL_BYTES / 4 : TAIL_BYTES)
    const itemBytes = recordBytes === 1 ? 4 : recordBytes
    expect((durableBytes / recordBytes) * itemBytes).toBeLessThanOrEqual(2 * TAIL_BYTES)
    expect(durableBytes / recordBytes).toBeLessThan(MAX_SEGMENT_RECORDS)
    expect(await first.stop()).toBeGreaterThanOrEqual(sentBytes - durableBytes)

    rmdirSync(vault.flightPath(HEAD.id))
    const second = await start(createSharedRing())
    expect(await second.stop()).toBe(0)
    const { noiseBytes } = await info()
    expect(noiseBytes).toBe(durableBytes)
  },
)

test.skipIf(!canMount())(
  'a full card: what comes waits in tails and ring, is told once, and is all stored when there is room',
  async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=9m', 'tmpfs', vault.dir])
    mounted = true
    vault = Vault.openOrCreate(vault.dir)
    const ring = createSharedRing()
    const records = fill(ring, HEAD)
    const writer = await start(ring)
    writer.pump()
    await untilLine('GL-VAULT-02')
    writer.pump()
    execFileSync('mount', ['-o', 'remount,size=64m', vault.dir])
    while (!lines.includes('GL-VAULT-02 is over')) await pause(20)
    expect(await writer.stop()).toBe(0)
    expect(lines.filter((line) => line.includes('cannot commit to flight'))).toHaveLength(1)
    expect(await stored()).toEqual({ records, bytesLost: 0, reason: 'shutdown' })
  },
)

test.skipIf(!canMount())(
  'a card that is full at the start: what comes waits in memory, and is stored once there is room',
  async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', vault.dir])
    mounted = true
    vault = Vault.openOrCreate(vault.dir)
    const ring = createSharedRing()
    const records = fill(ring, HEAD)
    const starting = start(ring)
    await untilLine('GL-VAULT-05')
    execFileSync('mount', ['-o', 'remount,size=64m', vault.dir])
    const writer = await starting
    expect(await writer.stop()).toBe(0)
    expect(lines[0]).toMatch(/^GL-VAULT-05 {2}cannot prepare for recording .*: .*no space left/i)
    expect(lines[1]).toBe('GL-VAULT-05 is over')
    expect(await stored()).toEqual({ records, bytesLost: 0, reason: 'shutdown' })
  },
)

/** A flight that was begun and not closed, with gaps, a commit each; returns its path. */
async function begunFlight(gaps: number): Promise<string> {
  const flight = LiveFlight.begin(vault, HEAD, loadDialect(), async () => {})
  for (let n = 1; n <= gaps; n++) {
    flight.gap({ link: 0, fromUs: n, toUs: n, bytes: 1, reason: 'a test' })
    await flight.cut()
  }
  await flight.release()
  return vault.flightPath(HEAD.id)
}

/** What this process holds open in the test's folder. */
const openFiles = (): string[] =>
  readdirSync('/proc/self/fd')
    .flatMap((name) => {
      try {
        return [readlinkSync(join('/proc/self/fd', name))]
      } catch {
        return [] // the one that listed them
      }
    })
    .filter((path) => path.startsWith(dir))

async function untilLine(part: string): Promise<void> {
  while (!lines.some((line) => line.includes(part))) await pause(20)
}

async function start(
  ring: SharedRing,
  { onStored = () => {} }: { onStored?: (stored: Stored) => void } = {},
): Promise<VaultWriter> {
  const note = (text: string): void => void lines.push(text)
  const log: Log = { info: note, warn: note, error: note }
  const writer = await VaultWriter.start({
    vault,
    ring,
    dialect: loadDialect(),
    log,
    onStored,
    onClosed: (id, reason) => note(`closed ${id} ${reason}`),
  })
  return writer!
}

/** Puts a whole flight of noise that no compressor makes smaller into the ring, or what fits; returns its records. */
function fill(ring: SharedRing, head: FlightHead, most = Infinity): number {
  const writer = new RingWriter(ring)
  open(writer, head)
  const records = put(writer, most)
  json(writer, CLOSE, { reason: 'shutdown', closedUs: 9 })
  return records
}

function open(writer: RingWriter, head: FlightHead): void {
  json(writer, OPEN, head)
}

function put(writer: RingWriter, most: number): number {
  const bytes = new Uint8Array(1000)
  let state = 1
  for (let count = 0; ; count++) {
    for (let i = 0; i < bytes.length; i++) bytes[i] = (state = (state * 48_271) % 0x7fffffff) >>> 8
    if (count === most || !writer.write(NOISE, 0, count + 1, bytes, 0, bytes.length)) return count
  }
}

function json(writer: RingWriter, kind: number, value: object): void {
  const text = new TextEncoder().encode(JSON.stringify(value))
  writer.write(kind, 0, 1, text, 0, text.length, true)
}

async function stored(id = 'last'): Promise<object> {
  const { records, bytesLost, closeReason } = await info(id)
  return { records, bytesLost, reason: closeReason }
}

async function info(id = 'last'): Promise<FlightInfo> {
  const flight = await FlightReader.open(vault, id)
  await flight.close()
  return flight.info
}

/** Only root may mount, and not in every container. */
function canMount(): boolean {
  const place = mkdtempSync(join(tmpdir(), 'mount-'))
  try {
    mkdirSync(join(place, 'm'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', join(place, 'm')], { stdio: 'ignore' })
    execFileSync('umount', [join(place, 'm')])
    return true
  } catch {
    return false
  } finally {
    rmSync(place, { recursive: true })
  }
}
