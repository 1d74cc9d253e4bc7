/** Frame splitter: which bytes of a stream are frames. */
import { MavLinkProtocolV1, MavLinkProtocolV2, common, minimal } from 'node-mavlink'
import { describe, expect, test } from 'vitest'
import { MAX_FRAME_BYTES, headerAt } from '../../src/link/frame.js'
import { createSplitter } from '../../src/link/frame-splitter.js'
import { EMPTY, FAR, KNOWN, bytes, concat, filler, frame, known } from '../support/frames.js'
import {
  Collector,
  attitude,
  cut,
  heartbeat,
  hex,
  isFrame,
  isNoise,
  split,
  stranger,
} from '../support/pieces.js'

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

  test.each([1, 2] as const)(
    'of MAVLink %i may begin at any byte of the buffer, its last one too',
    (version) => {
      // Longer than the splitter's buffer, pushed so that each header byte in turn is the last one that fits.
      const one = heartbeat({ version })
      const many = concat(Array.from({ length: Math.ceil(70_000 / one.length) }, () => one))
      for (let first = 0; first < one.length; first++) {
        let frames = 0
        const splitter = createSplitter(KNOWN, { frame: () => frames++, noise: () => {} })
        splitter.push(filler(first).fill(0))
        for (const byte of many) splitter.push(Uint8Array.of(byte))
        splitter.end()
        expect(frames).toBe(many.length / one.length)
      }
    },
  )

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
        const { frames } = new Collector()
          .push(heartbeat(), damaged, ...Array<Uint8Array>(9).fill(heartbeat()))
          .end()
        expect(frames, `byte ${at}`).toEqual(Array<string>(10).fill(hex(heartbeat())))
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

describe('a signature, which lies behind the checksum', () => {
  test('is the same however the stream is cut, also with the header of a message in it that nobody knows', () => {
    const unknown = stranger(77, { payload: [1, 2, 3, 4] })
    const signed = attitude({ signed: [9, 9, 9, ...unknown.subarray(0, 10)] })
    const twin = stranger(77, { payload: [5, 6, 7, 8] })
    const stream = concat([heartbeat(), signed, unknown.subarray(10), twin, heartbeat(), heartbeat()])
    const whole = split(stream)
    expect(whole).toContainEqual(isFrame(signed))
    expect(new Collector().push(...cut(stream, [1])).end().pieces).toEqual(whole)
    expect(new Collector().push(...cut(stream, [7, 2])).end().pieces).toEqual(whole)
  })

  const signed = attitude({ signed: filler(13, 8) })
  const cutAt = (at: number, count = 1): Uint8Array =>
    concat([signed.subarray(0, signed.length - 13 + at), signed.subarray(signed.length - 13 + at + count)])

  test('that lost bytes costs its frame and not the next one', () => {
    for (const next of [heartbeat(), heartbeat({ version: 1 }), attitude({ signed: true })])
      for (let count = 1; count <= 13; count++)
        for (let at = 0; at + count <= 13; at++) {
          const damaged = cutAt(at, count)
          expect(split(heartbeat(), damaged, next, heartbeat())).toEqual([
            isFrame(heartbeat()),
            isNoise(damaged),
            isFrame(next),
            isFrame(heartbeat()),
          ])
        }
  })

  test('that lost bytes costs no frame of an unknown message that was learned', () => {
    const learn = [0, 1, 2].map((seq) => stranger(160, { seq }))
    expect(split(...learn, cutAt(4), stranger(160, { seq: 3 })).at(-1)).toEqual(
      isFrame(stranger(160, { seq: 3 })),
    )
  })

  test('may hold anything that is no frame, and be followed by anything', () => {
    const starts = bytes(0xfd, 9, 0, 0, 1, 1, 1, 0xfe, 28, 1, 1, 1, 30)
    const whole = attitude({ signed: starts })
    for (const behind of [[], [heartbeat()], [whole, whole], [filler(300)]])
      expect(split(whole, ...behind)[0]).toEqual(isFrame(whole))
  })

  test('that holds what may begin a frame waits until it is sure, and no longer than the line speaks', () => {
    const whole = attitude({ signed: [...filler(12, 8), 0xfd] })
    const sure = new Collector().push(whole)
    expect(sure.frames).toEqual([])
    expect(sure.push(heartbeat().slice(0, 3)).frames).toEqual([hex(whole)])
    const silent = new Collector().push(whole)
    silent.splitter.idle()
    expect(silent.frames).toEqual([hex(whole)])
    expect(silent.splitter.heldBytes).toBe(0)
    expect(new Collector().push(signed).frames).toEqual([hex(signed)])
  })

  test('of several in a row that lost bytes takes no whole frame along', () => {
    const row = [cutAt(12), cutAt(2, 3), cutAt(7)]
    expect(split(...row, signed, heartbeat()).slice(-2)).toEqual([isFrame(signed), isFrame(heartbeat())])
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
