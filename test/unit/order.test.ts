/** Order: how groups were interleaved comes back, also of more groups than two bytes can number. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader } from '../../src/base/byte-reader.js'
import { ByteWriter } from '../../src/base/byte-writer.js'
import { readOrder, writeOrder } from '../../src/storage/segment/order.js'

function written(numbers: readonly number[], groups: number): Uint8Array {
  const out = new ByteWriter()
  writeOrder(out, { numbers: Uint32Array.from(numbers), groups })
  return out.copy()
}

function roundTrip(numbers: readonly number[]): number[] {
  const groups = numbers.reduce((most, number) => Math.max(most, number + 1), 0)
  const order = readOrder(new ByteReader(written(numbers, groups)))
  expect(order.groups).toBe(groups)
  return [...order.numbers]
}

test('groups come back in the order they were in', () => {
  const numbers = fc.array(fc.nat(40), { maxLength: 200, size: 'max' })
  // The groups of a segment are numbered without holes.
  const property = fc.property(numbers, (some) => {
    const all = [...some, ...Array.from({ length: 41 }, (_, i) => i)]
    expect(roundTrip(all)).toEqual(all)
  })
  fc.assert(property, { numRuns: 300 })
})

test.each([1, 2, 255, 256, 257, 65_535, 65_536, 65_537])('of %i groups', (count) => {
  const mixed = Array.from({ length: 50 }, (_, i) => (i * 7919) % count)
  const all = [...mixed, ...Array.from({ length: count }, (_, i) => i)]
  expect(roundTrip(all)).toEqual(all)
})

test('a number beyond the groups, and more groups than records, are damage', () => {
  expect(() => readOrder(new ByteReader(written([0, 1, 2], 2)))).toThrow('names group 2 of 2')
  expect(() => readOrder(new ByteReader(written([0], 2)))).toThrow('groups are claimed')
})
