/**
 * CSV table: all messages of one type, a row each, in a file of its own.
 */
import type { MessageLayout } from '../../mavlink/dialect.js'
import type { UtcClock } from '../flight/clock-anchors.js'
import type { MessageGroup } from '../segment/message-group.js'
import { columnsOf } from './csv-cells.js'
import type { Column } from './csv-cells.js'
import { TextBytes } from './text-bytes.js'
import type { Sink } from './output.js'
import type { Selection } from './selection.js'
import { UtcText } from './utc-text.js'

/** Text is gathered up to this before it is written (bytes). */
const WRITE_BYTES = 256 * 1024

/** What stands before the fields in every row. */
const COMMON_HEADERS = ['recv_time_us', 'utc', 'link', 'sysid', 'compid']

export class CsvTable {
  /** Rows that were written. */
  rows = 0
  readonly #file: Sink
  readonly #clock: UtcClock
  readonly #links: readonly string[]
  readonly #columns: readonly Column[]
  readonly #out = new TextBytes()
  readonly #utc = new UtcText()
  /** The payload itself is the only column of a message that no definition knows. */
  readonly #unknown: boolean

  constructor(file: Sink, layout: MessageLayout | undefined, clock: UtcClock, links: readonly string[]) {
    this.#file = file
    this.#clock = clock
    this.#links = links
    this.#columns = layout === undefined ? [] : columnsOf(layout)
    this.#unknown = layout === undefined
    const headers = [...COMMON_HEADERS, ...this.#columns.map(({ header }) => header)]
    this.#out.ascii([...headers, ...(this.#unknown ? ['payload [hex]'] : [])].map(headerCell).join(','))
    this.#out.newline()
  }

  /** Adds the messages of one segment, a group a sender, by receive time. */
  add(groups: readonly MessageGroup[], { fromUs, toUs }: Selection): void {
    const cursors = groups.map((group) => new Cursor(group, this.#senderOf(group)))
    for (;;) {
      const next = earliest(cursors)
      if (next === undefined) return
      const timeUs = next.timesUs[next.at]!
      if (timeUs >= fromUs && timeUs < toUs) this.#row(next, timeUs)
      next.at++
      if (this.#out.length >= WRITE_BYTES) this.flush()
    }
  }

  flush(): void {
    this.#file.write(this.#out.written())
    this.#out.clear()
  }

  #row({ group, view, sender, at }: Cursor, timeUs: number): void {
    const out = this.#out
    this.rows++
    if (timeUs <= Number.MAX_SAFE_INTEGER) out.integer(timeUs)
    else out.bigint(group.times[at]!)
    out.comma()
    if (this.#clock.source !== undefined) this.#utc.write(out, timeUs + this.#clock.offsetUs(timeUs))
    out.bytes(sender)
    const start = at * group.stride
    for (const { cell } of this.#columns) {
      out.comma()
      cell(out, view, start)
    }
    if (this.#unknown) {
      out.comma()
      out.ascii(Buffer.from(group.payloads.subarray(start, start + group.payloadBytes[at]!)).toString('hex'))
    }
    out.newline()
  }

  /** `,link,sysid,compid` */
  #senderOf({ key: { link, sysid, compid } }: MessageGroup): Uint8Array {
    return new TextEncoder().encode(`,${headerCell(this.#links[link] ?? String(link))},${sysid},${compid}`)
  }
}

/** How far a group's rows have been written. */
class Cursor {
  at = 0
  readonly group: MessageGroup
  readonly sender: Uint8Array
  readonly view: DataView
  /** Receive times as numbers: exact up to 2^53, and close enough to sort by beyond. */
  readonly timesUs: Float64Array

  constructor(group: MessageGroup, sender: Uint8Array) {
    const { payloads, times } = group
    this.group = group
    this.sender = sender
    this.view = new DataView(payloads.buffer, payloads.byteOffset, payloads.byteLength)
    this.timesUs = new Float64Array(times.length)
    for (let i = 0; i < times.length; i++) this.timesUs[i] = Number(times[i]!)
  }
}

function earliest(cursors: readonly Cursor[]): Cursor | undefined {
  let first: Cursor | undefined
  for (const cursor of cursors) {
    if (cursor.at === cursor.timesUs.length) continue
    if (first === undefined || cursor.timesUs[cursor.at]! < first.timesUs[first.at]!) first = cursor
  }
  return first
}

/** A cell of words that we chose: in quotes only where it must be. */
function headerCell(text: string): string {
  return /^[\w .[\]/%*^+-]*$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`
}
