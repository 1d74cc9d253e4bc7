/** The stranger's cursor: what docs/flight-file.md calls numbers, varints and zigzags, read one behind the other. */
export class Cursor {
  readonly bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  get atEnd(): boolean {
    return this.at === this.bytes.length
  }

  /** The next `count` bytes. */
  take(count: number): Uint8Array {
    const end = this.at + count
    if (end > this.bytes.length) throw new RangeError(`${count} bytes are wanted at ${this.at}: too short`)
    const taken = this.bytes.subarray(this.at, end)
    this.at = end
    return taken
  }

  number(width: number): bigint {
    return this.take(width).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  }

  /** A number of up to 4 bytes. */
  small(width = 1): number {
    return Number(this.number(width))
  }

  varint(): number {
    let value = 0
    for (let unit = 1; ; unit *= 128) {
      const byte = this.small()
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value
    }
  }

  json(): unknown {
    return JSON.parse(Buffer.from(this.take(this.varint())).toString('utf8'))
  }
}

export function unzigzag(value: bigint): bigint {
  return (value & 1n) === 0n ? value >> 1n : -(value >> 1n) - 1n
}
