/** The decision as it is lived: openings, refusals, doubts and the override, moment by moment. */
import { expect, it } from 'vitest'
import { decide, rowFor } from '../../src/hw/decide/decide.js'
import { startState } from '../../src/hw/decide/guard-state.js'
import type { GuardInputs, GuardState } from '../../src/hw/decide/guard-state.js'
import { viewOf } from '../../src/hw/decide/view.js'
import { NOW_MS, calmInputs, stateIn } from '../support/guard-readings.js'

/** A guard that is told one change at a time; each `at` is a look at a moment, with the kernel read just before. */
function guardFrom(state: GuardState) {
  let memory = state
  const inputs = calmInputs()
  return {
    at(ms: number, changes: Partial<GuardInputs> = {}) {
      Object.assign(inputs, { nowMs: NOW_MS + ms, kernelAtMs: NOW_MS + ms }, changes)
      const decision = decide(memory, inputs)
      memory = decision.state
      return [decision.door, decision.row, ...decision.effects].join(' | ')
    },
    reason(ms: number, changes: Partial<GuardInputs> = {}) {
      Object.assign(inputs, { nowMs: NOW_MS + ms, kernelAtMs: NOW_MS + ms }, changes)
      return decide(memory, inputs).reason
    },
  }
}

it('a landed vehicle, PERMIT: asked, given way, token, permit; SHUT: shut, read back, token freed', () => {
  const guard = guardFrom(startState(NOW_MS))
  expect(guard.at(10)).toBe('blocked | shut')
  expect(guard.at(20)).toBe('blocked | switch is SHUT')
  expect(guard.at(1000, { position: 'permit' })).toBe('blocked | opening begins | ask station')
  expect(guard.at(1010)).toBe('blocked | station is asked')
  expect(guard.at(1500, { station: 'gave way' })).toBe('blocked | takes the token')
  expect(guard.at(1510, { token: 'free' })).toBe('blocked | takes the token | take token')
  expect(guard.at(1520, { token: 'mine' })).toBe('permitted | permits | renew permit')
  expect(guard.at(1600)).toBe('permitted | permit: renewed')
  expect(guard.at(2319, { kernel: 'leased', permit: 'ok' })).toBe('permitted | permit: renewed')
  expect(guard.at(2320)).toBe('permitted | permit: renewed | renew permit')
  expect(guard.at(2400, { position: 'shut' })).toBe('blocked | permit: withdrawn | shut')
  expect(guard.at(2410)).toBe('blocked | shuts')
  expect(guard.at(3400)).toBe('blocked | shuts | shut')
  expect(guard.at(3410, { kernel: 'shut' })).toBe('blocked | shut | free token')
  expect(guard.at(3420, { token: 'free', station: 'present' })).toBe('blocked | switch is SHUT')
})

it('armed: stays shut, says so, and opens by itself when disarmed', () => {
  const guard = guardFrom(stateIn('blocked'))
  expect(guard.at(0, { position: 'permit', vehicle: 'armed' })).toBe('blocked | armed')
  expect(guard.reason(10)).toBe('the vehicle is armed: the door opens when it is disarmed')
  expect(guard.at(90_000, { vehicle: 'disarmed' })).toBe('blocked | opening begins | ask station')
  expect(guard.at(90_100, { vehicle: 'armed', token: 'mine' })).toBe('blocked | armed | free token')
})

it('a station that is silent is asked again only after a SHUT that was meant', () => {
  const guard = guardFrom(stateIn('blocked'))
  guard.at(0, { position: 'permit' })
  expect(guard.at(5000, { station: 'silent' })).toBe('blocked | station silent')
  expect(guard.reason(5001)).toBe(
    'the station did not give way within 5 s: put the switch to SHUT, then to PERMIT',
  )
  expect(guard.at(60_000, { station: 'present' })).toBe('blocked | waits for SHUT')
  guard.at(61_000, { position: 'shut' })
  expect(guard.at(61_699, { position: 'permit' })).toBe('blocked | waits for SHUT')
  guard.at(62_000, { position: 'shut' })
  expect(guard.at(62_700, { position: 'permit' })).toBe('blocked | opening begins | ask station')
})

it.each([
  [8000, 'blocked | station is asked'],
  [8001, 'blocked | opening too slow'],
])('an opening that began %d ms ago: %s', (ageMs, expected) => {
  const guard = guardFrom(stateIn('asking', { asked: true, sinceMs: NOW_MS - ageMs }))
  expect(guard.at(0, { position: 'permit' })).toBe(expected)
})

it.each([
  ['it could not be read', { position: 'doubt' }, 'fault | switch in doubt | shut'],
  ['the token is another file', { token: 'doubt' }, 'fault | token in doubt | shut'],
  ['the token was lost', { token: 'other' }, 'fault | token lost | shut'],
  ['the kernel differs', { kernel: 'differs' }, 'fault | kernel differs | shut'],
  ['the vehicle is armed', { vehicle: 'armed' }, 'blocked | permit: armed | shut'],
  ['the vehicle went silent', { vehicle: 'lost' }, 'blocked | permit: lost | shut'],
  ['a renewal failed', { permit: 'failed' }, 'blocked | permit: failed | shut'],
  ['PERMIT was never proven', { shutSeen: false }, 'blocked | permit: withdrawn | shut'],
  ['the lease lapsed', { kernel: 'shut' }, 'blocked | permit: lapsed | shut'],
  ['the station went away', { station: 'absent' }, 'permitted | permit: renewed | renew permit'],
  ['packets are sent', { witness: 'grew' }, 'permitted | permit: renewed | renew permit'],
] satisfies [string, Partial<GuardInputs>, string][])('permitted, and %s', (_, changes, expected) => {
  const guard = guardFrom(stateIn('permitted', { sinceMs: NOW_MS - 2001 }))
  expect(guard.at(0, { position: 'permit', token: 'mine', kernel: 'leased', permit: 'ok', ...changes })).toBe(
    expected,
  )
})

it('a first permit has 2 s to be in the kernel', () => {
  const guard = guardFrom(stateIn('permitted', { sinceMs: NOW_MS }))
  const wished = { position: 'permit', token: 'mine', kernel: 'shut' } as const
  expect(guard.at(2000, wished)).toBe('permitted | permit: renewed | renew permit')
  expect(guard.at(2001)).toBe('blocked | permit: lapsed | shut')
})

it.each([
  ['a permit of nobody', { kernel: 'leased' }, 'fault | permit of nobody | shut harder'],
  ['an uplink that sends', { witness: 'grew' }, 'fault | sent while shut | shut harder'],
  ['rules that differ', { kernel: 'differs' }, 'fault | kernel differs | shut'],
] satisfies [string, Partial<GuardInputs>, string][])('shut, and %s: a fault', (_, changes, expected) => {
  expect(guardFrom(stateIn('blocked')).at(0, changes)).toBe(expected)
  expect(guardFrom(stateIn('asking')).at(0, { position: 'permit', ...changes })).toBe(expected)
})

it('a fault stays until SHUT was held with everything verified, and shuts again each second until it is', () => {
  const guard = guardFrom(stateIn('blocked'))
  guard.at(0, { witness: 'grew', witnessProblem: 'eth0 sent 3 packets' })
  expect(guard.at(10, { position: 'permit' })).toBe('fault | fault: still sending')
  expect(guard.reason(20)).toBe(
    'an uplink sent while it was shut: eth0 sent 3 packets (an uplink still sends: eth0 sent 3 packets)',
  )
  expect(guard.at(1000)).toBe('fault | fault: still sending | shut harder')
  expect(guard.at(1010, { witness: 'still' })).toBe('fault | fault: waits for SHUT')
  expect(guard.reason(1020)).toContain(': put the switch to SHUT')
  expect(guard.at(1100, { position: 'shut' })).toBe('fault | fault: waits for SHUT')
  expect(guard.at(1799)).toBe('fault | fault: waits for SHUT')
  expect(guard.at(1800, { token: 'doubt' })).toBe('fault | fault: token in doubt')
  expect(guard.at(2000, { token: 'mine', kernel: 'leased' })).toBe('fault | fault: not shut | shut harder')
  expect(guard.at(2010, { kernel: 'shut' })).toBe('blocked | fault: cleared | free token')
})

it('a fault that comes while the switch is SHUT is shown for a while', () => {
  const guard = guardFrom(stateIn('blocked', { shutSinceMs: NOW_MS - 50_000 }))
  guard.at(0, { kernel: 'differs' })
  expect(guard.at(699, { kernel: 'shut' })).toBe('fault | fault: waits for SHUT')
  expect(guard.at(700)).toBe('blocked | fault: cleared')
})

it('a token is not freed by a read-back from before the shutting', () => {
  const before = stateIn('shutting', { sinceMs: NOW_MS, changedMs: NOW_MS })
  const inputs = calmInputs({ token: 'mine', nowMs: NOW_MS + 5 })
  expect(decide(before, { ...inputs, kernelAtMs: NOW_MS - 0.1 })).toMatchObject({ row: 'shuts', effects: [] })
  expect(decide(before, { ...inputs, kernelAtMs: NOW_MS })).toMatchObject({ effects: ['free token'] })
})

it('a shutting that takes longer than a second is awaited, and its reading counts', () => {
  const state = stateIn('shutting', { sinceMs: NOW_MS, changedMs: NOW_MS })
  const inputs = calmInputs({ token: 'mine' })
  const old = { ...inputs, kernelAtMs: NOW_MS - 0.1 }
  // Nothing is begun anew meanwhile: that would make what is read old once more.
  const waiting = decide(state, { ...old, nowMs: NOW_MS + 4000 })
  expect(waiting).toMatchObject({ row: 'shuts', effects: [] })
  const read = { ...inputs, kernelAtMs: NOW_MS, nowMs: NOW_MS + 4001 }
  expect(decide(waiting.state, { ...read, kernel: 'leased' }).effects).toEqual(['shut'])
  expect(decide(waiting.state, read)).toMatchObject({ row: 'shut', effects: ['free token'] })
})

it('a fault whose shutting takes longer than a second is left as any other', () => {
  const state = stateIn('fault', { sinceMs: NOW_MS, changedMs: NOW_MS, shutSinceMs: NOW_MS })
  const inputs = calmInputs({ token: 'mine' })
  const waiting = decide(state, { ...inputs, kernelAtMs: NOW_MS - 0.1, nowMs: NOW_MS + 4000 })
  expect(waiting).toMatchObject({ row: 'fault: is being shut', effects: [] })
  const read = { ...inputs, kernelAtMs: NOW_MS, nowMs: NOW_MS + 4001 }
  expect(decide(waiting.state, read)).toMatchObject({ door: 'blocked', effects: ['free token'] })
})

it('a shutting that takes longer than a reading may be old is not begun anew before its end', () => {
  const state = stateIn('fault', { sinceMs: NOW_MS, changedMs: NOW_MS, shutSinceMs: NOW_MS })
  const inputs = calmInputs({
    token: 'mine',
    isShutting: true,
    kernelAtMs: NOW_MS - 0.1,
    nowMs: NOW_MS + 6000,
  })
  const waiting = decide(state, inputs)
  expect(waiting).toMatchObject({ row: 'fault: not shut', effects: [] })
  const read = { ...inputs, isShutting: false, kernelAtMs: NOW_MS + 5000, nowMs: NOW_MS + 7000 }
  expect(decide(waiting.state, { ...inputs, isShutting: false }).effects).toEqual(['shut harder'])
  expect(decide(waiting.state, read)).toMatchObject({ row: 'fault: cleared', effects: ['free token'] })
})

it('a permit needs a kernel that was read as shut behind the taking of the token', () => {
  const state = stateIn('asking')
  const wished = calmInputs({ position: 'permit', station: 'gave way', token: 'mine', tokenAtMs: NOW_MS - 5 })
  const rowAt = (kernelAtMs: number) => decide(state, { ...wished, kernelAtMs }).row
  expect(rowAt(NOW_MS - 5.1)).toBe('kernel is read again')
  expect(rowAt(NOW_MS - 5)).toBe('permits')
  expect(decide(state, { ...wished, tokenAtMs: Infinity }).row).toBe('kernel is read again')
  expect(decide(state, { ...wished, kernel: 'differs', kernelAtMs: NOW_MS - 10 }).row).toBe('kernel differs')
})

it('a contact that flickers, or a PERMIT that settles late, is no SHUT: no fault ends, and nothing is overridden', () => {
  const settling = { position: 'shut', isAtShut: false } as const
  const fault = guardFrom(stateIn('fault'))
  expect(fault.at(0, settling)).toBe('fault | fault: waits for SHUT')
  expect(fault.at(5000)).toBe('fault | fault: waits for SHUT')
  expect(fault.at(5100, { position: 'permit' })).toBe('fault | fault: waits for SHUT')
  const lost = guardFrom(stateIn('blocked'))
  lost.at(0, { position: 'permit', vehicle: 'lost' })
  lost.at(61_000, settling)
  lost.at(62_000)
  expect(lost.at(63_000, { position: 'permit' })).toBe('blocked | lost')
})

it('SHUT that was meant counts, whatever the switch does on its way to PERMIT', () => {
  const guard = guardFrom(stateIn('blocked', { untilShut: true }))
  guard.at(0, { position: 'shut', isAtShut: true })
  guard.at(700, { isAtShut: false })
  guard.at(705, { isAtShut: true })
  guard.at(710, { isAtShut: false })
  expect(guard.at(1300, { position: 'permit' })).toBe('blocked | opening begins | ask station')
})

it('shutting that does not shut within 5 s is a fault', () => {
  const guard = guardFrom(stateIn('shutting', { sinceMs: NOW_MS - 5000 }))
  expect(guard.at(0, { kernel: 'leased' })).toBe('blocked | shuts | shut')
  expect(guard.at(1)).toBe('fault | does not shut | shut harder')
  expect(guard.reason(2)).toContain('a permit is in it')
})

it('a kernel that could not be read for 5 s is a fault, whatever it read before', () => {
  const state = stateIn('blocked', { changedMs: NOW_MS - 60_000 })
  const rowAt = (ageMs: number) => decide(state, calmInputs({ kernelAtMs: NOW_MS - ageMs })).row
  expect(rowAt(5000)).toBe('switch is SHUT')
  expect(rowAt(5001)).toBe('kernel not read')
  expect(rowAt(Infinity)).toBe('kernel not read')
})

it('PERMIT without a SHUT since the start opens nothing', () => {
  const guard = guardFrom(stateIn('blocked'))
  expect(guard.at(0, { position: 'permit', shutSeen: false })).toBe('blocked | SHUT never seen')
  expect(guard.at(70_000, { station: 'absent', token: 'free' })).toBe('blocked | SHUT never seen')
})

describeOverride('the vehicle went silent while armed', { vehicle: 'lost' }, [
  'opening begins | ask station',
  'permits by override | note override | renew permit',
])
describeOverride('no station is there', { station: 'absent', token: 'free' }, [
  'opening begins',
  'permits by override | note override | renew permit',
])

function describeOverride(name: string, stuck: Partial<GuardInputs>, [first, last]: [string, string]) {
  const waiting = stuck.station === 'absent' ? 'no station' : 'lost'
  const offered = () => {
    const guard = guardFrom(stateIn('blocked'))
    expect(guard.at(0, { position: 'permit', ...stuck })).toBe(`blocked | ${waiting}`)
    expect(guard.reason(1000)).toContain('in 59 s')
    expect(guard.at(59_999)).toBe(`blocked | ${waiting}`)
    expect(guard.at(60_000)).toBe('blocked | override offered')
    return guard
  }

  it(`${name}: 60 s of PERMIT, SHUT, PERMIT opens, and it is noted`, () => {
    const guard = offered()
    expect(guard.at(61_000, { position: 'shut' })).toBe('blocked | switch is SHUT')
    expect(guard.at(71_000, { position: 'permit' })).toBe(`blocked | ${first}`)
    expect(guard.at(71_100, { token: 'mine' })).toBe(`permitted | ${last}`)
    expect(guard.at(71_200, { kernel: 'leased' })).toBe('permitted | permit: renewed')
  })

  it.each([
    ['a bounce', 699],
    ['a SHUT of more than 10 s', 10_001],
  ])(`${name}: %s (%d ms) is no second PERMIT`, (_, shutMs) => {
    const guard = offered()
    guard.at(61_000, { position: 'shut' })
    expect(guard.at(61_000 + shutMs, { position: 'permit' })).toBe(`blocked | ${waiting}`)
    // The minute begins anew.
    expect(guard.at(61_000 + shutMs + 59_999)).toBe(`blocked | ${waiting}`)
    expect(guard.at(61_000 + shutMs + 60_000)).toBe('blocked | override offered')
  })

  it(`${name}: an override is for one opening`, () => {
    const guard = offered()
    guard.at(61_000, { position: 'shut' })
    guard.at(62_000, { position: 'permit' })
    expect(guard.at(62_100, { position: 'shut' })).toBe('blocked | switch is SHUT')
    expect(guard.at(63_000, { position: 'permit' })).toBe(`blocked | ${waiting}`)
  })

  it(`${name}: a doubt of the switch, an armed vehicle or a holder of the link ends the wait`, () => {
    for (const changes of [{ position: 'doubt' }, { station: 'present', vehicle: 'armed' }] as const) {
      const guard = offered()
      guard.at(61_000, changes)
      guard.at(61_100, {
        position: 'shut',
        ...stuck,
        ...(stuck.station === undefined && { station: 'present' }),
      })
      guard.at(62_000, {})
      expect(guard.at(63_000, { position: 'permit' })).toBe(`blocked | ${waiting}`)
    }
  })
}

it('a program that holds the link and does not answer is never overridden', () => {
  const guard = guardFrom(stateIn('blocked'))
  expect(guard.at(0, { position: 'permit', station: 'absent' })).toBe('blocked | link held by another')
  expect(guard.at(70_000)).toBe('blocked | link held by another')
  guard.at(71_000, { position: 'shut' })
  expect(guard.at(73_000, { position: 'permit' })).toBe('blocked | link held by another')
})

it('a station that left less than a second ago may still have its serial port open', () => {
  const asked = stateIn('asking', { override: true, presentMs: NOW_MS - 999 })
  const inputs = calmInputs({ position: 'permit', station: 'absent', token: 'free' })
  expect(decide(asked, inputs)).toMatchObject({ row: 'station leaves', effects: [] })
  expect(decide({ ...asked, presentMs: NOW_MS - 1000 }, inputs)).toMatchObject({ effects: ['take token'] })
})

it('what is told is not changed, and a word that the table does not know is a mistake of ours', () => {
  const state = Object.freeze(stateIn('permitted'))
  const inputs = Object.freeze(calmInputs({ position: 'permit', token: 'mine' }))
  expect(decide(state, inputs)).toEqual(decide(state, inputs))
  // @ts-expect-error: no such phase.
  expect(() => rowFor({ ...viewOf(state, inputs), phase: 'ajar' })).toThrow('no row of the table fits')
})

it('an override that an armed vehicle met is gone', () => {
  const guard = guardFrom(stateIn('blocked'))
  guard.at(0, { position: 'permit', vehicle: 'lost' })
  guard.at(60_000, { position: 'shut' })
  expect(guard.at(61_000, { position: 'permit', vehicle: 'armed' })).toBe('blocked | armed')
  expect(guard.at(62_000, { vehicle: 'lost' })).toBe('blocked | lost')
})

it('an override that an armed vehicle ended is for no second opening, even if that one goes silent at once', () => {
  const guard = guardFrom(stateIn('permitted', { override: true }))
  const wished = { position: 'permit', token: 'mine', kernel: 'leased', permit: 'ok' } as const
  expect(guard.at(0, { ...wished, vehicle: 'lost' })).toBe('permitted | permit: renewed | renew permit')
  expect(guard.at(10, { vehicle: 'armed' })).toBe('blocked | permit: armed | shut')
  expect(guard.at(20, { vehicle: 'lost', kernel: 'shut' })).toBe('blocked | shut | free token')
  expect(guard.at(30, { token: 'free' })).toBe('blocked | lost')
})

it('a fault in the minute before an override takes the minute away', () => {
  const guard = guardFrom(stateIn('blocked'))
  guard.at(0, { position: 'permit', vehicle: 'lost' })
  expect(guard.at(60_000, { kernel: 'differs' })).toBe('fault | kernel differs | shut')
  guard.at(60_100, { position: 'shut', kernel: 'shut' })
  expect(guard.at(61_000)).toBe('blocked | fault: cleared')
  expect(guard.at(61_500, { position: 'permit' })).toBe('blocked | lost')
})

it('a PERMIT that SHUT never proved does not count for the minute, nor does a link that another held', () => {
  const unproven = guardFrom(stateIn('blocked'))
  const alone = { position: 'permit', station: 'absent', token: 'free' } as const
  unproven.at(0, { ...alone, shutSeen: false })
  unproven.at(70_000, { position: 'shut', shutSeen: true })
  expect(unproven.at(71_000, { position: 'permit' })).toBe('blocked | no station')
  const held = guardFrom(stateIn('blocked'))
  held.at(0, { ...alone, token: 'other' })
  expect(held.at(70_000, { token: 'free' })).toBe('blocked | no station')
  expect(held.at(129_999)).toBe('blocked | no station')
  expect(held.at(130_000)).toBe('blocked | override offered')
})

it.each([700, 10_000])(
  'an override: SHUT right after the minute, read all the while, for %d ms',
  (shutMs) => {
    const guard = guardFrom(stateIn('blocked'))
    guard.at(0, { position: 'permit', vehicle: 'lost' })
    guard.at(60_000, { position: 'shut' })
    guard.at(60_100)
    guard.at(60_600)
    expect(guard.at(60_000 + shutMs, { position: 'permit' })).toBe('blocked | opening begins | ask station')
  },
)

it('nobody is asked who has just left; who comes in an opening by override is asked', () => {
  const guard = guardFrom(stateIn('blocked', { override: true, presentMs: NOW_MS - 999 }))
  const alone = { position: 'permit', station: 'absent', token: 'free' } as const
  expect(guard.at(0, alone)).toBe('blocked | opening begins')
  expect(guard.at(0.5)).toBe('blocked | station leaves')
  expect(guard.at(10, { station: 'present', token: 'other' })).toBe(
    'blocked | station is asked | ask station',
  )
})
