/**
 * Tlog: the recording format of ground stations: before each frame 8 bytes, big-endian µs since 1970 UTC.
 * Source: mavlink.io/en/guide/serialization.html has none; it is what MAVProxy, QGroundControl and Mission Planner write.
 */
import type { ByteWriter } from '../base/byte-writer.js'

/** The timestamp before each frame (bytes). */
export const TIMESTAMP_BYTES = 8

/** A view of the last buffer asked for: making one costs more than reading a number, and a buffer holds thousands. */
let view: DataView = new DataView(new ArrayBuffer(0))

export function timestampAt(bytes: Uint8Array, start: number): bigint {
  if (view.buffer !== bytes.buffer) view = new DataView(bytes.buffer)
  return view.getBigUint64(bytes.byteOffset + start)
}

export function writeTimestamp(out: ByteWriter, timeUs: bigint): void {
  const room = out.reserve(TIMESTAMP_BYTES)
  new DataView(room.buffer, room.byteOffset, TIMESTAMP_BYTES).setBigUint64(0, timeUs)
}
