/**
 * Salvage: copies what can be read of a damaged flight into a new flight file, and writes into that what was lost.
 * Guarantees: each record of the copy is a record of the flight, to the byte, in order; the damaged file is only read.
 *
 *     pages ─▶ rows ─▶ segments, as far as they can be read ─▶ new segments, gaps, events
 */
import { existsSync, renameSync, rmSync } from 'node:fs'
import { Fault, errnoOf, reasonOf } from '../../base/fault.js'
import type { Dialect } from '../../mavlink/dialect.js'
import { nothingLeftFault, unreadableFault } from '../flight/flight-fault.js'
import { anchorOf, eventOf, flightOf, gapOf } from '../flight/flight-tables.js'
import type { FlightRow } from '../flight/flight-tables.js'
import { FlightWriter } from '../flight/flight-writer.js'
import { CLOSE_REASONS, REDACTED_EVENT } from '../flight/flight.js'
import type { ClockAnchor, FlightEnd, FlightEvent, FlightHead, Gap } from '../flight/flight.js'
import type { SqlRow } from '../flight/sqlite.js'
import { Tally } from '../flight/tally.js'
import { syncFile } from '../import/import.js'
import { TIMESTAMP_BYTES } from '../import/tlog.js'
import { encodeSegment } from '../segment/segment.js'
import type { Records } from '../segment/records.js'
import { syncFolderOf } from '../vault/vault.js'
import { findRows } from './found-rows.js'
import type { FoundRows } from './found-rows.js'
import { Losses } from './losses.js'
import type { Loss } from './losses.js'
import { PageImage } from './page-image.js'
import { segmentCount, surveySegments } from './survey.js'

/** Kind of the events that say what a salvaged flight has lost. */
export const SALVAGED_EVENT = 'salvaged'

export interface SalvageOptions {
  dialect: Dialect
  /** Called with the segments that are done, of how many. */
  onProgress?: (done: number, all: number) => void
  signal?: AbortSignal
}

export interface Salvaged {
  id: string
  /** Receive time of the flight's start (µs); null where it is not known. */
  openedUs: number | null
  segments: number
  records: number
  bytes: number
  /** What is not in the copy, in order. */
  losses: Loss[]
}

/**
 * Salvages the flight file at `path` into a new one at `out`, which appears when it is whole and on the disk, or not at all.
 * Errors: Fault GL-FLIGHT-05 it may not be read, 06 nothing can be read; GL-SALVAGE-01, 02 the copy cannot be written,
 * 03 the file is too large.
 */
export async function salvageFlight(path: string, out: string, options: SalvageOptions): Promise<Salvaged> {
  if (existsSync(out)) throw placeFault(out)
  const found = findRows(imageOf(path))
  if (found.piece.size === 0) throw nothingLeftFault(path)
  const partial = `${out}.partial-${process.pid}`
  try {
    const salvaged = await writeCopy(partial, found, options)
    if (salvaged.records === 0) throw nothingLeftFault(path)
    await syncFile(partial)
    renameSync(partial, out)
    syncFolderOf(out)
    return salvaged
  } catch (cause) {
    if (cause instanceof Fault || options.signal?.aborted === true || errnoOf(cause) === '') throw cause
    throw writingFault(out, cause)
  } finally {
    rmSync(partial, { force: true })
  }
}

function imageOf(path: string): PageImage {
  try {
    return PageImage.read(path)
  } catch (cause) {
    throw cause instanceof Fault ? cause : unreadableFault(path, cause)
  }
}

async function writeCopy(path: string, found: FoundRows, options: SalvageOptions): Promise<Salvaged> {
  const known = found.flight === undefined ? undefined : flightOf(found.flight)
  const gaps = valuesOf(found.gap).map(gapOf)
  const events = valuesOf(found.event).map(eventOf)
  const losses = new Losses(found, known?.links.length)
  const head = known ?? (await headWithoutRow(found))
  const writer = await FlightWriter.create(path, head)
  try {
    const copy = new Copy(writer, known, events, options)
    for await (const segment of surveySegments(found)) {
      options.signal?.throwIfAborted()
      losses.add(segment)
      await copy.add(segment.records)
      options.onProgress?.(segment.id, segmentCount(found))
    }
    losses.end(copy.cameInBytes + gaps.reduce((sum, gap) => sum + gap.bytes, 0))
    const anchors = valuesOf(found.clock_anchor).map(anchorOf)
    await copy.finish({ gaps, events, anchors }, losses.all)
    await writer.settle()
    return {
      id: copy.id,
      openedUs: known?.openedUs ?? null,
      segments: segmentCount(found),
      records: copy.records,
      bytes: copy.bytes,
      losses: losses.all,
    }
  } catch (error) {
    await writer.release().catch(() => {})
    throw error
  }
}

function valuesOf(rows: ReadonlyMap<number, SqlRow>): SqlRow[] {
  return [...rows].toSorted(([a], [b]) => a - b).map(([, row]) => row)
}

/** What can be said of a flight whose row is lost. */
async function headWithoutRow(found: FoundRows): Promise<FlightHead> {
  const first = found.segment.get(1)?.['first_us']
  return {
    id: UNKNOWN_ID,
    station: UNKNOWN_ID,
    bootId: '',
    origin: 'live',
    previousPart: null,
    links: await seenLinks(found),
    openedUs: typeof first === 'number' ? first : null,
  }
}

/** A name for each link up to the last that a record or a gap has; what they were called is lost. */
async function seenLinks(found: FoundRows): Promise<string[]> {
  let last = Math.max(-1, ...valuesOf(found.gap).map((row) => gapOf(row).link ?? -1))
  for await (const { records, lost } of surveySegments(found)) {
    for (let i = 0; i < records.count; i++) last = Math.max(last, records.links[i]!)
    for (const { sender } of lost) last = Math.max(last, sender?.link ?? -1)
  }
  return Array.from({ length: last + 1 }, (_, link) => `link-${link}`)
}

/** Of a flight that lost its own row. */
const UNKNOWN_ID = 'salvaged'

interface Happened {
  gaps: Gap[]
  events: FlightEvent[]
  anchors: ClockAnchor[]
}

/** The new flight, segment by segment. */
class Copy {
  readonly id: string
  records = 0
  bytes = 0
  #frames = 0
  #segments = 0
  #lastUs: number | null = null
  readonly #writer: FlightWriter
  readonly #known: FlightRow | undefined
  readonly #redactions: number
  readonly #tally: Tally
  readonly #dialect: Dialect

  constructor(
    writer: FlightWriter,
    known: FlightRow | undefined,
    events: readonly FlightEvent[],
    { dialect }: SalvageOptions,
  ) {
    this.id = known?.id ?? UNKNOWN_ID
    this.#writer = writer
    this.#known = known
    this.#redactions = known?.redactions ?? events.filter(({ kind }) => kind === REDACTED_EVENT).length
    this.#tally = new Tally(dialect.byId, known?.source?.format === 'tlog' ? TIMESTAMP_BYTES : 0)
    this.#dialect = dialect
  }

  /** Bytes that came in for what is in the copy: those of a tlog's times, too. */
  get cameInBytes(): number {
    return this.bytes + (this.#isWholeTlog ? TIMESTAMP_BYTES * this.#frames : 0)
  }

  get #isWholeTlog(): boolean {
    const source = this.#known?.source
    return source?.format === 'tlog' && source.sha256 !== null
  }

  async add(records: Records): Promise<void> {
    if (records.count === 0) return
    this.#tally.add(records)
    const segment = await encodeSegment(records, (msgid) => this.#dialect.byId.get(msgid))
    const chunk = ++this.#segments
    this.records += segment.records
    this.bytes += records.byteLength
    this.#frames += segment.frames
    if (segment.lastTimeUs <= BigInt(Number.MAX_SAFE_INTEGER)) this.#lastUs = Number(segment.lastTimeUs)
    const nothing = { gaps: [], events: [], anchors: [] }
    const commit = { ...nothing, segment, firstChunk: chunk, lastChunk: chunk }
    await this.#writer.commit(commit, this.#tally.figures, this.#totals([], 0))
  }

  async finish({ gaps, events, anchors }: Happened, losses: readonly Loss[]): Promise<void> {
    this.#tally.end()
    const allGaps = [...gaps, ...losses.flatMap(({ gap }) => (gap === null ? [] : [gap]))]
    const atUs = this.#known?.openedUs ?? 0
    const told =
      losses.length === 0
        ? [
            {
              recvTimeUs: atUs,
              kind: SALVAGED_EVENT,
              detail: 'copied out of a damaged file; nothing of it is lost',
            },
          ]
        : losses.map(({ gap, text }) => ({
            recvTimeUs: gap?.fromUs ?? atUs,
            kind: SALVAGED_EVENT,
            detail: text,
          }))
    const prefixBytes = losses.length === 0 && this.#isWholeTlog ? TIMESTAMP_BYTES * this.#frames : 0
    const commit = {
      firstChunk: this.#segments,
      lastChunk: this.#segments,
      gaps: allGaps,
      events: [...events, ...told],
      anchors,
      end: this.#end(),
    }
    await this.#writer.commit(commit, this.#tally.figures, this.#totals(allGaps, prefixBytes))
    const source = this.#known?.source
    // What has lost something is a part of its recording.
    if (source !== null && source !== undefined)
      await this.#writer.noteSource({ ...source, sha256: losses.length === 0 ? source.sha256 : null })
  }

  #totals(
    gaps: readonly Gap[],
    prefixBytes: number,
  ): { bytesIn: number; bytesLost: number; redactions: number } {
    const bytesLost = gaps.reduce((sum, gap) => sum + gap.bytes, 0)
    return { bytesIn: this.bytes + prefixBytes + bytesLost, bytesLost, redactions: this.#redactions }
  }

  #end(): FlightEnd {
    const known = this.#known
    return {
      reason: CLOSE_REASONS.find((reason) => reason === known?.closeReason) ?? 'recovered',
      openedUs: known?.openedUs ?? null,
      closedUs: known?.closedUs ?? this.#lastUs,
    }
  }
}

function placeFault(out: string): Fault {
  return new Fault({
    code: 'GL-SALVAGE-01',
    op: 'salvage into',
    subject: out,
    found: 'something is there already',
    hint: 'Name another place with --out.',
    recovery: 'user',
  })
}

function writingFault(out: string, cause: unknown): Fault {
  return new Fault({
    code: 'GL-SALVAGE-02',
    op: 'write',
    subject: out,
    found: reasonOf(cause),
    hint: 'Name a folder that is there, that this user may write to and that has room, with --out.',
    recovery: 'user',
    cause,
  })
}
