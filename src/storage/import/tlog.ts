/**
 * Tlog: the recording format of ground stations: before each frame 8 bytes, big-endian µs since 1970 UTC.
 * Source: mavlink.io/en/guide/serialization.html has none; it is what MAVProxy, QGroundControl and Mission Planner write.
 */
import type { ByteWriter } from '../../base/byte-writer.js'

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

/** Times that a recorder's clock can be believed in (µs; 2000 to 2100): others are kept, but date nothing. */
const BELIEVABLE_US = { from: 946_684_800e6, to: 4_102_444_800e6 } as const

export function isBelievable(timeUs: number): boolean {
  return timeUs >= BELIEVABLE_US.from && timeUs < BELIEVABLE_US.to
}
