/** What the screen says of a decision: the reading's own words, what led here, and how long it still takes. */
import { expect, it } from 'vitest'
import { decide } from '../../src/hw/decide/decide.js'
import { startState } from '../../src/hw/decide/guard-state.js'
import type { GuardInputs, GuardState, Phase } from '../../src/hw/decide/guard-state.js'
import { NOW_MS, calmInputs, stateIn } from '../support/guard-readings.js'

const reasonIn = (phase: Phase, inputs: Partial<GuardInputs>, state: Partial<GuardState> = {}) =>
  decide(stateIn(phase, state), calmInputs(inputs)).reason

it.each<[string, Partial<GuardInputs>, number]>([
  ['a permit is in it', { kernel: 'leased' }, 3000],
  ['eth0 has a lease of a minute', { kernel: 'leased', kernelProblem: 'eth0 has a lease of a minute' }, 3000],
  ['differs', { kernel: 'differs' }, 3000],
  ['chain input has a rule more', { kernel: 'differs', kernelProblem: 'chain input has a rule more' }, 3000],
  ['no reading for 5 s', { kernelAtMs: NOW_MS - 9000, kernelProblem: 'of before' }, 8000],
])('of a kernel that is not shut it says: %s', (kernel, inputs, changedAgoMs) => {
  expect(reasonIn('fault', inputs, { changedMs: NOW_MS - changedAgoMs })).toBe(
    `what led here (the kernel does not read as shut: ${kernel})`,
  )
})

it('while a fault is being shut it says no more than what led here', () => {
  expect(reasonIn('fault', { kernelAtMs: NOW_MS - 4000 }, { changedMs: NOW_MS - 3000 })).toBe('what led here')
})

it('a shutting that is late, and was told to shut again, was not read yet', () => {
  const late = { sinceMs: NOW_MS - 5001, changedMs: NOW_MS - 500 }
  expect(reasonIn('shutting', { kernelAtMs: NOW_MS - 900 }, late)).toBe(
    'the kernel does not read as shut after 5 s: not read yet',
  )
})

it('in a fault a switch in doubt says what is wrong with it now', () => {
  const inputs = { position: 'doubt', switchReason: 'no file /run/switch' } as const
  expect(reasonIn('fault', inputs)).toBe('the switch cannot be read: no file /run/switch')
})

it('what led to a fault and is still so is said once', () => {
  const inputs = { kernel: 'differs', kernelProblem: 'chain input has a rule more' } as const
  const { state, reason } = decide(stateIn('blocked'), calmInputs(inputs))
  expect(reason).toBe('the kernel is not as it was set: chain input has a rule more')
  expect(decide(state, calmInputs({ ...inputs, kernelAtMs: NOW_MS + 1 })).reason).toBe(reason)
  const other = calmInputs({ ...inputs, kernelProblem: 'the twin is gone', kernelAtMs: NOW_MS + 1 })
  expect(decide(state, other).reason).toBe(`${reason} (the kernel does not read as shut: the twin is gone)`)
})

it('a new fault that its reason names in the same words is still told whole', () => {
  const why = 'an uplink sent while it was shut: shut'
  expect(reasonIn('fault', { witness: 'grew', witnessProblem: 'eth0 sent 3 packets' }, { why })).toBe(
    `${why} (an uplink still sends: eth0 sent 3 packets)`,
  )
})

it('what led elsewhere is no reason to leave out what a fault is of', () => {
  const why = 'the guard was told: chain input has a rule more'
  const inputs = { kernel: 'differs', kernelProblem: 'chain input has a rule more' } as const
  expect(reasonIn('blocked', inputs, { why })).toBe(
    'the kernel is not as it was set: chain input has a rule more',
  )
})

it.each([
  [0, '60'],
  [1, '60'],
  [1000, '59'],
  [59_001, '1'],
])('after %d ms of a PERMIT that only an override helps against, %s s are left', (ms, left) => {
  const inputs = { position: 'permit', vehicle: 'lost' } as const
  expect(reasonIn('blocked', inputs, { stuckSinceMs: NOW_MS - ms })).toContain(`override this in ${left} s`)
})

it('the wait is never less than nothing', () => {
  // An opening that was under way when the vehicle went silent; what it waited before counts no more.
  const inputs = { position: 'permit', vehicle: 'lost' } as const
  expect(reasonIn('asking', inputs)).toContain('override this in 60 s')
})

it("the switch's and the witness's own words are in the reason", () => {
  expect(reasonIn('blocked', { position: 'doubt', switchReason: 'a wire is cut' })).toBe(
    'the switch cannot be read: a wire is cut',
  )
  expect(reasonIn('blocked', { switchReason: 'the lever says SHUT' })).toBe('the lever says SHUT')
  expect(reasonIn('blocked', { witness: 'grew', witnessProblem: 'eth0 sent 3 packets' })).toBe(
    'an uplink sent while it was shut: eth0 sent 3 packets',
  )
})

it('a guard that has just started shuts, says so, and begins with nothing asked, awaited or overridden', () => {
  const state = startState(NOW_MS)
  expect(state).toMatchObject({
    phase: 'shutting',
    renewedMs: -Infinity,
    asked: false,
    untilShut: false,
    insisting: false,
    override: false,
    stuckSinceMs: null,
    shutSinceMs: null,
  })
  const unread = calmInputs({ nowMs: NOW_MS + 1, position: 'permit', kernelAtMs: -Infinity })
  expect(decide(state, unread)).toMatchObject({ door: 'blocked', reason: 'the guard has just started' })
})
