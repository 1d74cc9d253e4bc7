/**
 * Flight report: all that a flight's file says of it, as one value for `show --json`.
 */
import { messageName } from '../storage/export/csv-export.js'
import type { FlightReader } from '../storage/flight/flight-reader.js'
import { armedIntervals } from './armed-intervals.js'
import { durationUsOf, lossOf, summaryOf } from './flight-summary.js'
import type { FlightSummary } from './flight-summary.js'
import { messageLines } from './messages.js'
import type { MessageLine } from './messages.js'
import { utcOrNull } from './quantity-text.js'

/** A moment of the flight: on the receive clock, after the flight's start, and in UTC; null where not known. */
export interface FlightMoment {
  recvTimeUs: number
  afterStartS: number | null
  utc: string | null
}

export interface FlightReport {
  flight: FlightSummary
  /** `rateHz`: messages a second over the whole flight. */
  messages: (MessageLine & { rateHz: number | null })[]
  components: {
    link: string
    sysid: number
    compid: number
    frames: number
    lost: number
    loss: number
    duplicates: number
    reordered: number
    restarts: number
  }[]
  /** Noise that was exactly a frame, but for its checksum. */
  crcMismatches: { msgid: number; name: string; count: number }[]
  /** All other noise between frames. */
  damaged: { runs: number; bytes: number }
  gaps: { link: string; from: FlightMoment; to: FlightMoment; bytes: number; reason: string }[]
  armed: { vehicle: string; from: FlightMoment; to: FlightMoment | null }[]
  events: { at: FlightMoment; kind: string; detail: string }[]
  anchors: { recvTimeUs: number; utcUs: number; source: string }[]
}

export async function reportOf(flight: FlightReader): Promise<FlightReport> {
  const { info, clock, figures, gaps, events, anchors } = flight
  const durationUs = durationUsOf(info)
  const moment = (recvTimeUs: number): FlightMoment => ({
    recvTimeUs,
    afterStartS: info.openedUs === null ? null : (recvTimeUs - info.openedUs) / 1e6,
    utc: clock.source === undefined ? null : utcOrNull(recvTimeUs + clock.offsetUs(recvTimeUs)),
  })
  const linkName = (link: number | null): string =>
    link === null ? 'no one link' : (info.links[link] ?? String(link))
  return {
    flight: summaryOf(flight),
    messages: (await messageLines(flight)).map((line) => ({
      ...line,
      rateHz: durationUs === null || durationUs === 0 ? null : line.count / (durationUs / 1e6),
    })),
    components: figures.components.map(({ link, ...counts }) => ({
      link: linkName(link),
      ...counts,
      loss: lossOf(counts.lost, counts.frames),
    })),
    crcMismatches: [...figures.crcMismatches].map(([msgid, count]) => ({
      msgid,
      name: messageName(msgid),
      count,
    })),
    damaged: { runs: figures.damagedRuns, bytes: figures.damagedBytes },
    gaps: gaps.map(({ link, fromUs, toUs, bytes, reason }) => ({
      link: linkName(link),
      from: moment(fromUs),
      to: moment(toUs),
      bytes,
      reason,
    })),
    armed: armedIntervals(events).map(({ vehicle, fromUs, toUs }) => ({
      vehicle,
      from: moment(fromUs),
      to: toUs === null ? null : moment(toUs),
    })),
    events: events.map(({ recvTimeUs, kind, detail }) => ({ at: moment(recvTimeUs), kind, detail })),
    anchors: anchors.map((anchor) => ({ ...anchor })),
  }
}
