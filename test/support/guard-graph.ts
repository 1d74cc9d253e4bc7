/**
 * Guard graph: every memory of the guard that any readings can lead to, with times told apart only by the limits
 * that they have passed; and the way of a person with the switch back to normal work.
 */
import { decide } from '../../src/hw/decide/decide.js'
import type { GuardInputs, GuardState } from '../../src/hw/decide/guard-state.js'
import { LATE_MS, startState } from '../../src/hw/decide/guard-state.js'
import { LEASE_MS } from '../../src/hw/token/lease.js'
import { NOW_MS, calmInputs } from './guard-readings.js'
import { GuardWorld } from './guard-world.js'

/** At SHUT, on the way to it or from it, PERMIT, doubt. */
const POSITIONS = [
  ['shut', true],
  ['shut', false],
  ['permit', false],
  ['doubt', false],
] as const

const STEPS_MS = [100, 1000, 6000, 61_000]

/** Every memory that can be reached from the start, whatever is read. */
export function reachableStates(): GuardState[] {
  const first = canonical(startState(NOW_MS))
  const found = new Map([[JSON.stringify(first), first]])
  // The map grows while it is walked.
  for (const state of found.values()) {
    everyChange(state, (inputs) => {
      const next = canonical(decide(state, inputs).state, inputs.nowMs)
      const key = JSON.stringify(next)
      if (!found.has(key)) found.set(key, next)
    })
  }
  return [...found.values()]
}

/** The same memory at NOW_MS, its ages rounded down to the last limit that they passed. */
function canonical(state: GuardState, nowMs = NOW_MS): GuardState {
  const rounded = (sinceMs: number, ...limitsMs: number[]) =>
    NOW_MS - Math.max(0, ...limitsMs.filter((limitMs) => nowMs - sinceMs >= limitMs))
  const { phase, shutSinceMs, stuckSinceMs } = state
  return {
    ...state,
    why: 'what led here',
    sinceMs: rounded(state.sinceMs, 700, Math.min(LATE_MS[phase] + 1, 100_000)),
    changedMs: rounded(state.changedMs, 1000, 5001),
    renewedMs: rounded(state.renewedMs, 800),
    presentMs: rounded(state.presentMs, 1000),
    shutSinceMs: shutSinceMs === null ? null : rounded(shutSinceMs, 700, 10_001),
    shutLastedMs: NOW_MS - rounded(nowMs - state.shutLastedMs, 700, 10_001),
    stuckSinceMs: stuckSinceMs === null ? null : rounded(stuckSinceMs, 60_000),
  }
}

function everyChange(state: GuardState, visit: (inputs: GuardInputs) => void): void {
  const inputs = calmInputs()
  for (const stepMs of STEPS_MS) {
    inputs.nowMs = NOW_MS + stepMs
    for (inputs.kernel of ['shut', 'leased', 'differs'] as const)
      for (const kernelAtMs of inputs.kernel === 'shut'
        ? [inputs.nowMs, state.changedMs - 1]
        : [inputs.nowMs])
        for (const [position, isAtShut] of POSITIONS)
          for (inputs.station of ['absent', 'present', 'gave way', 'silent'] as const)
            for (inputs.vehicle of ['disarmed', 'armed', 'lost'] as const)
              for (inputs.token of ['free', 'mine', 'other', 'doubt'] as const)
                for (inputs.witness of ['still', 'grew'] as const)
                  for (inputs.permit of ['ok', 'failed'] as const) {
                    if (inputs.permit === 'failed' && state.phase !== 'permitted') continue
                    inputs.kernelAtMs = kernelAtMs
                    inputs.position = position
                    inputs.isAtShut = isAtShut
                    visit(inputs)
                  }
  }
}

/** What is left over when everything but the guard's memory begins to behave well. */
export interface LeftOver {
  holder: 'guard' | 'station' | 'nobody'
  lease: 'live' | 'none'
  lever: 'shut' | 'permit'
}

export const LEFT_OVERS: readonly LeftOver[] = (['guard', 'station', 'nobody'] as const).flatMap((holder) =>
  (['live', 'none'] as const).flatMap((lease) =>
    (['shut', 'permit'] as const)
      // A station with its port open and a live permit: no state of this world.
      .filter(() => holder !== 'station' || lease === 'none')
      .map((lever) => ({ holder, lease, lever })),
  ),
)

/** How the rest is, for ever: as it should be, armed until the person lands, silent while armed, without a station. */
export type Rest = 'on the ground' | 'armed at first' | 'lost' | 'no station'

/** A person who knows the switch only; says what they did not get, or nothing. */
export function wayOut(state: GuardState, left: LeftOver, rest: Rest): string | undefined {
  const world = worldOf(state, left, rest)
  move(world, 'shut', 3000)
  move(world, 'permit', 10_000)
  if (rest === 'armed at first') {
    if (isLeased(world)) return 'opened while armed'
    world.vehicle = 'disarmed'
    move(world, 'permit', 10_000)
  }
  // Where a minute of PERMIT had passed before, that was the override already.
  if ((rest === 'lost' || rest === 'no station') && !(isLeased(world) && hadWaited(state))) {
    if (isLeased(world)) return 'opened without an override'
    move(world, 'permit', 62_000)
    move(world, 'shut', 3000)
    move(world, 'permit', 10_000)
  }
  if (!isLeased(world) || doorOf(world) !== 'permitted') return `not permitted: ${world.decision?.reason}`
  move(world, 'shut', 8000)
  if (isLeased(world) || doorOf(world) !== 'blocked') return `not shut: ${world.decision?.reason}`
  if (rest !== 'no station' && !world.isPortOpen) return 'the station does not record'
  return world.broken.size === 0 ? undefined : [...world.broken].join('; ')
}

const doorOf = (world: GuardWorld) => world.decision?.door
const isLeased = (world: GuardWorld) => world.isLeased

const hadWaited = ({ insisting, override, stuckSinceMs }: GuardState) =>
  insisting || override || stuckSinceMs === NOW_MS - 60_000

function worldOf(state: GuardState, left: LeftOver, rest: Rest): GuardWorld {
  const world = new GuardWorld()
  world.nowMs = NOW_MS
  world.state = state
  world.lever = left.lever
  world.guardHolds = left.holder === 'guard'
  world.stationHolds = left.holder === 'station' && rest !== 'no station'
  world.isPortOpen = world.stationHolds
  world.leaseUntilMs = left.lease === 'live' ? NOW_MS + LEASE_MS : 0
  world.permittedOnce = true
  world.station = rest === 'no station' ? 'down' : 'up'
  world.vehicle = rest === 'armed at first' ? 'armed' : rest === 'lost' ? 'lost' : 'disarmed'
  return world
}

/** Holds the lever there, in steps in which the station does what it should. */
function move(world: GuardWorld, lever: 'shut' | 'permit', forMs: number): void {
  world.moveLever(lever)
  for (let passedMs = 0; passedMs < forMs; passedMs += 500) {
    if (lever === 'permit') world.stationAnswers(true)
    else world.stationTakes()
    world.pass(500)
  }
}
