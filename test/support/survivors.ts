/**
 * Survivors: what a splitter found in a damaged stream, held against what came through intact; by offsets, so that
 * gigabytes can be judged.
 *
 *     sent     [ A      ][ B      ]
 *     arrived  [ A     ·[ B      ]     the lost byte · was equal to the first of B: A is there whole, and B is not
 */
import type { CrcExtraTable } from '../../src/link/crc-extra.js'
import { createSplitter } from '../../src/link/frame-splitter.js'
import type { Damaged } from '../../src/simulator/damage.js'
import { intactFrames } from '../../src/simulator/damage.js'
import type { Random } from '../../src/simulator/random.js'
import type { Wire } from './wires.js'

const SIGNATURE_BYTES = 13

/** A frame that the splitter gave and nobody sent. */
export interface FalseFrame {
  /** `invented`: its bytes are of frames that were sent. `of noise`: of what was damaged before, which may be undone. */
  kind: 'invented' | 'of noise' | 'wrong signature'
  /** Where it begins in the damaged stream. */
  offset: number
  bytes: number
  /** Of its first byte in what was sent. */
  sentOffset: number
  hex: string
  /** Intact frames that it hides. */
  hides: number
}

export interface Survivors {
  intact: number
  /** Intact frames that the splitter did not give. */
  lost: {
    /** Hidden by a frame that is, byte for byte, one that was sent beside it: the stream can be read both ways. */
    ambiguous: number
    /** Hidden by a frame that was never sent and has a right checksum. */
    falseFrame: number
    /** For no reason: where each began in what was sent. */
    unexplained: number[]
  }
  /** Frames given that nobody sent; a wrong signature is one that is as it was sent up to the checksum. */
  falseFrames: FalseFrame[]
}

/** Start and end of each frame that the splitter gives for `bytes`, fed in pieces of random sizes. */
export function foundFrames(bytes: Uint8Array, table: CrcExtraTable, random: Random): Int32Array {
  const SHORTEST_FRAME_BYTES = 8
  const found = new Int32Array(2 * Math.ceil(bytes.length / SHORTEST_FRAME_BYTES))
  let count = 0
  let done = 0
  const splitter = createSplitter(table, {
    frame: (_, start, end) => {
      found[count++] = done
      done += end - start
      found[count++] = done
    },
    noise: (_, start, end) => (done += end - start),
  })
  for (let at = 0; at < bytes.length;) {
    // From 1 to 4096 bytes, small ones as often as large ones: a serial read, a radio's burst, a file.
    const size = Math.floor(2 ** (12 * random()))
    splitter.push(bytes.subarray(at, at + size))
    at += size
  }
  splitter.end()
  return found.subarray(0, count)
}

export function judge(wire: Wire, damaged: Damaged, found: Int32Array): Survivors {
  const judgement = new Judgement(wire, damaged, found)
  judgement.judgeFound()
  judgement.judgeLost()
  return judgement.survivors
}

class Judgement {
  readonly survivors: Survivors
  readonly #wire: Wire
  readonly #damaged: Damaged
  readonly #found: Int32Array
  /** Where in the damaged stream each frame sent begins, or -1. */
  readonly #intact: Int32Array
  /** Frames given that are none of the intact ones, and what each is. */
  readonly #strange = new Map<number, 'sent' | FalseFrame>()

  constructor(wire: Wire, damaged: Damaged, found: Int32Array) {
    this.#wire = wire
    this.#damaged = damaged
    this.#found = found
    this.#intact = intactFrames(wire.frames, damaged)
    this.survivors = {
      intact: this.#intact.reduce((sum, start) => sum + (start < 0 ? 0 : 1), 0),
      lost: { ambiguous: 0, falseFrame: 0, unexplained: [] },
      falseFrames: [],
    }
  }

  judgeFound(): void {
    const found = this.#found
    const intact = this.#intact
    let next = 0
    for (let i = 0; i < found.length; i += 2) {
      while (next < intact.length && intact[next]! < found[i]!) next++
      if (intact[next] !== found[i]) this.#judgeStrange(found[i]!, found[i + 1]!)
    }
  }

  judgeLost(): void {
    const { lost } = this.survivors
    const found = this.#found
    let f = 0
    this.#intact.forEach((start, i) => {
      if (start < 0) return
      while (f < found.length && found[f + 1]! <= start) f += 2
      if (found[f] === start) return
      // Where one hides its beginning and another its end, either may be the one that can be read both ways.
      const over = [f, f + 2].filter((each) => this.#reaches(found[each] ?? Infinity, i))
      const hiddenBy = over.map((each) => this.#strange.get(found[each]!))
      const falseFrame = hiddenBy.find((each) => typeof each === 'object')
      if (hiddenBy.includes('sent')) lost.ambiguous++
      else if (falseFrame !== undefined) {
        lost.falseFrame++
        falseFrame.hides++
      } else lost.unexplained.push(this.#wire.frames[2 * i]!)
    })
  }

  /**
   * Whether a frame given at `at` hides frame `i`, that came through: it begins before it, or in its signature, which
   * no checksum covers: that of a frame whose last byte equals the lost first one of the next is anybody's guess.
   */
  #reaches(at: number, i: number): boolean {
    const { frames, bytes } = this.#wire
    const [from, to] = [frames[2 * i]!, frames[2 * i + 1]!]
    const signed = bytes[from] === 0xfd && bytes[from + 2] === 1
    const offset = at - this.#intact[i]!
    return offset < 0 || (signed && offset >= to - from - SIGNATURE_BYTES && offset < to - from)
  }

  #judgeStrange(start: number, end: number): void {
    const [from, to] = [this.#sentOffset(start), this.#sentOffset(end - 1)]
    const same = this.#longestMatch(start, end, from, to)
    if (same === end - start) {
      this.#strange.set(start, 'sent')
      return
    }
    const bytes = this.#damaged.bytes.subarray(start, end)
    const isSigned = bytes[0] === 0xfd && bytes[2] === 1
    const isSent = from >= 0 && to >= 0 && this.#isAllSent(from, to + 1)
    const wrongSignature = isSigned && same >= end - start - SIGNATURE_BYTES
    const kind = !isSent ? 'of noise' : wrongSignature ? 'wrong signature' : 'invented'
    const hex = Buffer.from(bytes).toString('hex')
    const frame: FalseFrame = { kind, offset: start, bytes: end - start, sentOffset: from, hex, hides: 0 }
    this.#strange.set(start, frame)
    this.survivors.falseFrames.push(frame)
  }

  /** How many of its first bytes are those of a frame of the same length that was sent thereabouts. */
  #longestMatch(start: number, end: number, from: number, to: number): number {
    const { frames, bytes } = this.#wire
    const arrived = this.#damaged.bytes
    let longest = 0
    for (let i = this.#frameBehind(from); i < frames.length && frames[i]! <= to; i += 2) {
      if (frames[i + 1]! - frames[i]! !== end - start) continue
      let same = 0
      while (same < end - start && arrived[start + same] === bytes[frames[i]! + same]) same++
      longest = Math.max(longest, same)
    }
    return longest
  }

  /** Index in `frames` of the first frame that ends behind `offset`. */
  #frameBehind(offset: number): number {
    const { frames } = this.#wire
    let [low, high] = [0, frames.length / 2]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (frames[2 * middle + 1]! <= offset) low = middle + 1
      else high = middle
    }
    return 2 * low
  }

  #isAllSent(from: number, to: number): boolean {
    const { frames } = this.#wire
    let at = from
    for (let i = this.#frameBehind(from); at < to; i += 2) {
      if (i >= frames.length || frames[i]! > at) return false
      at = frames[i + 1]!
    }
    return true
  }

  /** Where a byte of the damaged stream stood in what was sent; -1 for one that was changed or is junk. */
  #sentOffset(at: number): number {
    const { stretches } = this.#damaged
    let [low, high] = [0, stretches.length / 3]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (stretches[3 * middle + 1]! + stretches[3 * middle + 2]! <= at) low = middle + 1
      else high = middle
    }
    const offset = at - (stretches[3 * low + 1] ?? Infinity)
    return offset >= 0 ? stretches[3 * low]! + offset : -1
  }
}
