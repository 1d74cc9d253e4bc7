/**
 * The position of the switch from its contacts over time: over all short sequences against a second opinion that looks back over
 * the whole history, and over long random ones by what must hold in each.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  BOUNCE_WINDOW_MS,
  LONGEST_MOVEMENT_MS,
  MAX_MOVEMENTS,
  PERMIT_STABLE_MS,
  READING_EXPIRES_MS,
  nextChangeMs,
  positionOf,
  startFilter,
  step,
  type FilterEvent,
  type FilterState,
  type Wiring,
} from '../../src/hw/switch/position-filter.js'
import type { Contacts } from '../../src/hw/switch/reading.js'

const PERMIT: Contacts = { permit: 'closed', shut: 'open' }
const SHUT: Contacts = { permit: 'open', shut: 'closed' }
const BOTH_CLOSED: Contacts = { permit: 'closed', shut: 'closed' }
const BOTH_OPEN: Contacts = { permit: 'open', shut: 'open' }
const UNKNOWN: Contacts = { permit: null, shut: 'open' }

interface Moment {
  event: FilterEvent
  atMs: number
}

const sample = (contacts: Contacts): FilterEvent => ({ kind: 'sample', contacts })
const TIME: FilterEvent = { kind: 'time' }
const TROUBLE: FilterEvent = { kind: 'trouble', reason: 'a line is gone' }

function run(moments: readonly Moment[], wiring: Wiring = 'antivalent'): FilterState {
  return moments.reduce((state, { event, atMs }) => step(state, event, atMs), startFilter(wiring, 0))
}

/** Samples as given, `[ms, contacts]`, then the reading at the end. */
function after(samples: readonly (readonly [number, Contacts])[], atMs: number, wiring?: Wiring) {
  const moments = samples.map(([at, contacts]) => ({ event: sample(contacts), atMs: at }))
  return run([...moments, { event: TIME, atMs }], wiring).reading
}

describe('PERMIT', () => {
  it('is permit at the first reading that finds it 500 ms after the first', () => {
    const stable: [number, Contacts][] = [
      [0, SHUT],
      [1000, PERMIT],
      [1499, PERMIT],
    ]
    expect(after(stable, 1499)).toMatchObject({ position: 'shut', reason: 'PERMIT is not stable yet' })
    expect(after(stable, 2500)).toMatchObject({ position: 'shut' })
    const confirmed = [...stable, [1500, PERMIT]] as const
    expect(after(confirmed, 1500)).toEqual({
      position: 'permit',
      reason: 'the switch is in PERMIT',
      isAtShut: false,
      shutSeen: true,
      contacts: PERMIT,
      sinceMs: 1500,
    })
  })

  it('is at SHUT by the contacts alone: on the way, and until it is stable, it is `shut` and not there', () => {
    const way = [SHUT, BOTH_OPEN, PERMIT, BOTH_OPEN, SHUT].map((contacts, i): [number, Contacts] => [
      i * 40,
      contacts,
    ])
    const isAtShut = way.map(([atMs], i) => after(way.slice(0, i + 1), atMs).isAtShut)
    expect(isAtShut).toEqual([true, false, false, false, true])
    expect(run([]).reading).toMatchObject({ position: 'shut', isAtShut: false })
  })

  it.each([SHUT, BOTH_CLOSED, BOTH_OPEN, UNKNOWN])('ends at one sample of %j, at once', (contacts) => {
    const moments: [number, Contacts][] = [
      [0, PERMIT],
      [600, PERMIT],
    ]
    expect(after(moments, 600).position).toBe('permit')
    expect(after([...moments, [601, contacts]], 601).position).not.toBe('permit')
    expect(after([...moments, [601, contacts], [602, PERMIT]], 1101).position).not.toBe('permit')
  })

  it('says whether SHUT was seen since the start', () => {
    expect(
      after(
        [
          [0, PERMIT],
          [600, PERMIT],
        ],
        600,
      ),
    ).toMatchObject({ position: 'permit', shutSeen: false })
    expect(after([[0, SHUT]], 0).shutSeen).toBe(true)
    expect(after([[0, BOTH_CLOSED]], 0).shutSeen).toBe(false)
  })
})

describe('doubt', () => {
  it('before the first reading it is shut, and in doubt after 5 s', () => {
    expect(run([{ event: TIME, atMs: 5000 }]).reading).toMatchObject({
      position: 'shut',
      reason: 'no reading yet',
    })
    expect(run([{ event: TIME, atMs: 5001 }]).reading).toMatchObject({
      position: 'doubt',
      reason: 'no reading for 5.0 s',
    })
  })

  it('a reading older than 5 s is none', () => {
    const old: [number, Contacts][] = [
      [0, SHUT],
      [10, PERMIT],
      [600, PERMIT],
    ]
    expect(after(old, 5600).position).toBe('permit')
    expect(after(old, 6800)).toMatchObject({
      position: 'doubt',
      reason: 'no reading for 6.2 s',
      contacts: { permit: null, shut: null },
      sinceMs: 6800,
    })
    // And nothing of before counts toward the next 500 ms.
    expect(after([...old, [6800, PERMIT]], 6800).position).toBe('shut')
    expect(after([...old, [6800, PERMIT], [7300, PERMIT]], 7300).position).toBe('permit')
  })

  it('a line that is gone, until the next sample', () => {
    const gone = run([
      { event: sample(PERMIT), atMs: 0 },
      { event: sample(PERMIT), atMs: 600 },
      { event: TROUBLE, atMs: 700 },
    ])
    expect(gone.reading).toMatchObject({ position: 'doubt', reason: 'a line is gone', sinceMs: 700 })
    const back = step(gone, sample(PERMIT), 800)
    expect(back.reading).toMatchObject({ position: 'shut', reason: 'PERMIT is not stable yet' })
    expect(step(back, sample(PERMIT), 1299).reading.position).toBe('shut')
    expect(step(back, sample(PERMIT), 1300).reading.position).toBe('permit')
  })

  it('a contact that is not known', () => {
    expect(after([[0, UNKNOWN]], 0)).toMatchObject({ position: 'doubt', reason: 'a contact is not known' })
  })
})

describe('bounce', () => {
  /** Flips between two samples, `pauseMs` apart, `count` times. */
  const flips = (count: number, pauseMs: number, firstMs = 1000) =>
    Array.from(
      { length: count },
      (_, index) => [firstMs + index * pauseMs, index % 2 === 0 ? PERMIT : SHUT] as const,
    )

  it('of a good switch is none: 20 ms of it', () => {
    const bounce = flips(21, 1)
    expect(bounce.at(-1)).toEqual([1020, PERMIT])
    expect(after([[0, SHUT], ...bounce], 1020).position).toBe('shut')
    expect(after([[0, SHUT], ...bounce, [1600, PERMIT]], 1600).position).toBe('permit')
  })

  it('that does not end is doubt, until 3 s after its last change', () => {
    const chatter = flips(2 + LONGEST_MOVEMENT_MS / 20 + 1, 20)
    const lastMs = chatter.at(-1)![0]
    const all = [[0, SHUT], ...chatter] as const
    expect(after(all, lastMs)).toMatchObject({ position: 'doubt', reason: 'the contacts bounce' })
    expect(after(all, lastMs + BOUNCE_WINDOW_MS - 1).position).toBe('doubt')
    expect(after(all, lastMs + BOUNCE_WINDOW_MS).position).toBe('shut')
  })

  it('as often as a hand turns it is none, more often it is doubt', () => {
    const hand = [[0, SHUT], ...flips(MAX_MOVEMENTS, 400)] as const
    expect(after(hand, 3001).position).toBe('shut')
    const loose = [[0, SHUT], ...flips(MAX_MOVEMENTS + 1, 400)] as const
    expect(after(loose, 3400)).toMatchObject({ position: 'doubt', reason: 'the contacts bounce' })
    const slow = [[0, SHUT], ...flips(MAX_MOVEMENTS + 1, 600)] as const
    expect(after(slow, 4600).position).toBe('shut')
  })
})

describe('single wiring', () => {
  it('a circuit that opens, as that of a cut cable does, is SHUT at once', () => {
    const samples: [number, Contacts][] = [
      [0, { permit: 'open', shut: null }],
      [1000, { permit: 'closed', shut: null }],
      [1500, { permit: 'closed', shut: null }],
    ]
    expect(after(samples, 1500, 'single').position).toBe('permit')
    expect(after([...samples, [1600, { permit: 'open', shut: null }]], 1600, 'single')).toMatchObject({
      position: 'shut',
      reason: 'the switch is SHUT',
      shutSeen: true,
    })
  })

  it('takes no notice of the other contact', () => {
    expect(after([[0, BOTH_CLOSED]], 1000, 'single')).toMatchObject({
      position: 'shut',
      reason: 'PERMIT is not stable yet',
      contacts: { permit: 'closed', shut: null },
    })
  })
})

/**
 * The second opinion: looks back over all that happened. Blind to bounces, so it is asked about sequences that are too short
 * for one only.
 */
function secondOpinion(history: readonly Moment[], wiring: Wiring): 'permit' | 'not permit' {
  const nowMs = history.at(-1)?.atMs ?? 0
  const told = history.filter(({ event }) => event.kind !== 'time')
  let begin: number | null = null
  let last: number | null = null
  for (const { event, atMs } of told) {
    const isPermit = event.kind === 'sample' && positionOf(event.contacts, wiring) === 'permit'
    if (!isPermit) begin = null
    else if (begin === null || (last !== null && atMs - last > READING_EXPIRES_MS)) begin = atMs
    if (event.kind === 'sample') last = atMs
  }
  if (begin === null || last === null || nowMs - last > READING_EXPIRES_MS) return 'not permit'
  return last - begin >= PERMIT_STABLE_MS ? 'permit' : 'not permit'
}

describe('over all short sequences', () => {
  const events = [PERMIT, SHUT, BOTH_CLOSED, BOTH_OPEN].map(sample).concat([TIME, TROUBLE])
  const pauses = [10, 499, 501, READING_EXPIRES_MS + 1]
  const LENGTH = 4

  it.each<Wiring>(['antivalent', 'single'])(
    '%s: permit exactly where the second opinion says so',
    (wiring) => {
      let count = 0
      let permits = 0
      const differing: Moment[][] = []
      const walk = (state: FilterState, history: Moment[]) => {
        if (history.length > 0) {
          count++
          const permit = state.reading.position === 'permit'
          if (permit) permits++
          if (permit !== (secondOpinion(history, wiring) === 'permit')) differing.push(history)
        }
        if (history.length === LENGTH) return
        for (const event of events)
          for (const pause of pauses) {
            const atMs = state.nowMs + pause
            walk(step(state, event, atMs), [...history, { event, atMs }])
          }
      }
      walk(startFilter(wiring, 0), [])
      expect(differing.slice(0, 3)).toEqual([])
      expect(count).toBe(24 + 24 ** 2 + 24 ** 3 + 24 ** 4)
      expect(permits).toBeGreaterThan(1000)
    },
  )
})

describe('over long random sequences', () => {
  const circuit = fc.constantFrom('closed' as const, 'open' as const)
  const contacts = fc.oneof(
    { weight: 6, arbitrary: fc.constant(PERMIT) },
    { weight: 3, arbitrary: fc.constant(SHUT) },
    { weight: 1, arbitrary: fc.record({ permit: circuit, shut: circuit }) },
    { weight: 1, arbitrary: fc.constant(UNKNOWN) },
  )
  const event: fc.Arbitrary<FilterEvent> = fc.oneof(
    { weight: 10, arbitrary: contacts.map(sample) },
    { weight: 1, arbitrary: fc.constant(TROUBLE) },
    { weight: 2, arbitrary: fc.constant(TIME) },
  )
  const pauseMs = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 60 }) },
    { weight: 6, arbitrary: fc.integer({ min: 100, max: 800 }) },
    { weight: 1, arbitrary: fc.integer({ min: 2000, max: 6000 }) },
  )
  const sequence = fc.array(fc.record({ event, pauseMs }), { maxLength: 60 }).map((steps) => {
    let atMs = 0
    return steps.map((each) => ({ event: each.event, atMs: (atMs += each.pauseMs) }))
  })
  const wiring = fc.constantFrom<Wiring>('antivalent', 'single')
  const RUNS = { numRuns: 3000 }

  it('never permit within 500 ms of anything that is not PERMIT, nor on a reading older than 5 s', () => {
    fc.assert(
      fc.property(sequence, wiring, (moments, wires) => {
        let state = startFilter(wires, 0)
        let badMs = 0
        let sampledMs = 0
        for (const moment of moments) {
          if (moment.atMs - sampledMs > READING_EXPIRES_MS) badMs = moment.atMs
          state = step(state, moment.event, moment.atMs)
          if (moment.event.kind === 'sample') sampledMs = moment.atMs
          const good =
            moment.event.kind === 'time' ||
            (moment.event.kind === 'sample' && positionOf(moment.event.contacts, wires) === 'permit')
          if (!good) badMs = moment.atMs
          if (state.reading.position !== 'permit') continue
          expect(moment.atMs - badMs).toBeGreaterThanOrEqual(PERMIT_STABLE_MS)
          expect(moment.atMs - sampledMs).toBeLessThanOrEqual(READING_EXPIRES_MS)
          expect(positionOf(state.reading.contacts, wires)).toBe('permit')
        }
      }),
      RUNS,
    )
  })

  it('looking changes nothing: readings are the same, however often they are asked for', () => {
    fc.assert(
      fc.property(
        sequence,
        wiring,
        fc.infiniteStream(fc.integer({ min: 0, max: 400 })),
        (moments, wires, looks) => {
          let plain = startFilter(wires, 0)
          let looked = startFilter(wires, 0)
          for (const { event: what, atMs } of moments) {
            for (let at = looked.nowMs; at < atMs; at += 1 + (looks.next().value ?? 0))
              looked = step(looked, TIME, at)
            looked = step(looked, what, atMs)
            plain = step(plain, what, atMs)
            const { sinceMs: _a, ...one } = plain.reading
            const { sinceMs: _b, ...other } = looked.reading
            expect(other).toEqual(one)
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it('time alone changes a position when it was told to, and not before', () => {
    fc.assert(
      fc.property(sequence, wiring, (moments, wires) => {
        const state = run(moments, wires)
        const due = nextChangeMs(state)
        if (due === null) return
        expect(step(state, TIME, due - 0.5).reading.position).toBe(state.reading.position)
        for (const far of [due + 1e4, due + 1e6])
          expect(step(state, TIME, far).reading.position).toBe('doubt')
      }),
      RUNS,
    )
  })

  it('SHUT once seen stays seen, and a position is dated from when it was first read', () => {
    fc.assert(
      fc.property(sequence, wiring, (moments, wires) => {
        let state = startFilter(wires, 0)
        let seen = false
        for (const { event: what, atMs } of moments) {
          const before = state.reading
          state = step(state, what, atMs)
          seen ||= what.kind === 'sample' && positionOf(what.contacts, wires) === 'shut'
          expect(state.reading.shutSeen).toBe(seen)
          const same = state.reading.position === before.position
          expect(state.reading.sinceMs).toBe(same ? before.sinceMs : atMs)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('a clock that goes back is one that stood still', () => {
    const state = run([{ event: sample(SHUT), atMs: 1000 }])
    expect(step(state, sample(PERMIT), 900)).toEqual(step(state, sample(PERMIT), 1000))
  })
})
