/**
 * Frames: MAVLink frames built by hand, by other code than the product's, so that one can be held against the other.
 * Source: mavlink.io/en/guide/serialization.html
 */

export interface FrameParts {
  version?: 1 | 2
  msgid?: number
  /** As it stands on the wire: nothing is cut off. */
  payload?: ArrayLike<number>
  seq?: number
  sysid?: number
  compid?: number
  /** With a signature of 13 made-up bytes, or with these. */
  signed?: boolean | ArrayLike<number>
  /** Incompatibility flags besides the one of the signature. */
  incompat?: number
  compat?: number
  crcExtra?: number
  /** Instead of the right checksum. */
  crc?: number
}

/** CRC-16/MCRF4XX, bit by bit. */
export function crc16(covered: Iterable<number>): number {
  let crc = 0xffff
  for (const byte of covered) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x8408 : crc >>> 1
  }
  return crc
}

export function frame(parts: FrameParts = {}): Uint8Array {
  const { version = 2, msgid = 0, payload = [], seq = 0, sysid = 1, compid = 1, signed = false } = parts
  const { incompat = 0, compat = 0, crcExtra = 0 } = parts
  const flags = [incompat | (signed === false ? 0 : 1), compat]
  const header =
    version === 1
      ? [0xfe, payload.length, seq, sysid, compid, msgid]
      : [0xfd, payload.length, ...flags, seq, sysid, compid, msgid & 255, (msgid >> 8) & 255, msgid >> 16]
  const body = [...header, ...Array.from(payload)]
  const crc = parts.crc ?? crc16([...body.slice(1), crcExtra])
  return Uint8Array.from([...body, crc & 255, crc >> 8, ...signatureOf(signed)])
}

function signatureOf(signed: boolean | ArrayLike<number>): number[] {
  if (typeof signed !== 'boolean') return Array.from(signed)
  return signed ? [7, 1, 2, 3, 4, 5, 6, 0xfd, 0xfe, 10, 11, 12, 13] : []
}

/** Messages that a test's table knows; 5000 and 100000 are made up. */
export const HEARTBEAT = { msgid: 0, crcExtra: 50, baseLength: 9 } as const
export const ATTITUDE = { msgid: 30, crcExtra: 39, baseLength: 28 } as const
export const SETUP_SIGNING = { msgid: 256, crcExtra: 71, baseLength: 42 } as const
export const EMPTY = { msgid: 5000, crcExtra: 77, baseLength: 0 } as const
export const FAR = { msgid: 100_000, crcExtra: 201, baseLength: 255 } as const

/** What the splitter is given to know in tests: few messages, of every sort. */
export const KNOWN: ReadonlyMap<number, { crcExtra: number; baseLength: number }> = new Map(
  [HEARTBEAT, ATTITUDE, SETUP_SIGNING, EMPTY, FAR].map((message) => [message.msgid, message]),
)

/** A frame of a known message with a payload of its full length, filled with bytes that are no STX. */
export function known(
  message: { msgid: number; crcExtra: number; baseLength: number },
  parts: FrameParts = {},
): Uint8Array {
  const payload = Uint8Array.from({ length: message.baseLength }, (_, i) => (i * 7 + 1) % 200)
  return frame({ msgid: message.msgid, crcExtra: message.crcExtra, payload, ...parts })
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

export function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values)
}

/** The same bytes on every run, for what need not be random: a linear congruential generator. */
export function filler(length: number, seed = 1): Uint8Array {
  let state = seed
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24)
}
