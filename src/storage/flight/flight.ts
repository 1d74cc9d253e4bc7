/**
 * Flight: what is known of one: where it comes from, when and why it ended, and what happened in it.
 */

/** What is known of a flight when it begins. */
export interface FlightHead {
  id: string
  station: string
  /** The boot whose monotonic clock the receive times belong to; '' for an import. */
  bootId: string
  origin: 'live' | 'import'
  /** The flight that this one goes on from, where that became too long or too large. */
  previousPart: string | null
  /** Names of the links; a record says which by its place in this list. */
  links: string[]
  /** Receive time of the flight's first record (µs), or null where none can be had. */
  openedUs: number | null
}

/** The recording that an import came from. */
export interface FlightSource {
  name: string
  format: 'tlog' | 'raw'
  bytes: number
  /** Of the file; null where this flight is only a part of it. */
  sha256: string | null
}

/** Bytes that were received and could not be stored. */
export interface Gap {
  /** null: of several links, or of one that nothing names. */
  link: number | null
  fromUs: number
  toUs: number
  bytes: number
  reason: string
}

/** Something that happened: armed, disarmed, reboot, unplugged, … */
export interface FlightEvent {
  recvTimeUs: number
  kind: string
  detail: string
}

/** Kind of the event that counts a signing key that was zeroed. */
export const REDACTED_EVENT = 'redacted'

/** A moment known on two clocks: receive time and UTC (both µs). */
export interface ClockAnchor {
  recvTimeUs: number
  utcUs: number
  source: 'gps' | 'ntp' | 'system' | 'recorded'
}

/** Why a flight ended. */
export const CLOSE_REASONS = [
  'landed',
  'silent',
  'asked',
  'shutdown',
  'gave way',
  'too long',
  'too large',
  'imported',
  'recovered',
] as const
export type CloseReason = (typeof CLOSE_REASONS)[number]

export interface FlightTotals {
  bytesIn: number
  bytesLost: number
  redactions: number
}

/** How a flight ended; times are receive times (µs), null where they are not known. */
export interface FlightEnd {
  reason: CloseReason
  openedUs: number | null
  closedUs: number | null
}
