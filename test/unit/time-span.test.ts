/** Time span: a recording's beginning and end, whatever damage did to single timestamps. */
import { expect, test } from 'vitest'
import { TimeSpan } from '../../src/storage/import/time-span.js'

/** 2024-01-01, µs. */
const START_US = 1_704_067_200e6
const YEAR_US = 365 * 86_400e6

function spanOf(times: readonly number[]): { fromUs: number; toUs: number } | null {
  const span = new TimeSpan()
  for (const time of times) span.add(time)
  return span.span
}

const flight = (fromUs: number): number[] => Array.from({ length: 1000 }, (_, i) => fromUs + i * 1e5)

test('it is that of the first and the last frame, in whatever order they came', () => {
  expect(spanOf(flight(START_US).toReversed())).toEqual({ fromUs: START_US, toUs: START_US + 999e5 })
})

test('timestamps that are wrong by years do not stretch it, not even the first one', () => {
  const times = [START_US + 60 * YEAR_US, ...flight(START_US), START_US - 9 * YEAR_US, 0, 2 ** 60]
  expect(spanOf(times)).toEqual({ fromUs: START_US, toUs: START_US + 999e5 })
})

test('two flights of one recording, a day apart, both count', () => {
  const next = START_US + 86_400e6
  expect(spanOf([...flight(START_US), ...flight(next)])).toEqual({ fromUs: START_US, toUs: next + 999e5 })
})

test('without a timestamp that can be believed there is none', () => {
  expect(spanOf([0, 1, 2 ** 63])).toBeNull()
})
