/** Unknown messages: frames of ids that no definition knows, told from noise by the CRC_EXTRA they imply. */
import { describe, expect, test } from 'vitest'
import { bytes, concat, crc16 } from '../support/frames.js'
import { Collector, attitude, heartbeat, hex, isFrame, isNoise, split, stranger } from '../support/pieces.js'

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

  test('of one id that follow each other vouch for each other, wherever they stand', () => {
    const row = (length: number): Uint8Array[] =>
      Array.from({ length }, (_, seq) => stranger(160, { seq, payload: [seq, 9] }))
    for (const length of [2, 3, 40]) {
      expect(split(noise, ...row(length), noise)).toEqual([
        isNoise(noise),
        ...row(length).map(isFrame),
        isNoise(noise),
      ])
      expect(new Collector().push(...row(length)).end().frames).toEqual(row(length).map(hex))
    }
    expect(new Collector().push(noise, ...row(1), noise).end().frames).toEqual([])
    // Other ids in front of them are taken on their word.
    const mixed = [heartbeat(), stranger(7, { msgid: 411 }), ...row(2)]
    expect(split(...mixed, noise)).toEqual([...mixed.map(isFrame), isNoise(noise)])
  })

  test('vouch for nothing where they differ in their CRC_EXTRA or not at all', () => {
    const others = [stranger(160), stranger(161, { seq: 1 }), stranger(162, { seq: 2 })]
    expect(new Collector().push(noise, ...others).end().frames).toEqual([])
    const same = Array<Uint8Array>(50).fill(stranger(160))
    expect(new Collector().push(noise, ...same).end().frames).toEqual([])
  })

  test('that are always followed by damage are taken from the third in a row that agrees', () => {
    const followed = (seq: number, crcExtra = 160, id = 410): Uint8Array[] => [
      heartbeat(),
      stranger(crcExtra, { seq, msgid: id }),
      noise,
    ]
    const kept = (...parts: Uint8Array[][]): number =>
      new Collector().push(...parts.flat(), heartbeat()).end().frames.length - parts.length - 1
    expect(kept(followed(0), followed(1))).toBe(0)
    expect(kept(followed(0), followed(1), followed(2), followed(3))).toBe(2)
    // One in between that disagrees, or that has no CRC_EXTRA at all, and all begins anew.
    expect(kept(followed(0), followed(1), followed(2, 161), followed(3), followed(4))).toBe(0)
    const wrong = [
      heartbeat(),
      stranger(160, { crc: crc16([...stranger(160).slice(1, -2), 160]) ^ 0x0100 }),
      noise,
    ]
    expect(kept(followed(0), followed(1), wrong, followed(3), followed(4))).toBe(0)
    // The same bytes again and again say nothing.
    expect(kept(...Array.from({ length: 9 }, () => followed(0)))).toBe(0)
    // More ids than are remembered in between.
    const others = Array.from({ length: 1024 }, (_, i) => followed(i & 255, 7, 20_000 + i))
    expect(kept(followed(0), followed(1), ...others, followed(2))).toBe(0)
  })

  test('in a row are seen once each, not once more for each that vouches for another', () => {
    const row = [stranger(160, { msgid: 400 }), stranger(160, { msgid: 401 }), stranger(160, { msgid: 402 })]
    const collector = new Collector().push(heartbeat(), ...row, heartbeat())
    for (const unknown of row) collector.push(noise, unknown, noise)
    expect(collector.end().frames).toHaveLength(5)
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
