/**
 * Flight summary: what is known of a flight as a whole, for lists and for `--json`.
 */
import type { FlightInfo, FlightReader } from '../storage/flight/flight-reader.js'
import { utcOrNull } from './quantity-text.js'

/** Times are UTC, null where it is not known; durations are seconds, sizes bytes. */
export interface FlightSummary {
  id: string
  state: FlightInfo['state']
  origin: FlightInfo['origin']
  station: string
  bootId: string | null
  previousPart: string | null
  links: string[]
  openedUtc: string | null
  closedUtc: string | null
  /** Which clock UTC comes from. */
  utcSource: string | null
  closeReason: string | null
  durationS: number | null
  records: number
  frames: number
  messages: number
  bytesIn: number
  framedBytes: number
  noiseBytes: number
  lostBytes: number
  /** Frames that the senders' sequence numbers say are missing. */
  lostFrames: number
  /** Those of all that were sent, 0 to 1. */
  loss: number
  redactions: number
  source: FlightInfo['source']
  fileBytes: number
}

export function summaryOf({ info, clock, figures }: FlightReader): FlightSummary {
  const toUtc = (us: number | null): number | null =>
    us === null || clock.source === undefined ? null : us + clock.offsetUs(us)
  const lostFrames = figures.components.reduce((sum, { lost }) => sum + lost, 0)
  const durationUs = durationUsOf(info)
  return {
    id: info.id,
    state: info.state,
    origin: info.origin,
    station: info.station,
    bootId: info.bootId === '' ? null : info.bootId,
    previousPart: info.previousPart,
    links: info.links,
    openedUtc: utcOrNull(toUtc(info.openedUs)),
    closedUtc: utcOrNull(toUtc(info.closedUs)),
    utcSource: clock.source ?? null,
    closeReason: info.closeReason,
    durationS: durationUs === null ? null : durationUs / 1e6,
    records: info.records,
    frames: info.frames,
    messages: info.frames,
    bytesIn: info.bytesIn,
    framedBytes: info.framedBytes,
    noiseBytes: info.noiseBytes,
    lostBytes: info.bytesLost,
    lostFrames,
    loss: lossOf(lostFrames, info.frames),
    redactions: info.redactions,
    source: info.source,
    fileBytes: info.fileBytes,
  }
}

/** How long the flight is so far (µs); null where its records have no times. */
export function durationUsOf({ openedUs, lastUs }: FlightInfo): number | null {
  return openedUs === null || lastUs === null ? null : Math.max(0, lastUs - openedUs)
}

export function lossOf(lost: number, received: number): number {
  return lost === 0 ? 0 : lost / (lost + received)
}
