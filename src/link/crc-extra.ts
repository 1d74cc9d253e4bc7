/**
 * CRC_EXTRA: the byte of a message's definition that ends its checksum, and what was learned of ids without one.
 * Source: mavlink.io/en/guide/serialization.html#crc_extra
 */

/** What the splitter must know of a message: its CRC_EXTRA and the payload a MAVLink 1 frame of it has (bytes). */
export interface KnownMessage {
  crcExtra: number
  baseLength: number
}

export type CrcExtraTable = ReadonlyMap<number, KnownMessage>

/** Unknown ids remembered per link: more than all dialects have together; noise cannot fill the memory (ids). */
const MAX_LEARNED_IDS = 1024

/** Sightings of one id with one implied CRC_EXTRA after which it counts as known (frames). */
const SIGHTINGS_TO_TRUST = 2

/**
 * Frames of one id in a row, each directly behind a frame but before none, after which they are trusted (frames): some
 * messages are always followed by one that comes damaged. Noise agrees so with itself once in 16 million such places.
 */
const HINTS_TO_TRUST = 3

interface Sighting {
  crcExtra: number
  count: number
}

interface Hint extends Sighting {
  /** Of the latest one; what only repeats itself says nothing new. */
  checksum: number
}

/** What an unknown id's implied CRC_EXTRA says, held against those seen before. */
export type Trust = 'trusted' | 'agrees' | 'disagrees'

/** The implied CRC_EXTRAs of ids that the table lacks. One bad guess does not lock the right one out. */
export class LearnedExtras {
  readonly #seen = new Map<number, Sighting>()
  readonly #hints = new Map<number, Hint>()

  judge(msgid: number, crcExtra: number): Trust {
    const seen = this.#seen.get(msgid)
    if (seen === undefined) return 'agrees'
    if (seen.crcExtra !== crcExtra) return 'disagrees'
    return seen.count >= SIGHTINGS_TO_TRUST ? 'trusted' : 'agrees'
  }

  /** Whether frames of the id are taken anywhere. */
  isTrusted(msgid: number): boolean {
    return (this.#seen.get(msgid)?.count ?? 0) >= SIGHTINGS_TO_TRUST
  }

  /** A well-placed frame: more sightings, or, where it contradicts what only one frame said, the end of that guess. */
  record(msgid: number, crcExtra: number, sightings: number): void {
    const seen = this.#seen.get(msgid)
    if (seen === undefined) {
      if (this.#seen.size < MAX_LEARNED_IDS) this.#seen.set(msgid, { crcExtra, count: sightings })
    } else if (seen.crcExtra === crcExtra) seen.count += sightings
    else if (seen.count < SIGHTINGS_TO_TRUST) this.#seen.delete(msgid)
  }

  /** A frame directly behind another and before none; whether its id is trusted by that. */
  hint(msgid: number, crcExtra: number, checksum: number): boolean {
    const hint = this.#hints.get(msgid)
    if (hint?.crcExtra !== crcExtra) {
      this.#hints.delete(msgid)
      this.#forgetOldestHint()
      this.#hints.set(msgid, { crcExtra, checksum, count: 1 })
      return false
    }
    if (hint.checksum !== checksum) hint.count++
    hint.checksum = checksum
    if (hint.count < HINTS_TO_TRUST) return false
    this.#hints.delete(msgid)
    this.record(msgid, crcExtra, SIGHTINGS_TO_TRUST)
    return this.judge(msgid, crcExtra) === 'trusted'
  }

  /** What stands directly behind a frame would be of this id, but nothing makes its checksum right. */
  miss(msgid: number): void {
    this.#hints.delete(msgid)
  }

  #forgetOldestHint(): void {
    if (this.#hints.size < MAX_LEARNED_IDS) return
    for (const oldest of this.#hints.keys()) {
      this.#hints.delete(oldest)
      return
    }
  }
}
