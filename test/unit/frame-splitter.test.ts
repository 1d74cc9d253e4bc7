/** Frame splitter: which bytes of a stream are frames, whatever the stream is and however it comes. */
import * as fc from 'fast-check'
import { MavLinkProtocolV1, MavLinkProtocolV2, common, minimal } from 'node-mavlink'
import { describe, expect, test } from 'vitest'
import type { CrcExtraTable } from '../../src/link/crc-extra.js'
import { createSplitter, maxHeldBytes } from '../../src/link/frame-splitter.js'
import { MAX_FRAME_BYTES, headerAt } from '../../src/link/frame.js'
import { X25_START, x25, x25Byte, x25ImpliedByte } from '../../src/link/x25.js'
import type { FrameParts } from '../support/frames.js'
import {
  ATTITUDE,
  EMPTY,
  FAR,
  HEARTBEAT,
  KNOWN,
  bytes,
  concat,
  crc16,
  filler,
  frame,
  known,
} from '../support/frames.js'

interface Piece {
  kind: 'frame' | 'noise'
  hex: string
}

const hex = (of: Uint8Array): string => Buffer.from(of).toString('hex')
const isFrame = (of: Uint8Array): Piece => ({ kind: 'frame', hex: hex(of) })
const isNoise = (of: Uint8Array): Piece => ({ kind: 'noise', hex: hex(of) })

/** A splitter that keeps its pieces, neighbouring noise as one. */
class Collector {
  readonly pieces: Piece[] = []
  mostHeld = 0
  readonly splitter

  constructor(prefixBytes = 0, table: CrcExtraTable = KNOWN) {
    const take = (kind: Piece['kind']) => (from: Uint8Array, start: number, end: number) => {
      expect(end).toBeGreaterThan(start)
      const text = hex(from.subarray(start, end))
      const last = this.pieces.at(-1)
      if (kind === 'noise' && last?.kind === 'noise') last.hex += text
      else this.pieces.push({ kind, hex: text })
    }
    this.splitter = createSplitter(table, { frame: take('frame'), noise: take('noise') }, { prefixBytes })
  }

  push(...parts: Uint8Array[]): this {
    for (const part of parts) {
      this.splitter.push(part)
      this.mostHeld = Math.max(this.mostHeld, this.splitter.heldBytes)
    }
    return this
  }

  end(): this {
    this.splitter.end()
    return this
  }

  get frames(): string[] {
    return this.pieces.filter(({ kind }) => kind === 'frame').map((piece) => piece.hex)
  }

  get all(): string {
    return this.pieces.map((piece) => piece.hex).join('')
  }
}

const split = (...parts: Uint8Array[]): Piece[] => new Collector().push(concat(parts)).end().pieces

function cut(stream: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let at = 0, i = 0; at < stream.length; i++) {
    const size = sizes[i % sizes.length]!
    parts.push(stream.slice(at, at + size))
    at += size
  }
  return parts
}

const heartbeat = (parts: FrameParts = {}): Uint8Array => known(HEARTBEAT, parts)
const attitude = (parts: FrameParts = {}): Uint8Array => known(ATTITUDE, parts)

/** A frame of an id that the table lacks, with this CRC_EXTRA. */
const stranger = (crcExtra: number, parts: FrameParts = {}): Uint8Array =>
  frame({ msgid: 410, payload: [1, 2, 3, 4], crcExtra, ...parts })

describe('checksum', () => {
  test('X.25 gives the published check value of CRC-16/MCRF4XX', () => {
    const check = new TextEncoder().encode('123456789')
    expect(x25(check, 0, check.length, X25_START)).toBe(0x6f91)
  })

  test('eight bytes at once give what one bit at a time gives, at every length and in two halves', () => {
    const data = filler(300)
    for (let length = 0; length <= data.length; length++) {
      const middle = length >>> 1
      const halves = x25(data, middle, length, x25(data, 0, middle, X25_START))
      expect(halves).toBe(crc16(data.subarray(0, length)))
    }
  })

  test('the byte between two checksums is found where there is one, and only there', () => {
    const before = 0x1234
    const after = new Map(Array.from({ length: 256 }, (_, byte) => [x25Byte(before, byte), byte]))
    expect(after.size).toBe(256)
    for (let crc = 0; crc < 0x10000; crc++) {
      if (x25ImpliedByte(before, crc) !== (after.get(crc) ?? -1)) expect.fail(`checksum ${crc}`)
    }
  })
})

describe('frames', () => {
  test.each([
    ['MAVLink 1', heartbeat({ version: 1 })],
    ['MAVLink 2', heartbeat()],
    ['signed', heartbeat({ signed: true })],
    ['without a payload', known(EMPTY)],
    ['with compatibility flags', heartbeat({ compat: 0xff })],
    ['of an id beyond 65535', known(FAR)],
    ['the longest there is', known(FAR, { signed: true })],
    ['MAVLink 2 cut shorter than the definition', attitude({ payload: [1] })],
    ['MAVLink 2 longer than the definition', attitude({ payload: filler(60) })],
    ['full of STX', attitude({ payload: new Uint8Array(28).fill(0xfd) })],
  ])('%s is one piece, alone and between others', (_, whole) => {
    expect(split(whole)).toEqual([isFrame(whole)])
    expect(split(attitude(), whole, whole, heartbeat())).toEqual(
      [attitude(), whole, whole, heartbeat()].map(isFrame),
    )
  })

  test('the longest frame has 280 bytes', () => {
    expect(known(FAR, { signed: true })).toHaveLength(MAX_FRAME_BYTES)
  })

  test('a header says what the frame was built from', () => {
    const whole = frame({ msgid: 0x123456, payload: [1, 2], seq: 9, sysid: 8, compid: 7, signed: true })
    expect(headerAt(concat([bytes(0, 0), whole]), 2)).toEqual({
      version: 2,
      signed: true,
      seq: 9,
      sysid: 8,
      compid: 7,
      msgid: 0x123456,
      payloadBytes: 2,
      payloadOffset: 10,
    })
    expect(headerAt(frame({ version: 1, msgid: 33, payload: [1], seq: 9, sysid: 8, compid: 7 }), 0)).toEqual({
      version: 1,
      signed: false,
      seq: 9,
      sysid: 8,
      compid: 7,
      msgid: 33,
      payloadBytes: 1,
      payloadOffset: 6,
    })
  })

  test('what node-mavlink writes is split into what it wrote', () => {
    const message = new common.Attitude()
    Object.assign(message, { timeBootMs: 123456, roll: 0.5, pitch: -0.25, yaw: 3 })
    const alive = new minimal.Heartbeat()
    const v2 = new MavLinkProtocolV2(42, 7)
    const wire = [
      new MavLinkProtocolV1(1, 1).serialize(alive, 3),
      v2.serialize(message, 4),
      v2.sign(new MavLinkProtocolV2(42, 7, 1).serialize(message, 5), 1, Buffer.alloc(32, 9)),
      v2.serialize(alive, 6),
    ]
    expect(split(...wire)).toEqual(wire.map(isFrame))
  })
})

describe('what is no frame', () => {
  test('a wrong checksum is noise and costs no neighbour', () => {
    const wrong = attitude({ crc: 0x1234 })
    expect(split(heartbeat(), wrong, heartbeat())).toEqual([
      isFrame(heartbeat()),
      isNoise(wrong),
      isFrame(heartbeat()),
    ])
  })

  test('a MAVLink 1 frame of another length than its message is noise, though its checksum is right', () => {
    for (const length of [27, 29, 0]) {
      const wrong = attitude({ version: 1, payload: filler(length) })
      expect(split(wrong, heartbeat())).toEqual([isNoise(wrong), isFrame(heartbeat())])
    }
  })

  test.each([0x02, 0x03, 0x80, 0xff])(
    'incompatibility flags %i: cannot be understood, so noise',
    (incompat) => {
      const wrong = attitude({ incompat, signed: (incompat & 1) === 1 })
      expect(split(wrong, heartbeat())).toEqual([isNoise(wrong), isFrame(heartbeat())])
    },
  )

  test('a frame that misses its end is noise', () => {
    expect(split(heartbeat().slice(0, -1))).toEqual([isNoise(heartbeat().slice(0, -1))])
  })

  test('each single damaged or lost byte of a frame costs that frame and no other', () => {
    const good = attitude()
    for (let at = 0; at < good.length; at++) {
      const flipped = good.slice()
      flipped[at]! ^= 0x55
      const shorter = concat([good.subarray(0, at), good.subarray(at + 1)])
      for (const damaged of [flipped, shorter]) {
        const { frames } = new Collector().push(heartbeat(), damaged, ...Array(9).fill(heartbeat())).end()
        expect(frames, `byte ${at}`).toEqual(Array(10).fill(hex(heartbeat())))
      }
    }
  })

  test('false starts in noise hide nothing', () => {
    const noise = bytes(0xfd, 0xfe, 0xfd, 9, 0, 0xfe, 0xfd, 0xfd)
    expect(split(noise, heartbeat(), noise, attitude())).toEqual([
      isNoise(noise),
      isFrame(heartbeat()),
      isNoise(noise),
      isFrame(attitude()),
    ])
  })

  test('a false header that claims the frames behind it does not take them along', () => {
    for (const header of [bytes(0xfd, 255, 1), bytes(0xfe, 255, 1, 1, 1, 99)]) {
      const behind = Array.from({ length: 20 }, (_, seq) => attitude({ seq }))
      expect(split(header, ...behind)).toEqual([isNoise(header), ...behind.map(isFrame)])
    }
  })

  test('a frame inside a damaged frame is found', () => {
    const inner = heartbeat()
    const outer = attitude({ payload: [...filler(5), ...inner, ...filler(5)], crc: 0 })
    expect(split(outer)).toEqual([
      isNoise(outer.slice(0, 15)),
      isFrame(inner),
      isNoise(outer.slice(15 + inner.length)),
    ])
    const whole = attitude({ payload: [...filler(5), ...inner, ...filler(5)] })
    expect(split(whole)).toEqual([isFrame(whole)])
  })
})

describe('messages that no definition knows', () => {
  const noise = bytes(1, 2, 3)

  test('are frames between two good frames, and noise elsewhere', () => {
    const unknown = stranger(160)
    expect(split(heartbeat(), unknown, attitude())).toEqual([heartbeat(), unknown, attitude()].map(isFrame))
    expect(new Collector().push(unknown, heartbeat()).end().frames).toEqual([hex(heartbeat())])
    expect(new Collector().push(heartbeat(), noise, unknown, heartbeat()).end().frames).toHaveLength(2)
    expect(new Collector().push(heartbeat(), unknown, noise, heartbeat()).end().frames).toHaveLength(2)
    expect(new Collector().push(heartbeat(), unknown).end().frames).toHaveLength(1)
  })

  test('of either version and signed', () => {
    for (const parts of [{ version: 1, msgid: 210 }, { signed: true }] as const) {
      const unknown = stranger(160, parts)
      expect(split(heartbeat(), unknown, attitude())[1]).toEqual(isFrame(unknown))
    }
  })

  test('without a CRC_EXTRA that makes their checksum right are noise everywhere', () => {
    const wrong = stranger(160, { crc: crc16([...stranger(160).slice(1, -2), 160]) ^ 0x0100 })
    expect(new Collector().push(heartbeat(), wrong, heartbeat()).end().frames).toHaveLength(2)
  })

  test('are taken anywhere from the third sighting that agrees', () => {
    const seen = (times: number): string[] => {
      const between = Array.from({ length: times }, () => [heartbeat(), stranger(160)]).flat()
      return new Collector().push(...between, heartbeat(), noise, stranger(160), noise).end().frames
    }
    expect(seen(1)).toHaveLength(3)
    expect(seen(2)).toHaveLength(6)
    expect(seen(2).at(-1)).toBe(hex(stranger(160)))
  })

  test('that disagree with what was learned are noise, well placed as they may be', () => {
    const learn = [heartbeat(), stranger(160), heartbeat(), stranger(160), heartbeat()]
    const collector = new Collector()
      .push(...learn, stranger(161), heartbeat(), stranger(160, { seq: 5 }))
      .end()
    expect(collector.pieces.slice(5)).toEqual([
      isNoise(stranger(161)),
      isFrame(heartbeat()),
      isFrame(stranger(160, { seq: 5 })),
    ])
  })

  test('are not locked out by one wrong guess', () => {
    const right = Array.from({ length: 4 }, (_, seq) => [stranger(160, { seq }), heartbeat()])
    const collector = new Collector().push(heartbeat(), stranger(99), heartbeat(), ...right.flat(), noise)
    expect(
      collector
        .push(stranger(160, { seq: 9 }))
        .end()
        .frames.slice(3),
    ).toEqual([heartbeat(), ...right.slice(1).flat(), stranger(160, { seq: 9 })].map(hex))
  })

  test('may follow each other up to three before a good frame', () => {
    const chain = (length: number): Uint8Array[] =>
      Array.from({ length }, (_, i) => stranger(160, { msgid: 400 + i, payload: [i] }))
    for (const length of [1, 2, 3]) {
      const all = [heartbeat(), ...chain(length), attitude()]
      expect(split(...all)).toEqual(all.map(isFrame))
    }
    expect(split(heartbeat(), ...chain(4), attitude())).toEqual([
      isFrame(heartbeat()),
      isNoise(concat(chain(4))),
      isFrame(attitude()),
    ])
  })

  test('do not fill the memory: of more ids than all dialects have nothing is learned', () => {
    const collector = new Collector()
    for (let msgid = 10_000; msgid < 12_000; msgid++) {
      const unknown = stranger(160, { msgid })
      collector.push(heartbeat(), unknown, heartbeat(), unknown, heartbeat())
    }
    const early = stranger(160, { msgid: 10_000 })
    const late = stranger(160, { msgid: 11_999 })
    collector.pieces.length = 0
    collector.push(noise, early, noise, late, noise).end()
    expect(collector.frames).toEqual([hex(early)])
  })
})

describe('a container that puts bytes before each frame', () => {
  const stamp = (n: number): Uint8Array => bytes(0, 5, 0xfd, 0xfe, 9, 9, 9, n)
  const record = (n: number, whole: Uint8Array): Uint8Array => concat([stamp(n), whole])

  test('gives them with the frame', () => {
    const records = [record(1, heartbeat()), record(2, stranger(160)), record(3, attitude())]
    const collector = new Collector(8).push(concat(records)).end()
    expect(collector.pieces).toEqual(records.map(isFrame))
  })

  test('text before, between and behind the records is noise', () => {
    const text = new TextEncoder().encode('Mission Planner')
    const stream = [text, record(1, heartbeat()), text, record(2, attitude()), text]
    expect(new Collector(8).push(concat(stream)).end().pieces).toEqual([
      isNoise(text),
      isFrame(stream[1]!),
      isNoise(text),
      isFrame(stream[3]!),
      isNoise(text),
    ])
  })

  test('a last record that is cut off is noise', () => {
    const cutOff = record(2, attitude()).slice(0, 19)
    expect(new Collector(8).push(record(1, heartbeat()), cutOff).end().pieces).toEqual([
      isFrame(record(1, heartbeat())),
      isNoise(cutOff),
    ])
  })
})

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
  fc.uint8Array({ maxLength: 40 }),
  fc.array(fc.constantFrom(0xfd, 0xfe, 0, 1), { maxLength: 40 }).map((values) => bytes(...values)),
)
const anyStream = fc.array(anyPart, { maxLength: 40 }).map(concat)
const anyCut = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 })

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

describe('a silent line', () => {
  test('gives the frames behind a false start', () => {
    const collector = new Collector().push(bytes(0xfd, 200, 0, 1), heartbeat(), attitude())
    expect(collector.frames).toEqual([])
    collector.splitter.idle()
    expect(collector.pieces).toEqual([
      isNoise(bytes(0xfd, 200, 0, 1)),
      isFrame(heartbeat()),
      isFrame(attitude()),
    ])
    expect(collector.splitter.heldBytes).toBe(0)
  })

  test('gives them behind several false starts, and keeps a frame that is not whole', () => {
    const collector = new Collector().push(bytes(0xfd, 250, 0), bytes(0xfe, 240), heartbeat())
    collector.push(bytes(0xfd, 90, 0), attitude(), heartbeat().slice(0, 12))
    collector.splitter.idle()
    expect(collector.frames).toEqual([heartbeat(), attitude()].map(hex))
    collector.push(heartbeat().slice(12))
    expect(collector.frames).toEqual([heartbeat(), attitude(), heartbeat()].map(hex))
  })

  test('discards nothing: a frame cut by pauses anywhere comes out whole', () => {
    const stream = concat([heartbeat(), known(FAR, { signed: true }), attitude({ version: 1 }), known(EMPTY)])
    for (const size of [1, 2, 5, 11, 100]) {
      const collector = new Collector()
      for (const part of cut(stream, [size])) {
        collector.push(part)
        for (let i = 0; i < 3; i++) collector.splitter.idle()
      }
      expect(collector.frames).toHaveLength(4)
    }
  })

  test('gives no noise by itself: what may become a frame waits', () => {
    const collector = new Collector().push(heartbeat().slice(0, 15))
    collector.splitter.idle()
    expect(collector.pieces).toEqual([])
    expect(collector.splitter.heldBytes).toBe(15)
  })

  test('with a container finds the record behind a false start, prefix and all', () => {
    const stamp = filler(8, 3)
    const record = concat([stamp, heartbeat()])
    const collector = new Collector(8).push(filler(8, 4), bytes(0xfd, 200, 0), record)
    collector.splitter.idle()
    expect(collector.frames).toEqual([hex(record)])
  })
})

describe('the end', () => {
  test('gives what is held: the frames inside and the rest as noise', () => {
    const collector = new Collector().push(bytes(0xfd, 200, 0), heartbeat(), bytes(0xfd)).end()
    expect(collector.pieces).toEqual([
      isNoise(bytes(0xfd, 200, 0)),
      isFrame(heartbeat()),
      isNoise(bytes(0xfd)),
    ])
  })

  test('may come twice, and another stream may follow that owes nothing to the first', () => {
    const collector = new Collector().push(heartbeat()).end().end()
    collector.push(stranger(160), heartbeat(), attitude().slice(0, 20)).end().push(attitude().slice(20)).end()
    expect(collector.frames).toEqual([hex(heartbeat()), hex(heartbeat())])
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
