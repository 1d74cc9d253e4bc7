/** Guard readings: inputs and memories of the guard for tests, and every combination of them. */
import type { GuardInputs, GuardState, Phase } from '../../src/hw/decide/guard-state.js'
import { startState } from '../../src/hw/decide/guard-state.js'

const STATIONS = ['absent', 'present', 'gave way', 'refused', 'silent'] as const
const VEHICLES = ['none', 'disarmed', 'armed', 'lost'] as const
const TOKENS = ['free', 'mine', 'other', 'doubt'] as const
const WITNESSES = ['still', 'grew'] as const
const PERMITS = ['none', 'ok', 'failed'] as const

/** The moment of every made reading (ms); long enough after 0 for every age. */
export const NOW_MS = 1_000_000

/** The station records on the ground, the switch is SHUT, all is well. */
export function calmInputs(changes: Partial<GuardInputs> = {}): GuardInputs {
  return {
    nowMs: NOW_MS,
    position: 'shut',
    switchReason: 'the switch is SHUT',
    shutSeen: true,
    station: 'present',
    vehicle: 'disarmed',
    token: 'other',
    kernel: 'shut',
    kernelProblem: '',
    kernelAtMs: NOW_MS - 10,
    witness: 'still',
    witnessProblem: '',
    permit: 'none',
    ...changes,
  }
}

/** In a phase that began a second ago, with the kernel told nothing for longer. */
export function stateIn(phase: Phase, changes: Partial<GuardState> = {}): GuardState {
  return {
    ...startState(NOW_MS - 100_000),
    phase,
    sinceMs: NOW_MS - 1000,
    why: 'what led here',
    changedMs: NOW_MS - 3000,
    renewedMs: NOW_MS - 1000,
    ...changes,
  }
}

/** What the guard can remember of the switch; ages at both sides of every limit. */
const MEMORIES: readonly Partial<GuardState>[] = [
  {},
  { shutSinceMs: NOW_MS - 699 },
  { shutSinceMs: NOW_MS - 700 },
  { stuckSinceMs: NOW_MS - 59_999 },
  { stuckSinceMs: NOW_MS - 60_000 },
  { insisting: true, shutSinceMs: NOW_MS - 699 },
  { insisting: true, shutSinceMs: NOW_MS - 700 },
  { insisting: true, shutSinceMs: NOW_MS - 10_000 },
  { insisting: true, shutSinceMs: NOW_MS - 10_001 },
  { override: true },
]

/** Kernel readings: fresh ones, one from before the last change, and none for 5 s. */
const KERNELS: readonly (Partial<GuardInputs> & { changedMs: number })[] = [
  { kernel: 'shut', changedMs: NOW_MS - 3000 },
  { kernel: 'leased', changedMs: NOW_MS - 3000 },
  { kernel: 'differs', changedMs: NOW_MS - 3000 },
  { kernel: 'shut', kernelAtMs: NOW_MS - 10.1, changedMs: NOW_MS - 10 },
  { kernel: 'shut', kernelAtMs: NOW_MS - 5001, changedMs: NOW_MS - 5001 },
]

/** Phases with ages at both sides of their limit. */
const AGES: readonly [Phase, number][] = [
  ['blocked', 1000],
  ['asking', 8000],
  ['asking', 8001],
  ['permitted', 2000],
  ['permitted', 2001],
  ['shutting', 5000],
  ['shutting', 5001],
  ['fault', 699],
  ['fault', 700],
]

/** Every combination of memory and reading, one at a time: about two million. */
// long because it is one loop a word
export function everyReading(visit: (state: GuardState, inputs: GuardInputs) => void): number {
  let count = 0
  for (const [phase, ageMs] of AGES)
    for (const memory of MEMORIES)
      for (const untilShut of [false, true])
        for (const { changedMs, ...kernel } of KERNELS) {
          const state = stateIn(phase, { sinceMs: NOW_MS - ageMs, untilShut, changedMs, ...memory })
          for (const position of ['shut', 'permit', 'doubt'] as const)
            for (const shutSeen of position === 'permit' ? [false, true] : [true])
              for (const station of STATIONS)
                for (const vehicle of VEHICLES)
                  for (const token of TOKENS)
                    for (const witness of WITNESSES)
                      for (const permit of PERMITS) {
                        const words = { position, shutSeen, station, vehicle, token, witness, permit }
                        visit(state, calmInputs({ ...kernel, ...words }))
                        count++
                      }
        }
  return count
}
