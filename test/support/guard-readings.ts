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
    isAtShut: true,
    unseenMs: 250,
    shutSeen: true,
    station: 'present',
    vehicle: 'disarmed',
    token: 'other',
    tokenAtMs: -Infinity,
    kernel: 'shut',
    kernelProblem: '',
    kernelAtMs: NOW_MS - 10,
    isShutting: false,
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
    presentMs: NOW_MS - 1000,
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
  { insisting: true, shutLastedMs: 699 },
  { insisting: true, shutLastedMs: 700 },
  { insisting: true, shutSinceMs: NOW_MS - 10_000 },
  { insisting: true, shutSinceMs: NOW_MS - 10_001 },
  { override: true },
  { override: true, presentMs: NOW_MS - 999 },
]

/** Kernel readings: fresh ones, one from before the last change, and none for 5 s. */
const KERNELS: readonly { kernel: GuardInputs['kernel']; kernelAtMs: number; changedMs: number }[] = [
  { kernel: 'shut', kernelAtMs: NOW_MS - 10, changedMs: NOW_MS - 3000 },
  { kernel: 'leased', kernelAtMs: NOW_MS - 5000, changedMs: NOW_MS - 5000 },
  { kernel: 'differs', kernelAtMs: NOW_MS - 10, changedMs: NOW_MS - 10 },
  { kernel: 'shut', kernelAtMs: NOW_MS - 1000, changedMs: NOW_MS - 999 },
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

/**
 * Every combination of memory and reading, one at a time: 2,592,000. The inputs are one object, changed in place.
 * `stride`: visit only each n-th.
 */
export function everyReading(visit: (state: GuardState, inputs: GuardInputs) => void, stride = 1): number {
  const positions = [
    { position: 'shut', shutSeen: true, isAtShut: true },
    { position: 'shut', shutSeen: true, isAtShut: false },
    { position: 'permit', shutSeen: false, isAtShut: false },
    { position: 'permit', shutSeen: true, isAtShut: false },
    { position: 'doubt', shutSeen: true, isAtShut: false },
  ] as const
  const inputs = calmInputs()
  let count = 0
  for (const [state, kernel] of everyState())
    for (const position of positions)
      for (inputs.station of STATIONS)
        for (inputs.vehicle of VEHICLES)
          for (inputs.token of TOKENS)
            for (inputs.witness of WITNESSES)
              for (inputs.permit of PERMITS) {
                if (count++ % stride !== 0) continue
                inputs.position = position.position
                inputs.shutSeen = position.shutSeen
                inputs.isAtShut = position.isAtShut
                inputs.kernel = kernel.kernel
                inputs.kernelAtMs = kernel.kernelAtMs
                visit(state, inputs)
              }
  return Math.ceil(count / stride)
}

function everyState(): [GuardState, (typeof KERNELS)[number]][] {
  return AGES.flatMap(([phase, ageMs]) =>
    MEMORIES.flatMap((memory) =>
      [false, true].flatMap((untilShut) =>
        KERNELS.map((kernel): [GuardState, (typeof KERNELS)[number]] => {
          const { changedMs } = kernel
          return [stateIn(phase, { sinceMs: NOW_MS - ageMs, untilShut, changedMs, ...memory }), kernel]
        }),
      ),
    ),
  )
}
