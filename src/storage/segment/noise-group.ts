/**
 * Noise group: the bytes of one link that belong to no frame, with their lengths and receive times.
 * Specified in docs/flight-file.md, "Noise".
 */
import type { ByteReader } from '../../base/byte-reader.js'
import type { ByteWriter } from '../../base/byte-writer.js'
import { ColumnsReader, ColumnsWriter } from './columns.js'
import { claimedCount } from './records.js'
import type { Records } from './records.js'

export interface NoiseGroup {
  link: number
  count: number
  /** Receive times (µs). */
  times: BigUint64Array
  /** Where each piece of noise ends in `bytes`. */
  ends: Uint32Array
  bytes: Uint8Array
}

/** Writes the records `indices`, which are noise of `link`. */
export function writeNoise(out: ByteWriter, records: Records, link: number, indices: Uint32Array): void {
  const count = indices.length
  const lengths = Uint32Array.from(indices, (i) => records.ends[i]! - records.startOf(i))
  const times = BigUint64Array.from(indices, (i) => records.times[i]!)
  out.u8(link)
  out.varint(count)
  const columns = new ColumnsWriter()
  columns.number({ rows: new Uint8Array(lengths.buffer), count, stride: 4, offset: 0, width: 4 })
  columns.number({ rows: new Uint8Array(times.buffer), count, stride: 8, offset: 0, width: 8 })
  columns.writeTo(out)
  for (const i of indices) out.bytes(records.bytes, records.startOf(i), records.ends[i])
}

/** `mostCount`: how many there can be. Errors: a RangeError where the group is damaged. */
export function readNoise(source: ByteReader, mostCount: number): NoiseGroup {
  const link = source.u8()
  const count = claimedCount(source.varint(), mostCount, 'pieces of noise')
  const ends = new Uint32Array(count)
  const times = new BigUint64Array(count)
  const columns = new ColumnsReader(source)
  columns.number({ rows: new Uint8Array(ends.buffer), count, stride: 4, offset: 0, width: 4 })
  columns.number({ rows: new Uint8Array(times.buffer), count, stride: 8, offset: 0, width: 8 })
  columns.fill()
  let end = 0
  for (let i = 0; i < count; i++) ends[i] = end += ends[i]!
  return { link, count, times, ends, bytes: source.take(end) }
}
