/**
 * Sequence: what the sequence numbers of one sender say: frames lost, repeated, out of order, and restarts.
 * Source: mavlink.io/en/guide/packet_loss.html (every component counts its own frames, modulo 256)
 */

export interface SequenceCounts {
  frames: number
  /** Numbers that never came. */
  lost: number
  /** Frames whose number had come before. */
  duplicates: number
  /** Frames that came after a later one; they do not count as lost. */
  reordered: number
  /** Times the sender began to count anew. */
  restarts: number
}

/** How far back a number may lie to count as late or repeated (frames); beyond, the sender must have lost 256 - n. */
const WINDOW_FRAMES = 64

/** A sender that starts up sends one of these numbers first: some send before the link is up. */
const FIRST_NUMBERS = 8

/** Silence that a reboot takes at least (µs): without it a jump to a small number is loss. */
const REBOOT_SILENCE_US = 1_000_000

/**
 * Follows the numbers of one (link, sysid, compid).
 * Loss of 256 - WINDOW_FRAMES frames or more at once cannot be told from late frames; it is then too low by 256.
 */
export class Sequence {
  readonly counts: SequenceCounts = { frames: 0, lost: 0, duplicates: 0, reordered: 0, restarts: 0 }
  #latest = -1
  #latestUs = 0
  /** The latest number counted on without wrapping, and where counting (anew) began. */
  #index = 0
  #firstIndex = 0
  /** The index at which each number last came; those before a sender's first number have an index, too. */
  readonly #cameAt = new Float64Array(256).fill(-Infinity)

  /** Takes the next frame's number. `recvTimeUs` only tells silences apart, so it may be any clock's. */
  observe(seq: number, recvTimeUs: number): void {
    const { counts } = this
    counts.frames++
    const silenceUs = recvTimeUs - this.#latestUs
    this.#latestUs = recvTimeUs
    const ahead = (seq - this.#latest) & 0xff
    if (this.#latest < 0) this.#moveTo(seq, 0)
    else if (ahead > 1 && seq < FIRST_NUMBERS && silenceUs >= REBOOT_SILENCE_US) {
      counts.restarts++
      this.#firstIndex = this.#index + 256
      this.#moveTo(seq, 256)
    } else if (ahead > 0 && ahead <= 0x100 - WINDOW_FRAMES) {
      counts.lost += ahead - 1
      this.#moveTo(seq, ahead)
    } else this.#observeEarlier(seq, this.#index - ((this.#latest - seq) & 0xff))
  }

  #moveTo(seq: number, ahead: number): void {
    this.#latest = seq
    this.#index += ahead
    this.#cameAt[seq] = this.#index
  }

  #observeEarlier(seq: number, index: number): void {
    if (this.#cameAt[seq] === index) this.counts.duplicates++
    else {
      this.counts.reordered++
      // Before its first number nothing of a sender was counted as lost.
      if (index >= this.#firstIndex) this.counts.lost--
      this.#cameAt[seq] = index
    }
  }
}
