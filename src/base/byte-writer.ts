/**
 * Byte writer: a buffer that grows while little-endian numbers and bytes are put behind one another.
 */

/** First size of the buffer (bytes); it doubles when it is full. */
const START_BYTES = 4096

export class ByteWriter {
  #bytes: Uint8Array
  #length = 0

  constructor(startBytes = START_BYTES) {
    this.#bytes = new Uint8Array(startBytes)
  }

  get length(): number {
    return this.#length
  }

  /** What was written so far, borrowed: the next write may overwrite or move it. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** What was written so far, as a copy of its own. */
  copy(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  clear(): void {
    this.#length = 0
  }

  /** Room for `count` bytes at the end, borrowed, to be filled by the caller at once; it starts as it is. */
  reserve(count: number): Uint8Array {
    const from = this.#length
    this.#grow(count)
    this.#length += count
    return this.#bytes.subarray(from, this.#length)
  }

  u8(value: number): void {
    this.#grow(1)
    this.#bytes[this.#length++] = value
  }

  u16(value: number): void {
    this.u8(value & 0xff)
    this.u8(value >>> 8)
  }

  u32(value: number): void {
    this.u16(value & 0xffff)
    this.u16(value >>> 16)
  }

  /** LEB128 of a whole number from 0 to 2^53 - 1: seven bits a byte, the lowest first. */
  varint(value: number): void {
    let rest = value
    while (rest > 0x7f) {
      this.u8((rest % 0x80) | 0x80)
      rest = Math.floor(rest / 0x80)
    }
    this.u8(rest)
  }

  bytes(source: Uint8Array, start = 0, end = source.length): void {
    const count = end - start
    this.#grow(count)
    // A short copy byte by byte costs a third of what `set(subarray())` does; frames are short.
    if (count < 64) for (let i = 0; i < count; i++) this.#bytes[this.#length + i] = source[start + i]!
    else this.#bytes.set(source.subarray(start, end), this.#length)
    this.#length += count
  }

  #grow(count: number): void {
    if (this.#length + count <= this.#bytes.length) return
    const bigger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count))
    bigger.set(this.#bytes)
    this.#bytes = bigger
  }
}
