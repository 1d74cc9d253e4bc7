/**
 * Two contacts that say the same: a switch on its way, and when that is called a doubt. Nobody may have looked meanwhile (an edge was
 * lost, the machine stalled), and that alone is none: a doubt would keep the door shut until the next SHUT.
 */
import { describe, expect, it } from 'vitest'
import {
  CONTACT_DISCREPANCY_MS,
  READING_EXPIRES_MS,
  startFilter,
  step,
} from '../../src/hw/switch/position-filter.js'
import type { Contacts, SwitchReading } from '../../src/hw/switch/reading.js'

const SHUT: Contacts = { permit: 'open', shut: 'closed' }
const PERMIT: Contacts = { permit: 'closed', shut: 'open' }
const BOTH_OPEN: Contacts = { permit: 'open', shut: 'open' }
const BOTH_CLOSED: Contacts = { permit: 'closed', shut: 'closed' }

/** The first moment that is behind the discrepancy time, and the last that is not. */
const LATE_MS = CONTACT_DISCREPANCY_MS + 1
const EARLY_MS = CONTACT_DISCREPANCY_MS

type Told = readonly [atMs: number, contacts: Contacts | 'line gone' | 'time']

/** The reading after what was told. */
function after(told: readonly Told[]): SwitchReading {
  return told.reduce(
    (state, [atMs, what]) => {
      if (what === 'time') return step(state, { kind: 'time' }, atMs)
      if (what === 'line gone') return step(state, { kind: 'trouble', reason: what }, atMs)
      return step(state, { kind: 'sample', contacts: what }, atMs)
    },
    startFilter('antivalent', 0),
  ).reading
}

describe('two contacts that agree', () => {
  it.each([
    [BOTH_CLOSED, 'both contacts are closed'],
    [BOTH_OPEN, 'both contacts are open: the switch is half way, or a wire is cut'],
  ])('are doubt where three samples find it behind the discrepancy time: %j', (contacts, reason) => {
    const twice = [0, EARLY_MS, EARLY_MS, LATE_MS, LATE_MS].map((atMs) => [atMs, contacts] as const)
    expect(after(twice)).toMatchObject({ position: 'shut', reason: 'the switch is moving' })
    expect(after([...twice, [LATE_MS, contacts]])).toMatchObject({ position: 'doubt', reason })
  })

  it.each([
    ['permit', SHUT, BOTH_CLOSED, 'the shut contact did not move with the other'],
    ['permit', PERMIT, BOTH_OPEN, 'the shut contact did not move with the other'],
    ['shut', SHUT, BOTH_OPEN, 'the permit contact did not move with the other'],
    ['shut', PERMIT, BOTH_CLOSED, 'the permit contact did not move with the other'],
  ])('though only the %s contact moved, from %j to %j: names the stuck one', (_, from, to, reason) => {
    const stuck = after([
      [0, from],
      [1000, to],
      [1000 + LATE_MS, to],
      [1000 + LATE_MS, to],
      [1000 + LATE_MS, to],
    ])
    expect(stuck.position).toBe('doubt')
    expect(stuck.reason).toContain(reason)
  })
})

describe('contacts that were half way when somebody looked last', () => {
  const leaving = [
    [0, SHUT],
    [1000, BOTH_OPEN],
  ] as const

  it('are moving for as long as a reading counts, and then none is known', () => {
    const lastMs = 1000 + READING_EXPIRES_MS
    expect(after([...leaving, [lastMs, 'time']])).toMatchObject({
      position: 'shut',
      reason: 'the switch is moving',
    })
    expect(after([...leaving, [lastMs + 1, 'time']])).toMatchObject({
      position: 'doubt',
      reason: 'no reading for 5.0 s',
    })
  })

  it('and have arrived are no doubt, though an old level is told first, and then the contact that had moved', () => {
    const told = [...leaving, [3000, 'time'], [3000, BOTH_OPEN], [3001, BOTH_OPEN]] as const
    expect(after(told).position).toBe('shut')
    const arrived = [...told, [3002, PERMIT]] as const
    expect(after(arrived)).toMatchObject({ position: 'shut', reason: 'PERMIT is not stable yet' })
    expect(after([...arrived, [3502, PERMIT]]).position).toBe('permit')
  })

  it('count anew after a movement, and after a line that was gone', () => {
    const late = (sinceMs: number) => [sinceMs + LATE_MS, BOTH_OPEN] as const
    const before = [...leaving, late(1000), late(1000)] as const
    for (const between of [SHUT, 'line gone'] as const) {
      const again = [...before, [2000, between], [3000, BOTH_OPEN], late(3000), late(3000)] as const
      expect(after(again).position).toBe('shut')
      expect(after([...again, late(3000)]).position).toBe('doubt')
    }
  })
})
