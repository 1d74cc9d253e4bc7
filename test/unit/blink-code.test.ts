/** The lamp's codes can be told apart by counting, and every one of them moves. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { BLINK_CODES, TICK_MS, isLit, signalOf, type Signal } from '../../src/hw/lamp/blink-code.js'
import { REPOSITORY } from '../support/groundlock.js'

const SIGNALS = Object.keys(BLINK_CODES) as Signal[]

/** Flashes between two pauses of a second or more; Infinity where there is no such pause. */
function flashes(signal: Signal): number {
  const ticks = Array.from({ length: 48 }, (_, tick) => (isLit(signal, tick) ? '#' : '.')).join('')
  const groups = ticks.split(/\.{4,}/).filter((group) => group !== '')
  const counts = groups.map((group) => group.split('#').length - 1)
  expect(new Set(counts).size).toBe(1)
  return groups.length === 1 ? Infinity : counts[0]!
}

describe('blink codes', () => {
  it('are one flash, two, three, and flashes without end', () => {
    const found = Object.fromEntries(SIGNALS.map((signal) => [signal, flashes(signal)]))
    expect(found).toEqual({ shut: 1, recording: 2, permitted: 3, fault: Infinity })
  })

  it.each(SIGNALS)('%s never stands still for as long as a person looks', (signal) => {
    const ticks = Array.from({ length: 48 }, (_, tick) => isLit(signal, tick))
    const still = ticks.map((_, start) => ticks.slice(start).findIndex((lit) => lit !== ticks[start]))
    expect(Math.max(...still) * TICK_MS).toBeLessThan(3000)
  })

  it.each(SIGNALS)(
    '%s: a flash is long enough for sunlight, and slow enough for eyes and counting',
    (signal) => {
      expect(TICK_MS).toBeGreaterThanOrEqual(200)
      // WCAG 2.3.1: at most three flashes in any second.
      const perSecond = BLINK_CODES[signal].repeat(12).slice(0, 1000 / TICK_MS)
      expect(perSecond.split('#').length - 1).toBeLessThanOrEqual(3)
    },
  )

  it('are the ones that docs/switch.md shows', () => {
    const page = readFileSync(join(REPOSITORY, 'docs', 'switch.md'), 'utf8')
    const shown = [...page.matchAll(/`([#.]{24})`/g)].map((match) => match[1])
    expect(shown).toEqual(
      (['shut', 'recording', 'permitted', 'fault'] as const).map((signal) =>
        BLINK_CODES[signal].repeat(24).slice(0, 24),
      ),
    )
  })
})

it.each([
  ['blocked', 'open', 'none', 'shut'],
  ['blocked', 'open', 'disarmed', 'recording'],
  ['blocked', 'open', 'lost', 'recording'],
  ['blocked', 'closed', 'armed', 'shut'],
  ['permitted', 'closed', 'none', 'permitted'],
  ['fault', 'open', 'armed', 'fault'],
] as const)('a %s door with the link %s and the vehicle %s: %s', (door, link, vehicle, signal) =>
  expect(signalOf(door, { link, vehicle })).toBe(signal),
)
