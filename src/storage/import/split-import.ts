/**
 * Split import: a tlog becomes the flights that a station would have made of it, by the rules of live recording.
 */
import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { basename } from 'node:path'
import { Fault } from '../../base/fault.js'
import { Vehicles } from '../../mavlink/vehicles.js'
import { SEGMENT_BYTES } from '../flight/flight-builder.js'
import { FlightGate } from '../intake/flight-gate.js'
import { importError } from './import.js'
import type { ImportOptions } from './import.js'
import { importIdOf, splitPartOf } from './import-id.js'
import { Intake } from '../intake/intake.js'
import type { RecordSink } from '../segment/records.js'
import { REDACTED_EVENT } from '../flight/flight.js'
import { isContested, removeStale } from './partial-flight.js'
import { changedFault, inspect, partsOf } from './recording-file.js'
import { SplitFlight } from './split-flight.js'
import { isBelievable } from './tlog.js'
import { syncFolderOf } from '../vault/vault.js'

/** What became of a file. */
export type SplitResult =
  | {
      kind: 'imported'
      ids: string[]
      frames: number
      /** Bytes that belong to no flight; the vault does not hold them. */
      outsideBytes: number
    }
  | { kind: 'already there'; id: string }

/**
 * Imports one tlog as several flights. Timestamps are not stored, but as receive times; what lies between flights is not.
 * A whole import of it is no reason not to. Where the first of the flights is there, all are: one that is interrupted
 * while it gives them their names leaves some of the others, which the next import of the file replaces.
 * Errors: a Fault as `importFile`, and where the file has no timestamps to split it by.
 */
export async function importSplit(path: string, options: ImportOptions): Promise<SplitResult> {
  const seen = await inspect(path, options.dialect, options.signal)
  const recording = importIdOf(seen.sha256)
  const there = firstFlightOf(recording, options)
  if (there !== undefined) return { kind: 'already there', id: there }
  const format = options.format === 'auto' ? seen.format : options.format
  if (format !== 'tlog') throw noTimesFault(path)
  const split = new SplitRecording(recording, basename(path), options)
  try {
    removeStale(options.vault, recording)
    const hash = createHash('sha256')
    for await (const part of partsOf(path, options.signal)) {
      hash.update(part)
      await split.take(part)
      options.onProgress?.(split.intake.counts.bytesIn, seen.bytes)
    }
    if (hash.digest('hex') !== seen.sha256) throw changedFault(path)
    const winner = await split.finish()
    if (winner !== undefined) return { kind: 'already there', id: winner }
    const { frames } = split.intake.counts
    return { kind: 'imported', ids: split.ids, frames, outsideBytes: split.outsideBytes }
  } catch (error) {
    throw importError(path, options, error)
  } finally {
    await split.discard()
  }
}

/** The first of the flights that the recording was split into, if it is there. */
function firstFlightOf(recording: string, { vault }: ImportOptions): string | undefined {
  return vault.flightIds().find((id) => splitPartOf(id, recording) === 1)
}

/** How far the record times must have moved for the rules to look again (µs). */
const TICK_US = 1e6
/** How far a record that is no heartbeat may move the time (µs): its timestamp has no checksum. */
const FURTHEST_US = 60e6

/** The recording on its way into several flight files. */
class SplitRecording {
  readonly intake: Intake
  readonly ids: string[] = []
  readonly #gate: FlightGate
  readonly #recording: string
  readonly #source: string
  readonly #options: ImportOptions
  readonly #flights: SplitFlight[] = []
  #finished = 0
  #nowUs = 0
  #tickedUs = 0

  constructor(recording: string, source: string, options: ImportOptions) {
    const { dialect } = options
    this.#recording = recording
    this.#source = source
    this.#options = options
    this.#gate = new FlightGate({
      open: (openedUs, isNextPart) => {
        const previous = isNextPart ? (this.ids.at(-1) ?? null) : null
        this.ids.push(`${options.station}-${recording}-${this.ids.length + 1}`)
        this.#flights.push(new SplitFlight(this.ids.at(-1)!, previous, openedUs, options))
        return true
      },
      record: (kind, link, timeUs, bytes, start, end) => {
        this.#current.bytesIn += end - start
        this.#current.builder.append(kind, link, timeUs, bytes, start, end)
        return true
      },
      event: (event) => {
        if (event.kind === REDACTED_EVENT) this.#current.redactions++
        this.#current.builder.addEvent(event)
      },
      close: (closing) => {
        this.#current.closing = closing
        return true
      },
    })
    const vehicles = new Vehicles(dialect, {
      heartbeat: (sysid, armed, recvTimeUs) => this.#heartbeat(sysid, armed, recvTimeUs),
      event: (kind, detail) => this.#gate.event(kind, detail, this.#nowUs),
      utc: () => {},
    })
    const onRedaction = (): void => this.#gate.event(REDACTED_EVENT, 'a signing key', this.#nowUs)
    this.intake = new Intake({
      link: 0,
      dialect,
      vehicles,
      sink: this.#record,
      timestamped: true,
      onRedaction,
    })
  }

  readonly #record: RecordSink = (kind, link, timeUs, bytes, start, end) => {
    this.#advance(Number(timeUs), FURTHEST_US)
    this.#gate.record(kind, link, timeUs, bytes, start, end)
  }

  get outsideBytes(): number {
    return this.#gate.ledger(0).outsideBytes
  }

  get #current(): SplitFlight {
    const flight = this.#flights.at(-1)
    if (flight === undefined) throw new Error('a record outside of a flight')
    return flight
  }

  async take(part: Uint8Array): Promise<void> {
    this.intake.push(part, 0)
    await this.#finishClosed()
    const flight = this.#flights.at(-1)
    if (this.#gate.isOpen && flight !== undefined && flight.builder.pendingBytes >= SEGMENT_BYTES)
      await flight.cut(false)
  }

  /** Returns the id of a first flight that another import of the recording published meanwhile. */
  async finish(): Promise<string | undefined> {
    this.intake.end()
    this.#gate.close('imported', this.#nowUs)
    await this.#finishClosed()
    return firstFlightOf(this.#recording, this.#options) ?? this.#publish()
  }

  /** Names the flights, the first last: two imports at once replace each other's others by the same, and one wins it. */
  #publish(): string | undefined {
    const [first, ...others] = this.#flights
    if (first === undefined) return undefined
    this.#removeLeftovers()
    for (const { partial } of others) partial.replace()
    syncFolderOf(first.partial.path)
    return first.partial.publish() ? undefined : first.id
  }

  /** Removes what an interrupted import named otherwise, under another station; not what one at work names just now. */
  #removeLeftovers(): void {
    const { vault } = this.#options
    const mine = this.#flights.map(({ partial }) => partial)
    const leftovers = vault
      .flightIds()
      .filter((id) => splitPartOf(id, this.#recording) !== undefined && !this.ids.includes(id))
    if (leftovers.length === 0 || isContested(vault, this.#recording, mine)) return
    for (const id of leftovers) rmSync(vault.flightPath(id), { force: true })
  }

  /** Removes what was not published. */
  async discard(): Promise<void> {
    for (const flight of this.#flights.slice(this.#finished)) await flight.release()
    for (const { partial } of this.#flights) partial.discard()
  }

  async #finishClosed(): Promise<void> {
    const closed = this.#gate.isOpen ? this.#flights.length - 1 : this.#flights.length
    for (; this.#finished < closed; this.#finished++)
      await this.#flights[this.#finished]!.finish(this.#source)
  }

  #heartbeat(sysid: number, armed: boolean, recvTimeUs: number): void {
    this.#advance(recvTimeUs, Infinity)
    this.#gate.heartbeat(sysid, armed, this.#nowUs)
  }

  /** The rules' time only goes on, and by a record other than a heartbeat not far: a broken clock must not tear a flight. */
  #advance(timeUs: number, furthestUs: number): void {
    if (!isBelievable(timeUs) || timeUs - this.#nowUs > furthestUs) return
    this.#nowUs = Math.max(this.#nowUs, timeUs)
    if (this.#nowUs - this.#tickedUs < TICK_US) return
    this.#tickedUs = this.#nowUs
    this.#gate.tick(this.#nowUs)
  }
}

function noTimesFault(path: string): Fault {
  return new Fault({
    code: 'GL-IMPORT-05',
    op: 'split',
    subject: path,
    found: 'it is a raw stream, which has no times',
    hint: 'Import it as one flight, without --split.',
    recovery: 'user',
  })
}
