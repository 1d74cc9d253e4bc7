/** Any stream: what the frame splitter guarantees whatever comes, and however it is cut. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSplitter, maxHeldBytes } from '../../src/link/frame-splitter.js'
import { MAX_FRAME_BYTES } from '../../src/link/frame.js'
import { EMPTY, FAR, KNOWN, bytes, concat, filler, known } from '../support/frames.js'
import type { Piece } from '../support/pieces.js'
import { Collector, attitude, cut, heartbeat, hex, stranger } from '../support/pieces.js'

/** Streams that are hard on a splitter: frames of all kinds, damaged ones, headers, STX and noise. */
const anyByte = fc.integer({ min: 0, max: 255 })
const anyPart = fc.oneof(
  fc.constantFrom(heartbeat(), heartbeat({ version: 1 }), known(EMPTY), known(FAR, { signed: true })),
  fc.record({ seq: anyByte, compat: anyByte }).map((parts) => attitude(parts)),
  fc.record({ msgid: fc.constantFrom(410, 411), seq: anyByte }).map((parts) => stranger(160, parts)),
  anyByte.map((crcExtra) => stranger(crcExtra)),
  anyByte.map((at) => attitude().map((byte, i) => (i === at % 40 ? byte ^ 0x10 : byte))),
  anyByte.map((length) => bytes(0xfd, length, 0)),
  anyByte.map((length) => bytes(0xfe, length)),
  fc.uint8Array({ maxLength: 40, size: 'max' }),
  fc
    .array(fc.constantFrom(0xfd, 0xfe, 0, 1), { maxLength: 40, size: 'max' })
    .map((values) => bytes(...values)),
)
const anyStream = fc.array(anyPart, { maxLength: 40, size: 'max' }).map(concat)
const anyCut = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20, size: 'max' })

describe('whatever comes', () => {
  test('Counted: every byte comes out once and in order, and cuts change nothing', () => {
    const property = fc.property(anyStream, anyCut, fc.constantFrom(0, 8), (stream, sizes, prefix) => {
      const whole = new Collector(prefix).push(stream).end()
      expect(whole.all).toBe(hex(stream))
      expect(new Collector(prefix).push(...cut(stream, [1])).end().pieces).toEqual(whole.pieces)
      expect(new Collector(prefix).push(...cut(stream, sizes)).end().pieces).toEqual(whole.pieces)
      expect(whole.splitter.heldBytes).toBe(0)
    })
    fc.assert(property, { numRuns: 300 })
  })

  test('pieces in one huge push are those of many small ones', () => {
    const stream = concat(
      Array.from({ length: 6000 }, (_, i) =>
        i % 7 === 0 ? filler(i % 90, i + 1) : attitude({ seq: i & 255 }),
      ),
    )
    expect(stream.length).toBeGreaterThan(3 * 64 * 1024)
    const whole = new Collector().push(stream).end()
    expect(whole.all).toBe(hex(stream))
    expect(new Collector().push(...cut(stream, [4096, 1, 511])).end().pieces).toEqual(whole.pieces)
  })

  test('Counted: with pauses anywhere, too, and no good frame that came is lost by them', () => {
    const property = fc.property(anyStream, anyCut, (stream, sizes) => {
      const collector = new Collector()
      for (const part of cut(stream, sizes)) {
        collector.push(part)
        collector.splitter.idle()
      }
      expect(collector.end().all).toBe(hex(stream))
    })
    fc.assert(property, { numRuns: 200 })
  })

  test('Bounded: never more is held than the limit says, whatever the stream pretends', () => {
    const property = fc.property(anyStream, anyCut, fc.constantFrom(0, 8), (stream, sizes, prefix) => {
      const collector = new Collector(prefix).push(...cut(stream, sizes))
      expect(collector.mostHeld).toBeLessThan(maxHeldBytes(prefix))
    })
    fc.assert(property, { numRuns: 300 })
  })

  test('Bounded: the limit is what three unknown frames and one more can need, and no more', () => {
    const long = (msgid: number): Uint8Array => stranger(160, { msgid, payload: filler(255), signed: true })
    const stream = concat([heartbeat(), long(400), long(401), long(402), known(FAR, { signed: true })])
    const collector = new Collector().push(...cut(stream, [1])).end()
    expect(collector.mostHeld).toBe(4 * MAX_FRAME_BYTES - 1)
    expect(maxHeldBytes(0)).toBe(4 * MAX_FRAME_BYTES)
    expect(collector.frames).toHaveLength(5)
  })

  test('the sink may change its bytes in place: no later piece feels it', () => {
    const property = fc.property(anyStream, anyCut, (stream, sizes) => {
      const kinds = new Collector().push(stream).end().pieces
      const spoiled: Piece[] = []
      const spoil = (kind: Piece['kind']) => (from: Uint8Array, start: number, end: number) => {
        const text = hex(from.subarray(start, end))
        from.fill(0xfd, start, end)
        const last = spoiled.at(-1)
        if (kind === 'noise' && last?.kind === 'noise') last.hex += text
        else spoiled.push({ kind, hex: text })
      }
      const splitter = createSplitter(KNOWN, { frame: spoil('frame'), noise: spoil('noise') })
      for (const part of cut(stream, sizes)) splitter.push(part)
      splitter.end()
      expect(spoiled).toEqual(kinds)
    })
    fc.assert(property, { numRuns: 100 })
  })

  test('the bytes pushed may be used again at once', () => {
    const collector = new Collector()
    const buffer = new Uint8Array(7)
    const stream = concat([heartbeat(), attitude(), stranger(160), heartbeat()])
    for (const part of cut(stream, [7])) {
      buffer.set(part)
      collector.push(buffer.subarray(0, part.length))
      buffer.fill(0xee)
    }
    expect(collector.end().frames).toHaveLength(4)
  })
})

describe('effort', () => {
  /** Counts how often a candidate was looked up: once per candidate that may be a frame. */
  function lookups(stream: Uint8Array, sizes: readonly number[]): number {
    let count = 0
    class CountedTable extends Map<number, { crcExtra: number; baseLength: number }> {
      override get(msgid: number): { crcExtra: number; baseLength: number } | undefined {
        count++
        return super.get(msgid)
      }
    }
    const collector = new Collector(0, new CountedTable(KNOWN)).push(...cut(stream, sizes))
    expect(collector.end().all.length).toBe(2 * stream.length)
    return count
  }

  const LENGTH = 30_000
  const repeated = (...pattern: number[]): Uint8Array =>
    Uint8Array.from({ length: LENGTH }, (_, i) => pattern[i % pattern.length]!)

  test.each([
    ['0xFE', repeated(0xfe)],
    ['0xFD', repeated(0xfd)],
    ['starts of MAVLink 1 that wait for 255 bytes', repeated(0xfe, 0xff)],
    ['starts of MAVLink 2 that wait for 255 bytes', repeated(0xfd, 0xff, 0)],
    ['starts of signed frames', repeated(0xfd, 0xff, 1, 1, 0xfe)],
  ])('a stream of %s is not looked at again and again', (_, stream) => {
    expect(lookups(stream, [LENGTH])).toBeLessThanOrEqual(2 * LENGTH)
    expect(lookups(stream, [1])).toBeLessThanOrEqual(3 * LENGTH)
  })

  test('3 MB of zeros are passed in less than a second', () => {
    let noise = 0
    const sink = {
      frame: () => {},
      noise: (_: Uint8Array, start: number, end: number) => (noise += end - start),
    }
    const splitter = createSplitter(KNOWN, sink)
    const began = performance.now()
    const zeros = new Uint8Array(512)
    for (let i = 0; i < 6000; i++) splitter.push(zeros)
    expect(noise).toBe(6000 * 512)
    expect(performance.now() - began).toBeLessThan(1000)
  })
})
