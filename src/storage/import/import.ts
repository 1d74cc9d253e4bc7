/**
 * Import: a recording that others made becomes a flight, with the same splitter and the same segments as a live one.
 *
 *     file ──read twice──▶ hash, format │ intake ──▶ records ──1 MiB──▶ segments ──▶ partial ──▶ ID.glk
 */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import { Fault, errnoOf, reasonOf } from '../../base/fault.js'
import type { Dialect } from '../../mavlink/dialect.js'
import { Vehicles } from '../../mavlink/vehicles.js'
import { FlightBuilder, SEGMENT_BYTES } from '../flight/flight-builder.js'
import type { FlightSource } from '../flight/flight.js'
import { FlightWriter } from '../flight/flight-writer.js'
import { REDACTED_EVENT } from '../flight/flight.js'
import { Intake } from '../intake/intake.js'
import { FRAME } from '../segment/records.js'
import type { RecordSink } from '../segment/records.js'
import { importIdOf, isWholeImport } from './import-id.js'
import { PartialFlight, removeStale } from './partial-flight.js'
import { changedFault, inspect, partsOf } from './recording-file.js'
import type { RecordingFormat } from './recording-format.js'
import { Tally } from '../flight/tally.js'
import { TimeSpan } from './time-span.js'
import { TIMESTAMP_BYTES } from './tlog.js'
import type { Vault } from '../vault/vault.js'

export interface ImportOptions {
  vault: Vault
  station: string
  dialect: Dialect
  format: RecordingFormat | 'auto'
  /** Called with the bytes of the file that are done, of how many. */
  onProgress?: (doneBytes: number, allBytes: number) => void
  /** Ends the import at the next piece; what was written is removed. */
  signal?: AbortSignal
}

/** What became of a file. */
export type ImportResult =
  | {
      kind: 'imported'
      id: string
      format: RecordingFormat
      frames: number
      noiseBytes: number
      redactions: number
      /** What the file clearly looks like, where it was taken as something else because `format` said so. */
      looksLike?: RecordingFormat
    }
  | { kind: 'already there'; id: string }

/**
 * Imports one file as one flight.
 * Guarantees: `export --format original` gives the file back, byte for byte; nothing is left of an import that fails.
 * What the recording was split into before is no reason not to: it cannot give the file back.
 * Errors: a Fault: the file cannot be read, holds no frame, changed while it was read, or the vault cannot be written.
 */
export async function importFile(path: string, options: ImportOptions): Promise<ImportResult> {
  const { vault } = options
  const seen = await inspect(path, options.dialect, options.signal)
  const recording = importIdOf(seen.sha256)
  const there = vault.flightIds().find((each) => isWholeImport(each, recording))
  if (there !== undefined) return { kind: 'already there', id: there }
  const format = options.format === 'auto' ? seen.format : options.format
  const id = `${options.station}-${recording}`
  let partial: PartialFlight | undefined
  try {
    removeStale(vault, recording)
    partial = new PartialFlight(vault, id)
    const source = { name: basename(path), format, bytes: seen.bytes, sha256: seen.sha256 }
    const result = await writeFlight(path, id, partial.path, source, options)
    if (!partial.publish()) return { kind: 'already there', id }
    return format !== seen.format && seen.isClear ? { ...result, looksLike: seen.format } : result
  } catch (error) {
    throw importError(path, options, error)
  } finally {
    partial?.discard()
  }
}

/** Writes the flight to `partial`: a whole flight file, closed and on the disk. */
async function writeFlight(
  path: string,
  id: string,
  partial: string,
  source: FlightSource,
  options: ImportOptions,
): Promise<ImportResult & { kind: 'imported' }> {
  const head = { id, station: options.station, bootId: '', origin: 'import' as const, previousPart: null }
  const writer = await FlightWriter.create(partial, { ...head, links: ['file'], openedUs: null })
  const copy = new RecordingCopy(writer, options.dialect, source.format)
  try {
    const hash = createHash('sha256')
    for await (const part of partsOf(path, options.signal)) {
      hash.update(part)
      await copy.take(part)
      options.onProgress?.(copy.intake.counts.bytesIn, source.bytes)
    }
    if (hash.digest('hex') !== source.sha256) throw changedFault(path)
    await copy.finish(source)
    const { frames, noiseBytes } = copy.intake.counts
    return {
      kind: 'imported',
      id,
      format: source.format,
      frames,
      noiseBytes,
      redactions: copy.intake.redactions,
    }
  } catch (error) {
    await copy.idle()
    await writer.release().catch(() => {})
    throw error
  }
}

/** A recording on its way into a flight file. */
class RecordingCopy {
  readonly intake: Intake
  readonly #writer: FlightWriter
  readonly #builder: FlightBuilder
  #cuts = 0
  /** The cut that is being compressed and committed while the file is read on. */
  #cutting: Promise<void> = Promise.resolve()
  readonly #times = new TimeSpan()

  constructor(writer: FlightWriter, dialect: Dialect, format: RecordingFormat) {
    this.#writer = writer
    const timestamped = format === 'tlog'
    const tally = new Tally(dialect.byId, timestamped ? TIMESTAMP_BYTES : 0)
    const builder = new FlightBuilder((...all) => writer.commit(...all), dialect, tally)
    const note = (kind: string, detail: string, recvTimeUs: number): void => {
      if (Number.isSafeInteger(recvTimeUs)) builder.addEvent({ recvTimeUs, kind, detail })
    }
    const vehicles = new Vehicles(dialect, {
      heartbeat: () => {},
      event: note,
      utc: () => {},
    })
    this.#builder = builder
    const sink: RecordSink = (kind, link, timeUs, bytes, start, end) => {
      if (kind === FRAME) this.#times.add(Number(timeUs))
      builder.append(kind, link, timeUs, bytes, start, end)
    }
    const onRedaction = (recvTimeUs: number): void => note(REDACTED_EVENT, 'a signing key', recvTimeUs)
    this.intake = new Intake({ link: 0, dialect, vehicles, sink, timestamped, onRedaction })
  }

  async take(part: Uint8Array): Promise<void> {
    this.intake.push(part, 0)
    if (this.#builder.pendingBytes < SEGMENT_BYTES) return
    await this.#cutting
    this.#cutting = this.#cut(false)
    // A failure is thrown where it is awaited, above or in `finish`.
    this.#cutting.catch(() => {})
  }

  /** Returns when nothing is being written any more, however that ended. */
  async idle(): Promise<void> {
    await this.#cutting.catch(() => {})
  }

  async finish(source: FlightSource): Promise<void> {
    const writer = this.#writer
    await this.#cutting
    this.intake.end()
    // A tlog's receive times are UTC as the recorder knew it; a raw stream has none.
    const { span } = this.#times
    if (span !== null)
      this.#builder.addAnchor({ recvTimeUs: span.fromUs, utcUs: span.fromUs, source: 'recorded' })
    await this.#cut(true)
    await writer.noteSource(source)
    await writer.close({ reason: 'imported', openedUs: span?.fromUs ?? null, closedUs: span?.toUs ?? null })
    await writer.settle()
    await syncFile(writer.path)
  }

  #cut(last: boolean): Promise<void> {
    const { bytesIn } = this.intake.counts
    const chunk = ++this.#cuts
    const totals = { bytesIn, bytesLost: 0, redactions: this.intake.redactions }
    return this.#builder.cut({ firstChunk: chunk, lastChunk: chunk }, totals, last)
  }
}

/** Makes what was written to the file durable. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** What an import ends with: what is known already, or that the vault could not be written. */
export function importError(path: string, { vault, signal }: ImportOptions, cause: unknown): unknown {
  if (cause instanceof Fault || signal?.aborted === true) return cause
  const noRoom = NO_ROOM[errnoOf(cause)]
  if (noRoom !== undefined) return noRoomFault(path, vault.dir, noRoom, cause)
  return new Fault({
    code: 'GL-IMPORT-04',
    op: `store ${path} in`,
    subject: vault.dir,
    found: reasonOf(cause),
    hint: 'The vault must be writable and have room for about a fifth of the recording.',
    recovery: 'user',
    cause,
  })
}

/** What keeps every import from the vault, not only that of one file, as the system and SQLite say it. */
const NO_ROOM: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  SQLITE_FULL: 'the disk is full',
  EDQUOT: 'this user’s share of the disk is full',
  EROFS: 'the file system is read-only',
  SQLITE_READONLY: 'the file system is read-only',
}

/** The fault after which there is no sense in trying another file. */
export const NO_ROOM_CODE = 'GL-IMPORT-07'

function noRoomFault(path: string, dir: string, found: string, cause: unknown): Fault {
  return new Fault({
    code: 'GL-IMPORT-07',
    op: `store ${path} in`,
    subject: dir,
    found,
    hint: `Make room (about a fifth of the recordings) or name another vault with --vault: df ${dir}`,
    recovery: 'user',
    cause,
  })
}
