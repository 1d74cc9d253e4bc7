/**
 * Sequence numbers: those of a segment's frames, by sender, as differences from the expected ones.
 * Specified in docs/flight-file.md, "Sequence numbers".
 */
import type { ByteReader } from '../../base/byte-reader.js'
import type { ByteWriter } from '../../base/byte-writer.js'
import { STX_V1 } from '../../link/frame.js'
import { ColumnsReader, ColumnsWriter } from './columns.js'
import type { Order } from './order.js'
import { FRAME, claimedCount } from './records.js'
import type { Records } from './records.js'

/** One sender's frames: sequence number less the one before, less 1, modulo 256; mostly zeros. */
interface Sender {
  /** From 1, in order of appearance. */
  number: number
  id: number
  residuals: number[]
  next: number
}

const senderId = (link: number, sysid: number, compid: number): number => (link << 16) | (sysid << 8) | compid

/** Writes the senders in order of appearance, which of them each group is of, and per sender the column of differences. */
export function writeSequenceNumbers(out: ByteWriter, records: Records, { numbers, groups }: Order): void {
  const { senders, senderOfGroup } = sendersOf(records, numbers, groups)
  const columns = new ColumnsWriter()
  out.varint(senders.length)
  for (const { id, residuals } of senders) {
    out.u8(id >>> 16)
    out.u8((id >>> 8) & 0xff)
    out.u8(id & 0xff)
    out.varint(residuals.length)
    columns.number({
      rows: Uint8Array.from(residuals),
      count: residuals.length,
      stride: 1,
      offset: 0,
      width: 1,
    })
  }
  for (const sender of senderOfGroup) out.varint(sender)
  columns.writeTo(out)
}

function sendersOf(
  { bytes, kinds, links, count, ends }: Records,
  numbers: Uint32Array,
  groups: number,
): { senders: Sender[]; senderOfGroup: Uint32Array } {
  const senders = new Map<number, Sender>()
  /** 0: noise, which has none; n: the sender n - 1. */
  const senderOfGroup = new Uint32Array(groups)
  for (let i = 0, start = 0; i < count; start = ends[i++]!) {
    if (kinds[i] !== FRAME) continue
    const at = start + (bytes[start] === STX_V1 ? 2 : 4)
    const id = senderId(links[i]!, bytes[at + 1]!, bytes[at + 2]!)
    let sender = senders.get(id)
    if (sender === undefined) {
      sender = { number: senders.size + 1, id, residuals: [], next: 0 }
      senders.set(id, sender)
    }
    senderOfGroup[numbers[i]!] = sender.number
    sender.residuals.push((bytes[at]! - sender.next) & 0xff)
    sender.next = (bytes[at]! + 1) & 0xff
  }
  return { senders: [...senders.values()], senderOfGroup }
}

/** Gives the sequence numbers back, sender by sender, in order. */
export class SequenceNumbers {
  readonly #senders: { id: number; residuals: Uint8Array; taken: number; next: number }[] = []
  readonly #senderOfGroup: Uint32Array

  private constructor(groups: number) {
    this.#senderOfGroup = new Uint32Array(groups)
  }

  /** Errors: a RangeError where they are damaged. */
  static read(source: ByteReader, order: Order): SequenceNumbers {
    const sequences = new SequenceNumbers(order.groups)
    sequences.#read(source, order.numbers.length)
    return sequences
  }

  #read(source: ByteReader, mostFrames: number): void {
    let most = mostFrames
    for (let left = source.varint(); left > 0; left--) {
      const id = senderId(source.u8(), source.u8(), source.u8())
      const count = claimedCount(source.varint(), most, 'sequence numbers')
      most -= count
      this.#senders.push({ id, residuals: new Uint8Array(count), taken: 0, next: 0 })
    }
    for (let group = 0; group < this.#senderOfGroup.length; group++)
      this.#senderOfGroup[group] = claimedCount(source.varint(), this.#senders.length, 'senders')
    const columns = new ColumnsReader(source)
    for (const { residuals } of this.#senders) {
      columns.number({ rows: residuals, count: residuals.length, stride: 1, offset: 0, width: 1 })
    }
    columns.fill()
  }

  /** Who sent the frames of a group; undefined where it is noise. */
  senderOf(group: number): { link: number; sysid: number; compid: number } | undefined {
    const sender = this.#senders[this.#senderOfGroup[group]! - 1]
    if (sender === undefined) return undefined
    return { link: sender.id >>> 16, sysid: (sender.id >>> 8) & 0xff, compid: sender.id & 0xff }
  }

  /** The sequence number of the next frame of a group's sender, which it is that of. */
  take(group: number): number {
    const sender = this.#senders[this.#senderOfGroup[group]! - 1]
    const residual = sender?.residuals[sender.taken++]
    if (sender === undefined || residual === undefined)
      throw new RangeError(`no sequence number left for the sender of group ${group}`)
    const seq = (sender.next + residual) & 0xff
    sender.next = (seq + 1) & 0xff
    return seq
  }
}
