/**
 * Position filter: contacts over time to a position, as a pure fold. `step(state, event, nowMs)`; the state holds the reading.
 *
 *              PERMIT read          still PERMIT at a reading ≥ 500 ms later
 *     shut ───────────────▶ shut ─────────────────────────────────────────▶ permit
 *       ▲  not stable yet     │                                                │
 *       └─────────────────────┴──── one sample that is not PERMIT, at once ────┘      doubt: see `doubtOf`
 *
 * Guarantees: `permit` only while every sample of the last 500 ms and more was PERMIT, with one at its beginning and one
 * at its end; nothing that happened before a trouble, a silence of 5 s or a bounce counts toward those 500 ms.
 */
import { UNKNOWN_CONTACTS, type Circuit, type Contacts, type SwitchReading } from './reading.js'

/** How long PERMIT must stand (ms): longer than any contact bounces, short for the hand that waits. */
export const PERMIT_STABLE_MS = 500

/** A reading that is older says nothing (ms): two re-readings of a SHUT switch missed, ten near PERMIT. */
export const READING_EXPIRES_MS = 5000

/**
 * How long two contacts may agree while the switch moves (ms). A hand turns a key switch through its dead middle in 50 to 200;
 * safety relays allow 30 to 3000. It decides only how soon *shut* is called *doubt*: neither of them is PERMIT.
 */
export const CONTACT_DISCREPANCY_MS = 300

/**
 * So many samples (count) must find the contacts the same after CONTACT_DISCREPANCY_MS. Where none comes (an edge was lost, the
 * machine stalled) they may have moved on: nobody looked. The first may have been read before that and told behind it, and of the
 * next two each may be new for one contact only.
 */
export const LATE_AGREEMENTS = 3

/** Changes that are nearer together than this are one movement (ms): switches are specified to bounce 5 to 20. */
export const MOVEMENT_GAP_MS = 50

/** A movement that goes on for longer is no bounce of a good switch (ms): ten times its data sheet. */
export const LONGEST_MOVEMENT_MS = 250

/** Movements within one window that a hand makes (count): three turns there and back. */
export const MAX_MOVEMENTS = 6

/** The window of the movements, and how long the contacts must be quiet until a bounce is over (ms). */
export const BOUNCE_WINDOW_MS = 3000

export type Wiring = 'antivalent' | 'single'

export type FilterEvent =
  | { kind: 'sample'; contacts: Contacts }
  /** The backend cannot read them now. */
  | { kind: 'trouble'; reason: string }
  /** Time went by. */
  | { kind: 'time' }

type ContactName = keyof Contacts

export interface FilterState {
  readonly wiring: Wiring
  readonly nowMs: number
  /** Of the last sample; of the start where there was none yet. */
  readonly sampledMs: number
  readonly hasSample: boolean
  readonly contacts: Contacts
  readonly trouble: string | null
  /** Since when every sample was PERMIT. */
  readonly permitSinceMs: number | null
  /** A sample came ≥ 500 ms after that. */
  readonly isConfirmed: boolean
  /** Since when both contacts say the same, and the one that did not move then. */
  readonly agreeSinceMs: number | null
  readonly stayed: ContactName | null
  /** Samples that found them the same after the discrepancy time (count). */
  readonly lateAgreements: number
  readonly lastChangeMs: number | null
  /** When the newest movements began, oldest first; at most MAX_MOVEMENTS + 1. */
  readonly movementsMs: readonly number[]
  readonly bounceEndsMs: number | null
  readonly reading: SwitchReading
}

export function startFilter(wiring: Wiring, nowMs: number): FilterState {
  return {
    wiring,
    nowMs,
    sampledMs: nowMs,
    hasSample: false,
    contacts: UNKNOWN_CONTACTS,
    trouble: null,
    permitSinceMs: null,
    isConfirmed: false,
    agreeSinceMs: null,
    stayed: null,
    lateAgreements: 0,
    lastChangeMs: null,
    movementsMs: [],
    bounceEndsMs: null,
    reading: {
      position: 'shut',
      reason: 'no reading yet',
      isAtShut: false,
      shutSeen: false,
      contacts: UNKNOWN_CONTACTS,
      sinceMs: nowMs,
    },
  }
}

/** The state after an event. A time before the last one counts as the last one: events are told in their order. */
export function step(before: FilterState, event: FilterEvent, atMs: number): FilterState {
  const nowMs = Math.max(atMs, before.nowMs)
  let state = { ...before, nowMs }
  if (nowMs - state.sampledMs > READING_EXPIRES_MS) state = forgotten(state)
  if (event.kind === 'trouble') state = { ...forgotten(state), trouble: event.reason }
  else if (event.kind === 'sample') state = sampled(state, event.contacts)
  return { ...state, reading: readingOf(state) }
}

/** When the reading changes though nothing happens (ms); null: never. A `step` of `time` is due just after it. */
export function nextChangeMs(state: FilterState): number | null {
  const { nowMs, sampledMs, bounceEndsMs } = state
  const times = [sampledMs + READING_EXPIRES_MS]
  if (bounceEndsMs !== null) times.push(bounceEndsMs)
  const coming = times.filter((time) => time >= nowMs)
  return coming.length === 0 ? null : Math.min(...coming)
}

/** Nothing of before counts toward a stable PERMIT. */
function forgotten(state: FilterState): FilterState {
  return {
    ...state,
    permitSinceMs: null,
    isConfirmed: false,
    agreeSinceMs: null,
    stayed: null,
    lateAgreements: 0,
  }
}

function sampled(before: FilterState, given: Contacts): FilterState {
  const { nowMs, wiring } = before
  const contacts = wiring === 'single' ? { permit: given.permit, shut: null } : given
  const moved = { ...before, contacts, sampledMs: nowMs, hasSample: true, trouble: null }
  const state = isChange(before, contacts) ? withChange(moved) : moved
  const permit = positionOf(contacts, wiring) === 'permit'
  const permitSinceMs = permit ? (state.permitSinceMs ?? nowMs) : null
  const agree = positionOf(contacts, wiring) === 'between'
  const isLate = state.agreeSinceMs !== null && nowMs - state.agreeSinceMs > CONTACT_DISCREPANCY_MS
  return {
    ...state,
    permitSinceMs,
    isConfirmed: permitSinceMs !== null && nowMs - permitSinceMs >= PERMIT_STABLE_MS,
    agreeSinceMs: agree ? (state.agreeSinceMs ?? nowMs) : null,
    stayed: agree ? (state.agreeSinceMs === null ? stayedOf(before, contacts) : state.stayed) : null,
    lateAgreements: agree ? state.lateAgreements + (isLate ? 1 : 0) : 0,
  }
}

function isChange({ hasSample, contacts }: FilterState, now: Contacts): boolean {
  return hasSample && (contacts.permit !== now.permit || contacts.shut !== now.shut)
}

/** Counts movements, and says *bounce* where they are more, or one is longer, than a hand and a good switch make. */
function withChange(state: FilterState): FilterState {
  const { nowMs, lastChangeMs } = state
  const goesOn = lastChangeMs !== null && nowMs - lastChangeMs < MOVEMENT_GAP_MS
  const movementsMs = goesOn ? state.movementsMs : [...state.movementsMs, nowMs].slice(-MAX_MOVEMENTS - 1)
  const first = movementsMs[0] ?? nowMs
  const tooMany = movementsMs.length > MAX_MOVEMENTS && nowMs - first <= BOUNCE_WINDOW_MS
  const tooLong = nowMs - (movementsMs.at(-1) ?? nowMs) > LONGEST_MOVEMENT_MS
  const bounceEndsMs = tooMany || tooLong ? nowMs + BOUNCE_WINDOW_MS : state.bounceEndsMs
  return { ...state, movementsMs, lastChangeMs: nowMs, bounceEndsMs }
}

/** Of two contacts that had differed and agree now, the one that should have moved as well. */
function stayedOf({ hasSample, contacts }: FilterState, now: Contacts): ContactName | null {
  if (!hasSample || (contacts.permit !== now.permit) === (contacts.shut !== now.shut)) return null
  return contacts.permit === now.permit ? 'permit' : 'shut'
}

/** What the contacts say at one moment. `between`: both say the same, as they do while the switch moves. */
export function positionOf(
  { permit, shut }: Contacts,
  wiring: Wiring,
): 'permit' | 'shut' | 'between' | 'unknown' {
  if (permit === null || (wiring === 'antivalent' && shut === null)) return 'unknown'
  if (wiring === 'antivalent' && permit === shut) return 'between'
  return permit === 'closed' ? 'permit' : 'shut'
}

function readingOf(state: FilterState): SwitchReading {
  const { reading: before, nowMs, contacts, hasSample, wiring } = state
  const doubt = doubtOf(state)
  const found = hasSample ? positionOf(contacts, wiring) : 'unknown'
  const position = doubt !== null ? 'doubt' : state.isConfirmed ? 'permit' : 'shut'
  return {
    position,
    reason: doubt ?? reasonOf(state),
    isAtShut: position === 'shut' && found === 'shut',
    shutSeen: before.shutSeen || (state.trouble === null && found === 'shut'),
    contacts: isBlind(state) ? UNKNOWN_CONTACTS : contacts,
    sinceMs: position === before.position ? before.sinceMs : nowMs,
  }
}

/** What was read last says nothing of now. */
function isBlind({ trouble, nowMs, sampledMs }: FilterState): boolean {
  return trouble !== null || nowMs - sampledMs > READING_EXPIRES_MS
}

/** Why the contacts cannot be believed, or null. */
function doubtOf(state: FilterState): string | null {
  const { nowMs, sampledMs, contacts, trouble, hasSample, wiring, lateAgreements, bounceEndsMs } = state
  if (trouble !== null) return trouble
  const ageMs = nowMs - sampledMs
  if (ageMs > READING_EXPIRES_MS) return `no reading for ${(ageMs / 1000).toFixed(1)} s`
  if (hasSample && positionOf(contacts, wiring) === 'unknown') return 'a contact is not known'
  if (lateAgreements >= LATE_AGREEMENTS) return disagreement(contacts.permit, state.stayed)
  if (bounceEndsMs !== null && nowMs < bounceEndsMs) return 'the contacts bounce'
  return null
}

function disagreement(both: Circuit | null, stayed: ContactName | null): string {
  const found =
    both === 'closed'
      ? 'both contacts are closed'
      : 'both contacts are open: the switch is half way, or a wire is cut'
  return stayed === null ? found : `${found}; the ${stayed} contact did not move with the other`
}

function reasonOf({ hasSample, contacts, wiring, isConfirmed }: FilterState): string {
  if (!hasSample) return 'no reading yet'
  const found = positionOf(contacts, wiring)
  if (found === 'permit') return isConfirmed ? 'the switch is in PERMIT' : 'PERMIT is not stable yet'
  return found === 'shut' ? 'the switch is SHUT' : 'the switch is moving'
}
