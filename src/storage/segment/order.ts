/**
 * Order: how the groups of a segment were interleaved. It needs no other piece, so that where one is damaged all other
 * groups still have their places. Specified in docs/flight-file.md, "Order".
 */
import type { ByteReader } from '../../base/byte-reader.js'
import type { ByteWriter } from '../../base/byte-writer.js'
import { MAX_SEGMENT_RECORDS, claimedCount } from './records.js'

export interface Order {
  /** The group of each record. */
  numbers: Uint32Array
  groups: number
}

/** Bytes of a group's number. */
function numberBytes(groups: number): 1 | 2 | 4 {
  if (groups <= 0x100) return 1
  return groups <= 0x10000 ? 2 : 4
}

/** As they are, not as differences: streams repeat themselves, and the compressor finds that. */
export function writeOrder(out: ByteWriter, { numbers, groups }: Order): void {
  out.varint(numbers.length)
  out.varint(groups)
  const width = numberBytes(groups)
  for (let byte = 0; byte < width; byte++) {
    const plane = out.reserve(numbers.length)
    for (let i = 0; i < plane.length; i++) plane[i] = numbers[i]! >>> (8 * byte)
  }
}

/** Errors: a RangeError where it is damaged. */
export function readOrder(source: ByteReader): Order {
  const numbers = new Uint32Array(claimedCount(source.varint(), MAX_SEGMENT_RECORDS, 'records'))
  const groups = claimedCount(source.varint(), numbers.length, 'groups')
  const width = numberBytes(groups)
  for (let byte = 0; byte < width; byte++) {
    const plane = source.take(numbers.length)
    for (let i = 0; i < plane.length; i++) numbers[i]! |= plane[i]! << (8 * byte)
  }
  for (const number of numbers)
    if (number >= groups) throw new RangeError(`the order names group ${number} of ${groups}`)
  return { numbers, groups }
}
