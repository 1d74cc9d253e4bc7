/**
 * Selection: which records of a flight an export takes: messages, a link, a span of time.
 */
import { Fault } from '../../base/fault.js'
import type { FlightReader } from '../flight/flight-reader.js'
import type { FlightSegment } from '../flight/flight-segment.js'

/** A moment as a person names it. */
export type Moment =
  { kind: 'after start'; us: number } | { kind: 'before end'; us: number } | { kind: 'utc'; us: number }

/** Seconds, minutes and seconds, or hours, minutes and seconds; what is not the first has two digits, below 60. */
const CLOCK = /^([+-])?(?:(?:(\d+):(?=[0-5]\d:))?(\d+):(?=[0-5]\d(?:\.|$)))?(\d+(?:\.\d+)?)$/

/** What is absent does not narrow. */
export interface Selection {
  msgids?: readonly number[]
  link?: number
  /** Receive times (µs) from the first on and before the second. */
  fromUs: number
  toUs: number
}

/**
 * `12.5`: seconds after the flight's start, also as `+1:05` or `1:02:05`, which is how times are shown; `-10` or `-1:05`:
 * before its end; or a UTC time, ISO 8601 with its zone.
 */
export function momentOf(word: string): Moment | undefined {
  const [, sign, hours, minutes, seconds] = CLOCK.exec(word) ?? []
  if (seconds !== undefined) {
    const us = Math.round((Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds)) * 1e6)
    return sign === '-' ? { kind: 'before end', us } : { kind: 'after start', us }
  }
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d.*(Z|[+-]\d\d:?\d\d)$/.test(word)) return undefined
  const ms = Date.parse(word)
  return Number.isNaN(ms) ? undefined : { kind: 'utc', us: ms * 1000 }
}

/** The receive time (µs) of a moment in this flight. Errors: Fault GL-EXPORT-05 where it has no such clock. */
export function receiveTimeOf({ info, clock }: FlightReader, moment: Moment): number {
  if (moment.kind === 'utc') {
    if (clock.source === undefined) throw noClockFault(info.id, 'what UTC it was is not known')
    // The offset belongs to a receive time, which is what is looked for: it is found in a few steps.
    let recvUs = moment.us
    for (let step = 0; step < OFFSET_STEPS; step++) recvUs = moment.us - clock.offsetUs(recvUs)
    return recvUs
  }
  const edge = moment.kind === 'after start' ? info.openedUs : info.lastUs
  if (edge === null) throw noClockFault(info.id, 'its records have no receive times')
  return moment.kind === 'after start' ? edge + moment.us : edge - moment.us
}

/** Offsets of one flight differ by seconds at most, but at a clock step: two steps are enough, one more for that. */
const OFFSET_STEPS = 3

/** Whether the segment can hold a record of the span. */
export function overlaps({ firstUs, lastUs }: FlightSegment, { fromUs, toUs }: Selection): boolean {
  return (lastUs === null || lastUs >= fromUs) && (firstUs === null || firstUs < toUs)
}

/** Whether every receive time is in the span. */
export function isWholeTime({ fromUs, toUs }: Selection): boolean {
  return fromUs === -Infinity && toUs === Infinity
}

function noClockFault(id: string, found: string): Fault {
  return new Fault({
    code: 'GL-EXPORT-05',
    op: 'find that time in flight',
    subject: id,
    found,
    hint: 'Leave --from and --to out, or (where only UTC is not known) give seconds: 12.5 after the start, -10 before the end.',
    recovery: 'user',
  })
}
