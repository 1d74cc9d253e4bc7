/** Clock anchors: receive times become UTC, also those from before anything knew the time. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ClockAnchors, UtcClock } from '../../src/storage/flight/clock-anchors.js'
import type { ClockAnchor } from '../../src/storage/flight/flight.js'
import { FRAME } from '../../src/storage/segment/records.js'
import { decodeSegment, encodeSegment } from '../../src/storage/segment/segment.js'
import { HEARTBEAT, known } from '../support/frames.js'
import { linesOf, recordsOf } from '../support/recordings.js'

const S = 1e6
/** UTC − receive time of the tests' true clock (µs). */
const OFFSET = 1_790_000_000 * S

const seen = (source: ClockAnchor['source'], recvTimeUs: number, offset = OFFSET): ClockAnchor => ({
  source,
  recvTimeUs,
  utcUs: recvTimeUs + offset,
})

/** What is kept of these observations. */
function kept(observations: readonly ClockAnchor[]): ClockAnchor[] {
  const anchors = new ClockAnchors()
  return observations.flatMap((each) => anchors.observe(each) ?? [])
}

describe('Late truth', () => {
  test('a fix that comes late dates what came before it', () => {
    // A Pi without a clock believes that it is 1970, until the vehicle has a fix after ten minutes.
    const wrong = Array.from({ length: 900 }, (_, s) => seen('system', s * S, 7 * S))
    const fix = Array.from({ length: 300 }, (_, s) => seen('gps', (600 + s) * S))
    const all = [...wrong, ...fix].toSorted((a, b) => a.recvTimeUs - b.recvTimeUs)
    const clock = new UtcClock(kept(all))
    expect(clock.source).toBe('gps')
    for (const recvTimeUs of [0, 1, 599 * S, 600 * S, 899 * S, 2000 * S]) {
      expect(clock.offsetUs(recvTimeUs)).toBe(OFFSET)
    }
  })

  test('the first observation is kept at once, so that no flight is too short for one', () => {
    const anchors = new ClockAnchors()
    expect(anchors.observe(seen('gps', 5 * S))).toEqual(seen('gps', 5 * S))
    expect(anchors.observe(seen('gps', 6 * S))).toBe(undefined)
    expect(anchors.observe(seen('system', 6 * S))).toEqual(seen('system', 6 * S))
  })

  test('of each window the least delayed observation is kept', () => {
    const delay = fc.integer({ min: 0, max: S })
    const property = fc.property(
      fc.array(delay, { minLength: 200, maxLength: 400, size: 'max' }),
      (delays) => {
        const observations = delays.map((delayUs, i) => seen('gps', i * S, OFFSET - delayUs))
        const [first, ...later] = kept(observations)
        expect(first).toEqual(observations[0])
        expect(later).toHaveLength(Math.floor((delays.length - 1) / 60))
        later.forEach((anchor, window) => {
          const own = delays.slice(window * 60, (window + 1) * 60 + 1)
          expect(anchor.utcUs - anchor.recvTimeUs).toBe(OFFSET - Math.min(...own))
        })
        const clock = new UtcClock([first!, ...later])
        const lastAnchor = later.at(-1)!
        expect(clock.offsetUs(lastAnchor.recvTimeUs)).toBe(lastAnchor.utcUs - lastAnchor.recvTimeUs)
      },
    )
    fc.assert(property, { numRuns: 50 })
  })

  test.each([
    ['back', -10 * S],
    ['ahead', 10 * S],
  ])('a clock that is set %s dates by its new time at once', (_, stepUs) => {
    const anchors = new ClockAnchors()
    const before = Array.from({ length: 90 }, (__, s) => seen('system', s * S))
    const after = Array.from({ length: 200 }, (__, s) => seen('system', (90 + s) * S, OFFSET + stepUs))
    const all = before.flatMap((each) => anchors.observe(each) ?? [])
    expect(anchors.observe(after[0]!)).toEqual(after[0])
    all.push(after[0]!, ...after.slice(1).flatMap((each) => anchors.observe(each) ?? []))
    const clock = new UtcClock(all)
    for (let s = 0; s < 290; s++) expect(clock.offsetUs(s * S)).toBe(OFFSET + (s < 90 ? 0 : stepUs))
    expect(all.length, 'one a window besides').toBeLessThanOrEqual(6)
    expect(anchors.bests.map(({ utcUs, recvTimeUs }) => utcUs - recvTimeUs)).toEqual([OFFSET + stepUs])
  })

  test('a vehicle’s time that comes late by whatever, and a system clock by a second, is no step', () => {
    const late = [seen('gps', 0), seen('gps', S, OFFSET - S), seen('gps', 2 * S, OFFSET - 5 * S)]
    expect(kept(late)).toEqual([late[0]])
    const set = [seen('system', 0), seen('system', S, OFFSET - S), seen('system', 2 * S, OFFSET - S - 1)]
    expect(kept(set)).toEqual([set[0], set[2]])
  })

  test('the best so far of every source is what another flight starts with', () => {
    const anchors = new ClockAnchors()
    anchors.observe(seen('gps', 1 * S, OFFSET - 500))
    anchors.observe(seen('gps', 2 * S, OFFSET - 20))
    anchors.observe(seen('gps', 3 * S, OFFSET - 900))
    anchors.observe(seen('system', 3 * S, 1))
    expect(anchors.bests).toEqual([seen('gps', 2 * S, OFFSET - 20), seen('system', 3 * S, 1)])
  })

  test('a clock that drifts is followed, from anchor to anchor', () => {
    // 50 µs a second.
    const drifting = Array.from({ length: 3600 }, (_, s) => seen('ntp', s * S, OFFSET - 50 * s))
    const clock = new UtcClock(kept(drifting))
    for (let s = 0; s < 3600; s += 7) {
      expect(Math.abs(clock.offsetUs(s * S) - (OFFSET - 50 * s))).toBeLessThanOrEqual(50 * 120)
    }
  })

  test('the best source is believed, however few anchors it has', () => {
    const all = [seen('system', 1, 4), seen('ntp', 2, 3), seen('gps', 3, 2), seen('recorded', 4, 1)]
    for (let from = 0; from < all.length; from++) {
      const clock = new UtcClock(all.slice(0, from + 1).toReversed())
      expect(clock.source).toBe(all[from]!.source)
      expect(clock.offsetUs(0)).toBe(4 - from)
    }
  })

  test('without an anchor nothing is dated', () => {
    const clock = new UtcClock([])
    expect(clock.source).toBe(undefined)
    expect(clock.offsetUs(5)).toBe(0)
  })

  test('a clock step never reorders a record: it dates, and the receive time orders', async () => {
    // The system clock is set back by an hour, and then ahead by a day.
    const offsets = [OFFSET, OFFSET - 3600 * S, OFFSET + 86_400 * S]
    const anchors = offsets.map((offset, i) => seen('system', i * 100 * S, offset))
    const clock = new UtcClock(anchors.toReversed())
    const records = recordsOf(
      Array.from({ length: 300 }, (_, s) => ({
        kind: FRAME,
        link: 0,
        timeUs: BigInt(s * S),
        bytes: known(HEARTBEAT, { seq: s & 255 }),
      })),
    )
    const { pieces } = await encodeSegment(records, () => undefined)
    const decoded = await decodeSegment(pieces)
    expect(linesOf(decoded)).toEqual(linesOf(records))
    const times = Array.from(decoded.times.subarray(0, decoded.count), Number)
    expect(times.map((recvTimeUs) => clock.offsetUs(recvTimeUs))).toEqual(
      times.map((_, s) => offsets[Math.floor(s / 100)]),
    )
  })
})
