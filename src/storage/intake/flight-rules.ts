/**
 * Flight rules: when a flight begins and when it is over. Pure: time and heartbeats come in, a decision comes out.
 */
import type { CloseReason } from '../flight/flight.js'

/** End of a flight whose vehicles were all last seen disarmed (µs without a heartbeat). */
export const SILENT_DISARMED_US = 60e6
/** The same where one was armed: it may be behind a hill, and its flight is not to be torn in two (µs). */
export const SILENT_ARMED_US = 15 * 60e6
/** A flight goes on in another file after this long (µs): damage, retention and hand-over are by file. */
const MAX_FLIGHT_US = 24 * 3600e6
/** The same by bytes received. */
const MAX_FLIGHT_BYTES = 1024 ** 3

/** What is to be done with the flight that is on: end it, and at once begin the next part or not. */
export interface Ending {
  reason: CloseReason
  nextPart: boolean
}

export class FlightRules {
  readonly #armed = new Map<number, boolean>()
  #lastHeartbeatUs = 0
  #openedUs = 0
  #open = false

  get isOpen(): boolean {
    return this.#open
  }

  /** An autopilot's heartbeat; it begins a flight where none is on. */
  heartbeat(sysid: number, armed: boolean, recvTimeUs: number): void {
    this.#armed.set(sysid, armed)
    this.#lastHeartbeatUs = recvTimeUs
  }

  begin(recvTimeUs: number): void {
    this.#open = true
    this.#openedUs = recvTimeUs
  }

  /** The flight is over, and what was known of its vehicles is forgotten, unless it goes on in another part. */
  end(nextPart: boolean): void {
    this.#open = false
    if (!nextPart) this.#armed.clear()
  }

  /** Whether the flight that is on should end now. `flightBytes`: what it received so far. */
  ending(nowUs: number, flightBytes: number): Ending | undefined {
    if (!this.#open) return undefined
    const armed = [...this.#armed.values()].includes(true)
    const silenceUs = nowUs - this.#lastHeartbeatUs
    if (silenceUs >= (armed ? SILENT_ARMED_US : SILENT_DISARMED_US)) {
      return { reason: armed ? 'silent' : 'landed', nextPart: false }
    }
    if (nowUs - this.#openedUs >= MAX_FLIGHT_US) return { reason: 'too long', nextPart: true }
    if (flightBytes >= MAX_FLIGHT_BYTES) return { reason: 'too large', nextPart: true }
    return undefined
  }
}
