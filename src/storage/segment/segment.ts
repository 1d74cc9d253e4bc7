/**
 * Segment: about a megabyte of records, encoded by column; the unit that is committed to a flight file.
 *
 *     records ──by kind and sender──▶ groups ──packed, compressed──▶ pieces
 *        └── order of the groups' frames, and where a sequence number was not the expected one
 *
 * Specified in docs/flight-file.md, "Segment".
 */
import { promisify } from 'node:util'
import { brotliCompress, brotliDecompress, constants as zlib } from 'node:zlib'
import { ByteReader } from '../../base/byte-reader.js'
import { ByteWriter } from '../../base/byte-writer.js'
import { MAX_FRAME_BYTES } from '../../link/frame.js'
import type { MessageLayout } from '../../mavlink/dialect.js'
import { shapesOf } from './column-shape.js'
import { groupOf, readGroup, restoreFrame, writeGroup } from './message-group.js'
import type { GroupKey, MessageGroup } from './message-group.js'
import { readNoise, writeNoise } from './noise-group.js'
import type { NoiseGroup } from './noise-group.js'
import { GroupPrediction, readOrder, writeOrder } from './order.js'
import { FRAME, NOISE, Records } from './records.js'
import { SequenceNumbers, writeSequenceNumbers } from './sequence-numbers.js'
import { sortByGroup } from './group-sort.js'

/** Where a group goes: frames by message, everything else by link. */
export type PieceKind = 'order' | 'noise' | 'frames'

/** What is stored of a segment, as one row each. `body` is brotli of `rawBytes` bytes. */
export interface Piece {
  kind: PieceKind
  rawBytes: number
  body: Uint8Array
}

/** Where the frames of one kind lie, so that a reader takes no other piece. */
export interface GroupEntry {
  /** The group's number in the order column. */
  number: number
  /** Index into the segment's pieces, and where the group begins in the piece's raw bytes. */
  piece: number
  offset: number
  key: GroupKey
  count: number
}

export interface Segment {
  pieces: Piece[]
  groups: GroupEntry[]
  records: number
  frames: number
  framedBytes: number
  noiseBytes: number
  firstTimeUs: bigint
  lastTimeUs: bigint
}

/** A group smaller than this shares its piece with others: brotli and SQLite have a price per blob (bytes). */
const SHARE_BELOW_BYTES = 16 * 1024
/** A shared piece is full at this size: reading one small group should not cost much of the segment (bytes). */
const SHARED_PIECE_BYTES = 32 * 1024
/** Brotli 5 of 11: 6 costs a third more time for 1 % of size; window of 2^20 as no piece is larger. */
const BROTLI = { [zlib.BROTLI_PARAM_QUALITY]: 5, [zlib.BROTLI_PARAM_LGWIN]: 20 }
/** Largest raw piece a reader accepts (bytes): a damaged length must not take the memory. */
const MAX_RAW_PIECE_BYTES = 256 * 1024 * 1024

const compress = promisify<Uint8Array, object, Uint8Array>(brotliCompress)
const decompress = promisify<Uint8Array, object, Uint8Array>(brotliDecompress)

type LayoutOf = (msgid: number) => MessageLayout | undefined

/**
 * Encodes `records`, which must not change until it is done. `breathe` is awaited between groups: the storage worker
 * writes its chunks there, so that a slow encoder never delays what must be durable within a second.
 */
export async function encodeSegment(
  records: Records,
  layoutOf: LayoutOf,
  breathe: () => Promise<void> = async () => {},
): Promise<Segment> {
  const sorted = sortByGroup(records)
  const pieces: Promise<Piece>[] = []
  const groups: GroupEntry[] = []
  const addPiece = (kind: PieceKind, bytes: Uint8Array): void => void pieces.push(compressed(kind, bytes))
  const order = new ByteWriter()
  writeOrder(order, sorted.numbers, sorted.times)
  writeSequenceNumbers(order, records)
  addPiece('order', order.copy())
  const shared = new ByteWriter()
  const flushShared = (): void => {
    if (shared.length > 0) addPiece('frames', shared.copy())
    shared.clear()
  }
  const body = new ByteWriter()
  for (const { number, key, indices } of sorted.frames) {
    await breathe()
    body.clear()
    body.varint(number)
    const group = groupOf(records, indices, key)
    writeGroup(body, group, shapesOf(layoutOf(key.msgid), group.stride))
    if (shared.length + body.length > SHARED_PIECE_BYTES) flushShared()
    if (body.length >= SHARE_BELOW_BYTES) {
      flushShared()
      groups.push({ number, key, count: indices.length, piece: pieces.length, offset: 0 })
      addPiece('frames', body.copy())
    } else {
      groups.push({ number, key, count: indices.length, piece: pieces.length, offset: shared.length })
      shared.bytes(body.written())
    }
  }
  flushShared()
  for (const { number, link, indices } of sorted.noise) {
    body.clear()
    body.varint(number)
    writeNoise(body, records, link, indices)
    addPiece('noise', body.copy())
  }
  return { pieces: await Promise.all(pieces), groups, ...totals(records) }
}

/** The compressor works in threads of its own while the next group is written. */
async function compressed(kind: PieceKind, bytes: Uint8Array): Promise<Piece> {
  // Room for the whole result: else its thread waits for ours each time 16 KiB are full.
  const chunkSize = Math.max(1024, bytes.length)
  return { kind, rawBytes: bytes.length, body: await compress(bytes, { params: BROTLI, chunkSize }) }
}

function totals(records: Records): Omit<Segment, 'pieces' | 'groups'> {
  let frames = 0
  let framedBytes = 0
  let firstTimeUs = records.times[0] ?? 0n
  let lastTimeUs = firstTimeUs
  for (let i = 0; i < records.count; i++) {
    const time = records.times[i]!
    if (time < firstTimeUs) firstTimeUs = time
    if (time > lastTimeUs) lastTimeUs = time
    if (records.kinds[i] !== FRAME) continue
    frames++
    framedBytes += records.ends[i]! - records.startOf(i)
  }
  const noiseBytes = records.byteLength - framedBytes
  return { records: records.count, frames, framedBytes, noiseBytes, firstTimeUs, lastTimeUs }
}

/** The raw bytes of a stored piece. Errors: a RangeError or zlib's own where the piece is damaged. */
export async function inflatePiece(body: Uint8Array, rawBytes: number): Promise<Uint8Array> {
  if (rawBytes > MAX_RAW_PIECE_BYTES) throw new RangeError(`a piece of ${rawBytes} bytes`)
  const raw = await decompress(body, {
    maxOutputLength: rawBytes + 1,
    chunkSize: Math.max(1024, rawBytes + 1),
  })
  if (raw.length !== rawBytes)
    throw new RangeError(`a piece of ${raw.length} bytes where ${rawBytes} are expected`)
  return raw
}

/** Everything a segment holds, by group number; the order says how it was interleaved. */
interface DecodedGroups {
  frames: Map<number, MessageGroup>
  noise: Map<number, NoiseGroup>
  /** Records that the order names and no group held so far. */
  missing: number
}

/**
 * The records of a segment, in the order and with the bytes they came in.
 * Errors: a RangeError (or zlib's own) where a piece is damaged.
 */
export async function decodeSegment(pieces: readonly Piece[]): Promise<Records> {
  const raw = await Promise.all(pieces.map(({ body, rawBytes }) => inflatePiece(body, rawBytes)))
  const orderAt = pieces.findIndex(({ kind }) => kind === 'order')
  if (orderAt < 0) throw new RangeError('a segment without its order')
  const order = new ByteReader(raw[orderAt]!)
  const surprises = readOrder(order)
  const seqs = SequenceNumbers.read(order, surprises.length)
  const groups: DecodedGroups = { frames: new Map(), noise: new Map(), missing: surprises.length }
  pieces.forEach(({ kind }, i) => {
    if (i !== orderAt) readGroups(kind, raw[i]!, groups)
  })
  if (groups.missing > 0)
    throw new RangeError(`the order names ${groups.missing} records that no group holds`)
  return interleave(groups, surprises, seqs)
}

function readGroups(kind: PieceKind, raw: Uint8Array, into: DecodedGroups): void {
  const source = new ByteReader(raw)
  while (source.left > 0) {
    const number = source.varint()
    if (kind === 'noise') {
      const group = readNoise(source, into.missing)
      into.noise.set(number, group)
      into.missing -= group.count
    } else {
      const group = readGroup(source, 0, into.missing)
      into.frames.set(number, group)
      into.missing -= group.count
    }
  }
}

function interleave(
  { frames, noise }: DecodedGroups,
  surprises: Uint32Array,
  seqs: SequenceNumbers,
): Records {
  const records = new Records()
  const times = timesByNumber(frames, noise)
  const groups = new GroupPrediction(times)
  const frame = new Uint8Array(MAX_FRAME_BYTES)
  for (const surprise of surprises) {
    const number = surprise === 0 ? groups.predicted : surprise - 1
    if (number >= times.length) throw new RangeError(`the order names group ${number} of ${times.length}`)
    const n = groups.take(number)
    const group = frames.get(number)
    if (group !== undefined && n < group.count) {
      const { link, sysid, compid } = group.key
      const length = restoreFrame(frame, group, n, seqs.take(link, sysid, compid))
      records.append(FRAME, link, group.times[n]!, frame, 0, length)
    } else appendNoise(records, noise.get(number), n)
  }
  return records
}

function timesByNumber(frames: Map<number, MessageGroup>, noise: Map<number, NoiseGroup>): BigUint64Array[] {
  const times: BigUint64Array[] = []
  for (let number = 0; number < frames.size + noise.size; number++) {
    const group = frames.get(number) ?? noise.get(number)
    if (group === undefined) throw new RangeError(`group ${number} is missing`)
    times.push(group.times)
  }
  return times
}

function appendNoise(records: Records, group: NoiseGroup | undefined, n: number): void {
  if (group === undefined || n >= group.count)
    throw new RangeError('the order names a record that is not there')
  records.append(
    NOISE,
    group.link,
    group.times[n]!,
    group.bytes,
    n === 0 ? 0 : group.ends[n - 1]!,
    group.ends[n]!,
  )
}

/** One group out of a piece's raw bytes, for readers of one message. `minStride` as for `readGroup`. */
export function groupAt(raw: Uint8Array, offset: number, minStride: number): MessageGroup {
  const source = new ByteReader(raw, offset)
  source.varint()
  return readGroup(source, minStride)
}
