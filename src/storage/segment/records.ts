/**
 * Records: what came in, in order: frames and noise with link and receive time, held column by column in memory.
 */

/** The kinds of a record. The numbers are part of the tail's format. */
export const FRAME = 0
export const NOISE = 1
export type RecordKind = typeof FRAME | typeof NOISE

/**
 * Most records of one segment (records): what waits for one is bounded by the items that two tails take, and with noise of
 * one byte each, which makes items of four, they are half of it. A reader refuses more, so that a damaged count does not
 * take the memory.
 */
export const MAX_SEGMENT_RECORDS = 4 * 1024 * 1024

/** A count as a file gives it. Errors: a RangeError where more than `most` are claimed. */
export function claimedCount(count: number, most: number, of: string): number {
  if (count > most) throw new RangeError(`${count} ${of} are claimed where at most ${most} can be`)
  return count
}

/** Takes a record; the bytes are borrowed. */
export type RecordSink = (
  kind: RecordKind,
  link: number,
  timeUs: bigint,
  bytes: Uint8Array,
  start: number,
  end: number,
) => void

/** First room (records and bytes); both double when full. A segment of 1 MiB holds about 30,000 records. */
const START_RECORDS = 1024
const START_BYTES = 64 * 1024

export class Records {
  /** Number of records. */
  count = 0
  /** Kind of each record. */
  kinds = new Uint8Array(START_RECORDS)
  /** Link of each record (its number in the flight's link table). */
  links = new Uint8Array(START_RECORDS)
  /** Receive time of each record (µs; monotonic when live, a recording's own µs since 1970 when imported). */
  times = new BigUint64Array(START_RECORDS)
  /** Where each record ends in `bytes`; it begins where the one before ends. */
  ends = new Uint32Array(START_RECORDS)
  /** The bytes of all records, one behind the other. */
  bytes = new Uint8Array(START_BYTES)

  /** Bytes of all records together. */
  get byteLength(): number {
    return this.count === 0 ? 0 : this.ends[this.count - 1]!
  }

  startOf(index: number): number {
    return index === 0 ? 0 : this.ends[index - 1]!
  }

  /** Adds a record with a copy of `source[start, end)`. */
  append(
    kind: RecordKind,
    link: number,
    timeUs: bigint,
    source: Uint8Array,
    start: number,
    end: number,
  ): void {
    const from = this.byteLength
    const to = from + end - start
    if (this.count === this.ends.length) this.#growRecords()
    if (to > this.bytes.length) this.#growBytes(to)
    const i = this.count++
    this.kinds[i] = kind
    this.links[i] = link
    this.times[i] = timeUs
    this.ends[i] = to
    if (end - start < 64) for (let k = 0; k < end - start; k++) this.bytes[from + k] = source[start + k]!
    else this.bytes.set(source.subarray(start, end), from)
  }

  /** Forgets the records and keeps the room. */
  clear(): void {
    this.count = 0
  }

  #growRecords(): void {
    const room = this.ends.length * 2
    const grow = <T extends Uint8Array | Uint32Array>(old: T, bigger: T): T => {
      bigger.set(old)
      return bigger
    }
    this.kinds = grow(this.kinds, new Uint8Array(room))
    this.links = grow(this.links, new Uint8Array(room))
    this.ends = grow(this.ends, new Uint32Array(room))
    const times = new BigUint64Array(room)
    times.set(this.times)
    this.times = times
  }

  #growBytes(needed: number): void {
    const bigger = new Uint8Array(Math.max(this.bytes.length * 2, needed))
    bigger.set(this.bytes)
    this.bytes = bigger
  }
}
