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
  const order = readOrder(cursor)
  const sequences = readSequenceNumbers(cursor, order.groups)
  const taken = Array.from({ length: order.groups }, () => 0)
  return order.numbers.map((number) => {
    const group = groups.get(number)
    if (group === undefined) throw new RangeError(`group ${number} of ${order.groups} is missing`)
    const index = taken[number]!++
    const record = { link: group.link, timeUs: group.timesUs[index]! }
    if (group.kind === 'noise') return { kind: 'noise', ...record, bytes: group.bytes[index]! }
    return { kind: 'frame', ...record, bytes: buildFrame(group, index, sequences.next(number, group)) }
  })
}

function readOrder(cursor: Cursor): { numbers: number[]; groups: number } {
  const records = cursor.varint()
  const groups = cursor.varint()
  const planes = groups <= 256 ? 1 : groups <= 65_536 ? 2 : 4
  const numbers = Array.from({ length: records }, () => 0)
  for (let plane = 0; plane < planes; plane++)
    for (let i = 0; i < records; i++) numbers[i]! += cursor.small() * 256 ** plane
  return { numbers, groups }
}

type Sender = Pick<Group, 'link' | 'sysid' | 'compid'>

/** Gives each sender its sequence numbers, one frame after the other. */
function readSequenceNumbers(
  cursor: Cursor,
  groups: number,
): { next(group: number, sender: Sender): number } {
  const key = ({ link, sysid, compid }: Sender) => `${link} ${sysid} ${compid}`
  const senders = Array.from({ length: cursor.varint() }, () => {
    const sender = { link: cursor.small(), sysid: cursor.small(), compid: cursor.small() }
    return { key: key(sender), rows: cursor.varint() }
  })
  const senderOfGroup = Array.from({ length: groups }, () => cursor.varint())
  const columns = readColumns(
    cursor,
    senders.map(({ rows }) => ({ kind: 'numbers', width: 1, rows })),
  )
  const states = new Map(
    senders.map((sender, i) => [sender.key, { added: columns[i]!.numbers, frames: 0, expected: 0 }]),
  )
  return {
    next(group, sender) {
      if (senders[senderOfGroup[group]! - 1]?.key !== key(sender))
        throw new RangeError(`group ${group} is of another sender`)
      const state = states.get(key(sender))!
      const sequence = (state.expected + Number(state.added[state.frames++])) % 256
      state.expected = (sequence + 1) % 256
      return sequence
    },
  }
}
