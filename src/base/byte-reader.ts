/**
 * Byte reader: takes little-endian numbers and bytes from the front of a buffer.
 * Errors: reading past the end is a RangeError; who reads what may be damaged turns it into a value or a Fault.
 */
export class ByteReader {
  readonly bytes: Uint8Array
  #at: number
  readonly #end: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.#at = start
    this.#end = end
  }

  /** Where the next read begins, in `bytes`. */
  get at(): number {
    return this.#at
  }

  get left(): number {
    return this.#end - this.#at
  }

  /** Steps over `count` bytes and says where they began. */
  skip(count: number): number {
    const from = this.#at
    if (!(count >= 0 && from + count <= this.#end)) {
      throw new RangeError(`${count} bytes wanted, ${this.#end - from} left`)
    }
    this.#at = from + count
    return from
  }

  u8(): number {
    return this.bytes[this.skip(1)]!
  }

  u16(): number {
    return this.u8() | (this.u8() << 8)
  }

  u32(): number {
    return this.u16() + this.u16() * 0x10000
  }

  /** LEB128 of a whole number below 2^53. */
  varint(): number {
    let value = 0
    for (let scale = 1; scale <= 2 ** 49; scale *= 0x80) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break
        return value
      }
    }
    throw new RangeError('a number of more than 53 bits')
  }

  /** The next `count` bytes, borrowed. */
  take(count: number): Uint8Array {
    const from = this.skip(count)
    return this.bytes.subarray(from, from + count)
  }
}
