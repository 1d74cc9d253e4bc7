/** Decode: every message of the dialect, whatever its bytes are and however many came. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { charBytes, charText } from '../../src/mavlink/char-text.js'
import { decoderFor, type FieldValue, type Message } from '../../src/mavlink/decode.js'
import {
  loadDialect,
  type FieldLayout,
  type MessageLayout,
  type WireType,
} from '../../src/mavlink/dialect.js'

const dialect = loadDialect()
const layouts = [...dialect.byId.values()]

/** The payload somewhere inside of a larger buffer that is full of 0xff, as a frame is. */
function decode(layout: MessageLayout, payload: Uint8Array, before = 13): Message {
  const wire = new Uint8Array(before + payload.length + 300).fill(0xff)
  wire.set(payload, before)
  const skipped = Math.min(before, 5)
  const view = new DataView(wire.buffer, skipped)
  return decoderFor(layout)(view, before - skipped, payload.length)
}

function named(name: string, payload: Uint8Array): Message {
  return decode(dialect.byName.get(name)!, payload)
}

/** Number readers by type, one call a value: what the generated code is held against. */
const READ: Record<Exclude<WireType, 'char'>, [(bytes: Buffer, at: number) => number | bigint, number]> = {
  int8_t: [(bytes, at) => bytes.readInt8(at), 1],
  uint8_t: [(bytes, at) => bytes.readUInt8(at), 1],
  int16_t: [(bytes, at) => bytes.readInt16LE(at), 2],
  uint16_t: [(bytes, at) => bytes.readUInt16LE(at), 2],
  int32_t: [(bytes, at) => bytes.readInt32LE(at), 4],
  uint32_t: [(bytes, at) => bytes.readUInt32LE(at), 4],
  int64_t: [(bytes, at) => bytes.readBigInt64LE(at), 8],
  uint64_t: [(bytes, at) => bytes.readBigUInt64LE(at), 8],
  float: [(bytes, at) => bytes.readFloatLE(at), 4],
  double: [(bytes, at) => bytes.readDoubleLE(at), 8],
}

function fieldOf(field: FieldLayout, bytes: Buffer): FieldValue {
  const { type, offset, arrayLength } = field
  if (type === 'char') {
    const chars = bytes.subarray(offset, offset + (arrayLength || 1))
    const nul = chars.indexOf(0)
    const text = nul < 0 ? chars : chars.subarray(0, nul)
    return charText(new DataView(text.buffer, text.byteOffset, text.length), 0, text.length)
  }
  const [read, size] = READ[type]
  if (arrayLength === 0) return read(bytes, offset)
  return Array.from({ length: arrayLength }, (_, i) => read(bytes, offset + i * size))
}

/** Field by field by a loop: slow, and another way than the generated code goes. */
function decodeByLoop(layout: MessageLayout, payload: Uint8Array): Message {
  const bytes = Buffer.alloc(layout.length)
  bytes.set(payload.subarray(0, layout.length))
  return Object.fromEntries(layout.fields.map((field) => [field.name, fieldOf(field, bytes)]))
}

describe('every message of the dialect', () => {
  test('has a decoder, made once', () => {
    for (const layout of layouts) expect(decoderFor(layout)).toBe(decoderFor(layout))
  })

  test('decodes a payload of zeros, and none at all, to all its fields in wire order', () => {
    for (const layout of layouts) {
      const zeros = decode(layout, new Uint8Array(layout.length))
      expect(Object.keys(zeros)).toEqual(layout.fields.map((field) => field.name))
      for (const value of Object.values(zeros).flat()) expect([0, 0n, '']).toContain(value)
      expect(decode(layout, new Uint8Array(0))).toEqual(zeros)
    }
  })

  test('decodes any bytes of any length to what its fields say, as if zeros followed', () => {
    const anyPayload = fc.uint8Array({ maxLength: 255, size: 'max' })
    fc.assert(
      fc.property(fc.constantFrom(...layouts), anyPayload, fc.nat(64), (layout, payload, before) => {
        expect(decode(layout, payload, before)).toEqual(decodeByLoop(layout, payload))
      }),
      { numRuns: 5_000 },
    )
  })

  test('decodes each of its truncations', () => {
    for (const layout of layouts) {
      const payload = Uint8Array.from({ length: layout.length }, (_, i) => (i * 37 + 11) & 0xff)
      for (let length = 0; length <= layout.length; length++) {
        const cut = payload.subarray(0, length)
        expect(decode(layout, cut)).toEqual(decodeByLoop(layout, cut))
      }
    }
  })
})

describe('a payload', () => {
  test('of MAVLink 1 has zeros for extensions', () => {
    const layout = dialect.byName.get('SYS_STATUS')!
    const message = decode(layout, new Uint8Array(layout.baseLength).fill(0x01))
    expect(message['voltage_battery']).toBe(0x0101)
    expect(message['onboard_control_sensors_present_extended']).toBe(0)
  })

  test('that is longer than the message (a newer definition) is read as far as it is known', () => {
    const heartbeat = Uint8Array.from([1, 2, 3, 4, 2, 3, 0x51, 4, 3, 0xaa, 0xbb, 0xcc])
    expect(named('HEARTBEAT', heartbeat)).toEqual(named('HEARTBEAT', heartbeat.subarray(0, 9)))
  })

  test('keeps NaN, the infinities and minus zero', () => {
    const bytes = Buffer.alloc(28)
    bytes.writeFloatLE(NaN, 4)
    bytes.writeFloatLE(Infinity, 8)
    bytes.writeFloatLE(-Infinity, 12)
    bytes.writeFloatLE(-0, 16)
    expect(named('ATTITUDE', bytes)).toMatchObject({
      roll: NaN,
      pitch: Infinity,
      yaw: -Infinity,
      rollspeed: -0,
    })
  })

  test('has 64-bit integers as bigint, exact to the last bit', () => {
    const time = Buffer.alloc(12)
    time.writeBigUInt64LE(0xffff_ffff_ffff_fffdn)
    expect(named('SYSTEM_TIME', time)['time_unix_usec']).toBe(18446744073709551613n)
    const sync = Buffer.alloc(16)
    sync.writeBigInt64LE(-9223372036854775807n)
    expect(named('TIMESYNC', sync)['tc1']).toBe(-9223372036854775807n)
  })

  test('decoded before keeps its values when another is decoded', () => {
    const first = named('ATTITUDE', Uint8Array.of(1))
    named('ATTITUDE', Uint8Array.of(2))
    expect(first['time_boot_ms']).toBe(1)
  })

  test('outside of its view is a mistake of the caller and throws', () => {
    const decoder = decoderFor(dialect.byName.get('ATTITUDE')!)
    expect(() => decoder(new DataView(new ArrayBuffer(20)), 0, 28)).toThrow(RangeError)
    expect(() => decoder(new DataView(new ArrayBuffer(20)), 8, 20)).toThrow(RangeError)
  })
})

describe('char[]', () => {
  const text = (...bytes: number[]): FieldValue | undefined =>
    named('STATUSTEXT', Uint8Array.of(6, ...bytes))['text']

  test('ends at the first NUL', () => {
    expect(text(...Buffer.from('Armed'), 0, ...Buffer.from('rest'))).toBe('Armed')
  })

  test('without a NUL is as long as the field', () => {
    expect(text(...Buffer.alloc(50, 'x'))).toBe('x'.repeat(50))
  })

  test('is read as UTF-8, a leading U+FEFF included', () => {
    expect(text(...Buffer.from('Höhe 5 µm €🛩'))).toBe('Höhe 5 µm €🛩')
    expect(text(...Buffer.from('\ufeffx'))).toBe('\ufeffx')
  })

  test('that is no UTF-8 keeps its bytes, and its good characters stay readable', () => {
    expect(text(0x48, 0xf6, 0x68, 0x65)).toBe('H\udcf6he')
    expect(text(...Buffer.from('5 €').subarray(0, -1))).toBe('5 \udce2\udc82')
    expect(text(...Buffer.from('aµ€🛩'), 0xff, ...Buffer.from('🛩€µa'))).toBe('aµ€🛩\udcff🛩€µa')
  })

  test('gives back any bytes exactly', () => {
    const likelyBytes = fc.oneof(
      fc.integer({ min: 1, max: 255 }),
      fc.constantFrom(0xc3, 0xe2, 0xed, 0xef, 0xf0),
      fc.integer({ min: 0x80, max: 0xbf }),
    )
    fc.assert(
      fc.property(fc.array(likelyBytes, { maxLength: 60 }), (bytes) => {
        const view = new DataView(Uint8Array.from(bytes).buffer)
        expect([...charBytes(charText(view, 0, bytes.length))]).toEqual(bytes)
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('a layout that could become code of its own', () => {
  const field: FieldLayout = {
    name: 'x',
    type: 'uint8_t',
    offset: 0,
    arrayLength: 0,
    extension: false,
    units: null,
    enum: null,
  }
  const layout = (change: Partial<FieldLayout>): MessageLayout => {
    return {
      msgid: 1,
      name: 'X',
      crcExtra: 0,
      baseLength: 1,
      length: 1,
      fields: [{ ...field, ...change }],
    }
  }

  test.each(['__proto__', '', 'a b', 'a": view, "b', '1a', 'ä'])('is refused for the name %j', (name) => {
    expect(() => decoderFor(layout({ name }))).toThrow("not a field's name")
  })

  test.each([-1, 0.5, NaN, 256])('is refused for the number %d', (bad) => {
    expect(() => decoderFor(layout({ offset: bad }))).toThrow('no offset')
    expect(() => decoderFor(layout({ arrayLength: bad }))).toThrow('no offset')
  })
})
