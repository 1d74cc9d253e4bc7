/** Tlog: made and read by other code than the product's. Each record is 8 bytes of time, big-endian, and a frame. */
import { ATTITUDE, HEARTBEAT, known } from './frames.js'

export function tlogRecord(timeUs: bigint, frame: Uint8Array): Uint8Array {
  const record = Buffer.alloc(8 + frame.length)
  record.writeBigUInt64BE(timeUs)
  record.set(frame, 8)
  return record
}

/** A tlog that takes its time: heartbeats, then so many messages, 100 a second, of a flight on 2024-01-01. */
export function longRecording(count: number): Buffer {
  const startUs = 1_704_067_200_000_000n
  const frames = Array.from({ length: 256 }, (_, seq) => known(ATTITUDE, { seq }))
  return Buffer.concat([
    ...[0, 1, 2].map((seq) => tlogRecord(startUs, known(HEARTBEAT, { seq }))),
    ...Array.from({ length: count }, (_, i) => tlogRecord(startUs + BigInt(i) * 10_000n, frames[i & 0xff]!)),
  ])
}

export interface TlogRecord {
  timeUs: bigint
  frame: Uint8Array
}

/** The records of an undamaged tlog. */
export function readTlog(tlog: Buffer): TlogRecord[] {
  const records: TlogRecord[] = []
  for (let at = 0; at < tlog.length;) {
    const start = at + 8
    const signatureBytes = 13 * (tlog[start + 2]! & 1)
    const length = tlog[start] === 0xfe ? tlog[start + 1]! + 8 : tlog[start + 1]! + 12 + signatureBytes
    records.push({ timeUs: tlog.readBigUInt64BE(at), frame: tlog.subarray(start, start + length) })
    at = start + length
  }
  return records
}
