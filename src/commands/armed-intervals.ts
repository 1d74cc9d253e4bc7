/**
 * Armed intervals: when the vehicles of a flight were armed, from its events.
 */
import type { FlightEvent } from '../storage/flight/flight.js'

/** Receive times (µs); `toUs` is null where the vehicle was still armed at the end. */
export interface ArmedInterval {
  vehicle: string
  fromUs: number
  toUs: number | null
}

export function armedIntervals(events: readonly FlightEvent[]): ArmedInterval[] {
  const intervals: ArmedInterval[] = []
  const armed = new Map<string, ArmedInterval>()
  for (const { kind, detail, recvTimeUs } of events) {
    const open = armed.get(detail)
    if (kind === 'armed' && open === undefined) {
      const interval: ArmedInterval = { vehicle: detail, fromUs: recvTimeUs, toUs: null }
      armed.set(detail, interval)
      intervals.push(interval)
    } else if (kind === 'disarmed' && open !== undefined) {
      open.toUs = recvTimeUs
      armed.delete(detail)
    }
  }
  return intervals
}
