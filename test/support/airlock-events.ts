/**
 * Airlock events: what happens to both programs by chance: kills and stops, the switch, the vehicle, a late nft, a foreign flush.
 * Each event may wait for a state first, so that kills come in every phase and not only while nothing is under way.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { GuardStatus } from '../../src/base/guard-status.js'
import type { Random } from '../../src/simulator/random.js'
import type { Airlock } from './airlock.js'

/** What the observer saw when an event came. */
export type Phase = 'permitted' | 'link open' | 'neither'

const AIMS: readonly [Phase | 'at once', number][] = [
  ['at once', 40],
  ['permitted', 30],
  ['link open', 20],
  ['neither', 10],
]

/** An aim that is not reached is given up (ms): nobody may be there to reach it. */
const AIM_AT_MOST_MS = 4000
/** SHUT that a guard takes for meant, and hears PERMIT after it again (ms). */
const MEANT_MS = 800
/** Most between two events (ms); in a hand-over there are some hundred. */
const PAUSE_MS = 600
/** A child that gives a lease may come later than a lease lasts and a station waits (s). */
const MOST_LATE_S = 5
const STOPPED_MS = 6000
/** Shorter than the guard's watchdog waits, so that it goes on with what it had decided (ms). */
const PAUSED_MS = 1900

type Event = (airlock: Airlock, random: Random) => void

const EVENTS: Readonly<Record<string, readonly [weight: number, event: Event]>> = {
  'switch to PERMIT': [22, (airlock) => airlock.flip('permit')],
  'switch to SHUT': [18, (airlock) => airlock.flip('shut')],
  'switch in doubt': [3, (airlock) => airlock.flip('doubt')],
  'guard killed': [12, (airlock) => airlock.guard.kill('SIGKILL')],
  'guard stopped': [8, (airlock) => airlock.guard.kill('SIGSTOP')],
  'guard paused': [
    6,
    ({ guard }, random) => {
      const pid = guard.pid
      guard.kill('SIGSTOP')
      setTimeout(() => guard.pid === pid && guard.kill('SIGCONT'), random() * PAUSED_MS).unref()
    },
  ],
  'station killed': [9, (airlock) => airlock.station.kill('SIGKILL')],
  'station stopped': [
    6,
    ({ station }, random) => {
      station.kill('SIGSTOP')
      setTimeout(() => station.kill('SIGCONT'), random() * STOPPED_MS).unref()
    },
  ],
  'vehicle armed': [4, ({ vehicle }) => void (vehicle.isArmed = true)],
  'vehicle disarmed': [10, ({ vehicle }) => void (vehicle.isArmed = false)],
  'vehicle silent': [3, ({ vehicle }) => void (vehicle.isSilent = true)],
  'vehicle heard': [6, ({ vehicle }) => void (vehicle.isSilent = false)],
  'nft late': [6, (airlock, random) => airlock.late({ permit: (random() * MOST_LATE_S).toFixed(2) })],
  'nft hangs': [2, (airlock) => airlock.late({ permit: 'hang' })],
  'nft in time': [8, (airlock) => airlock.late({ permit: '0' })],
  'ruleset flushed': [
    4,
    ({ lab, observer }) => {
      observer.excuseFrames()
      void lab.station.run('nft', 'flush', 'ruleset').catch(() => undefined)
    },
  ],
}

/** How often each event came in each phase. */
export class EventTally {
  readonly counts = new Map<string, Record<Phase, number>>()

  note(name: string, phase: Phase): void {
    const counts = this.counts.get(name) ?? { permitted: 0, 'link open': 0, neither: 0 }
    counts[phase]++
    this.counts.set(name, counts)
  }
}

export async function happen(airlock: Airlock, random: Random, tally: EventTally): Promise<void> {
  await aim(airlock, pick(AIMS, random))
  const [name, [, event]] = pick(
    Object.entries(EVENTS).map((entry) => [entry, entry[1][0]] as const),
    random,
  )
  tally.note(name, phaseOf(airlock))
  airlock.observer.enter(name)
  event(airlock, random)
  await pause(random() * PAUSE_MS)
}

/** From wherever it is, with the switch alone: the station records, and the uplink is permitted again. */
export async function becomeNormal(airlock: Airlock): Promise<void> {
  airlock.late({ permit: '0' })
  airlock.vehicle.isArmed = false
  airlock.vehicle.isSilent = false
  airlock.station.kill('SIGCONT')
  airlock.flip('shut')
  await airlock.observer.until('SHUT: the station opens its port', ({ isPortOpen }) => isPortOpen, BACK_MS)
  const isReady = 'the guard is back and hears the vehicle'
  await airlock.untilGuard(isReady, isAtRest, BACK_MS)
  await airlock.permit()
  airlock.flip('shut')
  await airlock.observer.until(
    'SHUT: the station opens its port again',
    ({ isPortOpen }) => isPortOpen,
    BACK_MS,
  )
}

/** A stopped guard is killed after 2 s and started within 2 more; a child of it may hold the token for 5 s; a lease is 3 s. */
const BACK_MS = 40_000

/** SHUT counts as meant, what waited for it is over, and PERMIT will be heard. */
function isAtRest({ door, nowUs, station, switch: { position, sinceMs } }: GuardStatus): boolean {
  const SHUT_MEANT_MS = 1000
  const isMeant = position === 'shut' && nowUs / 1000 - sinceMs > SHUT_MEANT_MS
  return door === 'blocked' && station.vehicle === 'disarmed' && isMeant
}

/** Leads to that state, as a person would, so that the event comes in it; and gives it up where what happened before prevents it. */
async function aim(airlock: Airlock, phase: Phase | 'at once'): Promise<void> {
  const { observer, vehicle } = airlock
  if (phase === 'at once' || phaseOf(airlock) === phase) return
  if (phase !== 'neither') airlock.flip('shut')
  if (phase === 'permitted') {
    vehicle.isArmed = false
    vehicle.isSilent = false
    await pause(MEANT_MS)
    airlock.flip('permit')
  }
  await observer.until(phase, () => phaseOf(airlock) === phase, AIM_AT_MOST_MS).catch(() => undefined)
}

function phaseOf({ observer: { sight } }: Airlock): Phase {
  if (sight.isLeased) return 'permitted'
  return sight.isPortOpen ? 'link open' : 'neither'
}

function pick<T>(choices: readonly (readonly [T, number])[], random: Random): T {
  let left = random() * choices.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [value, weight] of choices) if ((left -= weight) < 0) return value
  return choices[0]![0]
}
