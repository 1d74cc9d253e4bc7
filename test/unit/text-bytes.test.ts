/** Text bytes: every number reads back as it was, by whoever reads CSV. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { floatText } from '../../src/mavlink/message-json.js'
import { TextBytes } from '../../src/storage/export/text-bytes.js'
import { readCsv } from '../support/csv.js'

function written(write: (out: TextBytes) => void): string {
  const out = new TextBytes()
  write(out)
  return new TextDecoder().decode(out.written())
}

const floatBits = new DataView(new ArrayBuffer(4))
const anyFloat = fc.integer({ min: 0, max: 0xffffffff }).map((bits) => {
  floatBits.setUint32(0, bits)
  return floatBits.getFloat32(0)
})
/** Those that sensors send: of everyday size. */
const plainFloat = fc.oneof(
  fc.double({ min: -1e6, max: 1e6, noNaN: true }).map(Math.fround),
  fc.integer({ min: -1e7, max: 1e7 }).map((n) => Math.fround(n / 100)),
  fc.integer({ min: -20, max: 20 }).map((n) => Math.fround(10 ** n)),
  anyFloat,
)

describe('a float', () => {
  it('reads back as the same float, in no more characters than it needs', () => {
    fc.assert(
      fc.property(plainFloat, (value) => {
        const text = written((out) => out.float(value))
        expect(Object.is(Math.fround(Number(text)), value)).toBe(true)
        expect(text.length).toBeLessThanOrEqual(Math.max(floatText(value).length, 8))
      }),
      { numRuns: 5000 },
    )
  })

  it.each([
    [0, '0'],
    [-0, '-0'],
    [Math.fround(0.1), '0.1'],
    [Math.fround(-12.34), '-12.34'],
    [Math.fround(1e-5), '0.00001'],
    [Math.fround(1e-6), '0.000001'],
    [16_777_216, '16777216'],
    [Math.fround(3.4e38), '3.4e+38'],
    [NaN, 'NaN'],
    [-Infinity, '-Infinity'],
  ])('%d is %s', (value, text) => expect(written((out) => out.float(value))).toBe(text))
})

it.each([0, 1, -1, 9, 10, -10, 99_999, 2 ** 31, -(2 ** 31), 2 ** 32 - 1, 1e14, Number.MAX_SAFE_INTEGER])(
  'the whole number %d is written as it is',
  (value) => expect(written((out) => out.integer(value))).toBe(String(value)),
)

it('whole numbers and doubles read back', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.double(), (whole, double) => {
      expect(Number(written((out) => out.integer(whole)))).toBe(whole)
      expect(Number(written((out) => out.double(double)))).toBe(double)
    }),
  )
})

it('padded numbers keep their zeros', () => {
  expect(written((out) => out.padded(42, 6))).toBe('000042')
  expect(written((out) => out.padded(0, 6))).toBe('000000')
  expect(written((out) => out.padded(123_456, 6))).toBe('123456')
})

it('texts of any characters are one cell', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 5 }), (texts) => {
      const file = written((out) => {
        out.ascii(texts.map((_, i) => `c${i}`).join(','))
        out.newline()
        texts.forEach((text, i) => {
          if (i > 0) out.comma()
          out.csvText(text)
        })
        out.newline()
      })
      expect(Object.values(readCsv(file).rows[0]!)).toEqual(texts)
    }),
  )
})

it('a long text finds its room', () => {
  const long = 'é"'.repeat(50_000)
  expect(written((out) => out.csvText(long))).toBe(`"${long.replaceAll('"', '""')}"`)
})
