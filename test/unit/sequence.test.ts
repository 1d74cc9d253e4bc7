/** Sequence: loss, repetition, disorder and restarts of one sender, told apart by its sequence numbers. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SequenceCounts } from '../../src/link/sequence.js'
import { Sequence } from '../../src/link/sequence.js'

/** Numbers that come 100 ms apart; a `[number, pause in ms]` comes later. */
function counts(numbers: readonly (number | readonly [number, number])[]): SequenceCounts {
  const sequence = new Sequence()
  let timeUs = 5_000_000
  for (const each of numbers) {
    const [seq, pauseMs] = typeof each === 'number' ? [each, 100] : each
    timeUs += pauseMs * 1000
    sequence.observe(seq, timeUs)
  }
  return sequence.counts
}

const upFrom = (first: number, length: number): number[] =>
  Array.from({ length }, (_, i) => (first + i) & 0xff)

const clean = { lost: 0, duplicates: 0, reordered: 0, restarts: 0 }

describe('sequence numbers', () => {
  test('that count on, past 255 too, say that nothing is lost', () => {
    expect(counts(upFrom(250, 1000))).toEqual({ ...clean, frames: 1000 })
  })

  test.each([0, 1, 9, 200, 255])(
    'from %i on: a sender that is joined in the middle has lost nothing',
    (first) => {
      expect(counts([first, (first + 1) & 0xff])).toEqual({ ...clean, frames: 2 })
    },
  )

  test('that are left out are lost, also across 255', () => {
    expect(counts([10, 11, 15])).toMatchObject({ frames: 3, lost: 3 })
    expect(counts([254, 2])).toMatchObject({ lost: 3, restarts: 0 })
    expect(counts([0, 192])).toMatchObject({ lost: 191 })
  })

  test('that come again are duplicates, at once or a little later', () => {
    expect(counts([1, 2, 2, 3])).toEqual({ ...clean, frames: 4, duplicates: 1 })
    expect(counts([1, 2, 3, 2, 4, 5])).toEqual({ ...clean, frames: 6, duplicates: 1 })
    expect(counts([...upFrom(0, 300), ...upFrom(300 - 60, 60)])).toEqual({
      ...clean,
      frames: 360,
      duplicates: 60,
    })
  })

  test('that come late are reordered, not lost', () => {
    expect(counts([1, 3, 2, 4])).toEqual({ ...clean, frames: 4, reordered: 1 })
    expect(counts([255, 2, 0, 1, 3])).toEqual({ ...clean, frames: 5, reordered: 2 })
  })

  test('beyond the window are loss: a sender must then have lost most of a round', () => {
    expect(counts([100, 100 - 63])).toEqual({ ...clean, frames: 2, reordered: 1 })
    expect(counts([100, 100 - 64])).toEqual({ ...clean, frames: 2, lost: 191 })
  })

  test('that come late twice are reordered once and repeated once', () => {
    expect(counts([1, 3, 2, 2, 4])).toEqual({ ...clean, frames: 5, reordered: 1, duplicates: 1 })
  })

  test('of before the first one that was seen are late, and were never counted as lost', () => {
    expect(counts([10, 9, 8, 11])).toEqual({ ...clean, frames: 4, reordered: 2 })
    expect(counts([10, 9, 9, 11])).toEqual({ ...clean, frames: 4, reordered: 1, duplicates: 1 })
    expect(counts([0, 255, 1])).toEqual({ ...clean, frames: 3, reordered: 1 })
  })

  test('of the round before do not count as repeated', () => {
    expect(counts([...upFrom(0, 256), ...upFrom(0, 10), 11, 10])).toEqual({
      ...clean,
      frames: 268,
      reordered: 1,
    })
  })

  test('that begin anew after a silence are a restart, not loss', () => {
    expect(counts([...upFrom(0, 101), [0, 3000], 1, 2])).toEqual({ ...clean, frames: 104, restarts: 1 })
    expect(counts([...upFrom(0, 101), [3, 3000], 4])).toEqual({ ...clean, frames: 103, restarts: 1 })
  })

  test('that jump to a small one without a silence are loss', () => {
    expect(counts([...upFrom(0, 200), 0])).toMatchObject({ lost: 56, restarts: 0 })
  })

  test('that jump to a large one after a silence are loss', () => {
    expect(counts([...upFrom(0, 100), [130, 60_000]])).toMatchObject({ lost: 30, restarts: 0 })
  })

  test('of a slow sender: going on at 255 is no restart, and standing still is repetition', () => {
    expect(
      counts([
        [254, 2000],
        [255, 2000],
        [0, 2000],
        [1, 2000],
      ]),
    ).toEqual({ ...clean, frames: 4 })
    expect(
      counts([
        [0, 2000],
        [0, 2000],
        [0, 2000],
      ]),
    ).toEqual({ ...clean, frames: 3, duplicates: 2 })
  })

  test('a restart forgets what was missing before it', () => {
    const after = counts([...upFrom(0, 50), 52, [1, 2000], 0, 2])
    expect(after).toEqual({ frames: 54, lost: 2, duplicates: 0, reordered: 1, restarts: 1 })
  })
})

test('Counted: whatever is lost, repeated or late within the window is counted as what it is', () => {
  const fate = fc.constantFrom('come', 'come', 'come', 'lost', 'twice', 'late')
  const property = fc.property(
    fc.array(fate, { maxLength: 600, size: 'max' }),
    fc.integer({ min: 0, max: 255 }),
    (fates, first) => {
      const numbers: number[] = [first]
      const late: number[] = []
      const expected = { lost: 0, duplicates: 0, reordered: 0, restarts: 0 }
      let run = 0
      fates.forEach((what, i) => {
        const seq = (first + 1 + i) & 0xff
        // The window's edge is tested above; here a frame always comes within it.
        const goes = what !== 'come' && what !== 'twice' && run < 20 ? what : 'come'
        run = goes === 'come' ? 0 : run + 1
        if (goes === 'late') late.push(seq)
        else if (goes === 'lost') expected.lost++
        else {
          numbers.push(seq)
          if (what === 'twice') {
            numbers.push(seq)
            expected.duplicates++
          }
          expected.reordered += late.length
          numbers.push(...late.splice(0).toReversed())
        }
      })
      numbers.push((first + fates.length + 1) & 0xff)
      expected.reordered += late.length
      numbers.push(...late)
      expect(counts(numbers)).toEqual({ ...expected, frames: numbers.length })
    },
  )
  fc.assert(property, { numRuns: 200 })
})
