/** Message JSON: valid JSON for every message, from which every value can be had back. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decoderFor, type FieldValue } from '../../src/mavlink/decode.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { floatText, messageJson } from '../../src/mavlink/message-json.js'

const layouts = [...loadDialect().byId.values()]

/** A value as it must read in JSON. */
function inJson(value: FieldValue): unknown {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  return typeof value === 'string' ? value : value.map(inJson)
}

describe('the JSON of a message', () => {
  test('is what a person expects', () => {
    const message = { time_unix_usec: 1n, lat: -353632610, q: [1, 0.5], text: 'say "hi"\n' }
    expect(messageJson(message)).toBe(
      '{"time_unix_usec":"1","lat":-353632610,"q":[1,0.5],"text":"say \\"hi\\"\\n"}',
    )
  })

  test('of no fields is an empty object', () => expect(messageJson({})).toBe('{}'))

  test('has NaN and the infinities as strings, and keeps minus zero', () => {
    expect(messageJson({ a: NaN, b: Infinity, c: -Infinity, d: -0, e: [NaN, -0] })).toBe(
      '{"a":"NaN","b":"Infinity","c":"-Infinity","d":-0,"e":["NaN",-0]}',
    )
  })

  test('has 64-bit integers as decimal strings, small ones too', () => {
    expect(messageJson({ a: 18446744073709551615n, b: [-9223372036854775808n, 0n] })).toBe(
      '{"a":"18446744073709551615","b":["-9223372036854775808","0"]}',
    )
  })

  test('of char[] that is no UTF-8 survives being written to a file', () => {
    const written = Buffer.from(messageJson({ text: 'H\udcf6he' })).toString()
    expect(JSON.parse(written)).toEqual({ text: 'H\udcf6he' })
  })

  test('of any bytes of any message never throws and reads back to its values', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...layouts),
        fc.uint8Array({ maxLength: 255, size: 'max' }),
        (layout, bytes) => {
          const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
          const message = decoderFor(layout)(view, 0, bytes.length)
          const expected = Object.fromEntries(Object.entries(message).map(([k, v]) => [k, inJson(v)]))
          expect(JSON.parse(messageJson(message))).toEqual(expected)
        },
      ),
      { numRuns: 3_000 },
    )
  })
})

describe('the text of a float', () => {
  test.each([
    [Math.fround(0.1), '0.1'],
    [Math.fround(1 / 3), '0.33333334'],
    [1900, '1900'],
    [16777216, '16777216'],
    [Math.fround(3.4028235e38), '3.4028235e+38'],
    [Math.fround(-1.5e-7), '-1.5e-7'],
    [0, '0'],
    [-0, '-0'],
    [NaN, 'NaN'],
    [-Infinity, '-Infinity'],
  ])('%d is %s', (value, text) => expect(floatText(value)).toBe(text))

  test('reads back to the same float, and no text with fewer digits does', () => {
    const anyFloat = fc.float({ noNaN: true, noDefaultInfinity: true })
    fc.assert(
      fc.property(anyFloat, (value) => {
        const text = floatText(value)
        expect(Math.fround(Number(text))).toBe(value)
        const digits = Number(text).toExponential().replace(/e.*/, '').replaceAll(/\D/g, '').length
        const shorter = Math.fround(Number(value.toPrecision(Math.max(digits - 1, 1))))
        expect(digits <= 6 || shorter !== value).toBe(true)
      }),
      { numRuns: 20_000 },
    )
  })

  test('of a short decimal number is that number', () => {
    const sixDigits = fc.tuple(fc.integer({ min: -999_999, max: 999_999 }), fc.integer({ min: -20, max: 20 }))
    fc.assert(
      fc.property(sixDigits, ([digits, exponent]) => {
        const value = Number(`${digits}e${exponent}`)
        expect(Number(floatText(Math.fround(value)))).toBe(value)
      }),
      { numRuns: 20_000 },
    )
  })
})
