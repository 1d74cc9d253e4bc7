/** Column: numbers of every width and kind come back bit for bit, alone and among others. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader } from '../../src/base/byte-reader.js'
import { ByteWriter } from '../../src/base/byte-writer.js'
import { ColumnsReader, ColumnsWriter } from '../../src/storage/segment/columns.js'
import { numberWidth, readShapes, shapesOf, writeShapes } from '../../src/storage/segment/column-shape.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { bytes, filler } from '../support/frames.js'

const WIDTHS = [1, 2, 4, 8] as const
type Width = (typeof WIDTHS)[number]

/** Numbers as they stand in rows: little-endian, the low bits of each. */
function cellsOf(values: readonly bigint[], width: Width): Uint8Array {
  const rows = Buffer.alloc(values.length * 8)
  values.forEach((value, i) => rows.writeBigUInt64LE(BigInt.asUintN(64, value), i * width))
  return Uint8Array.from(rows.subarray(0, values.length * width))
}

/** Bytes that the column takes, once it was read back as it was. */
function expectSame(values: readonly bigint[], width: Width): number {
  return expectSameRows(cellsOf(values, width), values.length, width)
}

function expectSameRows(rows: Uint8Array, count: number, width: Width): number {
  const cells = { count, stride: width, offset: 0, width }
  const writer = new ColumnsWriter()
  writer.number({ ...cells, rows })
  const out = new ByteWriter()
  writer.writeTo(out)
  const source = new ByteReader(out.copy())
  const read = new Uint8Array(rows.length)
  const reader = new ColumnsReader(source)
  reader.number({ ...cells, rows: read })
  reader.fill()
  expect(Buffer.from(read).toString('hex')).toBe(Buffer.from(rows).toString('hex'))
  expect(source.left).toBe(0)
  return out.length
}

function refusalOf(action: () => void): unknown {
  try {
    action()
    return undefined
  } catch (error) {
    return error
  }
}

const floats = (values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer)

describe.each(WIDTHS)('numbers of %i bytes', (width) => {
  const max = 2n ** BigInt(8 * width) - 1n
  const top = 2n ** BigInt(8 * width - 1)
  const edges = [0n, 1n, 2n, top - 1n, top, top + 1n, max - 1n, max]

  test('one, two, and the same again and again', () => {
    for (const value of edges) {
      expectSame([value], width)
      for (const other of edges) expectSame([value, other], width)
      expectSame(Array<bigint>(1000).fill(value), width)
    }
  })

  test('all the same take the room of one, counting ones hardly more', () => {
    expect(expectSame(Array<bigint>(5000).fill(top), width)).toBeLessThanOrEqual(3 + width)
    const counting = Array.from({ length: 5000 }, (_, i) => top + BigInt(i) * 3n)
    expect(expectSame(counting, width)).toBeLessThan(2 * 5000 + 20)
  })

  test('every edge after every other, and a step over the end', () => {
    for (const a of edges) for (const b of edges) for (const c of edges) expectSame([a, b, c, a], width)
    expectSame(
      Array.from({ length: 700 }, (_, i) => max - 300n + BigInt(i)),
      width,
    )
    expectSame(
      Array.from({ length: 700 }, (_, i) => top - BigInt(i) * 77_777n),
      width,
    )
    expectSame(
      Array.from({ length: 700 }, (_, i) => (i % 2 === 0 ? 0n : max)),
      width,
    )
  })

  test('whole multiples, up to the farthest apart that there are', () => {
    for (const divisor of [
      2n,
      3n,
      5n,
      1000n,
      65_535n,
      65_537n,
      2n ** 31n,
      2n ** 32n - 1n,
      2n ** 52n,
      max / 2n,
      max,
    ]) {
      for (const first of [0n, 7n, top - 3n, max]) {
        expectSame(
          Array.from(filler(30), (n) => first + BigInt(n) * divisor),
          width,
        )
        expectSame(
          Array.from(filler(30), (n) => first - BigInt(n) * divisor),
          width,
        )
      }
    }
  })

  test('any', () => {
    const any = fc.bigInt({ min: 0n, max })
    const near = fc.bigInt({ min: -300n, max: 300n })
    const property = fc.property(
      any,
      fc.constantFrom(1n, 1n, 10n, 1000n, 1_000_000n),
      fc.array(fc.oneof(near, near, near, any, fc.constantFrom(...edges)), {
        minLength: 1,
        maxLength: 80,
        size: 'max',
      }),
      fc.boolean(),
      (first, scale, steps, summed) => {
        let value = first
        expectSame(
          steps.map((step) => (summed ? (value += step * scale) : first + step * scale)),
          width,
        )
      },
    )
    fc.assert(property, { numRuns: 1000 })
  })
})

describe('floats', () => {
  const SPECIAL = [
    0,
    -0,
    1,
    -1,
    0.1,
    1e-45,
    -1e-45,
    3.4e38,
    Infinity,
    -Infinity,
    NaN,
    2 ** 31,
    -(2 ** 31),
    2 ** 24 + 2,
  ]

  test('of every special kind, alone and after each other', () => {
    for (const a of SPECIAL) for (const b of SPECIAL) expectSameRows(floats([a, b, a, 5, b]), 5, 4)
  })

  test('keep the bits of every NaN, and the sign of zero', () => {
    const words = [0x7fc00000, 0x7f800001, 0xffc00000, 0x7fc00123, 0xffffffff, 0x80000000, 0, 0x3f800000]
    for (const a of words)
      for (const b of words) expectSameRows(new Uint8Array(Uint32Array.of(a, b, a, 0).buffer), 4, 4)
  })

  test.each([
    ['whole numbers', (n: number) => n],
    ['n / 10', (n: number) => n / 10],
    ['n / 100', (n: number) => n / 100],
    ['n * 0.01f', (n: number) => n * Math.fround(0.01)],
    ['n / 1000', (n: number) => n / 1000],
    ['n * 0.001f', (n: number) => n * Math.fround(0.001)],
  ])('made of decimals (%s) come back to the last bit, and become small', (_, make) => {
    const walk = Array.from(filler(4000), (byte, i) => make(-3000 + i * 2 + (byte & 7)))
    expect(expectSameRows(floats(walk), 4000, 4)).toBeLessThan(2 * 4000 + 20)
    const far = Array.from(filler(200), (byte, i) => make((byte - 128) * 2 ** (i % 26)))
    expectSameRows(floats(far), 200, 4)
    for (const odd of SPECIAL) {
      expectSameRows(floats([...walk.slice(0, 50), odd]), 51, 4)
      expectSameRows(floats([odd, ...walk.slice(0, 50)]), 51, 4)
    }
  })

  test('any', () => {
    const decimal = fc
      .tuple(fc.integer(), fc.constantFrom(1, 10, 100, 1000, Math.fround(0.01)))
      .map(([n, by]) => (by < 1 ? n * by : n / by))
    const property = fc.property(
      fc.array(fc.oneof(decimal, decimal, fc.float()), { minLength: 1, maxLength: 30, size: 'max' }),
      (values) => {
        expectSameRows(floats(values), values.length, 4)
        expectSameRows(new Uint8Array(Float64Array.from(values).buffer), values.length, 8)
      },
    )
    fc.assert(property, { numRuns: 500 })
  })
})

describe('columns of one group', () => {
  test('of any widths and texts stand behind each other and come back into their rows', () => {
    const shape = fc.oneof(
      fc.constantFrom(...WIDTHS).map((size) => ({ kind: 'number' as const, size })),
      fc.integer({ min: 1, max: 20 }).map((size) => ({ kind: 'text' as const, size })),
    )
    const property = fc.property(
      fc.array(shape, { minLength: 1, maxLength: 12, size: 'max' }),
      fc.integer({ min: 0, max: 40 }),
      fc.nat(),
      fc.boolean(),
      (shapes, count, seed, quiet) => {
        const stride = shapes.reduce((sum, { size }) => sum + size, 0) + 3
        const rows = filler(count * stride, seed).map((byte) => (quiet ? byte & 1 : byte))
        const name = (to: Pick<ColumnsWriter, 'number' | 'text'>, cells: Uint8Array): void => {
          let offset = 0
          for (const { kind, size } of shapes) {
            if (kind === 'number') to.number({ rows: cells, count, stride, offset, width: size })
            else to.text({ rows: cells, count, stride, offset, bytes: size })
            offset += size
          }
        }
        const writer = new ColumnsWriter()
        name(writer, rows)
        const out = new ByteWriter()
        writer.writeTo(out)
        const read = rows.map((byte, i) => (i % stride < stride - 3 ? 0 : byte))
        const source = new ByteReader(out.copy())
        const reader = new ColumnsReader(source)
        name(reader, read)
        reader.fill()
        expect(Buffer.from(read).toString('hex')).toBe(Buffer.from(rows).toString('hex'))
        expect(source.left).toBe(0)
      },
    )
    fc.assert(property, { numRuns: 300 })
  })

  test('whatever a reader is given in their place, it ends with numbers or a RangeError', () => {
    const property = fc.property(
      fc.uint8Array({ maxLength: 200, size: 'max' }),
      fc.integer({ min: 1, max: 50 }),
      (given, count) => {
        const refused = refusalOf(() => {
          const reader = new ColumnsReader(new ByteReader(given))
          for (const width of WIDTHS) {
            reader.number({ rows: new Uint8Array(count * width), count, stride: width, offset: 0, width })
          }
          reader.fill()
        })
        expect(refused === undefined || refused instanceof RangeError).toBe(true)
      },
    )
    fc.assert(property, { numRuns: 1000 })
  })
})

describe('shapes', () => {
  const { byId } = loadDialect()

  test('of every message cover its payload, cut and extended, and come back as they were written', () => {
    for (const layout of [undefined, ...byId.values()]) {
      for (const payloadBytes of [0, 1, 9, layout?.length ?? 40, 255]) {
        const shapes = shapesOf(layout, payloadBytes)
        expect(shapes.reduce((sum, shape) => sum + shape.bytes, 0)).toBe(payloadBytes)
        const out = new ByteWriter()
        writeShapes(out, shapes)
        expect(readShapes(new ByteReader(out.copy()))).toEqual(shapes)
      }
    }
  })

  test('of a whole payload are the fields: numbers by their width, names as text', () => {
    const statustext = shapesOf(byId.get(253), 54)
    expect(statustext).toEqual([
      { kind: 'number', bytes: 1 },
      { kind: 'text', bytes: 50 },
      { kind: 'number', bytes: 2 },
      { kind: 'number', bytes: 1 },
    ])
  })

  test('that no payload can have are refused', () => {
    // runs of: count, kind, bytes; 0 ends
    for (const run of [
      bytes(2, 1, 128, 0),
      bytes(128, 2, 0, 1, 0),
      bytes(1, 0, 0, 0),
      bytes(200, 1, 0, 2, 100, 0, 1, 0),
    ])
      expect(() => readShapes(new ByteReader(run))).toThrow(RangeError)
    for (const width of [0, 3, 5, 255]) {
      expect(() => numberWidth({ kind: 'number', bytes: width })).toThrow(/numbers \d+ bytes wide/)
    }
  })
})
