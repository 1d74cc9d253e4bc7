/**
 * Losses: what a salvaged flight lacks, for a person and as gap records: when, how many bytes, of which messages.
 */
import { loadDialect } from '../../mavlink/dialect.js'
import type { Gap } from '../flight/flight.js'
import type { SqlRow } from '../flight/sqlite.js'
import type { FoundRows } from './found-rows.js'
import type { LostRecords, SurveyedSegment } from './survey.js'

/** Reason of the gaps that damage made. */
const DAMAGE_REASON = 'the flight file was damaged'

/** Messages that a loss names (messages): a line must be read. */
const NAMED_MESSAGES = 8

export interface Loss {
  /** null: of the tables. */
  segment: number | null
  pieces: number[]
  /** null: not known. */
  records: number | null
  bytes: number | null
  fromUs: number | null
  toUs: number | null
  text: string
  /** The bytes as a gap; null where none are known to be lost. */
  gap: Gap | null
}

/** Rows that are counted by the flight's own, what they are called, and how many were found. */
const HAPPENINGS = [
  ['gaps', 'gap', 'gap'],
  ['events', 'event', 'event'],
  ['clock_anchors', 'clock_anchor', 'clock anchor'],
] as const

export class Losses {
  readonly all: Loss[] = []
  readonly #found: FoundRows
  /** Whatever is lost came over this link; null where the flight had several, or nothing says how many. */
  readonly #onlyLink: number | null
  /** Receive time of the last record of the segments so far, and whether the next one begins behind a lost one (µs). */
  #lastUs = 0

  /** `links`: how many the flight had; undefined where nothing says it. */
  constructor(found: FoundRows, links: number | undefined) {
    this.#found = found
    this.#onlyLink = links === 1 ? 0 : null
    if (found.flight === undefined) this.#addTable('the row of table flight: id, station, links, end')
    for (const [column, table, name] of HAPPENINGS) {
      const count = found.flight?.[column]
      const missing = typeof count === 'number' ? count - found[table].size : holesOf(found[table])
      if (missing > 0) this.#addTable(`${missing} of the ${name} records`)
    }
  }

  add(segment: SurveyedSegment): void {
    const { id, records, damagedPieces, lost, lostRecords, lostBytes } = segment
    const fromUs = segment.firstUs ?? this.#lastUs
    const toUs = segment.lastUs ?? this.#nextUs(id) ?? fromUs
    this.#lastUs = Math.max(this.#lastUs, toUs)
    // Without its row and its pieces, only that there was a segment is known.
    const isLost = lostRecords !== 0 || lost.length > 0
    if (!isLost) return
    this.all.push({
      segment: id,
      pieces: damagedPieces,
      records: lostRecords,
      bytes: lostBytes,
      fromUs,
      toUs,
      text: lossText(segment, records.count),
      gap: { link: this.#linkOf(lost), fromUs, toUs, bytes: lostBytes ?? 0, reason: DAMAGE_REASON },
    })
  }

  /** `cameInBytes`: bytes that the copy accounts for, with gaps of before. What the flight had more is lost, too. */
  end(cameInBytes: number): void {
    const total = this.#found.flight?.['bytes_in']
    if (typeof total !== 'number') return
    const told = this.all.reduce((sum, { gap }) => sum + (gap?.bytes ?? 0), 0)
    const rest = total - cameInBytes - told
    if (rest <= 0) return
    const open = this.all.find(({ bytes, gap }) => bytes === null && gap !== null)
    if (open !== undefined && open.gap !== null) {
      open.gap.bytes = rest
      return
    }
    const fromUs = Number(this.#found.flight?.['opened_us'] ?? 0)
    const toUs = Number(this.#found.flight?.['closed_us'] ?? this.#lastUs)
    const gap = { link: this.#onlyLink, fromUs, toUs, bytes: rest, reason: DAMAGE_REASON }
    const text = `${rest} bytes more, of which nothing says when they came`
    this.all.push({ segment: null, pieces: [], records: null, bytes: rest, fromUs, toUs, text, gap })
  }

  /** The one link of all that is lost. How many bytes of several were lost on each, nothing says: only their sum is known. */
  #linkOf(lost: readonly LostRecords[]): number | null {
    const links = new Set(lost.map(({ sender }) => sender?.link ?? null))
    return links.size === 1 ? ([...links][0] ?? this.#onlyLink) : this.#onlyLink
  }

  #addTable(what: string): void {
    const text = `lost: ${what}`
    this.all.push({
      segment: null,
      pieces: [],
      records: 0,
      bytes: 0,
      fromUs: null,
      toUs: null,
      text,
      gap: null,
    })
  }

  #nextUs(id: number): number | undefined {
    const next = this.#found.segment.get(id + 1)?.['first_us']
    return typeof next === 'number' ? next : undefined
  }
}

/** Numbers that are missing below the last one. */
function holesOf(rows: ReadonlyMap<number, SqlRow>): number {
  let last = 0
  for (const id of rows.keys()) last = Math.max(last, id)
  return last - rows.size
}

function lossText({ id, damagedPieces, lost, lostRecords }: SurveyedSegment, given: number): string {
  const pieces = damagedPieces.length === 0 ? '' : ` (piece ${damagedPieces.join(', ')})`
  if (lost.length === 0) {
    const count = lostRecords === null ? 'all records' : `all ${lostRecords} records`
    return `segment ${id}${pieces}: ${count} lost${given > 0 ? `, but for ${given}` : ''}`
  }
  const named = lost.slice(0, NAMED_MESSAGES).map(groupText)
  const more = lost.length > NAMED_MESSAGES ? `, and of ${lost.length - NAMED_MESSAGES} more groups` : ''
  const count = lost.reduce((sum, { records }) => sum + records, 0)
  return `segment ${id}${pieces}: ${count} records lost: ${named.join(', ')}${more}`
}

function groupText({ msgid, sender, records }: LostRecords): string {
  if (sender === undefined) return `${records} of noise`
  const name = msgid === undefined ? 'messages' : (loadDialect().byId.get(msgid)?.name ?? `UNKNOWN_${msgid}`)
  return `${records} ${name} from ${sender.sysid}/${sender.compid}`
}
