/**
 * Split import: a tlog becomes the flights that a station would have made of it, by the rules of live recording.
 */
import { createHash } from 'node:crypto'
import { rename, unlink } from 'node:fs/promises'
import { basename } from 'node:path'
import { Fault } from '../../base/fault.js'
import { Vehicles } from '../../mavlink/vehicles.js'
import type { Closing } from '../tail/chunk.js'
import { FlightBuilder, SEGMENT_BYTES } from '../flight/flight-builder.js'
import { FlightGate } from '../intake/flight-gate.js'
import { FlightWriter } from '../flight/flight-writer.js'
import { importIdOf, syncFile, writeFault } from './import.js'
import type { ImportOptions } from './import.js'
import { Intake } from '../intake/intake.js'
import type { RecordSink } from '../segment/records.js'
import { REDACTED_EVENT } from '../flight/live-flight.js'
import { changedFault, inspect, partsOf } from './recording-file.js'
import { Tally } from '../flight/tally.js'
import { TIMESTAMP_BYTES, isBelievable } from './tlog.js'
import { PARTIAL_SUFFIX, syncFolderOf } from '../vault/vault.js'

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
 * Errors: a Fault as `importFile`, and where the file has no timestamps to split it by. Nothing is left of what fails.
 */
export async function importSplit(path: string, options: ImportOptions): Promise<SplitResult> {
  const seen = await inspect(path, options.dialect, options.signal)
  const there = options.vault.flightIds().find((id) => id.includes(importIdOf(seen.sha256)))
  if (there !== undefined) return { kind: 'already there', id: there }
  const format = options.format === 'auto' ? seen.format : options.format
  if (format !== 'tlog') throw noTimesFault(path)
  const split = new SplitRecording(`${options.station}-${importIdOf(seen.sha256)}`, basename(path), options)
  try {
    const hash = createHash('sha256')
    for await (const part of partsOf(path, options.signal)) {
      hash.update(part)
      await split.take(part)
      options.onProgress?.(split.intake.counts.bytesIn, seen.bytes)
    }
    if (hash.digest('hex') !== seen.sha256) throw changedFault(path)
    await split.finish()
    const { frames } = split.intake.counts
    return { kind: 'imported', ids: split.ids, frames, outsideBytes: split.outsideBytes }
  } catch (error) {
    await split.discard()
    const known = error instanceof Fault || options.signal?.aborted === true
    throw known ? error : writeFault(path, options.vault, error)
  }
}

/** How far the record times must have moved for the rules to look again (µs). */
const TICK_US = 1e6
/** How far a record that is no heartbeat may move the time (µs): its timestamp has no checksum. */
const FURTHEST_US = 60e6

/** One of the flights, from its first record to its settled file. */
class SplitFlight {
  readonly id: string
  readonly partial: string
  readonly builder: FlightBuilder
  readonly openedUs: number
  closing: Closing | undefined
  bytesIn = 0
  redactions = 0
  #cuts = 0
  #writer: Promise<FlightWriter> | undefined
  readonly #create: () => Promise<FlightWriter>

  constructor(id: string, previousPart: string | null, openedUs: number, options: ImportOptions) {
    const head = {
      id,
      station: options.station,
      bootId: '',
      origin: 'import' as const,
      previousPart,
      openedUs,
    }
    this.id = id
    this.openedUs = openedUs
    this.partial = options.vault.flightPath(id) + PARTIAL_SUFFIX
    this.#create = () => FlightWriter.create(this.partial, { ...head, links: ['file'] }, 'at the end')
    this.builder = new FlightBuilder(
      () => this.writer(),
      options.dialect,
      new Tally(options.dialect.byId, TIMESTAMP_BYTES),
    )
  }

  writer(): Promise<FlightWriter> {
    this.#writer ??= this.#create()
    return this.#writer
  }

  async cut(last: boolean): Promise<void> {
    const chunk = ++this.#cuts
    const totals = { bytesIn: this.bytesIn, bytesLost: 0, redactions: this.redactions }
    await this.builder.cut({ firstChunk: chunk, lastChunk: chunk }, totals, last)
  }

  async finish(source: string): Promise<void> {
    const anchor = { recvTimeUs: this.openedUs, utcUs: this.openedUs, source: 'recorded' as const }
    this.builder.addAnchor(anchor)
    await this.cut(true)
    const writer = await this.writer()
    await writer.noteSource({ name: source, format: 'tlog', bytes: this.bytesIn, sha256: null })
    await writer.close(this.closing?.reason ?? 'imported', this.openedUs, this.closing?.closedUs ?? null)
    await writer.settle()
    await syncFile(this.partial)
  }
}

/** The recording on its way into several flight files. */
class SplitRecording {
  readonly intake: Intake
  readonly ids: string[] = []
  readonly #gate: FlightGate
  readonly #source: string
  readonly #options: ImportOptions
  readonly #flights: SplitFlight[] = []
  #finished = 0
  #nowUs = 0
  #tickedUs = 0

  constructor(idStem: string, source: string, options: ImportOptions) {
    const { dialect } = options
    this.#source = source
    this.#options = options
    this.#gate = new FlightGate({
      open: (openedUs, isNextPart) => {
        const previous = isNextPart ? (this.ids.at(-1) ?? null) : null
        this.ids.push(`${idStem}-${this.ids.length + 1}`)
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

  async finish(): Promise<void> {
    this.intake.end()
    this.#gate.close('imported', this.#nowUs)
    await this.#finishClosed()
    for (const { id, partial } of this.#flights) await rename(partial, this.#options.vault.flightPath(id))
    const [first] = this.#flights
    if (first !== undefined) syncFolderOf(first.partial)
  }

  async discard(): Promise<void> {
    for (const flight of this.#flights.slice(this.#finished)) {
      await flight.writer().then(
        (writer) => writer.release(),
        () => {},
      )
    }
    for (const { partial } of this.#flights) await unlink(partial).catch(() => {})
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
