/**
 * Guard state: what the decision remembers between two readings, what it is told, and what it asks for.
 * Plain data; only `decide` makes a new state from an old one.
 */
import { LEASE_MS } from '../token/lease.js'

/**
 * blocked: shut, nothing under way. asking: the station is asked to give way, then the token is taken.
 * permitted: a lease is renewed. shutting: the permit is withdrawn, the token kept until the kernel was read as shut.
 * fault: shut and latched.
 */
export type Phase = 'blocked' | 'asking' | 'permitted' | 'shutting' | 'fault'

export const PHASES: readonly Phase[] = ['blocked', 'asking', 'permitted', 'shutting', 'fault']

/** All times are monotonic and in ms with fractions: two events of one millisecond have an order. */
export interface GuardInputs {
  nowMs: number
  position: 'shut' | 'permit' | 'doubt'
  switchReason: string
  /** The contacts say SHUT themselves: a switch that moves, and a PERMIT that is not stable yet, are `shut` too. */
  isAtShut: boolean
  /** Time since the look before this one (ms). What the contacts said in it is not known. */
  unseenMs: number
  /** SHUT was read at least once since the guard started. */
  shutSeen: boolean
  /**
   * What the station answered to the question that is on. Without a question, and from the moment `ask station` is
   * done until an answer comes, a station that is connected is `present`.
   */
  station: 'absent' | 'present' | 'gave way' | 'refused' | 'silent'
  vehicle: 'none' | 'disarmed' | 'armed' | 'lost'
  token: 'free' | 'mine' | 'other' | 'doubt'
  /** When the guard took the token that it has; Infinity while it is taking it, -Infinity where it has none. */
  tokenAtMs: number
  kernel: 'shut' | 'leased' | 'differs'
  kernelProblem: string
  /** When the read-back that `kernel` tells of was begun; -Infinity before the first. `shut` reads back after its work. */
  kernelAtMs: number
  /** A shutting is under way; it is read back at its end. */
  isShutting: boolean
  witness: 'still' | 'grew'
  witnessProblem: string
  /** How the last renewal of this permit ended; `none` until the first of them ended, and again after every `shut`. */
  permit: 'none' | 'ok' | 'failed'
}

export type Effect =
  'shut' | 'shut harder' | 'ask station' | 'take token' | 'free token' | 'renew permit' | 'note override'

export interface GuardState {
  readonly phase: Phase
  /** When the phase began. */
  readonly sinceMs: number
  /** What led to a fault, to shutting, or to waiting for SHUT. */
  readonly why: string
  /** PERMIT is heard again only after SHUT. */
  readonly untilShut: boolean
  /** Last time that the kernel was told to shut, or to permit for the first time: an older read-back says nothing. */
  readonly changedMs: number
  /** Last time that a renewal was asked for. */
  readonly renewedMs: number
  /** The question to give way is on. */
  readonly asked: boolean
  /** Last time that a station was there. */
  readonly presentMs: number
  /** Since when the contacts say SHUT without a break; null while they do not. */
  readonly shutSinceMs: number | null
  /** How long they did at most since the last PERMIT or doubt. */
  readonly shutLastedMs: number
  /** Since when PERMIT is refused for what only an override helps against; null while it is not. */
  readonly stuckSinceMs: number | null
  /** This SHUT came after 60 s of that: a PERMIT in time will be an override. */
  readonly insisting: boolean
  /** This opening is an override. */
  readonly override: boolean
}

export interface Decision {
  state: GuardState
  door: 'blocked' | 'permitted' | 'fault'
  /** What an inspector reads on a screen. */
  reason: string
  /** Name of the row that decided. */
  row: string
  /** To be done in this order, before the next decision. */
  effects: Effect[]
}

/** Renewal is due after this (ms): under the guard's beat of 1 s, and three of them fit into a lease. */
export const RENEW_MS = 800
/** A shutting that did not shut is tried again after this (ms): link down at most once a second. */
export const SHUT_AGAIN_MS = 1000
/** A read-back older than this is a doubt (ms); the switch has the same limit. */
export const READING_LIMIT_MS = 5000
/** SHUT that the contacts say for so long was meant (ms): longer than any of them bounces, and a hand rests there as long. */
export const SHUT_MEANT_MS = 700
/**
 * A time in which nobody looked that is longer than this is no part of such a SHUT (ms): a guard that stood still may have been shown
 * SHUT for a moment. It looks four times a second.
 */
export const UNSEEN_LIMIT_MS = 500
/**
 * A station counts as gone after this (ms). A killed process's token is free before its serial port is closed; the
 * kernel needs a few ms for both.
 */
export const GONE_MS = 1000
/** PERMIT must be refused for so long before an override is offered (ms). */
export const OVERRIDE_WAIT_MS = 60_000
/** And SHUT may last no longer than this in it (ms): it is one movement of one hand. */
export const OVERRIDE_SHUT_MS = 10_000

/**
 * When a phase is late (ms). asking: 5 s for the station's answer, one lease for token and read-back.
 * permitted: a first permit is in the kernel within 74 ms on a busy machine. shutting: as old as a reading may be.
 */
export const LATE_MS: Readonly<Record<Phase, number>> = {
  blocked: Infinity,
  asking: 5000 + LEASE_MS,
  permitted: 2000,
  shutting: 5000,
  fault: Infinity,
}

/** A guard that has just started shuts first: its predecessor may have left a lease. */
export function startState(nowMs: number): GuardState {
  return {
    phase: 'shutting',
    sinceMs: nowMs,
    why: 'the guard has just started',
    untilShut: false,
    changedMs: nowMs,
    renewedMs: -Infinity,
    asked: false,
    presentMs: nowMs,
    shutSinceMs: null,
    shutLastedMs: 0,
    stuckSinceMs: null,
    insisting: false,
    override: false,
  }
}
