/**
 * Marker scan: the frames of a stream by brute force: each byte that could begin one is tried, whatever stands around
 * it. It shares no code with the product, so that what a stream holds need not be believed of the splitter under test.
 * Source: mavlink.io/en/guide/serialization.html
 */
import type { CrcExtraTable } from '../../src/link/crc-extra.js'

/** Start and end of each whole frame with a right checksum, one after the other; `table` says what is right. */
export function markerScan(bytes: Uint8Array, table: CrcExtraTable): Int32Array {
  const found: number[] = []
  for (let at = 0; at < bytes.length; at++) {
    const end =
      bytes[at] === 0xfd ? endOfV2(bytes, at, table) : bytes[at] === 0xfe ? endOfV1(bytes, at, table) : 0
    if (end > 0) found.push(at, end)
  }
  return Int32Array.from(found)
}

function endOfV1(bytes: Uint8Array, at: number, table: CrcExtraTable): number {
  if (at + 8 > bytes.length) return 0
  const known = table.get(bytes[at + 5]!)
  if (known === undefined || known.baseLength !== bytes[at + 1]) return 0
  const crcAt = at + 6 + known.baseLength
  return crcAt + 2 <= bytes.length && isRight(bytes, at, crcAt, known.crcExtra) ? crcAt + 2 : 0
}

function endOfV2(bytes: Uint8Array, at: number, table: CrcExtraTable): number {
  if (at + 12 > bytes.length || bytes[at + 2]! > 1) return 0
  const known = table.get(bytes[at + 7]! + 256 * bytes[at + 8]! + 65536 * bytes[at + 9]!)
  if (known === undefined) return 0
  const crcAt = at + 10 + bytes[at + 1]!
  const end = crcAt + 2 + (bytes[at + 2] === 1 ? 13 : 0)
  return end <= bytes.length && isRight(bytes, at, crcAt, known.crcExtra) ? end : 0
}

function isRight(bytes: Uint8Array, at: number, crcAt: number, crcExtra: number): boolean {
  return checksum(bytes, at + 1, crcAt, crcExtra) === bytes[crcAt]! + 256 * bytes[crcAt + 1]!
}

/** CRC-16/MCRF4XX of `bytes[from, to)` and one byte more, as the C library does it: without a table. */
export function checksum(bytes: Uint8Array, from: number, to: number, crcExtra: number): number {
  let crc = 0xffff
  for (let i = from; i < to; i++) crc = accumulate(crc, bytes[i]!)
  return accumulate(crc, crcExtra)
}

function accumulate(crc: number, byte: number): number {
  const low = byte ^ (crc & 0xff)
  const mixed = low ^ ((low << 4) & 0xff)
  return (crc >>> 8) ^ (mixed << 8) ^ (mixed << 3) ^ (mixed >>> 4)
}
