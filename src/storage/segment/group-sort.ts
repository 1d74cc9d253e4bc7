/**
 * Group sort: which records of a segment belong together, and under which number.
 */
import { headerAt } from '../../link/frame.js'
import type { GroupKey } from './message-group.js'
import { FRAME } from './records.js'
import type { Records } from './records.js'

/** Records of one kind and sender: frames of one message, or the noise of one link. */
export interface FrameIndices {
  number: number
  key: GroupKey
  indices: Uint32Array
}

export interface NoiseIndices {
  number: number
  link: number
  indices: Uint32Array
}

export interface SortedRecords {
  frames: FrameIndices[]
  noise: NoiseIndices[]
  /** The group number of each record. */
  numbers: Uint32Array
  /** How many groups there are. */
  groups: number
}

/** Sorts records into groups, numbered by first appearance. */
export function sortByGroup(records: Records): SortedRecords {
  const numberOf = new Map<number, number>()
  const counts: number[] = []
  const firsts: number[] = []
  const numbers = new Uint32Array(records.count)
  for (let i = 0; i < records.count; i++) {
    const key = packedKey(records, i)
    let number = numberOf.get(key)
    if (number === undefined) {
      number = counts.length
      numberOf.set(key, number)
      counts.push(0)
      firsts.push(i)
    }
    counts[number]!++
    numbers[i] = number
  }
  const indices = counts.map((count) => new Uint32Array(count))
  const filled = new Uint32Array(counts.length)
  for (let i = 0; i < records.count; i++) {
    const number = numbers[i]!
    indices[number]![filled[number]!++] = i
  }
  const sorted: SortedRecords = {
    frames: [],
    noise: [],
    numbers,
    groups: counts.length,
  }
  firsts.forEach((first, number) => {
    const link = records.links[first]!
    if (records.kinds[first] === FRAME)
      sorted.frames.push({ number, key: keyOf(records, first), indices: indices[number]! })
    else sorted.noise.push({ number, link, indices: indices[number]! })
  })
  return sorted
}

function keyOf(records: Records, index: number): GroupKey {
  const { version, signed, sysid, compid, msgid } = headerAt(records.bytes, records.startOf(index))
  return { link: records.links[index]!, version, signed, sysid, compid, msgid }
}

/** A number that is equal for records of one group: 51 bits of key, or minus one less the link for noise. */
function packedKey(records: Records, index: number): number {
  const link = records.links[index]!
  if (records.kinds[index] !== FRAME) return -1 - link
  const { bytes } = records
  const start = records.startOf(index)
  if (bytes[start] === 0xfe) {
    return (link * 4 * 0x10000 + (bytes[start + 3]! << 8) + bytes[start + 4]!) * 0x1000000 + bytes[start + 5]!
  }
  const version = 1 + (bytes[start + 2]! & 1)
  const msgid = bytes[start + 7]! | (bytes[start + 8]! << 8) | (bytes[start + 9]! << 16)
  return ((link * 4 + version) * 0x10000 + (bytes[start + 5]! << 8) + bytes[start + 6]!) * 0x1000000 + msgid
}
