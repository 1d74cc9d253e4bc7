/** Guard events: how a simulated world of the guard begins, what happens in it by chance, and how a person gets out. */
import type { Random } from '../../src/simulator/random.js'
import type { GuardWorld } from './guard-world.js'

/** The station records, the switch is SHUT. */
export function recording(world: GuardWorld): void {
  world.stationTakes()
  world.pass(100)
  world.pass(100)
}

/** PERMIT, and the station is asked. */
function asking(world: GuardWorld): void {
  recording(world)
  world.moveLever('permit')
  world.pass(500)
}

function permitted(world: GuardWorld): void {
  asking(world)
  world.stationAnswers(true)
  world.pass(10)
  world.pass(100)
  world.pass(100)
}

/** PERMIT was refused for a minute, for want of a vehicle or a station. */
function stuck(world: GuardWorld): void {
  recording(world)
  world.moveLever('permit')
  world.pass(500)
  world.pass(60_000)
  world.pass(100)
}

export const BEGINNINGS: readonly ((world: GuardWorld) => void)[] = [
  () => undefined,
  recording,
  asking,
  permitted,
  permitted,
  (world) => {
    world.vehicle = 'lost'
    stuck(world)
  },
  (world) => {
    world.stationKilled()
    stuck(world)
    world.moveLever('shut')
    world.pass(1000)
    world.moveLever('permit')
    world.pass(500)
  },
  (world) => {
    permitted(world)
    world.isTampered = true
    world.pass(100)
  },
]

const JUMPS_MS = [10, 100, 100, 300, 700, 1000, 1000, 1500, 3000, 6000, 11_000, 61_000]
const DELAYS_MS = [20, 50, 50, 900, 2900, 4000, 20_000]
const VEHICLES = ['none', 'disarmed', 'armed', 'lost'] as const

const EVENTS: readonly ((world: GuardWorld, random: Random) => void)[] = [
  (world) => world.moveLever(world.lever === 'shut' ? 'permit' : 'shut'),
  (world) => world.moveLever(world.lever === 'shut' ? 'permit' : 'shut'),
  (world) => {
    world.moveLever('shut')
    world.pass(1000)
    world.moveLever('permit')
    world.pass(500)
  },
  (world) => (world.isSwitchBroken = !world.isSwitchBroken),
  (world, random) => (world.vehicle = oneOf(VEHICLES, random)),
  (world) => world.stationAnswers(true),
  (world) => world.stationAnswers(true),
  (world, random) => world.stationAnswers(random() < 0.5),
  (world) => world.stationTakes(),
  (world) => world.stationTakes(),
  (world) => world.stationKilled(),
  (world) => (world.station = world.station === 'up' ? 'hung' : 'up'),
  (world) => (world.station = world.station === 'up' ? 'deaf' : 'up'),
  (world) => world.guardKilled(),
  (world) => world.guardStarts(),
  (world) => world.guardStarts(),
  (world) => (world.guard = world.guard === 'hung' ? 'up' : world.guard === 'up' ? 'hung' : 'down'),
  (world) => (world.guardHolds = false),
  (world) => (world.isTampered = !world.isTampered),
  (world) => (world.isTokenReplaced = !world.isTokenReplaced),
  (world) => (world.isSending = !world.isSending),
  (world) => (world.canShut = !world.canShut),
  (world) => (world.canRead = !world.canRead),
  (world) => (world.canPermit = !world.canPermit),
  (world, random) => (world.nftDelayMs = oneOf(DELAYS_MS, random)),
  (world) => (world.children = world.children.slice(1)),
  (world) => (world.leaseUntilMs = 0),
]

export function randomEvent(world: GuardWorld, random: Random): void {
  if (random() < 0.6) oneOf(EVENTS, random)(world, random)
  world.pass(oneOf(JUMPS_MS, random))
}

function oneOf<T>(values: readonly T[], random: Random): T {
  return values[Math.floor(random() * values.length)]!
}
