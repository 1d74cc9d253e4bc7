/** Order: how groups were interleaved comes back, also of more groups than two bytes can number. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader } from '../../src/base/byte-reader.js'
import { ByteWriter } from '../../src/base/byte-writer.js'
import { GroupPrediction, readOrder, writeOrder } from '../../src/storage/segment/order.js'

/** What a reader makes of what was written for these records; and how many of them were not predicted. */
function roundTrip(records: readonly (readonly [group: number, timeUs: bigint])[]): {
  numbers: number[]
  surprises: number
} {
  const groups = records.reduce((most, [group]) => Math.max(most, group + 1), 0)
  const lists = Array.from({ length: groups }, (): bigint[] => [])
  for (const [group, timeUs] of records) lists[group]!.push(timeUs)
  const times = lists.map((list) => BigUint64Array.from(list))
  const out = new ByteWriter()
  writeOrder(
    out,
    Uint32Array.from(records, ([group]) => group),
    times,
  )
  const read = readOrder(new ByteReader(out.copy()))
  const prediction = new GroupPrediction(times)
  const numbers = Array.from(read, (surprise) => {
    const number = surprise === 0 ? prediction.predicted : surprise - 1
    prediction.take(number)
    return number
  })
  return { numbers, surprises: read.filter((surprise) => surprise > 0).length }
}

test('groups come back in the order they were in, whatever their times', () => {
  const time = fc.oneof(fc.bigInt({ min: 0n, max: 5n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
  const group = fc.oneof(fc.nat(3), fc.nat(40))
  const records = fc.array(fc.tuple(group, time), { maxLength: 200, size: 'max' })
  const property = fc.property(records, (all) => {
    expect(roundTrip(all).numbers).toEqual(all.map(([number]) => number))
  })
  fc.assert(property, { numRuns: 300 })
})

test.each([1, 2, 254, 255, 256, 257, 65_535, 65_536])('of %i groups', (count) => {
  const all = Array.from({ length: count + 50 }, (_, i) => [(i * 7) % count, BigInt(i % 90)] as const)
  // Every group must have a record.
  const numbered = [...all, ...Array.from({ length: count }, (_, i) => [i, 5n] as const)]
  expect(roundTrip(numbered).numbers).toEqual(numbered.map(([number]) => number))
})

test('what comes by its times, or at equal times as it came before, is predicted', () => {
  const byTime = Array.from({ length: 5000 }, (_, i) => [(i * i) % 9, BigInt(i)] as const)
  expect(roundTrip(byTime).surprises).toBe(0)
  // Bursts that come with one read each, always in the order 4, 2, 0, 3, 1.
  const bursts = Array.from({ length: 5000 }, (_, i) => [(4 + 3 * i) % 5, BigInt(Math.floor(i / 5))] as const)
  const { numbers, surprises } = roundTrip(bursts)
  expect(numbers).toEqual(bursts.map(([number]) => number))
  expect(surprises).toBeLessThanOrEqual(5)
})
