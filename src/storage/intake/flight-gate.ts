/**
 * Flight gate: decides for each record whether it belongs to a flight, and begins and ends flights by the rules.
 *
 *     records ──┬── flight is on ──▶ output
 *               └── none is on ────▶ preroll (the last half minute goes into the next flight), else outside
 */
import { vehicleName } from '../../mavlink/vehicles.js'
import type { Closing } from '../tail/chunk.js'
import { FlightRules } from './flight-rules.js'
import type { Ending } from './flight-rules.js'
import type { CloseReason, FlightEvent } from '../flight/flight.js'
import { Preroll } from './preroll.js'
import { FRAME } from '../segment/records.js'
import type { RecordKind } from '../segment/records.js'

/** Where the flights go: the recorder, or an import that is split. False: there is no room, it is lost or tried again. */
export interface FlightOutput {
  /** Begins a flight; `isNextPart` says that it goes on from the one before. */
  open(openedUs: number, isNextPart: boolean): boolean
  record(
    kind: RecordKind,
    link: number,
    timeUs: bigint,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean
  event(event: FlightEvent): void
  close(closing: Closing): boolean
}

/** Where the bytes of a link went. Together with what its splitter holds they are all that came in. */
export interface LinkLedger {
  framedBytes: number
  noiseBytes: number
  lostBytes: number
  outsideBytes: number
}

export class FlightGate {
  readonly #output: FlightOutput
  readonly #rules = new FlightRules()
  readonly #preroll = new Preroll()
  readonly #links = new Map<number, LinkLedger>()
  /** Vehicles that are armed by the events of the flight that is on, or of the part before. */
  readonly #armed = new Set<string>()
  /** Whether the last flight ended to go on in another part. */
  #goesOn = false
  #flightBytes = 0
  /** Why the flight that is on was told to end, where that found no room yet. */
  #due: CloseReason | undefined

  constructor(output: FlightOutput) {
    this.#output = output
  }

  get isOpen(): boolean {
    return this.#rules.isOpen
  }

  ledger(link: number): LinkLedger {
    let ledger = this.#links.get(link)
    if (ledger === undefined) {
      ledger = { framedBytes: 0, noiseBytes: 0, lostBytes: 0, outsideBytes: 0 }
      this.#links.set(link, ledger)
    }
    return ledger
  }

  /** An autopilot is alive: begins a flight where none is on. Comes before the record of the same heartbeat. */
  heartbeat(sysid: number, armed: boolean, recvTimeUs: number): void {
    this.#rules.heartbeat(sysid, armed, recvTimeUs)
    if (!this.#rules.isOpen) this.#begin(recvTimeUs)
    // One that was armed before the flight began brings no event of its own.
    if (armed) this.event('armed', vehicleName(sysid), recvTimeUs)
  }

  /** Something happened to a vehicle or a link; it is noted if a flight is on and does not know it yet. */
  event(kind: string, detail: string, recvTimeUs: number): void {
    if (kind === 'disarmed') this.#armed.delete(detail)
    if (!this.#rules.isOpen) return
    if (kind === 'armed') {
      if (this.#armed.has(detail)) return
      this.#armed.add(detail)
    }
    this.#output.event({ kind, detail, recvTimeUs })
  }

  readonly record = (
    kind: RecordKind,
    link: number,
    timeUs: bigint,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void => {
    if (this.#rules.isOpen) return this.#store(kind, link, timeUs, bytes, start, end)
    this.ledger(link).outsideBytes += end - start
    this.#preroll.append(kind, link, timeUs, bytes, start, end)
  }

  /** Time has passed: ends the flight if the rules say so, or if it should have ended and found no room. */
  tick(nowUs: number): void {
    const ending = this.#ending(nowUs)
    if (ending === undefined || !this.#end(ending, nowUs)) return
    if (ending.nextPart) this.#begin(nowUs)
  }

  /**
   * Ends the flight that is on; false where none is. Where its end finds no room yet the flight goes on, `isOpen`, and
   * each tick tries again.
   */
  close(reason: CloseReason, nowUs: number): boolean {
    if (!this.#rules.isOpen) return false
    this.#due ??= reason
    this.tick(nowUs)
    return true
  }

  #ending(nowUs: number): Ending | undefined {
    if (this.#due === undefined) return this.#rules.ending(nowUs, this.#flightBytes)
    return { reason: this.#due, nextPart: false }
  }

  #end({ reason, nextPart }: Ending, nowUs: number): boolean {
    if (!this.#output.close({ reason, closedUs: nowUs })) return false
    this.#due = undefined
    this.#rules.end(nextPart)
    this.#goesOn = nextPart
    if (!nextPart) this.#armed.clear()
    return true
  }

  #begin(nowUs: number): void {
    if (!this.#output.open(this.#preroll.beginsAtUs(nowUs), this.#goesOn)) return
    this.#flightBytes = 0
    this.#rules.begin(nowUs)
    for (const detail of this.#armed) this.#output.event({ kind: 'armed', detail, recvTimeUs: nowUs })
    this.#preroll.drain(nowUs, (kind, link, timeUs, bytes, start, end) => {
      this.ledger(link).outsideBytes -= end - start
      this.#store(kind, link, timeUs, bytes, start, end)
    })
  }

  #store(
    kind: RecordKind,
    link: number,
    timeUs: bigint,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const ledger = this.ledger(link)
    const length = end - start
    this.#flightBytes += length
    if (!this.#output.record(kind, link, timeUs, bytes, start, end)) ledger.lostBytes += length
    else if (kind === FRAME) ledger.framedBytes += length
    else ledger.noiseBytes += length
  }
}
