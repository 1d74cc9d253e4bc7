/**
 * Redaction: zeroes the signing key in SETUP_SIGNING before it is stored, in good frames and in noise that holds
 * such a header. The key would let whoever reads a flight file command the vehicle.
 * Source: mavlink.io/en/messages/common.html#SETUP_SIGNING
 */
import { HEADER_V2_BYTES, STX_V2, msgidAt } from '../link/frame.js'

/** SETUP_SIGNING; its id is beyond what MAVLink 1 can carry. */
const SETUP_SIGNING = 256
/** Where the key lies in the payload: behind initial_timestamp (8), target_system and target_component (bytes). */
const KEY_OFFSET = 10
const KEY_BYTES = 32

const KEY_FROM = HEADER_V2_BYTES + KEY_OFFSET
const KEY_TO = KEY_FROM + KEY_BYTES

const NOTHING = new Uint8Array(0)

/** Redacts the pieces of one link, in order; a noise run may come in several pieces. */
export class Redaction {
  /** Frames, and headers in noise, whose key was zeroed. */
  count = 0
  /** The last bytes of the noise run so far, fewer than a header. */
  #tail = NOTHING
  /** Where the key of a header seen in this run begins and ends, counted from the run's next byte. */
  #keyFrom = 0
  #keyTo = 0

  /** Zeroes the key in the frame at `bytes[start, end)`, in place. */
  frame(bytes: Uint8Array, start: number, end: number): void {
    this.#tail = NOTHING
    this.#keyTo = 0
    if (bytes[start] !== STX_V2 || msgidAt(bytes, start) !== SETUP_SIGNING) return
    const payloadEnd = start + HEADER_V2_BYTES + bytes[start + 1]!
    const keyEnd = Math.min(start + KEY_TO, payloadEnd, end)
    if (keyEnd <= start + KEY_FROM) return
    bytes.fill(0, start + KEY_FROM, keyEnd)
    this.count++
  }

  /** Zeroes what a header in the noise says is a key, in place, as far as the run goes. */
  noise(bytes: Uint8Array, start: number, end: number): void {
    if (this.#keyTo > 0) this.#zero(bytes, start, end)
    const tail = this.#tail
    const byteAt = (i: number): number => (i < start ? tail[tail.length + i - start]! : bytes[i]!)
    for (let i = start - tail.length; i + HEADER_V2_BYTES <= end; i++) {
      if (byteAt(i) !== STX_V2 || byteAt(i + 7) !== 0 || byteAt(i + 8) !== 1 || byteAt(i + 9) !== 0) continue
      this.count++
      this.#keyFrom = this.#keyTo > 0 ? Math.min(this.#keyFrom, i + KEY_FROM - start) : i + KEY_FROM - start
      this.#keyTo = i + KEY_TO - start
      this.#zero(bytes, start, end)
    }
    const kept = Math.min(tail.length + end - start, HEADER_V2_BYTES - 1)
    this.#tail = Uint8Array.from({ length: kept }, (_, k) => byteAt(end - kept + k))
    this.#keyFrom -= end - start
    this.#keyTo -= end - start
  }

  #zero(bytes: Uint8Array, start: number, end: number): void {
    const from = start + Math.max(this.#keyFrom, 0)
    if (from < end) bytes.fill(0, from, Math.min(start + this.#keyTo, end))
  }
}
