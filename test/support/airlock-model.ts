/**
 * Airlock model: link token, lease and processes as a graph of all that can happen, searched whole.
 *
 * A step is what one process does between two looks at anything shared; any process may take the next one, and time
 * may pass between any two. So a stopped process (SIGSTOP), a hung one and a slow nft child are here without a word
 * of their own: they are the ways in which ticks pass and they take no step. SIGKILL is a step.
 * The guard here may permit whenever it has the token: what the decision forbids besides is not relied on.
 */

/** Ticks of a lease, and of the station's full wait. More ticks make more states and found nothing more. */
const LEASE = 3

/** What the code does; taking one out must let both doors open. */
export interface AirlockRules {
  /** Each nft child that permits is given the token's descriptor. */
  childCarriesToken: boolean
  /** After taking the token the station waits a lease, unless it was told "shut, verified" or nothing was permitted. */
  fullWait: boolean
  /** `permitted-once` is made before the first permit of a boot, not after it. */
  markFirst: boolean
  /** An answer counts for the hand-over in which it was asked, only. */
  answersAreNumbered: boolean
  /** The guard takes the token when the station gave way or is long gone, not as soon as it is free: a killed
   *  station's descriptors close in ascending order, the token's before the port's. */
  takeGivenOnly: boolean
}

export const ALL_RULES: AirlockRules = {
  childCarriesToken: true,
  fullWait: true,
  markFirst: true,
  answersAreNumbered: true,
  takeGivenOnly: true,
}

export interface Airlock {
  /** dead; idle: without the token; holding: token taken; read: kernel read as shut; marked: permitted-once is there;
   *  permitted; flushed, ended, read shut: on the way out. */
  guard: 'dead' | 'idle' | 'holding' | 'read' | 'marked' | 'permitted' | 'flushed' | 'ended' | 'read shut'
  /** The guard's renewal in flight, and one that outlived its guard. */
  child: Child
  orphan: Child
  /** Ticks that the permit in the kernel has left. */
  lease: number
  /** dead; closed: without the token; waiting: with it, port closed; open: the serial port is open; gives way: asked,
   *  port closed, token held; dying: killed, token gone, port not yet. */
  station: 'dead' | 'closed' | 'waiting' | 'open' | 'gives way' | 'dying'
  /** Ticks that the station still waits. */
  wait: number
  permittedOnce: boolean
  /** "is shut" of this hand-over: asked, read by the guard as shut, answered and not yet received. */
  question: Question
  /** The same of an earlier hand-over, still under way. */
  lateQuestion: Question
}

type Question = 'none' | 'asked' | 'read' | 'answered'

/** none; running: not committed; done: committed, still there; `+` with the token's descriptor. */
type Child = 'none' | 'running' | 'running+' | 'done' | 'done+'

const START: Airlock = {
  guard: 'dead',
  child: 'none',
  orphan: 'none',
  lease: 0,
  station: 'dead',
  wait: 0,
  permittedOnce: false,
  question: 'none',
  lateQuestion: 'none',
}

export const isBothOpen = ({ station, lease }: Airlock): boolean =>
  (station === 'open' || station === 'dying') && lease > 0

type Step = [name: string, after: Airlock]

/** The lock belongs to the open file: it is free when no copy of any descriptor of it is left. */
function isFree({ guard, child, orphan, station }: Airlock): boolean {
  const guardHolds = guard !== 'dead' && guard !== 'idle'
  const stationHolds = station === 'waiting' || station === 'open' || station === 'gives way'
  return !guardHolds && !stationHolds && !child.endsWith('+') && !orphan.endsWith('+')
}

function guardSteps(now: Airlock, rules: AirlockRules): Step[] {
  const to = (name: string, changes: Partial<Airlock>): Step => [name, { ...now, ...changes }]
  const spawned: Child = rules.childCarriesToken ? 'running+' : 'running'
  const steps: Step[] = []
  switch (now.guard) {
    case 'dead':
      return [to('guard: starts', { guard: 'idle' })]
    case 'idle':
      if (isFree(now) && (now.station !== 'dying' || !rules.takeGivenOnly)) {
        steps.push(to('guard: take token', { guard: 'holding' }))
      }
      steps.push(to('guard: shut (not permitted)', { lease: 0 }))
      break
    case 'holding':
      steps.push(to('guard: read kernel', now.lease === 0 ? { guard: 'read' } : {}))
      steps.push(to('guard: give up, read back', { guard: 'ended' }))
      break
    case 'read':
      if (rules.markFirst)
        steps.push(to('guard: make permitted-once', { guard: 'marked', permittedOnce: true }))
      else steps.push(to('guard: spawn first permit', { guard: 'marked', child: spawned }))
      break
    case 'marked':
      if (rules.markFirst) steps.push(to('guard: spawn first permit', { guard: 'permitted', child: spawned }))
      else steps.push(to('guard: make permitted-once', { guard: 'permitted', permittedOnce: true }))
      break
    case 'permitted':
      if (now.child === 'none') steps.push(to('guard: spawn renewal', { child: spawned }))
      steps.push(to('guard: flush', { guard: 'flushed', lease: 0 }))
      break
    case 'flushed':
      steps.push(to('guard: end renewal, flush again', { guard: 'ended', child: 'none', lease: 0 }))
      break
    case 'ended':
      if (now.lease === 0) steps.push(to('guard: read back', { guard: 'read shut' }))
      else steps.push(to('guard: flush', { lease: 0 }))
      break
    case 'read shut':
      steps.push(to('guard: free token', { guard: 'idle' }))
      break
  }
  steps.push(...answerSteps(now))
  // One orphan is followed at a time: a second kill waits until the first one's child ended.
  if (now.orphan === 'none' || now.child === 'none') {
    const orphan = now.child === 'none' ? now.orphan : now.child
    const kept = (question: Question): Question => (question === 'answered' ? question : 'none')
    const [question, lateQuestion] = [kept(now.question), kept(now.lateQuestion)]
    steps.push(to('guard: SIGKILL', { guard: 'dead', child: 'none', orphan, question, lateQuestion }))
  }
  return steps
}

/** An answer that was sent stays in the station's socket, whoever dies; the guard may be stopped before it sends it. */
function answerSteps(now: Airlock): Step[] {
  return (['question', 'lateQuestion'] as const).flatMap((which): Step[] => {
    if (now[which] === 'asked') {
      const read = now.lease === 0 ? 'read' : 'none'
      return [[`guard: reads the kernel for "is shut" (${which})`, { ...now, [which]: read }]]
    }
    return now[which] === 'read'
      ? [[`guard: answers "shut, verified" (${which})`, { ...now, [which]: 'answered' }]]
      : []
  })
}

function childSteps(now: Airlock): Step[] {
  return (['child', 'orphan'] as const).flatMap((which): Step[] => {
    const child = now[which]
    if (child === 'none') return []
    const ended: Step = [`${which}: exits, or SIGKILL`, { ...now, [which]: 'none' }]
    if (child === 'done' || child === 'done+') return [ended]
    const done = child === 'running' ? 'done' : 'done+'
    return [ended, [`${which}: commits a lease`, { ...now, [which]: done, lease: LEASE }]]
  })
}

function stationSteps(now: Airlock, rules: AirlockRules): Step[] {
  const to = (name: string, changes: Partial<Airlock>): Step => [name, { ...now, ...changes }]
  const killed = { wait: 0, question: 'none', lateQuestion: 'none' } as const
  const handsOver = {
    station: 'closed',
    wait: 0,
    question: 'none',
    lateQuestion: now.question === 'none' ? now.lateQuestion : now.question,
  } as const
  const kill = to('station: SIGKILL', { ...killed, station: 'dead' })
  switch (now.station) {
    case 'dead':
      return [to('station: starts', { station: 'closed' })]
    case 'closed': {
      const question = now.guard === 'dead' ? 'none' : 'asked'
      const taken = to('station: take token, ask "is shut"', { station: 'waiting', wait: LEASE, question })
      return isFree(now) ? [taken, kill] : [kill]
    }
    case 'waiting': {
      const isTold =
        now.question === 'answered' || (now.lateQuestion === 'answered' && !rules.answersAreNumbered)
      const isOver = now.wait === 0 || !rules.fullWait || !now.permittedOnce
      return [
        ...(isTold
          ? [to('station: is told "shut, verified", opens the port', { station: 'open', wait: 0 })]
          : []),
        ...(isOver ? [to('station: has waited, opens the port', { station: 'open', wait: 0 })] : []),
        to('station: gives way before it opened', handsOver),
        kill,
      ]
    }
    case 'open':
      return [
        to('station: gives way, closes the port', { station: 'gives way' }),
        to('station: SIGKILL, token closed', { ...killed, station: 'dying' }),
      ]
    case 'gives way':
      return [to('station: free token', handsOver), kill]
    case 'dying':
      break
  }
  return [to('station: port closed by the kernel', { station: 'dead' })]
}

function tick(now: Airlock): Step[] {
  // A killed process's descriptors are closed within a tick.
  if (now.station === 'dying' || (now.lease === 0 && now.wait === 0)) return []
  return [['a tick', { ...now, lease: Math.max(0, now.lease - 1), wait: Math.max(0, now.wait - 1) }]]
}

export interface Search {
  states: number
  steps: number
  /** How both doors came to be open, by the fewest steps; empty where they never are. */
  trace: string[]
  /** Names of all steps that were possible somewhere. */
  seen: string[]
}

/** Every state that can be reached, nearest first; ends early where both doors are open. */
export function searchAirlock(rules: AirlockRules): Search {
  const key = (state: Airlock) => Object.values(state).join('|')
  const cameFrom = new Map<string, [from: string, step: string]>([[key(START), ['', '']]])
  const seen = new Set<string>()
  let steps = 0
  // The queue grows while it is walked.
  const queue = [START]
  for (const state of queue) {
    if (isBothOpen(state)) {
      return { states: cameFrom.size, steps, trace: traceTo(key(state), cameFrom), seen: [...seen] }
    }
    const all = [
      ...guardSteps(state, rules),
      ...childSteps(state),
      ...stationSteps(state, rules),
      ...tick(state),
    ]
    for (const [name, next] of all) {
      steps++
      seen.add(name)
      if (cameFrom.has(key(next))) continue
      cameFrom.set(key(next), [key(state), name])
      queue.push(next)
    }
  }
  return { states: cameFrom.size, steps, trace: [], seen: [...seen] }
}

function traceTo(last: string, cameFrom: ReadonlyMap<string, [from: string, step: string]>): string[] {
  const [from, step] = cameFrom.get(last)!
  return from === '' ? [] : [...traceTo(from, cameFrom), step]
}
