/** What the guard remembers of switch and station, and what the table is shown of it. */
import { expect, it } from 'vitest'
import { decide } from '../../src/hw/decide/decide.js'
import { remember, viewOf } from '../../src/hw/decide/view.js'
import { NOW_MS, calmInputs, stateIn } from '../support/guard-readings.js'

const lost = calmInputs({ position: 'permit', vehicle: 'lost' })
const alone = calmInputs({ position: 'permit', station: 'absent', token: 'free' })

it('a doubt of the switch is no SHUT: what is awaited still is, and no wish is left', () => {
  const wishing = { insisting: true, override: true, stuckSinceMs: NOW_MS - 90_000 }
  const state = stateIn('blocked', { ...wishing, untilShut: true, shutSinceMs: NOW_MS - 1000 })
  expect(remember(state, calmInputs({ position: 'doubt' }))).toMatchObject({
    untilShut: true,
    shutSinceMs: null,
    insisting: false,
    override: false,
    stuckSinceMs: null,
  })
})

it.each([
  [699, true],
  [700, false],
])('SHUT for %d ms while it is awaited: still awaited %s', (ms, awaited) => {
  const state = stateIn('blocked', { untilShut: true, shutSinceMs: NOW_MS - ms })
  expect(remember(state, calmInputs()).untilShut).toBe(awaited)
})

it.each([
  [500, { untilShut: false, shutSinceMs: NOW_MS - 5000, shutLastedMs: 5000 }],
  [501, { untilShut: true, shutSinceMs: NOW_MS, shutLastedMs: 300 }],
])('after %d ms in which nobody looked a SHUT of before goes on, or begins anew', (unseenMs, wanted) => {
  const state = stateIn('blocked', { untilShut: true, shutSinceMs: NOW_MS - 5000, shutLastedMs: 300 })
  expect(remember(state, calmInputs({ unseenMs }))).toMatchObject(wanted)
})

it('a PERMIT behind a time in which nobody looked does not make a SHUT of it', () => {
  const state = stateIn('blocked', { untilShut: true, shutSinceMs: NOW_MS - 900, shutLastedMs: 100 })
  const permit = calmInputs({ position: 'permit', isAtShut: false, unseenMs: 800 })
  expect(remember(state, permit)).toMatchObject({ untilShut: true, shutSinceMs: null })
})

it.each([
  ['in an opening', stateIn('asking'), lost],
  ['while SHUT is awaited', stateIn('blocked', { untilShut: true }), lost],
  ['before SHUT was ever seen', stateIn('blocked'), { ...lost, shutSeen: false }],
  ['while another holds the link', stateIn('blocked'), { ...alone, token: 'other' as const }],
  ['with the vehicle on the ground', stateIn('blocked'), { ...lost, vehicle: 'disarmed' as const }],
])('the minute before an override does not run %s', (_, state, inputs) => {
  expect(remember(state, inputs).stuckSinceMs).toBeNull()
})

it.each([
  ['with a vehicle that went silent', lost],
  ['without a station', alone],
  ['without a station, the token still with the guard', { ...alone, token: 'mine' as const }],
])('that minute runs %s, from its first moment', (_, inputs) => {
  expect(remember(stateIn('blocked'), inputs).stuckSinceMs).toBe(NOW_MS)
  const later = { ...inputs, nowMs: NOW_MS + 500 }
  expect(remember(stateIn('blocked', { stuckSinceMs: NOW_MS }), later).stuckSinceMs).toBe(NOW_MS)
})

it('PERMIT ends what a SHUT insisted on', () => {
  const state = stateIn('blocked', { insisting: true, shutSinceMs: NOW_MS - 1000 })
  expect(remember(state, lost)).toMatchObject({ insisting: false, override: true, shutSinceMs: null })
})

it('a station is there until it is absent, and leaving for a second after that', () => {
  const present = remember(stateIn('blocked', { presentMs: NOW_MS - 90_000 }), calmInputs())
  expect(present.presentMs).toBe(NOW_MS)
  const station = (afterMs: number) => viewOf(present, { ...alone, nowMs: NOW_MS + afterMs }).station
  expect([station(999), station(1000)]).toEqual(['leaving', 'absent'])
})

it('an absent station knows of no vehicle', () => {
  expect(viewOf(stateIn('blocked'), { ...alone, vehicle: 'armed' }).vehicle).toBe('none')
})

it('a switch in doubt is in doubt, whether SHUT was ever seen or not', () => {
  expect(viewOf(stateIn('blocked'), calmInputs({ position: 'doubt', shutSeen: false })).position).toBe(
    'doubt',
  )
})

it('SHUT is held from its own beginning; in a fault, from that of the fault', () => {
  const times = { sinceMs: NOW_MS - 100, shutSinceMs: NOW_MS - 5000 }
  expect(viewOf(stateIn('blocked', times), calmInputs()).held).toBe(true)
  expect(viewOf(stateIn('fault', times), calmInputs()).held).toBe(false)
  expect(viewOf(stateIn('fault'), calmInputs({ position: 'permit' })).held).toBe(false)
})

it('the kernel was told something by each shutting and by a first permit, not by a renewal', () => {
  const permitting = calmInputs({ position: 'permit', token: 'mine' })
  const told = (...args: Parameters<typeof decide>) => decide(...args).state.changedMs === NOW_MS
  expect(told(stateIn('blocked'), calmInputs({ witness: 'grew' }))).toBe(true) // shut harder
  expect(told(stateIn('permitted'), calmInputs())).toBe(true)
  expect(told(stateIn('asking'), permitting)).toBe(true)
  const renewed = decide(stateIn('permitted'), { ...permitting, kernel: 'leased' })
  expect(renewed.effects).toEqual(['renew permit'])
  expect(renewed.state).toMatchObject({ changedMs: NOW_MS - 3000, renewedMs: NOW_MS })
  expect(told(stateIn('blocked'), calmInputs({ position: 'permit' }))).toBe(false)
})

it('a token is kept while the kernel was not read since it was told something', () => {
  const state = stateIn('blocked', { changedMs: NOW_MS - 5 })
  expect(decide(state, calmInputs({ token: 'mine' }))).toMatchObject({ row: 'switch is SHUT', effects: [] })
})

it('a fault with a kernel that was not read since is not cleared', () => {
  const state = stateIn('fault', { changedMs: NOW_MS - 5, shutSinceMs: NOW_MS - 5000 })
  expect(decide(state, calmInputs())).toMatchObject({ row: 'fault: is being shut' })
})
