/**
 * Mutated frames: whatever comes, however it is cut and wherever the line falls silent, every byte comes out once and in
 * its place, little is held, and what is called a frame has a right checksum and can be decoded.
 */
import { expect, test } from 'vitest'
import type { CrcExtraTable } from '../../src/link/crc-extra.js'
import { createSplitter, maxHeldBytes } from '../../src/link/frame-splitter.js'
import type { FrameSplitter } from '../../src/link/frame-splitter.js'
import { headerAt } from '../../src/link/frame.js'
import { decoderFor } from '../../src/mavlink/decode.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { checksum } from '../support/marker-scan.js'
import { MAX_MUTATED_BYTES, Mutator } from '../support/mutation.js'
import { SOAK_TIMEOUT_MS, amount, createProgress, randomFor, say, sayTable, seed } from '../support/soak.js'

const { byId } = loadDialect()
const table: CrcExtraTable = byId

/** Frames of one stream: enough that false headers reach far, few enough that a failure can be looked at. */
const BATCH_FRAMES = 500
/** After so many streams the splitters are new and have learned nothing. */
const BATCHES_OF_A_SPLITTER = 40
const MAX_HELD_BYTES = maxHeldBytes(0)

/** A splitter of which every piece is held against what was pushed. */
class Checked {
  /** Start and end of each frame in the stream. */
  readonly frames: number[] = []
  readonly splitter: FrameSplitter
  mostHeld = 0
  #stream: Uint8Array = new Uint8Array(0)
  #done = 0

  constructor(onFrame: (bytes: Uint8Array, start: number, end: number) => void) {
    this.splitter = createSplitter(table, {
      frame: (bytes, start, end) => {
        this.frames.push(this.#done)
        this.#check(bytes, start, end)
        this.frames.push(this.#done)
        onFrame(bytes, start, end)
      },
      noise: (bytes, start, end) => this.#check(bytes, start, end),
    })
  }

  /** Takes a whole stream in pieces of these sizes; `isSilent` says whether the line falls silent behind a piece. */
  run(stream: Uint8Array, sizeOf: () => number, isSilent: () => boolean): void {
    this.frames.length = 0
    this.#stream = stream
    this.#done = 0
    for (let at = 0; at < stream.length;) {
      const size = sizeOf()
      this.splitter.push(size >= stream.length ? stream : stream.subarray(at, at + size))
      at += size
      if (isSilent()) this.splitter.idle()
      const { heldBytes } = this.splitter
      if (heldBytes > this.mostHeld) this.mostHeld = heldBytes
    }
    this.splitter.end()
    if (this.#done !== stream.length) throw new Error(`${stream.length} bytes in, ${this.#done} out`)
  }

  #check(bytes: Uint8Array, start: number, end: number): void {
    if (end <= start) throw new Error(`an empty piece at ${this.#done}`)
    for (let i = start; i < end; i++)
      if (bytes[i] !== this.#stream[this.#done++]) throw new Error(`another byte at ${this.#done - 1}`)
  }
}

const never = (): boolean => false

/** The checksum is that of the message, or of an unknown id that of some CRC_EXTRA. */
function isRight(bytes: Uint8Array, start: number): boolean {
  const { msgid, payloadBytes, payloadOffset } = headerAt(bytes, start)
  const crcAt = start + payloadOffset + payloadBytes
  const crc = bytes[crcAt]! + 256 * bytes[crcAt + 1]!
  const known = table.get(msgid)
  if (known !== undefined) return checksum(bytes, start + 1, crcAt, known.crcExtra) === crc
  for (let extra = 0; extra < 256; extra++) if (checksum(bytes, start + 1, crcAt, extra) === crc) return true
  return false
}

function decode(bytes: Uint8Array, start: number): void {
  const { msgid, payloadBytes, payloadOffset } = headerAt(bytes, start)
  const layout = byId.get(msgid)
  if (layout === undefined) return
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const message = decoderFor(layout)(view, start + payloadOffset, payloadBytes)
  if (Object.keys(message).length !== layout.fields.length) throw new Error(`${layout.name} lacks fields`)
}

function sameNumbers(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((number, i) => number === other[i])
}

test(
  `Byte-exact and Bounded: mutated frames are split in one way, and all of them come out (seed ${seed})`,
  () => {
    const count = amount(200_000, 10_000_000)
    const batches = Math.ceil(count / BATCH_FRAMES)
    const random = randomFor('mutated frames')
    const mutator = new Mutator(table, random)
    const room = new Uint8Array(BATCH_FRAMES * (MAX_MUTATED_BYTES + 8))
    const progress = createProgress('mutated frames', count)
    const sums = { bytes: 0, frames: 0, unknown: 0, silences: 0, held: 0 }
    const takeFrame = (bytes: Uint8Array, start: number): void => {
      sums.frames++
      if (!table.has(headerAt(bytes, start).msgid)) sums.unknown++
      if (!isRight(bytes, start)) throw new Error('a frame with a wrong checksum')
      decode(bytes, start)
    }
    const ofAnySize = (): number => 1 + Math.floor(2 ** (9 * random()))
    const isSilent = (): boolean => random() < 0.1 && ++sums.silences > 0
    let runs: { whole: Checked; bytewise: Checked; cut: Checked; paused: Checked } | undefined
    for (let batch = 0; batch < batches; batch++) {
      if (batch % BATCHES_OF_A_SPLITTER === 0) {
        const make = (): Checked => new Checked(() => {})
        runs = { whole: new Checked(takeFrame), bytewise: make(), cut: make(), paused: make() }
      }
      const { whole, bytewise, cut, paused } = runs!
      const stream = nextStream(mutator, room, random)
      try {
        whole.run(stream, () => stream.length, never)
        bytewise.run(stream, () => 1, never)
        cut.run(stream, ofAnySize, never)
        paused.run(stream, ofAnySize, isSilent)
        if (!sameNumbers(whole.frames, bytewise.frames)) throw new Error('byte by byte it is split otherwise')
        if (!sameNumbers(whole.frames, cut.frames)) throw new Error('in pieces it is split otherwise')
      } catch (error) {
        say(Buffer.from(stream).toString('hex'))
        throw new Error(`seed ${seed}, stream ${batch}: ${String(error)}`, { cause: error })
      }
      sums.bytes += stream.length
      sums.held = Math.max(sums.held, ...[whole, bytewise, cut, paused].map(({ mostHeld }) => mostHeld))
      progress(batch * BATCH_FRAMES)
    }
    sayTable(
      'mutated frames',
      ['mutated', 'bytes', 'frames given', 'of unknown ids', 'silences', 'most bytes held'],
      [[count, ...Object.values(sums)]],
    )
    expect(sums.held).toBeLessThan(MAX_HELD_BYTES)
    // What was not spoilt, and half of what was but for its length: else the test would look at nothing but noise.
    expect(sums.frames).toBeGreaterThan(0.25 * count)
    expect(sums.unknown).toBeGreaterThan(0.005 * count)
    expect(sums.silences).toBeGreaterThan(0)
  },
  SOAK_TIMEOUT_MS,
)

/** Frames one behind the other, now and then with a few bytes of noise between them. */
function nextStream(mutator: Mutator, room: Uint8Array, random: () => number): Uint8Array {
  let end = 0
  for (let i = 0; i < BATCH_FRAMES; i++) {
    end = mutator.write(room, end)
    if (random() < 0.05)
      for (let noise = Math.floor(8 * random()); noise > 0; noise--) room[end++] = Math.floor(256 * random())
  }
  return room.subarray(0, end)
}
