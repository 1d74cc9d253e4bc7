/**
 * Leak airlock: both real programs, opened and shut by the contact alone, as soon as the protocol allows, and the means to
 * try everything against them.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { monotonicMs } from '../../src/base/clock.js'
import { BOUNCE_WINDOW_MS, MAX_MOVEMENTS } from '../../src/hw/switch/position-filter.js'
import { Airlock } from './airlock.js'
import { LeakTraffic } from './leak-traffic.js'

/** Between one PERMIT and the next (ms): oftener the guard would take it for a contact that bounces. */
const PACE_MS = (2 * BOUNCE_WINDOW_MS) / MAX_MOVEMENTS + 50

/** Two read-backs after SHUT (ms). */
const AT_REST_MS = 2000

/** A contact that was turned to SHUT: when, and when the door was seen to have shut (ms of the monotonic clock). */
interface Turn {
  contactMs: number
  shutMs: number
}

export class LeakAirlock extends LeakTraffic {
  readonly airlock: Airlock
  #permittedMs = -Infinity

  private constructor(airlock: Airlock) {
    super(airlock.lab)
    this.airlock = airlock
  }

  /** Resolves when the station has its port open and the door is shut. */
  static async make(dir: string): Promise<LeakAirlock> {
    const airlock = await Airlock.make(dir, { isPlain: true })
    // Nothing to record: a station without a flight gives way at once.
    airlock.vehicle.isSilent = true
    return new LeakAirlock(airlock)
  }

  /** Turns the contact to PERMIT; resolves when the permit was read back and the uplink has its addresses. */
  async permit(): Promise<void> {
    await pause(Math.max(0, this.#permittedMs + PACE_MS - monotonicMs()))
    this.#permittedMs = this.airlock.flip('permit')
    await this.airlock.untilGuard(
      'the permit is read back',
      ({ door, reading }) => door === 'permitted' && reading?.kernel === 'leased',
    )
    await this.net.dress()
  }

  /** Turns it to SHUT; resolves when the station has its port open: the guard has read the kernel as shut before that. */
  async shut(): Promise<Turn> {
    const contactMs = this.airlock.flip('shut')
    await this.airlock.until('the station opens its port', () => this.airlock.isPortOpen)
    return { contactMs, shutMs: monotonicMs() }
  }

  /** The same where no station lives, as the guard says it. */
  async shutAlone(): Promise<void> {
    this.airlock.flip('shut')
    await this.untilShut()
  }

  /** Kills or stops the guard, for as long as nobody starts another. Returns the moment before that. */
  endGuard(signal: 'SIGKILL' | 'SIGSTOP'): number {
    const { guard } = this.airlock
    guard.isHeld = true
    const beforeMs = monotonicMs()
    guard.kill(signal)
    return beforeMs
  }

  /** Ends the guard as it stands, and starts another, behind SHUT. */
  async restartGuard(): Promise<void> {
    const { guard } = this.airlock
    await guard.end()
    guard.isHeld = false
    this.airlock.flip('shut')
    guard.start()
    await this.untilShut()
    await this.airlock.untilGuard('the station is back', ({ station }) => station.link === 'open')
  }

  async untilShut(forMs = 0): Promise<void> {
    await this.airlock.untilGuard(
      'the guard has shut',
      ({ nowUs, phase, reading, switch: { position, shutSeen, sinceMs } }) =>
        phase === 'blocked' &&
        reading?.kernel === 'shut' &&
        position === 'shut' &&
        shutSeen &&
        nowUs / 1000 - sinceMs >= forMs,
    )
  }

  /** Nothing of the shutting is under way any more. */
  atRest(): Promise<void> {
    return this.untilShut(AT_REST_MS)
  }

  /** Errors: the guard saw something sent while shut, or has a fault. */
  async expectNoFault(): Promise<void> {
    await this.airlock.untilGuard(
      'the guard sees nothing wrong',
      ({ door, witness }) => door === 'blocked' && witness.state === 'still',
    )
  }

  close(): Promise<void> {
    return this.airlock.close()
  }
}
