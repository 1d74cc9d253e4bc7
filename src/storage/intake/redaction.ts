/**
 * Redaction: zeroes the signing key in SETUP_SIGNING before it is stored, in good frames and in noise that holds
 * such a header. The key would let whoever reads a flight file command the vehicle.
 * Source: mavlink.io/en/messages/common.html#SETUP_SIGNING
 */
import { HEADER_V2_BYTES, INCOMPAT_SIGNED, STX_V2, msgidAt } from '../../link/frame.js'

/** SETUP_SIGNING; its id is beyond what MAVLink 1 can carry. */
const SETUP_SIGNING = 256
/** Where the key lies in the payload: behind initial_timestamp (8), target_system and target_component (bytes). */
const KEY_OFFSET = 10
const KEY_BYTES = 32

const KEY_FROM = HEADER_V2_BYTES + KEY_OFFSET

const NOTHING = new Uint8Array(0)

/**
 * Whether the rest of a header is one of SETUP_SIGNING with at least a byte of key. Its id alone is not enough: three
 * bytes 00 01 00 stand in many payloads, and telemetry would be zeroed for a key.
 */
function isSetupSigning(headerByte: (index: number) => number): boolean {
  const payloadBytes = headerByte(1)
  const length = payloadBytes > KEY_OFFSET && payloadBytes <= KEY_OFFSET + KEY_BYTES
  const flags = headerByte(2) <= INCOMPAT_SIGNED && headerByte(3) === 0
  return length && flags && headerByte(7) === 0 && headerByte(8) === 1 && headerByte(9) === 0
}

/** Zeroes `bytes[from, to)`; whether that changed anything. */
function zero(bytes: Uint8Array, from: number, to: number): boolean {
  let changed = false
  for (let i = from; i < to; i++) changed ||= bytes[i] !== 0
  if (from < to) bytes.fill(0, from, to)
  return changed
}

/** Redacts the pieces of one link, in order; a noise run may come in several pieces, and a frame ends it. */
export class Redaction {
  /** Keys that were zeroed, in frames and in noise. */
  count = 0
  /** The last bytes of the noise run so far as they came, fewer than a header. */
  #tail = NOTHING
  /** Where the keys begin that headers in this run announce, counted from the run's next byte; some began before it. */
  #keys: { from: number; counted: boolean }[] = []

  /** Zeroes the key in the frame at `bytes[start, end)`, in place. */
  frame(bytes: Uint8Array, start: number, end: number): void {
    this.#tail = NOTHING
    this.#keys = []
    if (bytes[start] !== STX_V2 || msgidAt(bytes, start) !== SETUP_SIGNING) return
    const payloadEnd = start + HEADER_V2_BYTES + bytes[start + 1]!
    const keyEnd = Math.min(start + KEY_FROM + KEY_BYTES, payloadEnd, end)
    if (keyEnd <= start + KEY_FROM) return
    if (zero(bytes, start + KEY_FROM, keyEnd)) this.count++
  }

  /** Zeroes what headers in the noise say are keys, in place, as far as the run goes. */
  noise(bytes: Uint8Array, start: number, end: number): void {
    this.#noteKeys(bytes, start, end)
    const length = end - start
    for (const key of this.#keys) {
      const changed = zero(bytes, start + Math.max(key.from, 0), Math.min(start + key.from + KEY_BYTES, end))
      if (changed && !key.counted) this.count++
      key.counted ||= changed
      key.from -= length
    }
    this.#keys = this.#keys.filter(({ from }) => from + KEY_BYTES > 0)
  }

  /** Looks for headers before anything is zeroed: one may lie in what another, false one says is its key. */
  #noteKeys(bytes: Uint8Array, start: number, end: number): void {
    const tail = this.#tail
    const byteAt = (i: number): number => (i < start ? tail[tail.length + i - start]! : bytes[i]!)
    for (let i = start - tail.length; i + HEADER_V2_BYTES <= end; i++) {
      if (byteAt(i) !== STX_V2 || !isSetupSigning((k) => byteAt(i + k))) continue
      this.#keys.push({ from: i + KEY_FROM - start, counted: false })
    }
    const kept = Math.min(tail.length + end - start, HEADER_V2_BYTES - 1)
    this.#tail = Uint8Array.from({ length: kept }, (_, k) => byteAt(end - kept + k))
  }
}
