/**
 * Sequence numbers: those of a segment's frames, by sender, as differences from the expected ones.
 * Specified in docs/flight-file.md, "Sequence numbers".
 */
import type { ByteReader } from '../../base/byte-reader.js'
import type { ByteWriter } from '../../base/byte-writer.js'
import { STX_V1 } from '../../link/frame.js'
import { ColumnsReader, ColumnsWriter } from './columns.js'
import { FRAME, claimedCount } from './records.js'
import type { Records } from './records.js'

/** One sender's frames: sequence number less the one before, less 1, modulo 256; mostly zeros. */
interface Sender {
  id: number
  residuals: number[]
  next: number
}

const senderId = (link: number, sysid: number, compid: number): number => (link << 16) | (sysid << 8) | compid

/** Writes, for each sender in order of appearance: link, sysid, compid, count and the column of differences. */
export function writeSequenceNumbers(out: ByteWriter, records: Records): void {
  const senders = sendersOf(records)
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
  columns.writeTo(out)
}

function sendersOf({ bytes, kinds, links, count, ends }: Records): Sender[] {
  const senders = new Map<number, Sender>()
  for (let i = 0, start = 0; i < count; start = ends[i++]!) {
    if (kinds[i] !== FRAME) continue
    const at = start + (bytes[start] === STX_V1 ? 2 : 4)
    const id = senderId(links[i]!, bytes[at + 1]!, bytes[at + 2]!)
    let sender = senders.get(id)
    if (sender === undefined) senders.set(id, (sender = { id, residuals: [], next: 0 }))
    sender.residuals.push((bytes[at]! - sender.next) & 0xff)
    sender.next = (bytes[at]! + 1) & 0xff
  }
  return [...senders.values()]
}

/** Gives the sequence numbers back, sender by sender, in order. */
export class SequenceNumbers {
  readonly #senders = new Map<number, { residuals: Uint8Array; taken: number; next: number }>()

  /** `mostFrames`: what all senders together can have sent. */
  static read(source: ByteReader, mostFrames: number): SequenceNumbers {
    const numbers = new SequenceNumbers()
    let most = mostFrames
    for (let left = source.varint(); left > 0; left--) {
      const id = senderId(source.u8(), source.u8(), source.u8())
      const count = claimedCount(source.varint(), most, 'sequence numbers')
      most -= count
      numbers.#senders.set(id, { residuals: new Uint8Array(count), taken: 0, next: 0 })
    }
    const columns = new ColumnsReader(source)
    for (const { residuals } of numbers.#senders.values()) {
      columns.number({ rows: residuals, count: residuals.length, stride: 1, offset: 0, width: 1 })
    }
    columns.fill()
    return numbers
  }

  take(link: number, sysid: number, compid: number): number {
    const sender = this.#senders.get(senderId(link, sysid, compid))
    const residual = sender?.residuals[sender.taken++]
    if (sender === undefined || residual === undefined) {
      throw new RangeError(`no sequence number left for sender ${sysid}/${compid} on link ${link}`)
    }
    const seq = (sender.next + residual) & 0xff
    sender.next = (seq + 1) & 0xff
    return seq
  }
}
