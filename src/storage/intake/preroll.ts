/**
 * Preroll: the last records that came while no flight was on. A flight begins with the half minute before it.
 */
import { Records } from '../segment/records.js'
import type { RecordKind, RecordSink } from '../segment/records.js'

/** How much of what came before a flight belongs to it (µs). */
const PREROLL_US = 30e6

/** Room for one of the two halves (bytes): 30 s of a full 921600-baud line, as the other one may just have been emptied. */
const HALF_BYTES = 2816 * 1024
/** The same in records, each of which costs memory besides its bytes: that line full of frames of twelve bytes. */
const HALF_RECORDS = 256 * 1024

export class Preroll {
  #older = new Records()
  #newer = new Records()

  append(
    kind: RecordKind,
    link: number,
    timeUs: bigint,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const { byteLength, count } = this.#newer
    if (count > 0 && (byteLength + end - start > HALF_BYTES || count >= HALF_RECORDS)) {
      ;[this.#older, this.#newer] = [this.#newer, this.#older]
      this.#newer.clear()
    }
    this.#newer.append(kind, link, timeUs, bytes, start, end)
  }

  /** Receive time of the first record that a flight which begins now would hold; `nowUs` where there is none. */
  beginsAtUs(nowUs: number): number {
    for (const records of [this.#older, this.#newer]) {
      for (let i = 0; i < records.count; i++) {
        const timeUs = Number(records.times[i]!)
        if (timeUs >= nowUs - PREROLL_US) return timeUs
      }
    }
    return nowUs
  }

  /** Gives the records of the last half minute to `sink`, and forgets all. */
  drain(nowUs: number, sink: RecordSink): void {
    for (const records of [this.#older, this.#newer]) {
      for (let i = 0; i < records.count; i++) {
        if (Number(records.times[i]!) < nowUs - PREROLL_US) continue
        const kind = records.kinds[i] === 0 ? 0 : 1
        sink(kind, records.links[i]!, records.times[i]!, records.bytes, records.startOf(i), records.ends[i]!)
      }
      records.clear()
    }
  }
}
