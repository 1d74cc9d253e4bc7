/** Chunk: what a second brought, on pages of its own, whole or not there at all. */
import { crc32 } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Chunk } from '../../src/storage/tail/chunk.js'
import { ANCHOR, CLOSE, ChunkWriter, EVENT, GAP, PAGE_BYTES, chunkAt } from '../../src/storage/tail/chunk.js'
import { FRAME, NOISE } from '../../src/storage/segment/records.js'
import { HEAD, ItemLines, chunkOf } from '../support/chunks.js'
import { ATTITUDE, HEARTBEAT, bytes, concat, filler, known } from '../support/frames.js'

const PLACE = { generation: 0xfedcba98, sequence: 2 ** 40 + 7 }

function linesOf(chunk: Pick<Chunk, 'read'> | undefined): string[] {
  const items = new ItemLines()
  chunk?.read(items)
  return items.lines
}

const hex = (of: Uint8Array): string => Buffer.from(of).toString('hex')

function begun(): ChunkWriter {
  const writer = new ChunkWriter()
  writer.begin(HEAD)
  return writer
}

function json(writer: ChunkWriter, kind: number, timeUs: number, value: object): void {
  const text = new TextEncoder().encode(JSON.stringify(value))
  writer.json(kind, timeUs, concat([bytes(1, 2), text, bytes(3)]), 2, 2 + text.length)
}

describe('a chunk', () => {
  test('gives back the place, the flight and items of every kind, in order', () => {
    const writer = begun()
    expect(writer.isEmpty).toBe(true)
    const signed = known(ATTITUDE, { signed: true })
    const v1 = known(HEARTBEAT, { version: 1 })
    writer.record(FRAME, 0, 7_000_000, concat([filler(4), signed]), 4, 4 + signed.length)
    expect(writer.isEmpty).toBe(false)
    json(writer, ANCHOR, 7_000_001, { recvTimeUs: 7_000_001, utcUs: 1.79e15, source: 'gps' })
    writer.record(NOISE, 15, 7_000_002, filler(300), 0, 300)
    json(writer, EVENT, 6_000_000, { recvTimeUs: 6_000_000, kind: 'armed', detail: 'vehicle 1 — „ä“' })
    writer.record(FRAME, 3, 6_000_000, v1, 0, v1.length)
    json(writer, GAP, 8_000_000, { link: 1, fromUs: 1, toUs: 8_000_000, bytes: 99, reason: 'full' })
    json(writer, CLOSE, 9_000_000, { reason: 'asked', closedUs: 9_000_000 })
    const stored = writer.finish(PLACE)
    const chunk = chunkAt(stored, 0)
    expect(chunk).toMatchObject({ ...PLACE, head: HEAD })
    expect(linesOf(writer)).toEqual(linesOf(chunk))
    expect(linesOf(chunk)).toEqual([
      `frame link 0 at 7000000: ${hex(signed)}`,
      'anchor {"recvTimeUs":7000001,"utcUs":1790000000000000,"source":"gps"}',
      `noise link 15 at 7000002: ${hex(filler(300))}`,
      'event {"recvTimeUs":6000000,"kind":"armed","detail":"vehicle 1 — „ä“"}',
      `frame link 3 at 6000000: ${hex(v1)}`,
      'gap {"link":1,"fromUs":1,"toUs":8000000,"bytes":99,"reason":"full"}',
      'close {"reason":"asked","closedUs":9000000}',
    ])
    expect(stored.length).toBe(PAGE_BYTES)
    expect(hex(stored.subarray(chunk!.length))).toMatch(/^(00)*$/)
  })

  test('gives back any records at any times', () => {
    const record = fc.record({
      isFrame: fc.boolean(),
      link: fc.integer({ min: 0, max: 15 }),
      timeUs: fc.oneof(fc.nat(), fc.constant(2 ** 51), fc.constant(0)),
      length: fc.integer({ min: 0, max: 255 }),
      seed: fc.nat(),
    })
    const property = fc.property(fc.array(record, { maxLength: 60, size: 'max' }), (records) => {
      const writer = begun()
      const expected = records.map(({ isFrame, link, timeUs, length, seed }) => {
        const content = isFrame ? known(ATTITUDE, { payload: filler(length, seed) }) : filler(length, seed)
        writer.record(isFrame ? FRAME : NOISE, link, timeUs, content, 0, content.length)
        return `${isFrame ? 'frame' : 'noise'} link ${link} at ${timeUs}: ${hex(content)}`
      })
      const stored = writer.finish(PLACE)
      expect(stored.length % PAGE_BYTES).toBe(0)
      expect(linesOf(chunkAt(concat([filler(5), stored, filler(9)]), 5))).toEqual(expected)
    })
    fc.assert(property, { numRuns: 200 })
  })

  test('that fills its pages to the last byte has no page more', () => {
    // Noise that nothing can make smaller, so that all else of a chunk has one length.
    const elseBytes = chunkAt(chunkOf(8000).finish(PLACE), 0)!.length - 8000
    for (const spare of [-1, 0, 1]) {
      const writer = chunkOf(2 * PAGE_BYTES - elseBytes + spare)
      const stored = writer.finish(PLACE)
      const chunk = chunkAt(stored, 0)!
      expect(chunk.length).toBe(2 * PAGE_BYTES + spare)
      expect(stored.length).toBe((spare > 0 ? 3 : 2) * PAGE_BYTES)
      expect(linesOf(chunk)).toHaveLength(1)
    }
  })

  test('of telemetry takes half the room, and never more pages than it said', () => {
    const writer = begun()
    for (let i = 0; i < 2000; i++) {
      const frame = known(ATTITUDE, { seq: i & 0xff, payload: [i & 0xff, i >> 8, 0, 0, ...filler(8, i)] })
      writer.record(FRAME, 0, 5_000_000 + i * 10_000, frame, 0, frame.length)
    }
    expect(writer.finish(PLACE).length).toBeLessThan(writer.length * 0.6)
    for (let length = 0; length < 3 * PAGE_BYTES; length += 41) {
      const noise = chunkOf(length, length)
      expect(noise.finish(PLACE).length).toBeLessThanOrEqual(noise.mostPages * PAGE_BYTES)
    }
  })

  test('that could not be stored takes what comes meanwhile, and is stored with it', () => {
    const writer = chunkOf(10)
    writer.finish(PLACE)
    writer.record(NOISE, 1, 5_000_001, filler(3), 0, 3)
    const again = { generation: 3, sequence: 4 }
    const chunk = chunkAt(writer.finish(again), 0)
    expect(chunk).toMatchObject(again)
    expect(linesOf(chunk)).toEqual([
      `noise link 0 at 5000000: ${hex(filler(10))}`,
      `noise link 1 at 5000001: ${hex(filler(3))}`,
    ])
  })

  test('begun anew owes nothing to the one before', () => {
    const writer = chunkOf(9000)
    writer.finish(PLACE)
    writer.begin({ ...HEAD, id: 'other' })
    expect(writer.isEmpty).toBe(true)
    writer.record(NOISE, 0, 3, bytes(7), 0, 1)
    const stored = writer.finish(PLACE)
    expect(stored.length).toBe(PAGE_BYTES)
    expect(chunkAt(stored, 0)?.head.id).toBe('other')
    expect(linesOf(chunkAt(stored, 0))).toEqual(['noise link 0 at 3: 07'])
  })
})

describe('Byte-exact: what is no whole chunk is none', () => {
  const stored = chunkOf(60).finish(PLACE)
  const { length } = chunkAt(stored, 0)!

  test('with any bit changed', () => {
    for (let bit = 0; bit < length * 8; bit++) {
      const damaged = stored.slice()
      damaged[bit >>> 3]! ^= 1 << (bit & 7)
      expect(chunkAt(damaged, 0), `bit ${bit}`).toBe(undefined)
    }
  })

  test('cut off anywhere', () => {
    for (let end = 0; end < length; end++) expect(chunkAt(stored.slice(0, end), 0)).toBe(undefined)
    expect(linesOf(chunkAt(stored.slice(0, length), 0))).toHaveLength(1)
  })

  test('a right checksum over what is no head, or over items in another form', () => {
    const headEnds = Buffer.from(stored).indexOf('}') + 1
    for (const at of [24, 30, headEnds, headEnds + 1, headEnds + 2, length - 1]) {
      const other = stored.slice()
      other[at]! ^= 0xff
      expect(chunkAt(summed(other, length), 0), `byte ${at}`).toBe(undefined)
    }
    const short = stored.slice()
    short[8]! -= 3
    expect(chunkAt(summed(short, length - 3), 0)).toBe(undefined)
    expect(chunkAt(summed(stored.slice(), length), 0)).toBeDefined()
  })

  test('other bytes: zeros, noise, a magic with nothing behind it', () => {
    expect(chunkAt(new Uint8Array(3 * PAGE_BYTES), PAGE_BYTES)).toBe(undefined)
    const property = fc.property(fc.uint8Array({ maxLength: 100, size: 'max' }), (rest) => {
      expect(chunkAt(concat([stored.slice(0, 4), rest]), 0)).toBe(undefined)
      expect(chunkAt(rest, 0)).toBe(undefined)
    })
    fc.assert(property, { numRuns: 300 })
  })

  test('but for the padding behind it, which does not count', () => {
    const padded = stored.slice()
    padded.fill(0xee, length)
    expect(chunkAt(padded, 0)).toBeDefined()
  })
})

/** The bytes with the checksum that a chunk of this length has. */
function summed(chunk: Uint8Array, length: number): Uint8Array {
  new DataView(chunk.buffer).setUint32(4, crc32(chunk.subarray(8, length)), true)
  return chunk
}
