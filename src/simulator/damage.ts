/**
 * Damage: what a bad line makes of a whole stream, decided by a seed: bytes lost, bytes changed, junk put between them;
 * and which of its frames came through. Pure.
 *
 *     source  [──stretch──]x[────stretch────][─stretch─]     x  lost or changed
 *     output  [──stretch──] [────stretch────]+++[─stretch─]  +  junk
 */
import { createRandom } from './random.js'
import type { Random } from './random.js'

export interface DamageOptions {
  seed: number
  /** Of each byte, the probability that it is lost. */
  lossPerByte?: number
  /** Of each byte, the probability that it is replaced by another one. */
  flipPerByte?: number
  /** Before each byte, the probability of a run of junk. */
  junkPerByte?: number
  /** The longest run of junk (bytes); each length up to it is as likely. */
  maxJunkBytes?: number
}

export interface Damaged {
  bytes: Uint8Array
  /** What came through as it was, in order and as long as can be: source offset, output offset, length, and so on. */
  stretches: Int32Array
  lostBytes: number
  flippedBytes: number
  junkBytes: number
}

/** Longest run of junk unless told (bytes): a frame's length, so that it hides one but not ten. */
const MAX_JUNK_BYTES = 40

/** Numbers of a stretch in `stretches`. */
const STRETCH = 3

/** Damages `source`, which stays as it is. The same seed and rates give the same result on every machine. */
export function damage(source: Uint8Array, options: DamageOptions): Damaged {
  const random = createRandom(options.seed)
  const { lossPerByte = 0, flipPerByte = 0, junkPerByte = 0, maxJunkBytes = MAX_JUNK_BYTES } = options
  const output = new Output(source)
  let loss = stepsTo(lossPerByte, random)
  let flip = stepsTo(flipPerByte, random)
  let junk = stepsTo(junkPerByte, random)
  for (;;) {
    const at = Math.min(loss, flip, junk)
    if (at >= source.length) break
    if (junk === at) {
      output.insert(at, 1 + Math.floor(random() * maxJunkBytes), random)
      junk += 1 + stepsTo(junkPerByte, random)
    }
    if (loss === at) output.lose(at)
    else if (flip === at) output.flip(at, random)
    if (loss === at) loss += 1 + stepsTo(lossPerByte, random)
    if (flip === at) flip += 1 + stepsTo(flipPerByte, random)
  }
  return output.end()
}

/** Bytes that are passed before one is hit, where each is with this probability: drawn at once, not byte by byte. */
function stepsTo(probability: number, random: Random): number {
  return probability === 0 ? Infinity : Math.floor(Math.log(1 - random()) / Math.log1p(-probability))
}

class Output {
  readonly #source: Uint8Array
  readonly #stretches: number[] = []
  #bytes: Uint8Array
  #length = 0
  /** Up to here the source is done. */
  #done = 0
  #lost = 0
  #flipped = 0
  #junk = 0

  constructor(source: Uint8Array) {
    this.#source = source
    this.#bytes = new Uint8Array(source.length)
  }

  lose(at: number): void {
    this.#copyTo(at)
    this.#done++
    this.#lost++
  }

  flip(at: number, random: Random): void {
    this.#copyTo(at)
    this.#reserve(1)
    this.#bytes[this.#length++] = this.#source[at]! ^ (1 + Math.floor(random() * 255))
    this.#done++
    this.#flipped++
  }

  insert(at: number, count: number, random: Random): void {
    this.#copyTo(at)
    this.#reserve(count)
    for (let i = 0; i < count; i++) this.#bytes[this.#length++] = Math.floor(random() * 256)
    this.#junk += count
  }

  end(): Damaged {
    this.#copyTo(this.#source.length)
    return {
      bytes: this.#bytes.subarray(0, this.#length),
      stretches: Int32Array.from(this.#stretches),
      lostBytes: this.#lost,
      flippedBytes: this.#flipped,
      junkBytes: this.#junk,
    }
  }

  #copyTo(end: number): void {
    const count = end - this.#done
    if (count === 0) return
    this.#reserve(count)
    this.#bytes.set(this.#source.subarray(this.#done, end), this.#length)
    this.#stretches.push(this.#done, this.#length, count)
    this.#length += count
    this.#done = end
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return
    const larger = new Uint8Array(2 * (this.#length + count))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }
}

/**
 * Where in the output each frame of the source begins that came through whole and in one piece, else -1.
 * `frames`: start and end of each in the source, in order, none in another.
 */
export function intactFrames(frames: Int32Array, { stretches }: Damaged): Int32Array {
  const starts = new Int32Array(frames.length / 2).fill(-1)
  let s = 0
  for (let i = 0; i < starts.length; i++) {
    const from = frames[2 * i]!
    while (s < stretches.length && stretches[s]! + stretches[s + 2]! <= from) s += STRETCH
    if (s >= stretches.length) break
    const offset = from - stretches[s]!
    if (offset >= 0 && frames[2 * i + 1]! <= stretches[s]! + stretches[s + 2]!)
      starts[i] = stretches[s + 1]! + offset
  }
  return starts
}
