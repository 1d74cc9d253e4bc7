/**
 * View: what the table looks at. Times and texts are gone, a few words are left, so every possible view can be
 * listed and the table tried on all of them.
 */
import {
  GONE_MS,
  LATE_MS,
  OVERRIDE_SHUT_MS,
  OVERRIDE_WAIT_MS,
  READING_LIMIT_MS,
  SHUT_MEANT_MS,
  UNSEEN_LIMIT_MS,
} from './guard-state.js'
import type { GuardInputs, GuardState, Phase } from './guard-state.js'

export interface View {
  phase: Phase
  /** unproven: PERMIT, but SHUT was never seen, so that the switch may be stuck. */
  position: 'shut' | 'permit' | 'doubt' | 'unproven'
  /** The contacts have said SHUT long enough for it to be meant; in a fault, since it began. */
  held: boolean
  /** leaving: absent for less than a second, so that its serial port may still be open. */
  station: GuardInputs['station'] | 'leaving'
  /** An absent station knows of no vehicle. */
  vehicle: GuardInputs['vehicle']
  token: GuardInputs['token']
  /** unread: not read since the kernel was last told something, or the token was taken. overdue: not read for 5 s. */
  kernel: 'shut' | 'leased' | 'differs' | 'unread' | 'overdue'
  witness: GuardInputs['witness']
  permit: GuardInputs['permit']
  /** The phase has had its time (`LATE_MS`). */
  late: boolean
  untilShut: boolean
  /** PERMIT was refused for 60 s for what only an override helps against. */
  waited: boolean
  override: boolean
}

/** The words that a row may look at, besides the phase. */
export const WORDS = [
  'position',
  'held',
  'station',
  'vehicle',
  'token',
  'kernel',
  'witness',
  'permit',
  'late',
  'untilShut',
  'waited',
  'override',
] as const satisfies readonly (keyof View)[]

export function viewOf(state: GuardState, inputs: GuardInputs): View {
  const { nowMs } = inputs
  return {
    phase: state.phase,
    position: inputs.position === 'permit' && !inputs.shutSeen ? 'unproven' : inputs.position,
    held: heldMs(state, nowMs) >= SHUT_MEANT_MS,
    station: inputs.station === 'absent' && nowMs - state.presentMs < GONE_MS ? 'leaving' : inputs.station,
    vehicle: inputs.station === 'absent' ? 'none' : inputs.vehicle,
    token: inputs.token,
    kernel: kernelOf(state, inputs),
    witness: inputs.witness,
    permit: inputs.permit,
    late: nowMs - state.sinceMs > LATE_MS[state.phase],
    untilShut: state.untilShut,
    waited: stuckMs(state, nowMs) >= OVERRIDE_WAIT_MS,
    override: state.override,
  }
}

/** What switch and station add to memory, before the table is asked. */
export function remember(before: GuardState, inputs: GuardInputs): GuardState {
  const { nowMs, position, unseenMs } = inputs
  const state = unseenMs > UNSEEN_LIMIT_MS ? { ...before, shutSinceMs: null } : before
  const presentMs = inputs.station === 'absent' ? state.presentMs : nowMs
  if (position === 'doubt') return { ...state, ...NO_WISH, presentMs, shutSinceMs: null, shutLastedMs: 0 }
  const shutLastedMs = Math.max(state.shutLastedMs, atShutMs(state, nowMs))
  const untilShut = state.untilShut && shutLastedMs < SHUT_MEANT_MS
  if (position === 'shut') {
    const shutSinceMs = inputs.isAtShut ? (state.shutSinceMs ?? nowMs) : null
    const insisting = state.insisting || stuckMs(state, nowMs) >= OVERRIDE_WAIT_MS
    return { ...state, ...NO_WISH, presentMs, shutSinceMs, shutLastedMs, insisting, untilShut }
  }
  const insists = state.insisting && shutLastedMs >= SHUT_MEANT_MS && shutLastedMs <= OVERRIDE_SHUT_MS
  const stuck = state.phase === 'blocked' && !untilShut && isStuck(inputs)
  return {
    ...state,
    presentMs,
    shutSinceMs: null,
    shutLastedMs: 0,
    insisting: false,
    untilShut,
    override: state.phase === 'blocked' ? stuck && (state.override || insists) : state.override,
    stuckSinceMs: stuck ? (state.stuckSinceMs ?? nowMs) : null,
  }
}

const NO_WISH = { insisting: false, override: false, stuckSinceMs: null }

/** Nobody can say whether a vehicle flies, and nobody holds the link: a person may decide it. */
function isStuck({ shutSeen, station, vehicle, token }: GuardInputs): boolean {
  if (!shutSeen) return false
  return station === 'absent' ? token === 'free' || token === 'mine' : vehicle === 'lost'
}

/** Between token and permit it is read once more: what was shut before that may have been opened by who had the token. */
function kernelOf(state: GuardState, { nowMs, kernel, kernelAtMs, tokenAtMs }: GuardInputs): View['kernel'] {
  if (nowMs - Math.max(kernelAtMs, state.changedMs) > READING_LIMIT_MS) return 'overdue'
  const isOld =
    kernelAtMs < state.changedMs || (kernel === 'shut' && state.phase === 'asking' && kernelAtMs < tokenAtMs)
  return isOld ? 'unread' : kernel
}

function heldMs(state: GuardState, nowMs: number): number {
  const ms = atShutMs(state, nowMs)
  return state.phase === 'fault' ? Math.min(ms, nowMs - state.sinceMs) : ms
}

function atShutMs({ shutSinceMs }: GuardState, nowMs: number): number {
  return shutSinceMs === null ? 0 : nowMs - shutSinceMs
}

export function stuckMs({ stuckSinceMs }: GuardState, nowMs: number): number {
  return stuckSinceMs === null ? 0 : nowMs - stuckSinceMs
}
