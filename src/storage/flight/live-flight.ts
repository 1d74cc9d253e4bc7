/**
 * Live flight: a flight while it is recorded (or recovered): durable chunks in, committed segments out.
 */
import { existsSync } from 'node:fs'
import type { Dialect } from '../../mavlink/dialect.js'
import type { Chunk, Closing, ItemSink } from '../tail/chunk.js'
import { FlightBuilder } from './flight-builder.js'
import { FlightWriter } from './flight-writer.js'
import type { Commit } from './flight-writer.js'
import { REDACTED_EVENT } from './flight.js'
import type { ClockAnchor, CloseReason, FlightEvent, FlightHead, FlightTotals, Gap } from './flight.js'
import type { RecordKind } from '../segment/records.js'
import { Tally } from './tally.js'
import type { Figures } from './tally.js'
import type { Vault } from '../vault/vault.js'

export class LiveFlight implements ItemSink {
  readonly head: FlightHead
  /** Sequence of the last chunk taken; 0 before the first. */
  lastChunk: number
  /** What the flight's last chunk says of its end. */
  closing: Closing | undefined
  readonly #builder: FlightBuilder
  readonly #file: LiveFile
  readonly #totals: FlightTotals
  #firstChunk = 0
  #lastUs: number

  private constructor(
    head: FlightHead,
    file: LiveFile,
    builder: FlightBuilder,
    before: { lastChunk: number; lastUs: number; totals: FlightTotals },
  ) {
    this.head = head
    this.#file = file
    this.#builder = builder
    this.#totals = before.totals
    this.#lastUs = before.lastUs
    this.lastChunk = before.lastChunk
  }

  /** A new flight; its file is made with the first segment, so that beginning a flight never waits for the card. */
  static begin(vault: Vault, head: FlightHead, dialect: Dialect, breathe: () => Promise<void>): LiveFlight {
    const file = new LiveFile(vault.flightPath(head.id), head)
    const builder = new FlightBuilder(
      (...all) => file.commit(...all),
      dialect,
      new Tally(dialect.byId),
      breathe,
    )
    const totals = { bytesIn: 0, bytesLost: 0, redactions: 0 }
    return new LiveFlight(head, file, builder, { lastChunk: 0, lastUs: head.openedUs ?? 0, totals })
  }

  /** A flight that another process began and did not close; undefined where it did after all. Errors: SQLite's own. */
  static async resume(vault: Vault, head: FlightHead, dialect: Dialect): Promise<LiveFlight | undefined> {
    const path = vault.flightPath(head.id)
    if (!existsSync(path)) return LiveFlight.begin(vault, head, dialect, async () => {})
    const writer = await FlightWriter.resume(path)
    const before = await writer.progress().catch(async (error: unknown) => {
      await writer.release()
      throw error
    })
    if (before.closed) {
      await writer.settle()
      return undefined
    }
    const tally = new Tally(dialect.byId, 0, before.figures)
    const file = new LiveFile(path, head, writer)
    const builder = new FlightBuilder((...all) => file.commit(...all), dialect, tally)
    return new LiveFlight(head, file, builder, {
      ...before,
      lastUs: Math.max(before.lastUs, before.openedUs),
    })
  }

  /** Bytes of its records, without those that were lost. */
  get recordBytes(): number {
    return this.#totals.bytesIn - this.#totals.bytesLost
  }

  /** Bytes of records that no segment holds yet. */
  get pendingBytes(): number {
    return this.#builder.pendingBytes
  }

  /** Takes a durable chunk; one that a segment holds already is passed over. */
  take(sequence: number, chunk: Pick<Chunk, 'read'>): void {
    if (sequence <= this.lastChunk) return
    if (this.#firstChunk === 0) this.#firstChunk = sequence
    this.lastChunk = sequence
    chunk.read(this)
  }

  record(
    kind: RecordKind,
    link: number,
    timeUs: bigint,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#totals.bytesIn += end - start
    this.#lastUs = Number(timeUs)
    this.#builder.append(kind, link, timeUs, bytes, start, end)
  }

  gap(gap: Gap): void {
    this.#totals.bytesIn += gap.bytes
    this.#totals.bytesLost += gap.bytes
    this.#builder.addGap(gap)
  }

  event(event: FlightEvent): void {
    if (event.kind === REDACTED_EVENT) this.#totals.redactions++
    this.#builder.addEvent(event)
  }

  anchor(anchor: ClockAnchor): void {
    this.#builder.addAnchor(anchor)
  }

  close(closing: Closing): void {
    this.closing = closing
  }

  /** Commits what was taken as a segment. Errors: the writer's; `retry` goes on. */
  async cut(): Promise<void> {
    await this.#builder.cut(this.#takeRange(), { ...this.#totals })
    collectGarbage()
  }

  /** Commits the last segment and that the flight is over: as its last chunk says, or else as `otherwise`. */
  async end(otherwise: CloseReason): Promise<void> {
    const { reason, closedUs } = this.closing ?? { reason: otherwise, closedUs: this.#lastUs }
    const end = { reason, openedUs: this.head.openedUs, closedUs }
    await this.#builder.cut(this.#takeRange(), { ...this.#totals }, true, end)
  }

  async retry(): Promise<void> {
    await this.#builder.retry()
    collectGarbage()
  }

  /** Settles the file of a flight whose end is committed. */
  async settle(): Promise<void> {
    await this.#file.settle()
  }

  /** Gives the file back as it is, if there is one: another try goes on from what it holds. */
  async release(): Promise<void> {
    await this.#file.release()
  }

  #takeRange(): { firstChunk: number; lastChunk: number } {
    const range = { firstChunk: this.#firstChunk, lastChunk: this.lastChunk }
    this.#firstChunk = 0
    return range
  }
}

/** A live flight's file, from its first commit on; a first commit that failed is tried anew. */
class LiveFile {
  readonly #path: string
  readonly #head: FlightHead
  #writer: FlightWriter | undefined

  constructor(path: string, head: FlightHead, writer?: FlightWriter) {
    this.#path = path
    this.#head = head
    this.#writer = writer
  }

  async commit(commit: Commit, figures: Figures, totals: FlightTotals): Promise<void> {
    if (this.#writer === undefined)
      this.#writer = await FlightWriter.begin(this.#path, this.#head, commit, figures, totals)
    else await this.#writer.commit(commit, figures, totals)
  }

  async settle(): Promise<void> {
    await this.#writer?.settle()
  }

  async release(): Promise<void> {
    await this.#writer?.release()
  }
}

/**
 * Lets go of what a segment left behind: buffers of a megabyte, which V8 takes for objects of a few bytes and keeps for
 * minutes. It takes 5 ms of the worker's thread each 11 s or more; only main.js's first line provides it.
 */
function collectGarbage(): void {
  globalThis.gc?.()
}
