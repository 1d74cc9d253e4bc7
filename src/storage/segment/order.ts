/**
 * Order: how the groups of a segment were interleaved. It is predicted, and only what differs is stored.
 * Specified in docs/flight-file.md, "Order".
 */
import type { ByteReader } from '../../base/byte-reader.js'
import type { ByteWriter } from '../../base/byte-writer.js'
import type { Width } from './lanes.js'
import { ColumnsReader, ColumnsWriter } from './columns.js'
import { MAX_SEGMENT_RECORDS, claimedCount } from './records.js'

/** Receive times of the records of each group, in the group's order. */
export type GroupTimes = readonly BigUint64Array[]

/**
 * Predicts which group the next record is of: the one whose next record is the oldest, and of several equally old ones
 * that which last followed the group before. A tournament tree, so that a segment of a hundred thousand groups (noise can
 * be made to look like that) costs no more than log2 of it per record.
 */
export class GroupPrediction {
  readonly #times: GroupTimes
  readonly #taken: Uint32Array
  /** Receive time of each group's next record; doubles are exact enough, both sides round alike. */
  readonly #next: Float64Array
  /** The winner of each node of the tree; its leaves, the groups, begin at #leaves. */
  readonly #winners: Uint32Array
  readonly #leaves: number
  /** Which group last followed each group. */
  readonly #follower: Uint32Array
  #before = 0

  constructor(times: GroupTimes) {
    this.#times = times
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(times.length, 1)))
    this.#taken = new Uint32Array(this.#leaves)
    this.#follower = new Uint32Array(this.#leaves)
    this.#next = new Float64Array(this.#leaves).fill(Infinity)
    this.#winners = new Uint32Array(2 * this.#leaves)
    times.forEach((column, group) => (this.#next[group] = Number(column[0] ?? Infinity)))
    for (let leaf = 0; leaf < this.#leaves; leaf++) this.#winners[this.#leaves + leaf] = leaf
    for (let node = this.#leaves - 1; node > 0; node--) this.#winners[node] = this.#winnerOf(node)
  }

  get predicted(): number {
    const oldest = this.#winners[1]!
    const follower = this.#follower[this.#before]!
    return this.#next[follower] === this.#next[oldest] ? follower : oldest
  }

  /** Takes the next record of `group`; returns its index in the group. */
  take(group: number): number {
    const index = this.#taken[group]!++
    this.#next[group] = Number(this.#times[group]![index + 1] ?? Infinity)
    for (let node = (this.#leaves + group) >>> 1; node > 0; node >>>= 1)
      this.#winners[node] = this.#winnerOf(node)
    this.#follower[this.#before] = group
    this.#before = group
    return index
  }

  #winnerOf(node: number): number {
    const left = this.#winners[2 * node]!
    const right = this.#winners[2 * node + 1]!
    return this.#next[right]! < this.#next[left]! ? right : left
  }
}

/** Bytes of a surprise: it goes up to the number of groups. */
function surpriseWidth(groupCount: number): Width {
  if (groupCount < 0x100) return 1
  return groupCount < 0x10000 ? 2 : 4
}

export function writeOrder(out: ByteWriter, numbers: Uint32Array, times: GroupTimes): void {
  const surprises = surprisesOf(numbers, times)
  out.varint(numbers.length)
  out.varint(times.length)
  const width = surpriseWidth(times.length)
  const columns = new ColumnsWriter()
  columns.number({
    rows: new Uint8Array(surprises.buffer),
    count: numbers.length,
    stride: 4,
    offset: 0,
    width,
  })
  columns.writeTo(out)
}

/** Of each record: 0 where it is of the predicted group, else its group number plus 1. */
export function readOrder(source: ByteReader): Uint32Array {
  const surprises = new Uint32Array(claimedCount(source.varint(), MAX_SEGMENT_RECORDS, 'records'))
  const width = surpriseWidth(source.varint())
  const columns = new ColumnsReader(source)
  columns.number({
    rows: new Uint8Array(surprises.buffer),
    count: surprises.length,
    stride: 4,
    offset: 0,
    width,
  })
  columns.fill()
  return surprises
}

function surprisesOf(numbers: Uint32Array, times: GroupTimes): Uint32Array {
  const groups = new GroupPrediction(times)
  return numbers.map((number) => {
    const predicted = groups.predicted === number
    groups.take(number)
    return predicted ? 0 : number + 1
  })
}
