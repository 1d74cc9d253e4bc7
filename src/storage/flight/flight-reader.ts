/**
 * Flight reader: one flight of a vault, read only, also while it is being recorded.
 *
 *     tails (what is newest) ──▶ file: what is known of the flight ──▶ segments: records(), groups(…), when asked for
 */
import { existsSync, statSync } from 'node:fs'
import { loadDialect } from '../../mavlink/dialect.js'
import { UtcClock } from './clock-anchors.js'
import { notAFlightFault } from './flight-fault.js'
import { FlightFile } from './flight-file.js'
import type { MessageCount } from './flight-file.js'
import { findFlight } from './flight-lookup.js'
import { TailSegment } from './flight-segment.js'
import type { FlightSegment } from './flight-segment.js'
import type { FlightRow, FlightTables } from './flight-tables.js'
import { REDACTED_EVENT } from './flight.js'
import type { ClockAnchor, FlightEvent, FlightHead, Gap } from './flight.js'
import { sortByGroup } from '../segment/group-sort.js'
import { snapshotTails, tailPartOf } from '../tail/tail-reader.js'
import type { TailPart, TailSnapshot } from '../tail/tail-reader.js'
import { Tally } from './tally.js'
import type { Figures } from './tally.js'
import type { Vault } from '../vault/vault.js'

/**
 * `recording`: not over, or cut off and not yet recovered by the station's next start.
 * `closed, not settled`: over, but a reader held the file open, so that it is not yet one read-only file.
 */
export type FlightState = 'recording' | 'closed' | 'closed, not settled'

export interface FlightInfo extends FlightRow {
  state: FlightState
  /** Receive time of the last record (µs) as far as it can be believed; null where none has one. */
  lastUs: number | null
  records: number
  frames: number
  framedBytes: number
  noiseBytes: number
  /** Size of the flight's file (bytes); 0 while it has none. */
  fileBytes: number
}

export class FlightReader {
  readonly info: FlightInfo
  readonly figures: Figures
  readonly gaps: readonly Gap[]
  readonly events: readonly FlightEvent[]
  readonly anchors: readonly ClockAnchor[]
  /** Turns receive times into UTC. */
  readonly clock: UtcClock
  /** In order; the last may be one that is still in the tails. */
  readonly segments: readonly FlightSegment[]
  readonly #file: FlightFile | undefined
  readonly #tail: TailPart | undefined

  private constructor(tables: FlightTables, file: FlightFile | undefined, tail: TailPart | undefined) {
    const stored = file?.segments ?? []
    const newest = tail === undefined ? [] : [new TailSegment(tail.records)]
    this.#file = file
    this.#tail = tail
    this.segments = [...stored, ...newest]
    this.figures = tail === undefined ? tables.figures : figuresWith(tables.figures, tail)
    this.gaps = [...tables.gaps, ...(tail?.gaps ?? [])]
    this.events = [...tables.events, ...(tail?.events ?? [])]
    this.anchors = [...tables.anchors, ...(tail?.anchors ?? [])]
    this.clock = new UtcClock(this.anchors)
    this.info = infoOf(tables.flight, file, tail, this.segments)
  }

  /**
   * Opens the flight that `word` means (see `findFlight`).
   * Errors: Fault GL-FLIGHT-01 not a flight, 02 of a newer format, 03 damaged, 04 no such flight, 05 not to be opened.
   */
  static async open(vault: Vault, word: string): Promise<FlightReader> {
    const tails = snapshotTails(vault)
    return FlightReader.openId(vault, findFlight(vault, tails, word), tails)
  }

  /** Opens the flight of that very id. `tails` must be taken before, as chunks leave them for the file. */
  static async openId(vault: Vault, id: string, tails: TailSnapshot): Promise<FlightReader> {
    const path = vault.flightPath(id)
    if (existsSync(path)) {
      const { file, tables } = await FlightFile.open(path)
      return new FlightReader(tables, file, unbrokenPart(tails, id, file.lastChunk))
    }
    const tail = unbrokenPart(tails, id, 0)
    if (tail === undefined) throw notAFlightFault(path, 'there is no such file')
    return new FlightReader(newTables(tail.head), undefined, tail)
  }

  /** How many frames of each kind and sender there are. */
  async messages(): Promise<MessageCount[]> {
    const counts = (await this.#file?.messages()) ?? []
    if (this.#tail === undefined) return counts
    for (const { key, indices } of sortByGroup(this.#tail.records).frames) {
      const { link, sysid, compid, msgid } = key
      const known = counts.find(
        (c) => c.link === link && c.sysid === sysid && c.compid === compid && c.msgid === msgid,
      )
      if (known === undefined) counts.push({ link, sysid, compid, msgid, count: indices.length })
      else known.count += indices.length
    }
    return counts
  }

  async close(): Promise<void> {
    await this.#file?.close()
  }
}

/**
 * What the tails hold behind chunk `after`, up to the first chunk that is missing: the two tails are read one after
 * the other, and the station may have written on meanwhile.
 */
function unbrokenPart(tails: TailSnapshot, id: string, after: number): TailPart | undefined {
  const own = tails.filter(({ head, sequence }) => head.id === id && sequence > after)
  const first = own[0]?.sequence ?? 0
  if (after > 0 && first !== after + 1) return undefined
  return tailPartOf(
    own.filter(({ sequence }, i) => sequence === first + i),
    id,
    after,
  )
}

/** What the tables of a flight would say that has no file yet. */
function newTables({ id, station, bootId, origin, previousPart, links, openedUs }: FlightHead): FlightTables {
  const closed = { closedUs: null, closeReason: null, source: null }
  const nothing = { bytesIn: 0, bytesLost: 0, redactions: 0 }
  return {
    flight: { id, station, bootId, origin, previousPart, links, openedUs, ...closed, ...nothing },
    segments: [],
    figures: { components: [], crcMismatches: new Map(), damagedRuns: 0, damagedBytes: 0 },
    gaps: [],
    events: [],
    anchors: [],
  }
}

function figuresWith(stored: Figures, { records }: TailPart): Figures {
  const tally = new Tally(loadDialect().byId, 0, stored)
  tally.add(records)
  return tally.figures
}

function infoOf(
  row: FlightRow,
  file: FlightFile | undefined,
  tail: TailPart | undefined,
  segments: readonly FlightSegment[],
): FlightInfo {
  const sum = (count: (segment: FlightSegment) => number): number =>
    segments.reduce((all, segment) => all + count(segment), 0)
  const lostLately = (tail?.gaps ?? []).reduce((bytes, gap) => bytes + gap.bytes, 0)
  const stat = file === undefined ? undefined : statSync(file.path)
  return {
    ...row,
    state: stateOf(row, stat?.mode ?? 0),
    lastUs: row.closedUs ?? segments.at(-1)?.lastUs ?? null,
    bytesIn: row.bytesIn + (tail?.records.byteLength ?? 0) + lostLately,
    bytesLost: row.bytesLost + lostLately,
    redactions: row.redactions + (tail?.events ?? []).filter(({ kind }) => kind === REDACTED_EVENT).length,
    records: sum((segment) => segment.recordCount),
    frames: sum((segment) => segment.frames),
    framedBytes: sum((segment) => segment.framedBytes),
    noiseBytes: sum((segment) => segment.noiseBytes),
    fileBytes: stat?.size ?? 0,
  }
}

/** A settled file has lost its permission to be written. */
function stateOf({ closeReason }: FlightRow, mode: number): FlightState {
  if (closeReason === null) return 'recording'
  return (mode & 0o222) === 0 ? 'closed' : 'closed, not settled'
}
