/**
 * Flight builder: gathers a flight's records in memory and commits them to its file, a segment at a time.
 *
 *     append* ──▶ cut ──encode──▶ commit        one cut at a time; records go on being appended meanwhile
 */
import type { Dialect } from '../../mavlink/dialect.js'
import type { ClockAnchor, FlightEvent, FlightTotals, Gap, FlightEnd } from './flight.js'
import type { Commit } from './flight-writer.js'
import { Records } from '../segment/records.js'
import type { RecordKind } from '../segment/records.js'
import { encodeSegment } from '../segment/segment.js'
import type { Figures, Tally } from './tally.js'

/** A segment is cut when its records reach this (bytes): smaller ones compress worse, larger ones cost memory. */
export const SEGMENT_BYTES = 1024 * 1024

/** Chunks that a segment replaces. An import has none: its segments are numbered instead. */
export interface ChunkRange {
  firstChunk: number
  lastChunk: number
}

/** Where a commit goes: all of it gets there or, when it fails, nothing. */
export type CommitSink = (commit: Commit, figures: Figures, totals: FlightTotals) => Promise<void>

export class FlightBuilder {
  readonly #commit: CommitSink
  readonly #dialect: Dialect
  readonly #tally: Tally
  readonly #breathe: () => Promise<void>
  #records = new Records()
  #spare = new Records()
  #gaps: Gap[] = []
  #events: FlightEvent[] = []
  #anchors: ClockAnchor[] = []
  /** What a cut took, until it is committed. */
  #taken: { records: Records; commit: Commit; totals: FlightTotals } | undefined

  /** `breathe` is called between the steps of encoding (see `encodeSegment`). */
  constructor(commit: CommitSink, dialect: Dialect, tally: Tally, breathe = async (): Promise<void> => {}) {
    this.#commit = commit
    this.#dialect = dialect
    this.#tally = tally
    this.#breathe = breathe
  }

  /** Bytes that wait for the next cut. */
  get pendingBytes(): number {
    return this.#records.byteLength
  }

  append(
    kind: RecordKind,
    link: number,
    timeUs: bigint,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#records.append(kind, link, timeUs, bytes, start, end)
  }

  addGap(gap: Gap): void {
    this.#gaps.push(gap)
  }

  addEvent(event: FlightEvent): void {
    this.#events.push(event)
  }

  addAnchor(anchor: ClockAnchor): void {
    this.#anchors.push(anchor)
  }

  /**
   * Encodes what was gathered and commits it; `last`: the flight is over, as `end` says. When that fails nothing is lost:
   * `retry` goes on with it.
   * Errors: those of the writer (disk full, …) and of the compressor.
   */
  async cut(range: ChunkRange, totals: FlightTotals, last = false, end?: FlightEnd): Promise<void> {
    if (this.#taken !== undefined) throw new Error('a cut is still to be committed')
    const commit: Commit = { ...range, gaps: this.#gaps, events: this.#events, anchors: this.#anchors }
    if (end !== undefined) commit.end = end
    this.#taken = { records: this.#records, commit, totals }
    this.#tally.add(this.#records)
    if (last) this.#tally.end()
    this.#records = this.#spare
    this.#gaps = []
    this.#events = []
    this.#anchors = []
    await this.retry()
  }

  /** Commits what a cut took and could not commit yet. */
  async retry(): Promise<void> {
    const taken = this.#taken
    if (taken === undefined) return
    const { records, commit, totals } = taken
    if (records.count > 0) {
      commit.segment ??= await encodeSegment(records, (msgid) => this.#dialect.byId.get(msgid), this.#breathe)
    }
    await this.#commit(commit, this.#tally.figures, totals)
    records.clear()
    this.#spare = records
    this.#taken = undefined
  }
}
