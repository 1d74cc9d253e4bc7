/**
 * Frame: where the parts of a MAVLink 1 or 2 frame lie in its bytes.
 * Source: mavlink.io/en/guide/serialization.html#packet_format
 */

/** First byte of a MAVLink 1 frame. */
export const STX_V1 = 0xfe
/** First byte of a MAVLink 2 frame. */
export const STX_V2 = 0xfd
/** MAVLink 1: STX, length, sequence, sysid, compid, msgid (bytes). */
export const HEADER_V1_BYTES = 6
/** MAVLink 2: STX, length, incompat, compat, sequence, sysid, compid, 3 × msgid (bytes). */
export const HEADER_V2_BYTES = 10
/** Checksum behind the payload (bytes). */
export const CRC_BYTES = 2
/** Signature behind the checksum of a signed frame: link id, 6 × timestamp, 6 × signature (bytes). */
export const SIGNATURE_BYTES = 13
/** Longest MAVLink 2 frame: 10 header + 255 payload + 2 CRC + 13 signature (bytes). */
export const MAX_FRAME_BYTES = 280
/** The one incompatibility flag there is; a frame with any other one set cannot be understood. */
export const INCOMPAT_SIGNED = 0x01

/** The header of a frame, as numbers. */
export interface FrameHeader {
  version: 1 | 2
  signed: boolean
  seq: number
  sysid: number
  compid: number
  msgid: number
  /** Payload as it is on the wire (bytes); MAVLink 2 cuts trailing zeros. */
  payloadBytes: number
  /** Where the payload begins, from the frame's first byte. */
  payloadOffset: number
}

/** Whether `byte` begins a frame. */
export function isStx(byte: number | undefined): boolean {
  return byte === STX_V2 || byte === STX_V1
}

/** The msgid in the header that begins at `start`; the header must be there whole. */
export function msgidAt(bytes: Uint8Array, start: number): number {
  return bytes[start] === STX_V1
    ? bytes[start + 5]!
    : bytes[start + 7]! | (bytes[start + 8]! << 8) | (bytes[start + 9]! << 16)
}

/** How long the frame says it is whose header begins at `start` (bytes); three of its bytes must be there. */
export function claimedFrameBytes(bytes: Uint8Array, start: number): number {
  const payloadBytes = bytes[start + 1]!
  if (bytes[start] === STX_V1) return HEADER_V1_BYTES + payloadBytes + CRC_BYTES
  const signature = bytes[start + 2]! & INCOMPAT_SIGNED ? SIGNATURE_BYTES : 0
  return HEADER_V2_BYTES + payloadBytes + CRC_BYTES + signature
}

/** Reads the header at `start`, which the caller knows to be whole (every frame of the splitter is). */
export function headerAt(bytes: Uint8Array, start: number): FrameHeader {
  const v1 = bytes[start] === STX_V1
  const at = v1 ? start + 2 : start + 4
  return {
    version: v1 ? 1 : 2,
    signed: !v1 && (bytes[start + 2]! & INCOMPAT_SIGNED) !== 0,
    seq: bytes[at]!,
    sysid: bytes[at + 1]!,
    compid: bytes[at + 2]!,
    msgid: msgidAt(bytes, start),
    payloadBytes: bytes[start + 1]!,
    payloadOffset: v1 ? HEADER_V1_BYTES : HEADER_V2_BYTES,
  }
}
