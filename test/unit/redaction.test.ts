/** Redaction: signing keys are zeroed before they are stored, and nothing else is touched. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSplitter } from '../../src/link/frame-splitter.js'
import { Redaction } from '../../src/storage/intake/redaction.js'
import type { FrameParts } from '../support/frames.js'
import { HEARTBEAT, KNOWN, SETUP_SIGNING, bytes, concat, filler, known } from '../support/frames.js'

const KEY_FROM = 20
const KEY_BYTES = 32

/** initial_timestamp, target_system, target_component, secret_key: no byte of the key is zero. */
const payload = Uint8Array.from({ length: 42 }, (_, i) => i + 100)
const setup = (parts: FrameParts = {}): Uint8Array => known(SETUP_SIGNING, { payload, ...parts })
const heartbeat = known(HEARTBEAT)

/** The same with `KEY_BYTES` zeros from each of these places on. */
function zeroed(of: Uint8Array, ...keysAt: number[]): Uint8Array {
  const copy = of.slice()
  for (const at of keysAt) copy.fill(0, at, at + KEY_BYTES)
  return copy
}

const hex = (of: Uint8Array): string => Buffer.from(of).toString('hex')
const BEFORE = filler(7)
const BEHIND = filler(40, 2)

/** Redacts `noise` as one run in pieces of these sizes, among other bytes that must stay as they are. */
function redactNoise(noise: Uint8Array, sizes: readonly number[]): { noise: string; count: number } {
  const redaction = new Redaction()
  const out: Uint8Array[] = []
  for (let at = 0, i = 0; at < noise.length; i++) {
    const part = noise.subarray(at, at + sizes[i % sizes.length]!)
    const buffer = concat([BEFORE, part, BEHIND])
    redaction.noise(buffer, 7, 7 + part.length)
    expect(hex(buffer.subarray(0, 7))).toBe(hex(BEFORE))
    expect(hex(buffer.subarray(7 + part.length))).toBe(hex(BEHIND))
    out.push(buffer.slice(7, 7 + part.length))
    at += part.length
  }
  return { noise: hex(concat(out)), count: redaction.count }
}

describe('in a good frame', () => {
  function redactFrame(whole: Uint8Array): { frame: Uint8Array; count: number } {
    const redaction = new Redaction()
    const buffer = concat([filler(9), whole, filler(60, 2)])
    redaction.frame(buffer, 9, 9 + whole.length)
    expect(buffer.slice(0, 9)).toEqual(filler(9))
    expect(buffer.slice(9 + whole.length)).toEqual(filler(60, 2))
    return { frame: buffer.slice(9, 9 + whole.length), count: redaction.count }
  }

  test.each([
    ['unsigned', setup()],
    ['signed', setup({ signed: true })],
    ['longer than the definition', setup({ payload: filler(60) })],
  ])('the 32 bytes of the key are zeroed and nothing else: %s', (_, whole) => {
    expect(redactFrame(whole)).toEqual({ frame: zeroed(whole, KEY_FROM), count: 1 })
  })

  test('a payload whose end was cut off: the key as far as it is there; checksum and signature stay', () => {
    for (let length = 0; length < 42; length++) {
      const whole = setup({ payload: payload.slice(0, length), signed: true })
      const expected = whole.slice()
      expected.fill(0, KEY_FROM, Math.max(10 + length, KEY_FROM))
      expect(redactFrame(whole)).toEqual({ frame: expected, count: length > 10 ? 1 : 0 })
    }
  })

  test('of any other message nothing is touched', () => {
    const others = [heartbeat, known(HEARTBEAT, { version: 1 }), known(SETUP_SIGNING, { msgid: 257 })]
    const alike = known(SETUP_SIGNING, { version: 1, msgid: 0, sysid: 0, compid: 1 })
    for (const whole of [...others, alike]) expect(redactFrame(whole)).toEqual({ frame: whole, count: 0 })
  })
})

describe('in noise', () => {
  const sizes = [[1], [2], [3], [7], [9], [10], [11], [19], [20], [21], [32], [51], [52], [53], [1000]]

  test('the key behind each header is zeroed, however the run is cut, and nothing else', () => {
    const noise = concat([filler(13), setup({ crc: 0 }), filler(90, 3)])
    for (const each of sizes) {
      expect(redactNoise(noise, each), `pieces of ${each[0]}`).toEqual({
        noise: hex(zeroed(noise, 13 + KEY_FROM)),
        count: 1,
      })
    }
  })

  test('two keys: what lies between them stays', () => {
    const noise = concat([setup({ crc: 0 }), filler(100), setup({ crc: 0 }), filler(20)])
    for (const each of sizes) {
      expect(redactNoise(noise, each), `pieces of ${each[0]}`).toEqual({
        noise: hex(zeroed(noise, KEY_FROM, setup().length + 100 + KEY_FROM)),
        count: 2,
      })
    }
  })

  test('a header inside of what another one says is its key: both keys are zeroed', () => {
    for (let before = 10; before <= 52; before++) {
      const noise = concat([setup().slice(0, before), setup({ crc: 0 }), filler(20)])
      for (const each of sizes) {
        const both = hex(zeroed(noise, KEY_FROM, before + KEY_FROM))
        expect(redactNoise(noise, each).noise, `${before} bytes before, pieces of ${each[0]}`).toBe(both)
      }
    }
  })

  test('a run that ends in the key: it is zeroed as far as it goes', () => {
    for (let length = 0; length <= 54; length++) {
      const noise = setup({ crc: 0 }).slice(0, length)
      const expected = noise.slice()
      expected.fill(0, KEY_FROM)
      if (length > 52) expected.set(noise.slice(52), 52)
      for (const each of sizes) {
        expect(redactNoise(noise, each)).toEqual({
          noise: hex(expected),
          count: length > KEY_FROM ? 1 : 0,
        })
      }
    }
  })

  test('a frame ends the run: it stays as it is, and so does the noise behind it', () => {
    for (const cutAt of [5, 10, 25, 40]) {
      const redaction = new Redaction()
      const first = setup().slice(0, cutAt)
      const whole = heartbeat.slice()
      const behind = setup().slice(cutAt)
      redaction.noise(first, 0, first.length)
      redaction.frame(whole, 0, whole.length)
      redaction.noise(behind, 0, behind.length)
      expect(first).toEqual(zeroed(setup().slice(0, cutAt), KEY_FROM).slice(0, cutAt))
      expect(whole).toEqual(heartbeat)
      expect(behind).toEqual(setup().slice(cutAt))
    }
  })

  test('whatever it holds: exactly the keys of all headers are zeroed', () => {
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 60, size: 'max' }),
      fc.integer({ min: 1, max: 54 }).map((length) => setup({ crc: 0 }).slice(0, length)),
      fc.constant(bytes(0xfd, 42, 1, 0, 4, 5, 6, 0, 1, 0)),
      fc.constant(bytes(0xfd, 43, 0, 0, 4, 5, 6, 0, 1, 0)),
      fc.constant(bytes(0xfd, 42, 2, 0, 4, 5, 6, 0, 1, 0)),
    )
    const anySizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8, size: 'max' })
    const property = fc.property(
      fc.array(part, { maxLength: 8, size: 'max' }).map(concat),
      anySizes,
      (noise, each) => {
        const isHeader = (i: number): boolean => {
          const [stx, length, incompat, compat, , , , ...msgid] = noise.subarray(i, i + 10)
          const announces = length! >= 11 && length! <= 42 && incompat! <= 1 && compat === 0
          return stx === 0xfd && announces && msgid.join() === '0,1,0'
        }
        const keys = [...noise.keys()].filter(isHeader).map((i) => i + KEY_FROM)
        const redacted = redactNoise(noise, each)
        expect(redacted.noise).toBe(hex(zeroed(noise, ...keys)))
        expect(redacted.count > 0).toBe(redacted.noise !== hex(noise))
      },
    )
    fc.assert(property, { numRuns: 300 })
  })
})

test('behind a splitter no byte of a key gets through, whole frame or damaged, and all else does', () => {
  const damaged = setup().map((byte, i) => (i === 15 ? byte ^ 1 : byte))
  const stream = concat([
    heartbeat,
    setup(),
    filler(30),
    damaged,
    heartbeat,
    setup({ signed: true }),
    heartbeat,
  ])
  const setupsAt = [heartbeat.length, heartbeat.length + 54 + 30, 2 * heartbeat.length + 54 + 30 + 54]
  const out: Uint8Array[] = []
  const redaction = new Redaction()
  const splitter = createSplitter(KNOWN, {
    frame: (from, start, end) => {
      redaction.frame(from, start, end)
      out.push(from.slice(start, end))
    },
    noise: (from, start, end) => {
      redaction.noise(from, start, end)
      out.push(from.slice(start, end))
    },
  })
  for (let at = 0; at < stream.length; at += 17) splitter.push(stream.slice(at, at + 17))
  splitter.end()
  expect(concat(out)).toEqual(zeroed(stream, ...setupsAt.map((at) => at + KEY_FROM)))
  expect(redaction.count).toBe(3)
})
