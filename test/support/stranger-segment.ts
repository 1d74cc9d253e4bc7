/** The stranger's segments: sections "Segment", "Order" and "Sequence numbers" of docs/flight-file.md. */
import { readColumns } from './stranger-columns.js'
import { Cursor } from './stranger-cursor.js'
import { buildFrame, readGroup, readNoise, type Group, type Noise } from './stranger-group.js'

export interface StrangerRecord {
  kind: 'frame' | 'noise'
  link: number
  timeUs: bigint
  bytes: Uint8Array
}

/** A piece, decompressed. */
export interface RawPiece {
  kind: string
  raw: Uint8Array
}

/** The records of a segment, in the order in which they came. */
export function readSegment(pieces: readonly RawPiece[]): StrangerRecord[] {
  const groups = new Map<number, Group | Noise>()
  for (const { kind, raw } of pieces) {
    const cursor = new Cursor(raw)
    if (kind === 'noise') groups.set(cursor.varint(), readNoise(cursor))
    if (kind === 'frames') while (!cursor.atEnd) groups.set(cursor.varint(), readGroup(cursor))
  }
  const cursor = new Cursor(pieces.find(({ kind }) => kind === 'order')!.raw)
  const order = readOrder(cursor, groups)
  const sequences = readSequenceNumbers(cursor)
  return order.map(({ group, index }) => {
    const record = { link: group.link, timeUs: group.timesUs[index]! }
    if (group.kind === 'noise') return { kind: 'noise', ...record, bytes: group.bytes[index]! }
    return { kind: 'frame', ...record, bytes: buildFrame(group, index, sequences.next(group)) }
  })
}

interface Place {
  group: Group | Noise
  index: number
}

function readOrder(cursor: Cursor, groups: ReadonlyMap<number, Group | Noise>): Place[] {
  const records = cursor.varint()
  const groupCount = cursor.varint()
  const width = groupCount < 256 ? 1 : groupCount < 65_536 ? 2 : 4
  const [surprises] = readColumns(cursor, [{ kind: 'numbers', width, rows: records }])
  const queues = Array.from({ length: groupCount }, (_, number) => {
    const group = groups.get(number)
    if (group === undefined) throw new RangeError(`group ${number} of ${groupCount} is missing`)
    return { group, times: group.timesUs.map(Number), index: 0 }
  })
  const follower = Array.from({ length: groupCount }, () => 0)
  let before = 0
  return surprises!.numbers.map((surprise) => {
    const number = surprise === 0n ? predict(queues, follower[before]!) : Number(surprise) - 1
    follower[before] = number
    before = number
    const queue = queues[number]!
    return { group: queue.group, index: queue.index++ }
  })
}

function predict(queues: readonly { times: number[]; index: number }[], follower: number): number {
  const nextUs = queues.map(({ times, index }) => times[index] ?? Infinity)
  const smallestUs = nextUs.reduce((least, us) => Math.min(least, us), Infinity)
  return nextUs[follower] === smallestUs ? follower : nextUs.indexOf(smallestUs)
}

type Sender = Pick<Group, 'link' | 'sysid' | 'compid'>

/** Gives each sender its sequence numbers, one frame after the other. */
function readSequenceNumbers(cursor: Cursor): { next(sender: Sender): number } {
  const key = ({ link, sysid, compid }: Sender) => `${link} ${sysid} ${compid}`
  const senders = Array.from({ length: cursor.varint() }, () => {
    const sender = { link: cursor.small(), sysid: cursor.small(), compid: cursor.small() }
    return { key: key(sender), rows: cursor.varint() }
  })
  const columns = readColumns(
    cursor,
    senders.map(({ rows }) => ({ kind: 'numbers', width: 1, rows })),
  )
  const states = new Map(
    senders.map((sender, i) => [sender.key, { added: columns[i]!.numbers, frames: 0, expected: 0 }]),
  )
  return {
    next(sender) {
      const state = states.get(key(sender))!
      const sequence = (state.expected + Number(state.added[state.frames++])) % 256
      state.expected = (sequence + 1) % 256
      return sequence
    },
  }
}
