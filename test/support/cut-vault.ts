/**
 * Cut vault: what is left of a vault when the power went, opened as the next start does, and held against what was
 * published before. It looks with the product's reader and with the stranger's.
 */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { Fault } from '../../src/base/fault.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { FlightReader } from '../../src/storage/flight/flight-reader.js'
import { OPEN, RingWriter, createSharedRing } from '../../src/storage/recorder/ring.js'
import { VaultWriter } from '../../src/storage/recorder/vault-writer.js'
import { FRAME, NOISE } from '../../src/storage/segment/records.js'
import type { Records } from '../../src/storage/segment/records.js'
import { CLOSE } from '../../src/storage/tail/chunk.js'
import { flightsIn, snapshotTails } from '../../src/storage/tail/tail-reader.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { HEAD } from './chunks.js'
import type { FoundFile } from './cut-disk.js'
import type { FlownFlight } from './flown-plan.js'
import { StrangerFlight } from './stranger-reader.js'
import type { StrangerRecord } from './stranger-segment.js'
import { VAULT } from './traced-vault.js'
import type { Line } from './traced-vault.js'

/** What was published so far of a flight. */
export interface Published {
  chunks: number
  sequence: number
  bytes: number
  /** Set once it was said to be closed. */
  reason: string | undefined
}

/** What was published so far, by flight. */
export class Publications {
  readonly byFlight = new Map<string, Published>()
  /** How many records of each flight were given to the storage. */
  readonly given = new Map<string, number>()
  /** Highest sequence of all. */
  sequence = 0

  take(line: Line): void {
    if (line.what === 'given') this.given.set(line.flightId, line.records)
    if (line.what !== 'stored' && line.what !== 'closed') return
    const before = this.byFlight.get(line.flightId) ?? { chunks: 0, sequence: 0, bytes: 0, reason: undefined }
    if (line.what === 'closed') before.reason = line.reason
    else {
      before.chunks++
      before.bytes = line.bytes
      this.sequence = before.sequence = line.sequence
    }
    this.byFlight.set(line.flightId, before)
  }
}

/** What was seen of one image. */
export interface Seen {
  /** What is wrong, as lines; none is the promise. */
  problems: string[]
  /** Flights that could be read before the recovery, and those that a Fault said could not. */
  readableBefore: number
  refusedBefore: number
  /** Chunks and records that were published, and are there. */
  chunks: number
  records: number
  /** Records that were not published, and are there all the same; and those that are not. */
  more: number
  lost: number
}

const ZEROS = Buffer.alloc(4096)

/** Puts the files below `dir`, which is made anew; pages of zeros become holes. */
export function putFiles(dir: string, files: readonly FoundFile[]): void {
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  for (const { path } of files) if (path.endsWith('/')) mkdirSync(join(dir, path), { recursive: true })
  for (const { path, bytes, mode } of files) {
    if (path.endsWith('/')) continue
    const file = openSync(join(dir, path), 'w')
    for (let at = 0; at < bytes.length; at += ZEROS.length) {
      const page = bytes.subarray(at, at + ZEROS.length)
      if (!page.equals(ZEROS.subarray(0, page.length))) writeSync(file, page, 0, page.length, at)
    }
    ftruncateSync(file, bytes.length)
    closeSync(file)
    chmodSync(join(dir, path), mode)
  }
}

export class CutVault {
  readonly #dir: string
  readonly #flights: ReadonlyMap<string, FlownFlight>
  /** Files that were looked at before, by their bytes: how many records each has. */
  readonly #known = new Map<string, number>()

  /** `dir`: where the image lies. */
  constructor(dir: string, flights: readonly FlownFlight[]) {
    this.#dir = join(dir, VAULT)
    this.#flights = new Map(flights.map((flight) => [flight.head.id, flight]))
  }

  /** Looks at the image, of what was published before the cut; `before`: also before the next start. */
  async look(published: Publications, before: boolean): Promise<Seen> {
    const seen: Seen = {
      problems: [],
      readableBefore: 0,
      refusedBefore: 0,
      chunks: 0,
      records: 0,
      more: 0,
      lost: 0,
    }
    try {
      if (before) await this.#readBefore(seen, published)
      await this.#startAgain(seen, published.sequence)
      await this.#readAll(seen, published)
    } catch (error) {
      seen.problems.push(String(error))
    }
    return seen
  }

  async #readAll(seen: Seen, { byFlight, given }: Publications): Promise<void> {
    const vault = Vault.open(this.#dir)
    const expected = [...this.#flights.keys(), NEXT.id].map((id) => `${id}.glk`)
    for (const name of readdirSync(vault.flightsDir))
      if (!expected.includes(name)) seen.problems.push(`flights/${name} is left`)
    for (const flight of this.#flights.values()) {
      const { id } = flight.head
      const published = byFlight.get(id) ?? { chunks: 0, sequence: 0, bytes: 0, reason: undefined }
      let count = 0
      try {
        if (existsSync(vault.flightPath(id))) count = await this.#readFlight(vault, flight, published, seen)
        else if (published.chunks > 0) seen.problems.push(`${id}: is gone, with all that was published`)
      } catch (error) {
        seen.problems.push(`${id}: ${String(error)}`)
      }
      const stored = storedRecords(flight, published.bytes)
      if (count < stored) seen.problems.push(`${id}: has ${count} of ${stored} records that were published`)
      seen.chunks += published.chunks
      seen.records += stored
      seen.more += count - stored
      seen.lost += (given.get(id) ?? count) - count
    }
  }

  /** What a person sees who lists and shows the flights before the station starts again: a flight, or a reason. */
  async #readBefore(seen: Seen, { byFlight }: Publications): Promise<void> {
    if (!existsSync(join(this.#dir, 'flights'))) return
    const vault = Vault.open(this.#dir)
    const tails = snapshotTails(vault)
    for (const id of new Set([...vault.flightIds(), ...flightsIn(tails).map((head) => head.id)])) {
      try {
        const reader = await FlightReader.openId(vault, id, tails)
        try {
          const flight = this.#flights.get(id)
          if (flight === undefined) seen.problems.push(`${id}: nobody flew it`)
          else {
            const stored = storedRecords(flight, byFlight.get(id)?.bytes ?? 0)
            const count = await compareReader(reader, flight)
            if (count < stored)
              seen.problems.push(`${id}: shows ${count} of ${stored} records before the recovery`)
          }
        } finally {
          await reader.close()
        }
        seen.readableBefore++
      } catch (error) {
        // A journal may have to be rolled back first; but a flight is never taken for something else.
        if (error instanceof Fault && error.code === 'GL-FLIGHT-05') seen.refusedBefore++
        else seen.problems.push(`${id}: before the recovery: ${String(error)}`)
      }
    }
  }

  /** Starts a station's storage on it, which recovers, records one more flight and stops. */
  async #startAgain(seen: Seen, published: number): Promise<void> {
    const ring = createSharedRing()
    const input = new RingWriter(ring)
    const json = (kind: number, value: object): void => {
      const text = Buffer.from(JSON.stringify(value))
      input.write(kind, 0, 1, text, 0, text.length)
    }
    json(OPEN, NEXT)
    input.write(NOISE, 0, 1, Buffer.from('next'), 0, 4)
    json(CLOSE, { reason: 'asked', closedUs: 1 })
    let first = 0
    const closed: string[] = []
    const writer = await VaultWriter.start({
      vault: Vault.openOrCreate(this.#dir),
      ring,
      dialect: loadDialect(),
      log: {
        info: () => {},
        warn: () => {},
        error: (text) => {
          // It would be tried again for ever, and nothing is going to change.
          if (text.includes('GL-VAULT-05')) throw new Error(text)
          seen.problems.push(text)
        },
      },
      onStored: (stored) => (first ||= stored.sequence),
      onClosed: (id) => closed.push(id),
    })
    const left = await writer!.stop()
    if (left > 0 || closed.join() !== NEXT.id) seen.problems.push('the next flight was not recorded')
    if (first <= published)
      seen.problems.push(`chunk ${first} is stored again after ${published} was published`)
  }

  /** Returns how many records the flight has. */
  async #readFlight(vault: Vault, flight: FlownFlight, published: Published, seen: Seen): Promise<number> {
    const { id } = flight.head
    const path = vault.flightPath(id)
    const content = createHash('sha256').update(readFileSync(path)).digest('hex')
    const count = this.#known.get(content) ?? (await readWhole(vault, flight))
    this.#known.set(content, count)
    const reader = await FlightReader.openId(vault, id, [])
    const { closeReason, bytesIn, state } = reader.info
    await reader.close()
    const say = (problem: string): void => void seen.problems.push(`${id}: ${problem}`)
    if (bytesIn < published.bytes) say(`has ${bytesIn} of ${published.bytes} bytes that were published`)
    if ((flight.bytesThrough[count - 1] ?? 0) > bytesIn) say(`says ${bytesIn} bytes of ${count} records`)
    if (state !== 'closed') say(`is ${state}`)
    if (published.reason !== undefined && closeReason !== published.reason)
      say(`was closed as ${published.reason}, is ${closeReason}`)
    if (closeReason !== 'recovered' && closeReason !== flight.closing?.reason)
      say(`is closed as ${closeReason}`)
    return count
  }
}

/** The flight that is recorded after the cut. */
const NEXT = { ...HEAD, id: `${HEAD.station}-00c0ffee-next`, openedUs: 1 }

/** How many of the flight's records are in its first so many bytes. */
function storedRecords({ bytesThrough }: FlownFlight, bytes: number): number {
  return bytesThrough.findLastIndex((through) => through <= bytes) + 1
}

/** Reads all of a closed flight, twice; returns how many records it has. Errors: whatever is wrong with it. */
async function readWhole(vault: Vault, flight: FlownFlight): Promise<number> {
  const { id } = flight.head
  const stranger = await StrangerFlight.open(vault.flightPath(id))
  try {
    const [row] = await stranger.rows<{ integrity_check: string }>('PRAGMA integrity_check')
    if (row?.integrity_check !== 'ok') throw new Error(`integrity_check says ${row?.integrity_check}`)
    compareStranger(await stranger.records(), flight)
  } finally {
    await stranger.close()
  }
  const reader = await FlightReader.openId(vault, id, [])
  try {
    return await compareReader(reader, flight)
  } finally {
    await reader.close()
  }
}

function compareStranger(records: readonly StrangerRecord[], flight: FlownFlight): void {
  if (records.length > flight.records.length) throw new Error(`the stranger reads ${records.length} records`)
  for (const [i, { kind, link, timeUs, bytes }] of records.entries()) {
    const given = flight.records[i]!
    const same =
      link === given.link &&
      timeUs === given.timeUs &&
      (kind === 'frame') === (given.kind === FRAME) &&
      Buffer.from(bytes).equals(given.bytes)
    if (!same) throw new Error(`the stranger reads another record ${i}`)
  }
}

/** Errors: what is no beginning of the flight as it was given. */
async function compareReader(reader: FlightReader, flight: FlownFlight): Promise<number> {
  let count = 0
  for (const segment of reader.segments) {
    const records = await segment.records()
    for (let i = 0; i < records.count; i++, count++) {
      if (!isSame(records, i, flight.records[count])) throw new Error(`record ${count} is another one`)
    }
  }
  const [gaps, events, anchors] = flight.happenedBefore[count - 1] ?? [0, 0, 0]
  compareBeginning('gaps', reader.gaps, flight.gaps, gaps)
  compareBeginning('events', reader.events, flight.events, events)
  compareBeginning('anchors', reader.anchors, flight.anchors, anchors)
  return count
}

function isSame(records: Records, i: number, given: FlownFlight['records'][number] | undefined): boolean {
  if (given === undefined) return false
  const { kind, link, timeUs, bytes } = given
  return (
    records.kinds[i] === kind &&
    records.links[i] === link &&
    records.times[i] === timeUs &&
    Buffer.compare(records.bytes.subarray(records.startOf(i), records.ends[i]), bytes) === 0
  )
}

function compareBeginning(
  what: string,
  found: readonly object[],
  given: readonly object[],
  atLeast: number,
): void {
  if (found.length < atLeast) throw new Error(`${found.length} of ${atLeast} ${what}`)
  const same = JSON.stringify(found) === JSON.stringify(given.slice(0, found.length))
  if (!same) throw new Error(`${what} are others`)
}
