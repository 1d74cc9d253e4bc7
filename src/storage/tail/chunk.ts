/**
 * Chunk: at most a second of what came in, as it lies in a tail until a segment replaces it. Pure: bytes and values.
 * Specified in docs/flight-file.md, "Tail".
 *
 *     magic │ crc │ length │ generation │ sequence │ head: JSON │ raw bytes │ items, brotli: tag, time, frame | length, bytes …
 */
import { brotliCompressSync, brotliDecompressSync, constants, crc32 } from 'node:zlib'
import { ByteReader } from '../../base/byte-reader.js'
import { ByteWriter } from '../../base/byte-writer.js'
import { claimedFrameBytes } from '../../link/frame.js'
import type { ClockAnchor, CloseReason, FlightEvent, FlightHead, Gap } from '../flight/flight.js'
import { FRAME, NOISE } from '../segment/records.js'
import type { RecordKind } from '../segment/records.js'

/** What a chunk begins with: 'GLT2'; 'GLT1' was of chunks that were not compressed. */
export const CHUNK_MAGIC = 0x32544c47

/** A chunk begins on a page of its own, so that a write that is cut short cannot touch an older one (bytes). */
export const PAGE_BYTES = 4096

/** Magic, crc, length and generation (4 each), sequence (8) (bytes). */
const FIXED_BYTES = 24
/** Where the sequence stands; also in the empty page that a tail without chunks begins with. */
export const SEQUENCE_OFFSET = 16
/** The checksum covers everything from here on. */
const CHECKED_FROM = 8

/**
 * Brotli 1 of 11: a full line's chunk in half a millisecond, to half its size, and what is written to the card with it.
 * Window of 2^18, as a chunk is full at that size.
 */
const BROTLI = { [constants.BROTLI_PARAM_QUALITY]: 1, [constants.BROTLI_PARAM_LGWIN]: 18 }
/** What brotli adds at most to bytes that cannot be made smaller (a share, and bytes). */
const GROWTH_SHARE = 1 / 1024
const GROWTH_BYTES = 64

/** Kinds of items besides the two of records. They are part of the format. */
export const GAP = 2
export const EVENT = 3
export const ANCHOR = 4
export const CLOSE = 5

/** The end of a flight, as an item of its last chunk. */
export interface Closing {
  reason: CloseReason
  closedUs: number
}

/** Where a chunk stands: in which round of its tail's use, and in the vault's whole history. */
export interface ChunkPlace {
  generation: number
  sequence: number
}

/** Takes a chunk's items in order; the bytes of a record are borrowed. */
export interface ItemSink {
  record(kind: RecordKind, link: number, timeUs: bigint, bytes: Uint8Array, start: number, end: number): void
  gap(gap: Gap): void
  event(event: FlightEvent): void
  anchor(anchor: ClockAnchor): void
  close(closing: Closing): void
}

/** Puts a chunk together; `finish` gives its bytes, padded to whole pages, as often as it is asked. */
export class ChunkWriter {
  readonly #out = new ByteWriter(64 * 1024)
  #head = new Uint8Array(0)
  #lastUs = 0
  /** Whether there is no item yet. */
  isEmpty = true

  /** Begins a chunk of the flight that `head` describes. */
  begin(head: FlightHead): void {
    this.#head = new TextEncoder().encode(JSON.stringify(head))
    this.#out.clear()
    this.#lastUs = 0
    this.isEmpty = true
  }

  /** Bytes of the items so far. */
  get length(): number {
    return this.#out.length
  }

  /** Pages that it will not need more of, as far as it is. */
  get mostPages(): number {
    const most = this.#head.length + this.#out.length * (1 + GROWTH_SHARE) + GROWTH_BYTES
    return Math.ceil(most / PAGE_BYTES)
  }

  record(
    kind: RecordKind,
    link: number,
    timeUs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#item(kind, link, timeUs)
    if (kind === NOISE) this.#out.varint(end - start)
    this.#out.bytes(bytes, start, end)
  }

  /** An item that is JSON, which `bytes[start, end)` holds. */
  json(kind: number, timeUs: number, bytes: Uint8Array, start: number, end: number): void {
    this.#item(kind, 0, timeUs)
    this.#out.varint(end - start)
    this.#out.bytes(bytes, start, end)
  }

  /** Gives the items so far to `sink`, from memory. */
  read(sink: ItemSink): void {
    readItems(new ByteReader(this.#out.written(), 0, this.#out.length), sink)
  }

  /** The chunk as it is so far, in bytes of its own: where it cannot be stored yet, more items may follow. */
  finish({ generation, sequence }: ChunkPlace): Uint8Array {
    const items = brotliCompressSync(this.#out.written(), {
      params: { ...BROTLI, [constants.BROTLI_PARAM_SIZE_HINT]: this.#out.length },
    })
    const chunk = new ByteWriter(FIXED_BYTES + this.#head.length + items.length + GROWTH_BYTES)
    chunk.reserve(FIXED_BYTES)
    chunk.varint(this.#head.length)
    chunk.bytes(this.#head)
    chunk.varint(this.#out.length)
    chunk.bytes(items)
    const { length } = chunk
    const bytes = new Uint8Array(Math.ceil(length / PAGE_BYTES) * PAGE_BYTES)
    bytes.set(chunk.written())
    const view = new DataView(bytes.buffer)
    view.setUint32(0, CHUNK_MAGIC, true)
    view.setUint32(8, length, true)
    view.setUint32(12, generation, true)
    view.setBigUint64(SEQUENCE_OFFSET, BigInt(sequence), true)
    view.setUint32(4, crc32(bytes.subarray(CHECKED_FROM, length)), true)
    return bytes
  }

  /** Tag: kind in the low four bits, link above. Time: zigzag of the difference to the item before (µs). */
  #item(kind: number, link: number, timeUs: number): void {
    const delta = timeUs - this.#lastUs
    this.isEmpty = false
    this.#lastUs = timeUs
    this.#out.u8(kind | (link << 4))
    this.#out.varint(delta >= 0 ? delta * 2 : -delta * 2 - 1)
  }
}

/** A chunk as found in a tail. */
export interface Chunk extends ChunkPlace {
  head: FlightHead
  /** From the magic to the last item (bytes); its pages go on to the next multiple of PAGE_BYTES. */
  length: number
  /** Gives the items to `sink`. */
  read(sink: ItemSink): void
}

/** The chunk that begins at `start`, or undefined where there is none, or not a whole and undamaged one. */
export function chunkAt(bytes: Uint8Array, start: number): Chunk | undefined {
  if (start + FIXED_BYTES > bytes.length) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, bytes.length - start)
  if (view.getUint32(0, true) !== CHUNK_MAGIC) return undefined
  const length = view.getUint32(8, true)
  if (length < FIXED_BYTES || start + length > bytes.length) return undefined
  if (crc32(bytes.subarray(start + CHECKED_FROM, start + length)) !== view.getUint32(4, true))
    return undefined
  const content = contentOf(bytes.subarray(start + FIXED_BYTES, start + length))
  if (content === undefined) return undefined
  return {
    generation: view.getUint32(12, true),
    sequence: Number(view.getBigUint64(SEQUENCE_OFFSET, true)),
    head: content.head,
    length,
    read: (sink) => readItems(new ByteReader(content.items, 0, content.items.length), sink),
  }
}

/** Head and items of a chunk with a right checksum; undefined where somebody else's program wrote it in another form. */
function contentOf(bytes: Uint8Array): { head: FlightHead; items: Uint8Array } | undefined {
  try {
    const source = new ByteReader(bytes, 0, bytes.length)
    const head = json<FlightHead>(source)
    const rawBytes = source.varint()
    const items = brotliDecompressSync(bytes.subarray(source.at), { maxOutputLength: Math.max(1, rawBytes) })
    return items.length === rawBytes ? { head, items } : undefined
  } catch {
    return undefined
  }
}

function readItems(source: ByteReader, sink: ItemSink): void {
  let timeUs = 0
  while (source.left > 0) {
    const tag = source.u8()
    const zigzag = source.varint()
    timeUs += zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
    readItem(tag & 0xf, tag >>> 4, timeUs, source, sink)
  }
}

function readItem(kind: number, link: number, timeUs: number, source: ByteReader, sink: ItemSink): void {
  if (kind === FRAME || kind === NOISE) {
    const length = kind === FRAME ? claimedFrameBytes(source.bytes, source.at) : source.varint()
    const start = source.skip(length)
    sink.record(kind, link, BigInt(timeUs), source.bytes, start, start + length)
  } else if (kind === GAP) sink.gap(json<Gap>(source))
  else if (kind === EVENT) sink.event(json<FlightEvent>(source))
  else if (kind === ANCHOR) sink.anchor(json<ClockAnchor>(source))
  else if (kind === CLOSE) sink.close(json<Closing>(source))
  else throw new RangeError(`item kind ${kind} is not one of 0 to 5`)
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- edge: the caller knows what we wrote there
function json<Value>(source: ByteReader): Value {
  const text = new TextDecoder().decode(source.take(source.varint()))
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- edge: checksummed bytes that we wrote
  return JSON.parse(text) as Value
}
