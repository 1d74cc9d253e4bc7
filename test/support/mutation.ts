/**
 * Mutation: frames of every kind, spoilt in every way that a line or a bad sender can spoil one, as many a second as a
 * splitter can take. Half of those that were spoilt get a right checksum again, so that what is behind it is reached.
 */
import type { CrcExtraTable } from '../../src/link/crc-extra.js'
import type { Random } from '../../src/simulator/random.js'
import { checksum } from './marker-scan.js'

/** Longest frame and the most that a mutation adds (bytes). */
export const MAX_MUTATED_BYTES = 280 + 16

const SIGNED = 0x01
const STRANGER_EXTRA = 160
/** Ids that no dialect has: small enough for MAVLink 1, beyond it, and far out. */
const STRANGERS = [199, 13_500, 77_777, 16_000_001]

interface Template {
  bytes: Uint8Array
}

/** Each message of the table in MAVLink 1 and 2, signed, empty, as long as can be; and unknown ids. */
export function templates(table: CrcExtraTable, random: Random): Template[] {
  const known = [...table].flatMap(([msgid, { crcExtra, baseLength }]) => [
    frameOf(2, msgid, crcExtra, baseLength, false, random),
    frameOf(2, msgid, crcExtra, Math.floor(random() * 256), false, random),
    frameOf(2, msgid, crcExtra, baseLength, true, random),
    frameOf(2, msgid, crcExtra, 0, false, random),
    frameOf(2, msgid, crcExtra, 255, true, random),
    ...(msgid < 256 ? [frameOf(1, msgid, crcExtra, baseLength, false, random)] : []),
  ])
  const unknown = STRANGERS.flatMap((msgid) =>
    [0, 4, 30, 255].flatMap((length) => [
      frameOf(2, msgid, STRANGER_EXTRA, length, length === 30, random),
      ...(msgid < 256 ? [frameOf(1, msgid, STRANGER_EXTRA, length, false, random)] : []),
    ]),
  )
  // Strangers are few ids; without more of them they would be few frames, too.
  return [...known, ...Array.from({ length: 10 }, () => unknown).flat()]
}

function frameOf(
  version: 1 | 2,
  msgid: number,
  crcExtra: number,
  payloadBytes: number,
  signed: boolean,
  random: Random,
): Template {
  const ids = [msgid & 255, (msgid >>> 8) & 255, msgid >>> 16]
  const header =
    version === 1
      ? [0xfe, payloadBytes, 0, 1, 1, msgid]
      : [0xfd, payloadBytes, signed ? SIGNED : 0, 0, 0, 1, 1, ...ids]
  const rest = Array.from({ length: payloadBytes + 2 + (signed ? 13 : 0) }, () => Math.floor(random() * 256))
  const bytes = Uint8Array.from([...header, ...rest])
  writeChecksum(bytes, header.length + payloadBytes, crcExtra)
  return { bytes }
}

function writeChecksum(bytes: Uint8Array, crcAt: number, crcExtra: number): void {
  const crc = checksum(bytes, 1, crcAt, crcExtra)
  bytes[crcAt] = crc & 255
  bytes[crcAt + 1] = crc >>> 8
}

export class Mutator {
  readonly #table: CrcExtraTable
  readonly #random: Random
  readonly #templates: Template[]
  readonly #scratch = new Uint8Array(MAX_MUTATED_BYTES)
  #length = 0

  constructor(table: CrcExtraTable, random: Random) {
    this.#table = table
    this.#random = random
    this.#templates = templates(table, random)
  }

  /** Writes the next frame to `out` at `at`; returns where it ends. */
  write(out: Uint8Array, at: number): number {
    const { bytes } = this.#templates[this.#below(this.#templates.length)]!
    this.#scratch.set(bytes)
    this.#length = bytes.length
    this.#scratch[bytes[0] === 0xfe ? 2 : 4] = this.#below(256)
    // A fifth stays as it was sent, so that good frames stand beside bad ones.
    const isSpoilt = this.#below(5) > 0
    if (isSpoilt) for (let times = 1 + this.#below(2); times > 0; times--) this.#spoil()
    if (!isSpoilt || this.#below(2) === 0) this.#repair()
    out.set(this.#scratch.subarray(0, this.#length), at)
    return at + this.#length
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  #spoil(): void {
    const scratch = this.#scratch
    const v1 = scratch[0] === 0xfe
    switch (this.#below(9)) {
      case 0:
        for (let bits = 1 + this.#below(4); bits > 0; bits--)
          scratch[this.#below(this.#length)]! ^= 1 << this.#below(8)
        break
      case 1:
        this.#length -= this.#below(this.#length)
        break
      case 2:
        this.#remove(this.#below(this.#length), 1 + this.#below(8))
        break
      case 3:
        this.#insert(this.#below(this.#length), 1 + this.#below(8))
        break
      case 4: {
        const [one, other] = [this.#below(v1 ? 6 : 10), this.#below(v1 ? 6 : 10)]
        const byte = scratch[one]!
        scratch[one] = scratch[other]!
        scratch[other] = byte
        break
      }
      case 5:
        scratch[1] = this.#below(3) === 0 ? 255 * this.#below(2) : this.#below(256)
        break
      case 6:
        scratch[2] = this.#below(2) === 0 ? 1 << this.#below(8) : this.#below(256)
        break
      case 7:
        scratch[0] = v1 ? 0xfd : 0xfe
        break
      default:
        // A start of a frame where none is.
        scratch[this.#below(this.#length)] = 0xfd + this.#below(2)
    }
  }

  #remove(at: number, count: number): void {
    this.#scratch.copyWithin(at, at + count, this.#length)
    this.#length = Math.max(at, this.#length - count)
  }

  #insert(at: number, count: number): void {
    if (this.#length + count > this.#scratch.length) return
    this.#scratch.copyWithin(at + count, at, this.#length)
    for (let i = 0; i < count; i++) this.#scratch[at + i] = this.#below(256)
    this.#length += count
  }

  /** Makes the checksum right for what the header now says, if that much is there. */
  #repair(): void {
    const scratch = this.#scratch
    const v1 = scratch[0] === 0xfe
    const crcAt = (v1 ? 6 : 10) + scratch[1]!
    if (crcAt + 2 > this.#length) return
    const msgid = v1 ? scratch[5]! : scratch[7]! + 256 * scratch[8]! + 65_536 * scratch[9]!
    writeChecksum(scratch, crcAt, this.#table.get(msgid)?.crcExtra ?? STRANGER_EXTRA)
  }
}
