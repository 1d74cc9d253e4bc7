/**
 * Guard rules: what must hold of every decision, said without the table. Each takes what was remembered, what was
 * read and what was decided, and yields what is wrong with it.
 */
import type { Decision, Effect, GuardInputs, GuardState } from '../../src/hw/decide/guard-state.js'

type Rule = (before: GuardState, inputs: GuardInputs, decision: Decision) => boolean

const has = ({ effects }: Decision, effect: Effect) => effects.includes(effect)
const shuts = (decision: Decision) => has(decision, 'shut') || has(decision, 'shut harder')

/** The kernel was read after it was last told something, and not long ago; between token and permit, after the token was taken. */
const isFresh = ({ phase, changedMs }: GuardState, { kernel, kernelAtMs, tokenAtMs, nowMs }: GuardInputs) =>
  kernelAtMs >= changedMs &&
  nowMs - kernelAtMs <= 5000 &&
  (phase !== 'asking' || kernel !== 'shut' || kernelAtMs >= tokenAtMs)
const isOverdue = (before: GuardState, { kernelAtMs, nowMs }: GuardInputs) =>
  nowMs - kernelAtMs > 5000 && nowMs - before.changedMs > 5000
const isUnread = (before: GuardState, inputs: GuardInputs) =>
  !isFresh(before, inputs) && !isOverdue(before, inputs)
const readsShut = (before: GuardState, inputs: GuardInputs) =>
  isFresh(before, inputs) && inputs.kernel === 'shut'

/** Something that no permit may survive, whatever the phase. */
function isInDoubt(before: GuardState, inputs: GuardInputs): boolean {
  const shutNow = before.phase === 'blocked' || before.phase === 'asking'
  return (
    inputs.position === 'doubt' ||
    inputs.token === 'doubt' ||
    isOverdue(before, inputs) ||
    (isFresh(before, inputs) && inputs.kernel === 'differs') ||
    (isFresh(before, inputs) && inputs.kernel === 'leased' && shutNow) ||
    (inputs.witness === 'grew' && (shutNow || (before.phase === 'shutting' && readsShut(before, inputs)))) ||
    (before.phase === 'permitted' && inputs.token !== 'mine')
  )
}

/** A vehicle that nobody knows to be on the ground. */
const isUnknown = ({ station, vehicle }: GuardInputs) => station === 'absent' || vehicle === 'lost'
const isArmed = ({ station, vehicle }: GuardInputs) => station !== 'absent' && vehicle === 'armed'

/** May follow each phase. */
const NEXT: Readonly<Record<string, readonly string[]>> = {
  blocked: ['blocked', 'asking', 'fault'],
  asking: ['asking', 'blocked', 'permitted', 'fault'],
  permitted: ['permitted', 'shutting', 'fault'],
  shutting: ['shutting', 'blocked', 'fault'],
  fault: ['fault', 'blocked'],
}

export const GUARD_RULES: Readonly<Record<string, Rule>> = {
  'a renewal needs PERMIT, proven, and the token': (_, { position, shutSeen, token }, decision) =>
    !has(decision, 'renew permit') ||
    (position === 'permit' && shutSeen && token === 'mine' && decision.state.phase === 'permitted'),
  'no renewal with an armed vehicle': (_, inputs, decision) =>
    !has(decision, 'renew permit') || !isArmed(inputs),
  'no renewal after one that failed': ({ phase }, { permit }, decision) =>
    !has(decision, 'renew permit') || phase !== 'permitted' || permit !== 'failed',
  'a first permit needs a kernel read as shut and a still witness': (before, inputs, decision) =>
    !has(decision, 'renew permit') ||
    before.phase === 'permitted' ||
    (before.phase === 'asking' && readsShut(before, inputs) && inputs.witness === 'still'),
  'a first permit needs no late, silent or refusing station': ({ phase, sinceMs }, inputs, decision) =>
    !has(decision, 'renew permit') ||
    phase === 'permitted' ||
    (inputs.nowMs - sinceMs <= 8000 && !['silent', 'refused'].includes(inputs.station)),
  'a permit for a vehicle that nobody knows is a noted override': ({ phase }, inputs, decision) =>
    !(has(decision, 'renew permit') && phase !== 'permitted' && isUnknown(inputs)) ||
    has(decision, 'note override'),
  'an override is noted once, before its permit': ({ phase }, _, { effects }) =>
    !effects.includes('note override') || (phase === 'asking' && effects[1] === 'renew permit'),
  'permitted is never both': (_, __, decision) => !has(decision, 'renew permit') || !shuts(decision),
  'the door says what the phase is': (_, __, { door, state: { phase } }) =>
    door === (phase === 'permitted' || phase === 'fault' ? phase : 'blocked'),
  'a permitted door has PERMIT and the token': (_, { position, token }, { door }) =>
    door !== 'permitted' || (position === 'permit' && token === 'mine'),
  'the token is freed only when it is there and the kernel was read as shut': (before, inputs, decision) =>
    !has(decision, 'free token') || (inputs.token === 'mine' && readsShut(before, inputs)),
  'the token is kept while it is needed': (_, __, decision) =>
    !has(decision, 'free token') || ['blocked', 'fault'].includes(decision.state.phase),
  'a token left over is freed': (before, inputs, decision) =>
    decision.state.phase !== 'blocked' ||
    inputs.token !== 'mine' ||
    !readsShut(before, inputs) ||
    has(decision, 'free token'),
  'the token is taken from a station that gave way, or by override': (before, inputs, decision) =>
    !has(decision, 'take token') ||
    (before.phase === 'asking' &&
      inputs.token === 'free' &&
      inputs.position === 'permit' &&
      (inputs.station === 'gave way' ||
        (inputs.station === 'absent' && decision.state.override && inputs.nowMs - before.presentMs >= 1000))),
  'the station is asked for a proven PERMIT only, once': (before, inputs, decision) =>
    !has(decision, 'ask station') ||
    (!before.asked && inputs.position === 'permit' && inputs.shutSeen && inputs.station !== 'absent'),
  'nobody is asked while the vehicle is armed': (_, inputs, decision) =>
    !(has(decision, 'ask station') || has(decision, 'take token')) || !isArmed(inputs),
  'every doubt is a fault': (before, inputs, { door }) => !isInDoubt(before, inputs) || door === 'fault',
  'a fault comes with shutting': (before, _, decision) =>
    decision.state.phase !== 'fault' || before.phase === 'fault' || shuts(decision),
  'sent or permitted by nobody: shut harder': (before, inputs, decision) =>
    !['blocked', 'asking'].includes(before.phase) || inputs.witness !== 'grew' || decision.effects.length > 0,
  'whoever leaves permitted shuts at once': ({ phase }, _, decision) =>
    phase !== 'permitted' || decision.state.phase === 'permitted' || shuts(decision),
  'what is read as not shut is shut again within a second': (before, inputs, decision) =>
    !['fault', 'shutting'].includes(before.phase) ||
    readsShut(before, inputs) ||
    isUnread(before, inputs) ||
    inputs.nowMs - before.changedMs < 1000 ||
    inputs.isShutting ||
    shuts(decision),
  'a fault is left by SHUT with everything verified, only': (before, inputs, { door }) =>
    before.phase !== 'fault' ||
    door === 'fault' ||
    (inputs.position === 'shut' &&
      inputs.isAtShut &&
      before.shutSinceMs !== null &&
      readsShut(before, inputs) &&
      inputs.witness === 'still' &&
      inputs.token !== 'doubt' &&
      inputs.nowMs - before.sinceMs >= 700),
  'shutting ends with the kernel read as shut, or in a fault': (before, inputs, { state: { phase } }) =>
    before.phase !== 'shutting' || phase !== 'blocked' || readsShut(before, inputs),
  'no phase waits for ever': ({ phase, sinceMs }, { nowMs }, { state }) =>
    !(phase === 'asking' && nowMs - sinceMs > 8000) && !(phase === 'shutting' && nowMs - sinceMs > 5000)
      ? true
      : state.phase !== phase,
  'SHUT is awaited until it came': (before, { position }, { state }) =>
    !before.untilShut ||
    state.untilShut ||
    position === 'shut' ||
    before.shutSinceMs !== null ||
    before.shutLastedMs >= 700,
  'nothing opens while SHUT is awaited': (before, __, { state: { phase, untilShut } }) =>
    !untilShut || before.phase === 'permitted' || !['asking', 'permitted'].includes(phase),
  'phases follow each other as drawn': ({ phase }, _, decision) =>
    NEXT[phase]!.includes(decision.state.phase),
  'a reason is one line with every word filled in': (_, __, { reason }) =>
    reason !== '' && !/[{}\n]|undefined/.test(reason),
  'no effect twice': (_, __, { effects }) => new Set(effects).size === effects.length,
}

const RULES = Object.entries(GUARD_RULES)

/** Names of the rules that a decision breaks; mostly none. */
export function brokenRules(before: GuardState, inputs: GuardInputs, decision: Decision): string[] {
  const broken: string[] = []
  for (const [name, holds] of RULES) if (!holds(before, inputs, decision)) broken.push(name)
  return broken
}
