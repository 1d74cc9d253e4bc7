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
import { readOrder, writeOrder } from './order.js'
import type { Order } from './order.js'
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
const SHARE_BELOW_BYTES = 32 * 1024
/** A shared piece is full at this size: reading one small group should not cost much of the segment (bytes). */
const SHARED_PIECE_BYTES = 96 * 1024
/** Brotli 5 of 11: 6 costs a third more time for 1 % of size. */
const BROTLI_QUALITY = 5
/** Brotli 9 for the order: 6 % less of it for a few milliseconds; it is small, and nothing but repetition. */
const ORDER_BROTLI_QUALITY = 9
/** Largest window (log2 of bytes): hardly a piece is larger. The compressor takes more than twice its window as memory. */
const MOST_WINDOW_BITS = 20
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
  const addPiece = async (kind: PieceKind, bytes: Uint8Array): Promise<void> => {
    // One compressor at a time: each takes 1 MB and more besides its window, and a segment has twenty pieces.
    await pieces.at(-1)
    pieces.push(compressed(kind, bytes))
  }
  const order = new ByteWriter()
  writeOrder(order, sorted)
  writeSequenceNumbers(order, records, sorted)
  await addPiece('order', order.copy())
  const shared = new ByteWriter()
  const flushShared = async (): Promise<void> => {
    if (shared.length > 0) await addPiece('frames', shared.copy())
    shared.clear()
  }
  const body = new ByteWriter()
  for (const { number, key, indices } of sorted.frames) {
    await breathe()
    body.clear()
    body.varint(number)
    const group = groupOf(records, indices, key)
    writeGroup(body, group, shapesOf(layoutOf(key.msgid), group.stride))
    if (shared.length + body.length > SHARED_PIECE_BYTES) await flushShared()
    if (body.length >= SHARE_BELOW_BYTES) {
      await flushShared()
      groups.push({ number, key, count: indices.length, piece: pieces.length, offset: 0 })
      await addPiece('frames', body.copy())
    } else {
      groups.push({ number, key, count: indices.length, piece: pieces.length, offset: shared.length })
      shared.bytes(body.written())
    }
  }
  await flushShared()
  for (const { number, link, indices } of sorted.noise) {
    body.clear()
    body.varint(number)
    writeNoise(body, records, link, indices)
    await addPiece('noise', body.copy())
  }
  return { pieces: await Promise.all(pieces), groups, ...totals(records) }
}

/** The compressor works in threads of its own while the next group is written. */
async function compressed(kind: PieceKind, bytes: Uint8Array): Promise<Piece> {
  // Room for the whole result: else its thread waits for ours each time 16 KiB are full.
  const chunkSize = Math.max(1024, bytes.length)
  const windowBits = Math.max(zlib.BROTLI_MIN_WINDOW_BITS, 32 - Math.clz32(bytes.length))
  const params = {
    [zlib.BROTLI_PARAM_QUALITY]: kind === 'order' ? ORDER_BROTLI_QUALITY : BROTLI_QUALITY,
    [zlib.BROTLI_PARAM_LGWIN]: Math.min(windowBits, MOST_WINDOW_BITS),
    [zlib.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  }
  return { kind, rawBytes: bytes.length, body: await compress(bytes, { params, chunkSize }) }
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

/** What a segment's pieces hold, as far as they are there. */
interface DecodedGroups {
  frames: Map<number, MessageGroup>
  noise: Map<number, NoiseGroup>
  /** Records that the order names and no group held so far. */
  missing: number
}

/** Records of a group that no piece holds. */
export interface LostGroup {
  number: number
  records: number
  /** undefined: it is noise. */
  sender: { link: number; sysid: number; compid: number } | undefined
}

/** The records that could be put back, in order, and what is missing between them. */
export interface PartialSegment {
  records: Records
  lost: LostGroup[]
}

/**
 * The records of a segment, in the order and with the bytes they came in.
 * Errors: a RangeError (or zlib's own) where a piece is damaged or missing.
 */
export async function decodeSegment(pieces: readonly Piece[]): Promise<Records> {
  const { records, lost } = await decodePartialSegment(pieces)
  const missing = lost.reduce((sum, group) => sum + group.records, 0)
  if (missing > 0) throw new RangeError(`the order names ${missing} records that no group holds`)
  return records
}

/**
 * What can be put back of a segment of which pieces are missing: each record of the groups that are there, in order and
 * with its bytes. Nothing without the order piece, as sequence numbers stand only there.
 * Errors: a RangeError (or zlib's own) where a piece is damaged or there is no order.
 */
export async function decodePartialSegment(pieces: readonly Piece[]): Promise<PartialSegment> {
  const raw = await Promise.all(pieces.map(({ body, rawBytes }) => inflatePiece(body, rawBytes)))
  const orderAt = pieces.findIndex(({ kind }) => kind === 'order')
  if (orderAt < 0) throw new RangeError('a segment without its order')
  const source = new ByteReader(raw[orderAt]!)
  const order = readOrder(source)
  const seqs = SequenceNumbers.read(source, order)
  const groups: DecodedGroups = { frames: new Map(), noise: new Map(), missing: order.numbers.length }
  pieces.forEach(({ kind }, i) => {
    if (i !== orderAt) readGroups(kind, raw[i]!, groups)
  })
  return interleave(groups, order, seqs)
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

function interleave({ frames, noise }: DecodedGroups, order: Order, seqs: SequenceNumbers): PartialSegment {
  const records = new Records()
  const taken = new Uint32Array(order.groups)
  const frame = new Uint8Array(MAX_FRAME_BYTES)
  for (const number of order.numbers) {
    const n = taken[number]!++
    const isFrame = seqs.senderOf(number) !== undefined
    const seq = isFrame ? seqs.take(number) : 0
    const group = frames.get(number)
    if (group !== undefined) {
      const length = restoreFrame(frame, groupWith(group, n), n, seq)
      records.append(FRAME, group.key.link, group.times[n]!, frame, 0, length)
    } else if (noise.has(number)) appendNoise(records, groupWith(noise.get(number)!, n), n)
  }
  const lost: LostGroup[] = []
  taken.forEach((count, number) => {
    if (!frames.has(number) && !noise.has(number))
      lost.push({ number, records: count, sender: seqs.senderOf(number) })
  })
  return { records, lost }
}

/** The group, which must have a record `n`. */
function groupWith<Group extends { count: number }>(group: Group, n: number): Group {
  if (n < group.count) return group
  throw new RangeError('the order names a record that is not there')
}

function appendNoise(records: Records, group: NoiseGroup, n: number): void {
  const start = n === 0 ? 0 : group.ends[n - 1]!
  records.append(NOISE, group.link, group.times[n]!, group.bytes, start, group.ends[n]!)
}

/** One group out of a piece's raw bytes, for readers of one message. `minStride` as for `readGroup`. */
export function groupAt(raw: Uint8Array, offset: number, minStride: number): MessageGroup {
  const source = new ByteReader(raw, offset)
  source.varint()
  return readGroup(source, minStride)
}
