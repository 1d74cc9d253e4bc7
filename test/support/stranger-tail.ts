/** The stranger's tails: section "Tail" of docs/flight-file.md. */
import { readFileSync } from 'node:fs'
import { brotliDecompressSync, crc32 } from 'node:zlib'
import { Cursor, unzigzag } from './stranger-cursor.js'
import type { StrangerRecord } from './stranger-segment.js'

export interface Chunk {
  sequence: number
  /** Which flight it is of. */
  head: { id: string; links: string[] }
  items: Item[]
}

export type Item =
  StrangerRecord | { kind: 'gap' | 'event' | 'anchor' | 'end'; timeUs: bigint; value: unknown }

const PAGE_BYTES = 4096

/** The chunks of a tail's last round of use, in order. */
export function readTail(path: string): Chunk[] {
  const tail = readFileSync(path)
  const chunks: Chunk[] = []
  let first: Place | undefined
  for (let at = 0; at < tail.length;) {
    const place = readPlace(tail, at)
    if (place === undefined) break
    first ??= place
    if (place.generation !== first.generation || place.sequence !== first.sequence + chunks.length) break
    chunks.push({ sequence: place.sequence, ...readChunk(place.rest) })
    at += Math.ceil(place.length / PAGE_BYTES) * PAGE_BYTES
  }
  return chunks
}

interface Place {
  length: number
  generation: number
  sequence: number
  /** Head and items. */
  rest: Cursor
}

/** Where the chunk at `at` stands; undefined if there is no whole one. */
function readPlace(tail: Uint8Array, at: number): Place | undefined {
  const cursor = new Cursor(tail, at)
  if (Buffer.from(cursor.take(4)).toString('latin1') !== 'GLT2') return undefined
  const crc = cursor.small(4)
  const length = cursor.small(4)
  if (at + length > tail.length || crc32(tail.subarray(at + 8, at + length)) !== crc) return undefined
  const generation = cursor.small(4)
  const sequence = Number(cursor.number(8))
  return { length, generation, sequence, rest: new Cursor(tail.subarray(cursor.at, at + length)) }
}

function readChunk(rest: Cursor): Pick<Chunk, 'head' | 'items'> {
  const head = rest.json() as Chunk['head']
  const rawBytes = rest.varint()
  const cursor = new Cursor(brotliDecompressSync(rest.bytes.subarray(rest.at)))
  if (cursor.bytes.length !== rawBytes) throw new RangeError(`${cursor.bytes.length} bytes for ${rawBytes}`)
  const items: Item[] = []
  let timeUs = 0n
  while (!cursor.atEnd) {
    const tag = cursor.small()
    const [tagKind, link] = [tag & 0x0f, tag >> 4]
    timeUs += unzigzag(BigInt(cursor.varint()))
    if (tagKind === 0) items.push({ kind: 'frame', link, timeUs, bytes: cursor.take(frameLength(cursor)) })
    else if (tagKind === 1) items.push({ kind: 'noise', link, timeUs, bytes: cursor.take(cursor.varint()) })
    else items.push({ kind: jsonKind(tagKind), timeUs, value: cursor.json() })
  }
  return { head, items }
}

function jsonKind(tagKind: number): 'gap' | 'event' | 'anchor' | 'end' {
  const kind = ([undefined, undefined, 'gap', 'event', 'anchor', 'end'] as const)[tagKind]
  if (kind === undefined) throw new RangeError(`an item of kind ${tagKind}`)
  return kind
}

/** Bytes of the frame that begins here, by its header. */
function frameLength({ bytes, at }: Cursor): number {
  const payload = bytes[at + 1]!
  if (bytes[at] === 0xfe) return 6 + payload + 2
  return 10 + payload + 2 + ((bytes[at + 2]! & 1) === 1 ? 13 : 0)
}
