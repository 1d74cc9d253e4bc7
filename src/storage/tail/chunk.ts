/**
 * Chunk: at most a second of what came in, as it lies in a tail until a segment replaces it. Pure: bytes and values.
 * Specified in docs/flight-file.md, "Tail".
 *
 *     magic │ crc │ length │ generation │ sequence │ head: JSON │ items: tag, time, frame | length, bytes …
 */
import { crc32 } from 'node:zlib'
import { ByteReader } from '../../base/byte-reader.js'
import { ByteWriter } from '../../base/byte-writer.js'
import { claimedFrameBytes } from '../../link/frame.js'
import type { ClockAnchor, CloseReason, FlightEvent, FlightHead, Gap } from '../flight/flight.js'
import { FRAME, NOISE } from '../segment/records.js'
import type { RecordKind } from '../segment/records.js'

/** What a chunk begins with: 'GLT1'. */
export const CHUNK_MAGIC = 0x31544c47

/** A chunk begins on a page of its own, so that a write that is cut short cannot touch an older one (bytes). */
export const PAGE_BYTES = 4096

/** Magic, crc, length and generation (4 each), sequence (8) (bytes). */
const FIXED_BYTES = 24
/** Where the sequence stands; also in the empty page that a tail without chunks begins with. */
export const SEQUENCE_OFFSET = 16
/** The checksum covers everything from here on. */
const CHECKED_FROM = 8

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
  #lastUs = 0
  /** Whether there is no item yet. */
  isEmpty = true

  /** Begins a chunk of the flight that `head` describes. */
  begin(head: FlightHead): void {
    const text = new TextEncoder().encode(JSON.stringify(head))
    this.#out.clear()
    this.#out.reserve(FIXED_BYTES)
    this.#out.varint(text.length)
    this.#out.bytes(text)
    this.#lastUs = 0
    this.isEmpty = true
  }

  /** Bytes so far. */
  get length(): number {
    return this.#out.length
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

  /** The chunk as it is so far, in bytes of its own: where it cannot be stored yet, more items may follow. */
  finish({ generation, sequence }: ChunkPlace): Uint8Array {
    const { length } = this.#out
    const bytes = new Uint8Array(Math.ceil(length / PAGE_BYTES) * PAGE_BYTES)
    bytes.set(this.#out.written())
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
  const source = new ByteReader(bytes, start + FIXED_BYTES, start + length)
  // The checksum is right, so what follows is what we wrote.
  const head = json<FlightHead>(source)
  const itemsAt = source.at
  return {
    generation: view.getUint32(12, true),
    sequence: Number(view.getBigUint64(SEQUENCE_OFFSET, true)),
    head,
    length,
    read: (sink) => readItems(new ByteReader(bytes, itemsAt, start + length), sink),
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
