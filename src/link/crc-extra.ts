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

interface Sighting {
  crcExtra: number
  count: number
}

/** What an unknown id's implied CRC_EXTRA says, held against those seen before. */
export type Trust = 'trusted' | 'agrees' | 'disagrees'

/** The implied CRC_EXTRAs of ids that the table lacks. One bad guess does not lock the right one out. */
export class LearnedExtras {
  readonly #seen = new Map<number, Sighting>()

  judge(msgid: number, crcExtra: number): Trust {
    const seen = this.#seen.get(msgid)
    if (seen === undefined) return 'agrees'
    if (seen.crcExtra !== crcExtra) return 'disagrees'
    return seen.count >= SIGHTINGS_TO_TRUST ? 'trusted' : 'agrees'
  }

  /** A well-placed frame: one more sighting, or, where it contradicts what only one frame said, the end of that guess. */
  record(msgid: number, crcExtra: number): void {
    const seen = this.#seen.get(msgid)
    if (seen === undefined) {
      if (this.#seen.size < MAX_LEARNED_IDS) this.#seen.set(msgid, { crcExtra, count: 1 })
    } else if (seen.crcExtra === crcExtra) seen.count++
    else if (seen.count < SIGHTINGS_TO_TRUST) this.#seen.delete(msgid)
  }
}
