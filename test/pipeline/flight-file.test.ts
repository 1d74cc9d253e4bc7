/**
 * What a person may rely on of the format: docs/flight-file.md is enough to get every byte back without our code.
 * The reader of these tests was written from that page; the files it reads are made by the product.
 */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { simulate } from '../../src/simulator/simulate.js'
import { importFile } from '../../src/storage/import/import.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { captures, capturesReason } from '../support/captures.js'
import { HEARTBEAT, SETUP_SIGNING, frame, known } from '../support/frames.js'
import { REPOSITORY, groundlock } from '../support/groundlock.js'
import { decimals, framed, mixture } from '../support/made-records.js'
import { RunningStation } from '../support/running-station.js'
import { StrangerFlight, rawBytes, readVault } from '../support/stranger-reader.js'
import { readSegment, type StrangerRecord } from '../support/stranger-segment.js'

const dialect = loadDialect()
let dir: string
let station: RunningStation | undefined

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flight-file-'))
})

afterEach(async () => {
  await station?.end('SIGKILL')
  station = undefined
  rmSync(dir, { recursive: true })
})

describe('a reader written from docs/flight-file.md alone gives every byte back', () => {
  const reason = capturesReason ?? ''
  describe.skipIf(capturesReason !== null)(`of recordings of real vehicles ${reason}`, () => {
    test.each(captures())('$name', async ({ path, oracle }) => {
      const records = await readImported(path, oracle.format)
      expect(recordingOf(records, oracle.format).equals(readFileSync(path))).toBe(true)
      expect(framesOf(records)).toHaveLength(oracle.structural.good)
    })

    test('there are such recordings', () => expect(captures()).not.toEqual([]))
  })

  test.each(['tlog', 'raw'] as const)(
    'of frames of every sort and noise of odd lengths: %s',
    async (format) => {
      const made = mixture()
      const recording = recordingOf(made, format)
      const records = await readImported(write(recording), format)
      expect(recordingOf(records, format).equals(recording)).toBe(true)
      expect(framesOf(records)).toEqual(framesOf(made))
    },
  )

  test('of more senders than a byte can number', async () => {
    const made = Array.from({ length: 900 }, (_, i) =>
      framed(i, known(HEARTBEAT, { seq: i & 0xff, sysid: 1 + (i % 100), compid: 1 + (i % 3) })),
    )
    const recording = recordingOf(made, 'tlog')
    expect(recordingOf(await readImported(write(recording), 'tlog'), 'tlog').equals(recording)).toBe(true)
  })

  test('of floats that are decimals, nearly decimals, and none', async () => {
    const recording = recordingOf(decimals(), 'tlog')
    expect(recordingOf(await readImported(write(recording), 'tlog'), 'tlog').equals(recording)).toBe(true)
  })

  test('but for a signing key, whose frame keeps its checksum', async () => {
    const key = Array.from({ length: 32 }, (_, i) => i + 1)
    const setup = (seq: number, secret: readonly number[]) =>
      frame({ ...SETUP_SIGNING, seq, payload: [1, 0, 0, 0, 0, 0, 0, 0, 1, 1, ...secret] })
    const made = [known(HEARTBEAT), setup(1, key), known(HEARTBEAT, { seq: 2 }), setup(3, key)]
    const path = write(
      recordingOf(
        made.map((bytes, i) => framed(i, bytes)),
        'tlog',
      ),
    )
    const records = await readImported(path, 'tlog')
    const keyStart = 10 + 10
    const expected = made.map((bytes, i) => (i % 2 === 1 ? bytes.fill(0, keyStart, keyStart + 32) : bytes))
    expect(framesOf(records)).toEqual(expected)
  })
})

test('one message can be read alone', async () => {
  const flight = await openImported(write(recordingOf(mixture(), 'tlog')), 'tlog')
  try {
    const records = await flight.records()
    const groups = await flight.groupsOf(HEARTBEAT.msgid)
    const alone = groups.flatMap(({ timesUs, payloads }) => timesUs.map((us, i) => timed(us, payloads[i]!)))
    const within = records.filter(isHeartbeat).map(({ timeUs, bytes }) => timed(timeUs, payloadOf(bytes)))
    expect(within.length).toBeGreaterThan(100)
    expect(alone.toSorted()).toEqual(within.toSorted())
  } finally {
    await flight.close()
  }
})

test('UTC by the anchors is what an export says', async () => {
  station = new RunningStation(dir)
  await simulate({ link: join(dir, 'radio'), durationS: 10, seed: 7 })
  expect(await station.end('SIGTERM')).toBe(0)
  const out = join(dir, 'tlog')
  const exported = groundlock(['export', 'last', '--vault', station.vault, '--format', 'tlog', '--out', out])
  expect(exported.code).toBe(0)
  const [name] = readdirSync(join(station.vault, 'flights'))
  const flight = await StrangerFlight.open(join(station.vault, 'flights', name!))
  try {
    const frames = (await flight.records()).filter(({ kind }) => kind === 'frame')
    const withUtc = frames.map(async (record) => ({
      ...record,
      timeUs: (await flight.utcUs(record.timeUs))!,
    }))
    expect(recordingOf(await Promise.all(withUtc), 'tlog').equals(readFileSync(out))).toBe(true)
  } finally {
    await flight.close()
  }
})

test('the example of docs/flight-file.md is right', () => {
  const page = readFileSync(join(REPOSITORY, 'docs', 'flight-file.md'), 'utf8')
  const [, order, frames, tlog] = page.split('## Example')[1]!.split(/\n\n(?! {4})/)
  const records = readSegment([
    { kind: 'order', raw: hexIn(order!) },
    { kind: 'frames', raw: hexIn(frames!) },
  ])
  expect(records).toHaveLength(4)
  expect(recordingOf(records, 'tlog').toString('hex')).toBe(hexIn(tlog!).toString('hex'))
})

describe('a reader written from docs/flight-file.md alone reads what a station had stored', () => {
  test('in its tails', async () => {
    const { stored, wire, hasFile, whileItRan, whenKilled } = await killed({
      speed: 4,
      afterChunks: 3,
      byteLoss: 0.001,
    })
    expect(hasFile).toBe(false)
    expect(isPrefix(whileItRan, wire)).toBe(true)
    expect(isPrefix(whenKilled, wire)).toBe(true)
    expect(Math.min(whileItRan.length, whenKilled.length)).toBeGreaterThanOrEqual(stored)
  }, 60_000)

  test('in its file and behind that in its tails', async () => {
    // Without byte loss: in so much noise there would be what looks like a signing key, and is zeroed.
    const how = { speed: 60, afterChunks: 2, byteLoss: 0, behindFile: true }
    const { stored, wire, hasFile, whileItRan, whenKilled } = await killed(how)
    expect(hasFile).toBe(true)
    expect(isPrefix(whileItRan, wire)).toBe(true)
    expect(isPrefix(whenKilled, wire)).toBe(true)
    expect(Math.min(whileItRan.length, whenKilled.length)).toBeGreaterThanOrEqual(stored)
  }, 120_000)
})

interface KillOptions {
  speed: number
  byteLoss: number
  afterChunks: number
  behindFile?: boolean
}

/** What was on the wire, and what the stranger reads of it, shortly before and after a station is killed. */
interface Killed {
  wire: Buffer
  /** Bytes that the station said it had stored, before both readings. */
  stored: number
  hasFile: boolean
  whileItRan: Uint8Array
  whenKilled: Uint8Array
}

/** Kills a station this many chunks after its flight began, or after the flight got its file. */
async function killed(how: KillOptions): Promise<Killed> {
  const { speed, afterChunks, byteLoss, behindFile = false } = how
  station = new RunningStation(dir)
  const interrupt = new AbortController()
  const flight = { durationS: 3600, seed: 7, byteLoss, speed, signal: interrupt.signal }
  const flying = simulate({ link: join(dir, 'radio'), wireLog: join(dir, 'wire'), ...flight })
  try {
    const { vault } = station
    const fileOf = (id: string | null) => join(vault, 'flights', `${id}.glk`)
    const begun = await station.untilStatus(
      (status) => status.stored !== null && (!behindFile || existsSync(fileOf(status.flight))),
    )
    const enough = begun.stored!.sequence + afterChunks
    const { stored, flight: id } = await station.untilStatus((status) => status.stored!.sequence >= enough)
    const whileItRan = rawBytes(await readVault(vault, id!), 0)
    await station.end('SIGKILL')
    const whenKilled = rawBytes(await readVault(vault, id!), 0)
    interrupt.abort()
    await flying
    const wire = readFileSync(join(dir, 'wire'))
    return { wire, stored: stored!.bytes, hasFile: existsSync(fileOf(id)), whileItRan, whenKilled }
  } finally {
    interrupt.abort()
    await flying
  }
}

function isPrefix(prefix: Uint8Array, whole: Buffer): boolean {
  return whole.subarray(0, prefix.length).equals(prefix)
}

async function openImported(path: string, format: 'tlog' | 'raw'): Promise<StrangerFlight> {
  const vault = Vault.openOrCreate(join(dir, 'vault'))
  const { id } = await importFile(path, { vault, station: 'test-0000', dialect, format })
  return StrangerFlight.open(vault.flightPath(id))
}

async function readImported(path: string, format: 'tlog' | 'raw'): Promise<StrangerRecord[]> {
  const flight = await openImported(path, format)
  try {
    return await flight.records()
  } finally {
    await flight.close()
  }
}

function write(recording: Uint8Array): string {
  const path = join(dir, 'recording')
  writeFileSync(path, recording)
  return path
}

/** The file that these records are of. */
function recordingOf(records: readonly StrangerRecord[], format: 'tlog' | 'raw'): Buffer {
  return Buffer.concat(
    records.map(({ kind, timeUs, bytes }) =>
      kind === 'frame' && format === 'tlog' ? Buffer.concat([bigEndian(timeUs), bytes]) : bytes,
    ),
  )
}

function bigEndian(timeUs: bigint): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(timeUs)
  return bytes
}

function framesOf(records: readonly StrangerRecord[]): Uint8Array[] {
  return records.filter(({ kind }) => kind === 'frame').map(({ bytes }) => Uint8Array.from(bytes))
}

function isHeartbeat({ kind, bytes }: StrangerRecord): boolean {
  if (kind === 'noise') return false
  return bytes[0] === 0xfe ? bytes[5] === 0 : bytes[7] === 0 && bytes[8] === 0 && bytes[9] === 0
}

function payloadOf(bytes: Uint8Array): Uint8Array {
  const start = bytes[0] === 0xfe ? 6 : 10
  return bytes.subarray(start, start + bytes[1]!)
}

function timed(timeUs: bigint, payload: Uint8Array): string {
  return `${timeUs} ${Buffer.from(payload).toString('hex')}`
}

/** The bytes at the beginnings of a block's lines. */
function hexIn(block: string): Buffer {
  const starts = block.matchAll(/^ {4,}([0-9a-f]{2}(?: [0-9a-f]{2})*)(?: {2}|$)/gm)
  return Buffer.concat([...starts].map(([, hex]) => Buffer.from(hex!.replaceAll(' ', ''), 'hex')))
}
