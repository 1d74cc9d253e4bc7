/**
 * Decide: the guard's one decision, from what it remembers and what it reads to what it does next. Pure.
 * Guarantees (tested on every view and in a million random sequences): `renew permit` only in phase permitted, with
 * the token and PERMIT; `free token` never unless the kernel was read as shut after the last change; every doubt
 * ends in a shut door; a person with the switch gets out of every state.
 * Source: the table in table.ts. Errors: none; a view that no row fits is a mistake of ours, and a test says there is none.
 */
import { OVERRIDE_WAIT_MS, PHASES, RENEW_MS, SHUT_AGAIN_MS } from './guard-state.js'
import type { Decision, Effect, GuardInputs, GuardState } from './guard-state.js'
import { TABLE } from './table.js'
import type { Row } from './table.js'
import { WORDS, remember, stuckMs, viewOf } from './view.js'
import type { View } from './view.js'

export function decide(before: GuardState, inputs: GuardInputs): Decision {
  const state = remember(before, inputs)
  const view = viewOf(state, inputs)
  const row = rowFor(view)
  const { nowMs, isShutting } = inputs
  const moment = { state, view, nowMs, isShutting, begins: row.next !== state.phase }
  const effects = row.effects.filter((effect) => IS_DUE[effect](moment))
  const reason = reasonText(row, state, inputs, view)
  return {
    state: after(state, row, effects, reason, nowMs),
    door: row.next === 'permitted' || row.next === 'fault' ? row.next : 'blocked',
    reason,
    row: row.name,
    effects,
  }
}

/** The rows of each phase with their conditions as a list: a guard decides many times a second. */
const ROWS = new Map(
  PHASES.map((phase) => [
    phase,
    TABLE.filter((row) => row.in.includes(phase)).map((row) => ({ row, conditions: conditionsOf(row) })),
  ]),
)

/** The first row that fits. */
export function rowFor(view: View): Row {
  const found = ROWS.get(view.phase)?.find(({ conditions }) => holds(conditions, view))
  if (found === undefined) throw new Error(`no row of the table fits ${JSON.stringify(view)}`)
  return found.row
}

export function fits(row: Row, view: View): boolean {
  return row.in.includes(view.phase) && holds(conditionsOf(row), view)
}

interface Condition {
  word: keyof View
  values: readonly View[keyof View][]
}

function conditionsOf({ when }: Row): Condition[] {
  return WORDS.flatMap((word) => {
    const values = when[word]
    return values === undefined ? [] : [{ word, values }]
  })
}

function holds(conditions: readonly Condition[], view: View): boolean {
  return conditions.every(({ word, values }) => values.includes(view[word]))
}

interface Moment {
  state: GuardState
  view: View
  nowMs: number
  isShutting: boolean
  /** The row begins another phase. */
  begins: boolean
}

/** Not again while the last one is still under way or to be read: each would void that reading, so a slow one would never count. */
const shutIsDue = ({ begins, nowMs, state, view, isShutting }: Moment) =>
  begins || (!isShutting && view.kernel !== 'unread' && nowMs - state.changedMs >= SHUT_AGAIN_MS)

/** EFFECT_RULES as code. */
const IS_DUE: Readonly<Record<Effect, (moment: Moment) => boolean>> = {
  shut: shutIsDue,
  'shut harder': shutIsDue,
  'ask station': ({ state, view }) => !state.asked && view.station !== 'absent' && view.station !== 'leaving',
  'take token': ({ view }) => view.token === 'free',
  'free token': ({ view }) => view.token === 'mine' && view.kernel === 'shut',
  'renew permit': ({ begins, nowMs, state }) => begins || nowMs - state.renewedMs >= RENEW_MS,
  'note override': () => true,
}

function after(
  state: GuardState,
  row: Row,
  effects: readonly Effect[],
  reason: string,
  nowMs: number,
): GuardState {
  const begins = row.next !== state.phase
  const renews = effects.includes('renew permit')
  const changes = effects.includes('shut') || effects.includes('shut harder') || (renews && begins)
  return {
    phase: row.next,
    sinceMs: begins ? nowMs : state.sinceMs,
    why: begins ? reason : state.why,
    untilShut: state.untilShut || row.untilShut === true,
    changedMs: changes ? nowMs : state.changedMs,
    renewedMs: renews ? nowMs : state.renewedMs,
    asked: row.next === 'asking' && (state.asked || effects.includes('ask station')),
    presentMs: state.presentMs,
    shutSinceMs: state.shutSinceMs,
    shutLastedMs: state.shutLastedMs,
    stuckSinceMs: row.next === 'blocked' ? state.stuckSinceMs : null,
    insisting: state.insisting,
    override: state.override && (row.next === 'asking' || row.next === 'permitted' || !begins),
  }
}

function reasonText(row: Row, state: GuardState, inputs: GuardInputs, view: View): string {
  if (!row.reason.includes('{')) return row.reason
  const kernel = kernelText(view.kernel, inputs.kernelProblem)
  // What led to a fault is often what is still so: it is said once.
  if (row.reason.startsWith('{why} ') && row.reason.includes('{kernel}') && state.why.includes(kernel))
    return state.why
  const waitMs = Math.max(0, OVERRIDE_WAIT_MS - stuckMs(state, inputs.nowMs))
  const words: Readonly<Record<string, string>> = {
    switch: inputs.switchReason,
    kernel,
    witness: inputs.witnessProblem,
    why: state.why,
    wait: String(Math.ceil(waitMs / 1000)),
  }
  return row.reason.replace(/\{(\w+)\}/g, (whole, word: string) => words[word] ?? whole)
}

function kernelText(kernel: View['kernel'], problem: string): string {
  if (kernel === 'unread') return 'not read yet'
  if (kernel === 'overdue') return 'no reading for 5 s'
  if (problem !== '') return problem
  return kernel === 'leased' ? 'a permit is in it' : kernel
}
