/**
 * Noise runs: what stands between two frames, told apart once the second one has come: a frame with a wrong checksum,
 * a frame of a message that no definition knows, or damage.
 */
import type { CrcExtraTable } from './crc-extra.js'
import { HEADER_V1_BYTES, HEADER_V2_BYTES, STX_V1, claimedFrameBytes, isStx, msgidAt } from './frame.js'

/** Header bytes of the run that are kept to judge it by (bytes). */
const KEPT_BYTES = HEADER_V2_BYTES

/** Unknown ids counted apart (ids): more than all dialects have together; made-up ones must not take the memory. */
const MAX_UNKNOWN_IDS = 1024

export interface NoiseCounts {
  /** Frames with a wrong checksum, by msgid: the run is exactly as long as its header says. */
  crcMismatches: Map<number, number>
  /** The same of ids that no definition knows: the first MAX_UNKNOWN_IDS of them. */
  unknownFrames: Map<number, number>
  /** All other runs, and their bytes. */
  damagedRuns: number
  damagedBytes: number
}

/** Judges runs of noise on one link; feed it every piece in order. */
export class NoiseRuns {
  readonly counts: NoiseCounts = {
    crcMismatches: new Map(),
    unknownFrames: new Map(),
    damagedRuns: 0,
    damagedBytes: 0,
  }
  readonly #table: CrcExtraTable
  readonly #prefixBytes: number
  readonly #head = new Uint8Array(KEPT_BYTES)
  #bytes = 0

  /** `prefixBytes`: what a container puts before each frame, so before one with a wrong checksum too. */
  constructor(table: CrcExtraTable, prefixBytes = 0) {
    this.#table = table
    this.#prefixBytes = prefixBytes
  }

  noise(bytes: Uint8Array, start: number, end: number): void {
    for (let i = start; i < end; i++) {
      const at = this.#bytes + i - start - this.#prefixBytes
      if (at >= KEPT_BYTES) break
      if (at >= 0) this.#head[at] = bytes[i]!
    }
    this.#bytes += end - start
  }

  /** A frame follows: the run before it is over. */
  frame(): void {
    if (this.#bytes > 0) this.#judge(this.#claimedMsgid())
  }

  /** The stream is over; what no frame follows is damage. */
  end(): void {
    if (this.#bytes > 0) this.#judge(-1)
  }

  #claimedMsgid(): number {
    const bytes = this.#bytes - this.#prefixBytes
    const needed = this.#head[0] === STX_V1 ? HEADER_V1_BYTES : HEADER_V2_BYTES
    if (bytes < needed || !isStx(this.#head[0]) || claimedFrameBytes(this.#head, 0) !== bytes) return -1
    return msgidAt(this.#head, 0)
  }

  #judge(msgid: number): void {
    const { counts } = this
    const kind = this.#table.has(msgid) ? counts.crcMismatches : counts.unknownFrames
    const isCounted = kind === counts.crcMismatches || kind.has(msgid) || kind.size < MAX_UNKNOWN_IDS
    if (msgid >= 0 && isCounted) kind.set(msgid, (kind.get(msgid) ?? 0) + 1)
    else {
      counts.damagedRuns++
      counts.damagedBytes += this.#bytes
    }
    this.#bytes = 0
  }
}
