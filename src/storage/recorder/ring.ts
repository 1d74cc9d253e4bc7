/**
 * Ring: what came in, on its way from the main thread to the storage worker; a shared buffer outside of the heap.
 * One thread writes, one reads. It is what keeps the serial port read while the card is stalled.
 *
 *     entry: length (4) │ kind (1) │ link (1) │ - (2) │ time µs (8) │ bytes, padded to 8
 */

/** Room of the ring (bytes): 60 s of a full 921600-baud line while the card takes nothing. */
export const RING_BYTES = 8 * 1024 * 1024

/** Room that only control entries may use (bytes): the end of a flight must get through when records no longer do. */
export const CONTROL_RESERVE_BYTES = 64 * 1024

const HEADER_BYTES = 16
/** Kind of an entry that begins a flight; its bytes are the head as JSON. The others are a chunk's kinds. */
export const OPEN = 6
/** Kind of an entry that only fills the end of the buffer. */
const FILLER = 255

/** Places in the shared counters: how far was written and read, in bytes, modulo 2^32. */
const WRITTEN = 0
const READ = 1

/** What both threads share. */
export interface SharedRing {
  bytes: SharedArrayBuffer
  counters: SharedArrayBuffer
}

export function createSharedRing(): SharedRing {
  return { bytes: new SharedArrayBuffer(RING_BYTES), counters: new SharedArrayBuffer(8) }
}

const padded = (bytes: number): number => (bytes + 7) & ~7

export class RingWriter {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #counters: Int32Array

  constructor({ bytes, counters }: SharedRing) {
    this.#bytes = new Uint8Array(bytes)
    this.#view = new DataView(bytes)
    this.#counters = new Int32Array(counters)
  }

  /** Bytes that wait to be read. */
  get used(): number {
    return (Atomics.load(this.#counters, WRITTEN) - Atomics.load(this.#counters, READ)) >>> 0
  }

  /** Adds an entry with a copy of `source[start, end)`; false where there is no room for it. */
  write(
    kind: number,
    link: number,
    timeUs: number,
    source: Uint8Array,
    start: number,
    end: number,
    control = false,
  ): boolean {
    const needed = HEADER_BYTES + padded(end - start)
    const written = this.#writeFrom()
    let at = (written >>> 0) % RING_BYTES
    const filler = at + needed > RING_BYTES ? RING_BYTES - at : 0
    const room = RING_BYTES - this.used - (control ? 0 : CONTROL_RESERVE_BYTES)
    if (needed + filler > room) return false
    if (filler > 0) {
      this.#view.setUint32(at, filler, true)
      this.#bytes[at + 4] = FILLER
      at = 0
    }
    this.#view.setUint32(at, HEADER_BYTES + end - start, true)
    this.#bytes[at + 4] = kind
    this.#bytes[at + 5] = link
    this.#view.setFloat64(at + 8, timeUs, true)
    this.#bytes.set(source.subarray(start, end), at + HEADER_BYTES)
    Atomics.store(this.#counters, WRITTEN, (written + filler + needed) | 0)
    return true
  }

  /**
   * The counter of what was written. A ring that is empty begins again at its front, so that a card that keeps up costs
   * the memory of a second, not of all the room. READ is the reader's, but not while there is nothing to read; it is set
   * first: see `RingReader.used`.
   */
  #writeFrom(): number {
    const written = Atomics.load(this.#counters, WRITTEN)
    if (this.used > 0 || written % RING_BYTES === 0) return written
    const front = ((Math.floor((written >>> 0) / RING_BYTES) + 1) * RING_BYTES) | 0
    Atomics.store(this.#counters, READ, front)
    Atomics.store(this.#counters, WRITTEN, front)
    return front
  }
}

/** Takes an entry; the bytes are borrowed until it returns. False: it could not be taken now, and stays. */
export type EntrySink = (
  kind: number,
  link: number,
  timeUs: number,
  bytes: Uint8Array,
  start: number,
  end: number,
) => boolean

export class RingReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #counters: Int32Array

  constructor({ bytes, counters }: SharedRing) {
    this.#bytes = new Uint8Array(bytes)
    this.#view = new DataView(bytes)
    this.#counters = new Int32Array(counters)
  }

  /**
   * Bytes that wait to be read. The order of the two loads matters: between the writer's two stores READ is ahead, which
   * is empty as well; the other way round a reader could find WRITTEN ahead and take what is no entry.
   */
  get used(): number {
    const written = Atomics.load(this.#counters, WRITTEN)
    return Math.max(0, (written - Atomics.load(this.#counters, READ)) | 0)
  }

  /** Gives entries to `sink` until it declines one or none is left. */
  drain(sink: EntrySink): void {
    for (;;) {
      if (this.used === 0) return
      const read = Atomics.load(this.#counters, READ)
      const at = (read >>> 0) % RING_BYTES
      const length = this.#view.getUint32(at, true)
      const kind = this.#bytes[at + 4]!
      if (kind !== FILLER) {
        const timeUs = this.#view.getFloat64(at + 8, true)
        if (!sink(kind, this.#bytes[at + 5]!, timeUs, this.#bytes, at + HEADER_BYTES, at + length)) return
      }
      Atomics.store(this.#counters, READ, (read + padded(length)) | 0)
    }
  }
}
