/**
 * What a person may rely on of the storage when the card, a file or the clock of a power cut is against it: nothing is
 * lost without a gap, and nothing keeps a station from recording.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Log } from '../../src/base/log.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { FlightReader } from '../../src/storage/flight/flight-reader.js'
import type { FlightHead } from '../../src/storage/flight/flight.js'
import { OPEN, RingWriter, createSharedRing } from '../../src/storage/recorder/ring.js'
import type { SharedRing } from '../../src/storage/recorder/ring.js'
import { VaultWriter } from '../../src/storage/recorder/vault-writer.js'
import { NOISE } from '../../src/storage/segment/records.js'
import { CLOSE } from '../../src/storage/tail/chunk.js'
import { Vault } from '../../src/storage/vault/vault.js'

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

test('chunk numbers go on over a clean stop', async () => {
  const sequences: number[] = []
  for (const n of [1, 2]) {
    const ring = createSharedRing()
    fill(ring, { ...HEAD, id: `test-0000-12345678-${n}` })
    const writer = await start(ring, (sequence) => sequences.push(sequence))
    await writer.stop()
  }
  expect(sequences).toEqual(sequences.map((_, i) => i + 1))
})

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
    while (!lines.some((line) => line.includes('GL-VAULT-02'))) await pause(20)
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
    while (!lines.some((line) => line.includes('GL-VAULT-05'))) await pause(20)
    execFileSync('mount', ['-o', 'remount,size=64m', vault.dir])
    const writer = await starting
    expect(await writer.stop()).toBe(0)
    expect(lines[0]).toMatch(/^GL-VAULT-05 {2}cannot prepare for recording .*: .*no space left/i)
    expect(lines[1]).toBe('GL-VAULT-05 is over')
    expect(await stored()).toEqual({ records, bytesLost: 0, reason: 'shutdown' })
  },
)

function start(ring: SharedRing, onSequence: (sequence: number) => void = () => {}): Promise<VaultWriter> {
  const note = (text: string): void => void lines.push(text)
  const log: Log = { info: note, warn: note, error: note }
  return VaultWriter.start({
    vault,
    ring,
    dialect: loadDialect(),
    log,
    onStored: ({ sequence }) => onSequence(sequence),
    onClosed: (id, reason) => note(`closed ${id} ${reason}`),
  })
}

/** Fills the ring with a whole flight of noise that no compressor makes smaller; returns its records. */
function fill(ring: SharedRing, head: FlightHead): number {
  const writer = new RingWriter(ring)
  open(writer, head)
  const records = put(writer, Infinity)
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

async function stored(): Promise<object> {
  const flight = await FlightReader.open(vault, 'last')
  await flight.close()
  const { records, bytesLost, closeReason } = flight.info
  return { records, bytesLost, reason: closeReason }
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
