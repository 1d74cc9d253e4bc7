/**
 * X25: the checksum of a MAVLink frame, CRC-16/MCRF4XX (polynomial 0x1021 reflected, start 0xffff).
 * Source: mavlink.io/en/guide/serialization.html#checksum
 */

export const X25_START = 0xffff

/**
 * Eight tables in one (entry 256·k + b: byte b followed by k zero bytes), so that eight bytes are taken
 * at a time ("slicing by 8"): twice as fast as one table, and framing is the costliest thing a station does.
 */
const TABLES = makeTables()

/** What the high byte of a table entry says about its index; the entries' high bytes are a permutation. */
const INDEX_OF_HIGH_BYTE = Uint8Array.from({ length: 256 }, (_, high) =>
  TABLES.subarray(0, 256).findIndex((entry) => entry >>> 8 === high),
)

function makeTables(): Uint16Array {
  const tables = new Uint16Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x8408 : crc >>> 1
    tables[byte] = crc
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256]!
    tables[i] = (before >>> 8) ^ tables[before & 0xff]!
  }
  return tables
}

/** The checksum of `bytes[start, end)`, continued from `crc`. */
export function x25(bytes: Uint8Array, start: number, end: number, crc: number): number {
  const t = TABLES
  let i = start
  for (; i + 8 <= end; i += 8) {
    crc =
      t[1792 + (bytes[i]! ^ (crc & 0xff))]! ^
      t[1536 + (bytes[i + 1]! ^ (crc >>> 8))]! ^
      t[1280 + bytes[i + 2]!]! ^
      t[1024 + bytes[i + 3]!]! ^
      t[768 + bytes[i + 4]!]! ^
      t[512 + bytes[i + 5]!]! ^
      t[256 + bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!
  }
  if (i + 4 <= end) {
    crc =
      t[768 + (bytes[i]! ^ (crc & 0xff))]! ^
      t[512 + (bytes[i + 1]! ^ (crc >>> 8))]! ^
      t[256 + bytes[i + 2]!]! ^
      t[bytes[i + 3]!]!
    i += 4
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 0xff]!
  return crc
}

/** The checksum after one more byte: MAVLink ends every frame's checksum with the message's CRC_EXTRA. */
export function x25Byte(crc: number, byte: number): number {
  return (crc >>> 8) ^ TABLES[(crc ^ byte) & 0xff]!
}

/**
 * The one byte that turns checksum `before` into `after`, or -1 where there is none (255 of 256 random pairs).
 * It is what a definition that nobody gave us must have as its CRC_EXTRA.
 */
export function x25ImpliedByte(before: number, after: number): number {
  const entry = after ^ (before >>> 8)
  const index = INDEX_OF_HIGH_BYTE[entry >>> 8]!
  return TABLES[index] === entry ? index ^ (before & 0xff) : -1
}
