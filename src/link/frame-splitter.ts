/**
 * Frame splitter: a byte stream in, MAVLink frames and noise out.
 *
 *     bytes ──push──▶ [ noise ][ frame ][ frame ][ noi…  ← held until it is sure
 *
 * Source: mavlink.io/en/guide/serialization.html
 */
import { LearnedExtras } from './crc-extra.js'
import type { CrcExtraTable } from './crc-extra.js'
import {
  CRC_BYTES,
  HEADER_V1_BYTES,
  HEADER_V2_BYTES,
  INCOMPAT_SIGNED,
  MAX_FRAME_BYTES,
  SIGNATURE_BYTES,
  STX_V1,
  STX_V2,
  isStx,
  msgidAt,
} from './frame.js'
import { X25_START, x25, x25Byte, x25ImpliedByte } from './x25.js'

/** Takes the pieces, in order and without a hole; `bytes` is borrowed: copy what must outlive the call. */
export interface PieceSink {
  /** A whole frame; behind a prefix (a tlog's timestamp) it begins `prefixBytes` after `start`. */
  frame(bytes: Uint8Array, start: number, end: number): void
  /** Bytes that belong to no frame. Neighbouring noise may come in several calls. */
  noise(bytes: Uint8Array, start: number, end: number): void
}

export interface SplitterOptions {
  /** Bytes that a container puts before each frame: 0 on a wire, 8 in a tlog. */
  prefixBytes?: number
}

export interface FrameSplitter {
  /** Takes the next bytes of the stream; the caller may re-use them at once. */
  push(bytes: Uint8Array): void
  /** The line is silent: a false start no longer hides a whole frame that is held behind it. */
  idle(): void
  /** The stream is over: what is held comes out. */
  end(): void
  /** Bytes pushed and not yet given to the sink. */
  readonly heldBytes: number
}

/** Frames in a row of which each is held until it is sure what that behind it is: unknown ones, or such as may be cut (frames). */
const MAX_CHAIN = 3

/** Limit of what is held: those, and the one behind them that decides, of which the last byte is missing (bytes). */
export function maxHeldBytes(prefixBytes: number): number {
  return (MAX_CHAIN + 1) * (prefixBytes + MAX_FRAME_BYTES)
}

/** A push is worked through in slices of this size, so that a huge one needs no huge buffer (bytes). */
const SLICE_BYTES = 64 * 1024

/** CRC_EXTRA of ids below this lie in an array; the map behind it costs ten times as much per frame (ids). */
const ARRAY_IDS = 0x10000

/** MAVLink 1 has one byte for the id (ids). */
const V1_IDS = 0x100

/** Verdicts besides a length: these bytes are no frame; more bytes must come first. */
const NOT_A_FRAME = 0
const WAIT = -1

/**
 * Splits a byte stream into MAVLink frames. Pure: no clock, no input or output.
 * Guarantees: every pushed byte comes out in exactly one piece, in order, and however the stream is cut into pushes the
 * frames are the same; a damaged byte costs the frame it lies in and no other (rescan behind every doubtful STX).
 * A known id is decided by its checksum, in MAVLink 1 also by its length. An unknown one must have a CRC_EXTRA that makes
 * its checksum right; the first two of an id must also lie directly between frames, or behind each other.
 * A signature lies behind the checksum: one of which bytes were lost would take the next frame's first ones, so a frame
 * that begins in it wins.
 * Holds less than `maxHeldBytes`: an incomplete frame, unknown ones until that behind them has come, or a signed one until
 * it is sure that none begins in its signature.
 * Errors: none.
 */
export function createSplitter(
  table: CrcExtraTable,
  sink: PieceSink,
  options: SplitterOptions = {},
): FrameSplitter {
  return new Splitter(table, sink, options.prefixBytes ?? 0)
}

class Splitter implements FrameSplitter {
  readonly #table: CrcExtraTable
  readonly #sink: PieceSink
  readonly #prefix: number
  readonly #extraOf = new Int16Array(ARRAY_IDS).fill(-1)
  /** Payload bytes that a MAVLink 1 frame of an id has. */
  readonly #lengthOf = new Int16Array(V1_IDS).fill(-1)
  readonly #learned = new LearnedExtras()
  readonly #buf: Uint8Array
  /** buf[begin, end) is pushed and not given out yet; buf[scan] is the next candidate. */
  #begin = 0
  #end = 0
  #scan: number
  /** Whether buf[begin] directly follows a frame. */
  #afterFrame = false
  /** Nothing more comes, as far as is known: a whole signed frame does not wait to be sure of its signature. */
  #isSilent = false

  constructor(table: CrcExtraTable, sink: PieceSink, prefixBytes: number) {
    this.#table = table
    this.#sink = sink
    this.#prefix = prefixBytes
    this.#scan = prefixBytes
    this.#buf = new Uint8Array(SLICE_BYTES + maxHeldBytes(prefixBytes))
    for (const [msgid, known] of table) {
      if (msgid < ARRAY_IDS) this.#extraOf[msgid] = known.crcExtra
      if (msgid < V1_IDS) this.#lengthOf[msgid] = known.baseLength
    }
  }

  get heldBytes(): number {
    return this.#end - this.#begin
  }

  push(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; from += SLICE_BYTES) {
      const slice = bytes.length <= SLICE_BYTES ? bytes : bytes.subarray(from, from + SLICE_BYTES)
      if (this.#end + slice.length > this.#buf.length) this.#moveToFront()
      this.#buf.set(slice, this.#end)
      this.#end += slice.length
      this.#split(false)
    }
  }

  idle(): void {
    this.#isSilent = true
    for (let p = this.#scan; p < this.#end; p++) {
      if (!isStx(this.#buf[p]) || this.#verdict(p, false) <= 0) continue
      this.#scan = p
      this.#split(false)
      p = this.#scan
    }
    this.#isSilent = false
  }

  end(): void {
    this.#isSilent = true
    this.#split(true)
    this.#isSilent = false
    if (this.#end > this.#begin) this.#sink.noise(this.#buf, this.#begin, this.#end)
    this.#begin = 0
    this.#end = 0
    this.#scan = this.#prefix
    this.#afterFrame = false
  }

  /** What is held goes to the front of the buffer: done when there is no room behind it, not at every push. */
  #moveToFront(): void {
    this.#buf.copyWithin(0, this.#begin, this.#end)
    this.#end -= this.#begin
    this.#scan -= this.#begin
    this.#begin = 0
  }

  /** Gives out every frame that is sure and the noise between; the rest is held. */
  #split(final: boolean): void {
    const buf = this.#buf
    const end = this.#end
    const prefix = this.#prefix
    let given = this.#begin
    let p = this.#scan
    while (p < end) {
      if (!isStx(buf[p])) {
        p++
        continue
      }
      const frameBytes = this.#verdict(p, this.#afterFrame && p - prefix === given)
      if (frameBytes > 0) {
        if (p - prefix > given) this.#sink.noise(buf, given, p - prefix)
        given = p + frameBytes
        this.#sink.frame(buf, p - prefix, given)
        this.#afterFrame = true
        p = given + prefix
      } else if (frameBytes === WAIT && !final) break
      else p++
    }
    this.#keepFrom(given, p)
  }

  /** Gives out the noise before candidate `p`; what remains is held. */
  #keepFrom(given: number, p: number): void {
    const noiseEnd = Math.min(p - this.#prefix, this.#end)
    if (noiseEnd > given) {
      this.#sink.noise(this.#buf, given, noiseEnd)
      this.#afterFrame = false
    }
    this.#begin = Math.max(given, noiseEnd)
    this.#scan = p
  }

  /**
   * Length of the good frame that begins at `p`, or NOT_A_FRAME, or WAIT. `aligned`: directly behind a frame.
   * `chain`: how many frames may still be judged by what follows them.
   */
  #verdict(p: number, aligned: boolean, chain = MAX_CHAIN): number {
    const plain = this.#plainVerdict(p)
    if (plain !== WAIT) return plain
    const buf = this.#buf
    const frameBytes = this.#claimedBytes(p)
    if (frameBytes <= 0) return frameBytes
    const crcAt = checksumAt(buf, p)
    const crc = x25(buf, p + 1, crcAt, X25_START)
    const wireCrc = buf[crcAt]! | (buf[crcAt + 1]! << 8)
    const msgid = msgidAt(buf, p)
    const extra = this.#knownExtra(msgid)
    if (extra >= 0) {
      if (x25Byte(crc, extra) !== wireCrc) return NOT_A_FRAME
      return p + frameBytes === crcAt + CRC_BYTES ? frameBytes : this.#unlessCut(p, frameBytes, chain)
    }
    const implied = x25ImpliedByte(crc, wireCrc)
    if (implied >= 0) return this.#unknownVerdict(p, frameBytes, aligned, chain, implied, crc)
    if (aligned) this.#learned.miss(msgid)
    return NOT_A_FRAME
  }

  /**
   * The same of a frame as nearly all are: unsigned, of a known id and here as a whole; WAIT for any other.
   * All it does the general way does as well: this one is a sixth of framing's time faster.
   */
  #plainVerdict(p: number): number {
    const buf = this.#buf
    // Behind the buffer's end there is not even a stale byte.
    if (p + HEADER_V1_BYTES > this.#end) return WAIT
    const isV2 = buf[p] === STX_V2
    if (!isV2 && buf[p] !== STX_V1) return WAIT
    const crcAt = p + (isV2 ? HEADER_V2_BYTES : HEADER_V1_BYTES) + buf[p + 1]!
    if (crcAt + CRC_BYTES > this.#end) return WAIT
    let extra: number
    if (isV2) {
      if (buf[p + 2] !== 0) return WAIT
      extra = this.#knownExtra(buf[p + 7]! | (buf[p + 8]! << 8) | (buf[p + 9]! << 16))
    } else {
      const msgid = buf[p + 5]!
      if (buf[p + 1] !== this.#lengthOf[msgid]) return WAIT
      extra = this.#extraOf[msgid]!
    }
    if (extra < 0) return WAIT
    const isGood =
      x25Byte(x25(buf, p + 1, crcAt, X25_START), extra) === (buf[crcAt]! | (buf[crcAt + 1]! << 8))
    return isGood ? crcAt + CRC_BYTES - p : NOT_A_FRAME
  }

  /** The same of a frame of an unknown id of which the checksum is right with a CRC_EXTRA of `implied`. */
  #unknownVerdict(
    p: number,
    frameBytes: number,
    aligned: boolean,
    chain: number,
    implied: number,
    crc: number,
  ): number {
    const msgid = msgidAt(this.#buf, p)
    const trust = this.#learned.judge(msgid, implied)
    if (trust === 'trusted') {
      const isSigned = this.#buf[p] === STX_V2 && this.#buf[p + 2] !== 0
      return isSigned ? this.#unlessCut(p, frameBytes, chain) : frameBytes
    }
    if (chain === 0) return NOT_A_FRAME
    const behind = p + frameBytes + this.#prefix
    const twin = this.#twin(behind, msgid, implied, crc)
    if (twin === WAIT) return WAIT
    if (twin === NOT_A_FRAME) {
      if (!aligned) return NOT_A_FRAME
      const vouched = this.#vouched(behind, chain - 1)
      if (vouched === WAIT) return WAIT
      if (vouched === NOT_A_FRAME) {
        const isHeard = chain === MAX_CHAIN && this.#learned.hint(msgid, implied, crc)
        return isHeard ? frameBytes : NOT_A_FRAME
      }
    }
    if (chain === MAX_CHAIN) this.#learned.record(msgid, implied, twin === NOT_A_FRAME ? 1 : 2)
    return trust === 'agrees' ? frameBytes : NOT_A_FRAME
  }

  /**
   * Whether another frame of an unknown id follows at `p` that implies the same CRC_EXTRA: more than 0, NOT_A_FRAME or
   * WAIT. Two such say more than a checksum does, so that a row of them needs nothing around it (parameters come by the
   * hundred). A line that repeats itself says nothing, so the two must differ.
   */
  #twin(p: number, msgid: number, implied: number, crc: number): number {
    if (p >= this.#end) return WAIT
    const buf = this.#buf
    if (!isStx(buf[p])) return NOT_A_FRAME
    if (this.#isHeaderHere(p) && msgidAt(buf, p) !== msgid) return NOT_A_FRAME
    const frameBytes = this.#claimedBytes(p)
    if (frameBytes <= 0) return frameBytes
    const crcAt = checksumAt(buf, p)
    const own = x25(buf, p + 1, crcAt, X25_START)
    const agrees = x25ImpliedByte(own, buf[crcAt]! | (buf[crcAt + 1]! << 8)) === implied
    return agrees && own !== crc ? frameBytes : NOT_A_FRAME
  }

  /**
   * The verdict on a frame at `p` that is right up to its checksum: not a frame where a good one begins in its signature
   * and goes on behind it, for then bytes of the signature were lost. That a whole signature holds such a frame's
   * beginning by chance, and the bytes behind it the rest, is a thousand times less likely than the loss of a byte.
   */
  #unlessCut(p: number, frameBytes: number, chain: number): number {
    if (chain === 0) return frameBytes
    const end = p + frameBytes + this.#prefix
    let isSure = this.#isSilent || end <= this.#end
    for (let q = end - SIGNATURE_BYTES; q < end && q < this.#end; q++) {
      if (!isStx(this.#buf[q]) || !this.#mayBeHeard(q)) continue
      const inner = this.#verdict(q, false, chain - 1)
      if (q + inner > end) return NOT_A_FRAME
      if (inner === WAIT && !this.#isSilent) isSure = false
    }
    return isSure ? frameBytes : WAIT
  }

  /** Whether the message of the header at `p` can be taken without what stands around it, as far as the header is here. */
  #mayBeHeard(p: number): boolean {
    if (!this.#isHeaderHere(p)) return true
    const msgid = msgidAt(this.#buf, p)
    return this.#knownExtra(msgid) >= 0 || this.#learned.isTrusted(msgid)
  }

  /** Whether a frame begins at `p`: more than 0, NOT_A_FRAME or WAIT. */
  #vouched(p: number, chain: number): number {
    if (p >= this.#end) return WAIT
    return isStx(this.#buf[p]) ? this.#verdict(p, true, chain) : NOT_A_FRAME
  }

  /** What the header at `p` claims, where it may begin a frame and the whole of that is here. */
  #claimedBytes(p: number): number {
    const buf = this.#buf
    let frameBytes: number
    if (buf[p] === STX_V2) {
      if (p + 3 > this.#end) return WAIT
      const incompat = buf[p + 2]!
      if (incompat > INCOMPAT_SIGNED) return NOT_A_FRAME
      frameBytes = HEADER_V2_BYTES + CRC_BYTES + buf[p + 1]! + (incompat === 0 ? 0 : SIGNATURE_BYTES)
    } else {
      if (p + HEADER_V1_BYTES > this.#end) return WAIT
      // MAVLink 1 cuts nothing off a payload. Without this test noise makes a false frame every 40 MB.
      const known = this.#lengthOf[buf[p + 5]!]!
      if (known >= 0 && known !== buf[p + 1]) return NOT_A_FRAME
      frameBytes = HEADER_V1_BYTES + CRC_BYTES + buf[p + 1]!
    }
    return p + frameBytes > this.#end ? WAIT : frameBytes
  }

  #isHeaderHere(p: number): boolean {
    return p + (this.#buf[p] === STX_V2 ? HEADER_V2_BYTES : HEADER_V1_BYTES) <= this.#end
  }

  #knownExtra(msgid: number): number {
    return msgid < ARRAY_IDS ? this.#extraOf[msgid]! : (this.#table.get(msgid)?.crcExtra ?? -1)
  }
}

/** Where the checksum of the frame at `p` stands. */
function checksumAt(buf: Uint8Array, p: number): number {
  return p + buf[p + 1]! + (buf[p] === STX_V2 ? HEADER_V2_BYTES : HEADER_V1_BYTES)
}
