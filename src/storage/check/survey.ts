/**
 * Survey: the segments of a flight, as far as each can be read from the rows that were found of it.
 */
import { createHash } from 'node:crypto'
import { errnoOf } from '../../base/fault.js'
import type { SqlRow } from '../flight/sqlite.js'
import { TIMESTAMP_BYTES } from '../import/tlog.js'
import { FRAME, Records } from '../segment/records.js'
import { decodePartialSegment } from '../segment/segment.js'
import type { LostGroup, Piece } from '../segment/segment.js'
import type { FoundRows } from './found-rows.js'

/** A terabyte of records (segments); a made-up number must not keep us for ever. */
const MAX_SEGMENTS = 1_000_000

/** Records that are lost with a piece. `msgid`: undefined where nothing says it; `sender`: where it is noise. */
export interface LostRecords extends LostGroup {
  msgid: number | undefined
}

export interface SurveyedSegment {
  id: number
  /** What can be read of it, in order. */
  records: Records
  /** Pieces of it that are not there or not as they were written, as far as known. */
  damagedPieces: number[]
  lost: LostRecords[]
  /** Records and bytes that are lost; null where nothing is left that says how many there were. */
  lostRecords: number | null
  lostBytes: number | null
  /** Smallest and largest receive time that is known of it (µs); null where none is. */
  firstUs: number | null
  lastUs: number | null
}

/** How many segments the flight has or had, as far as known. */
export function segmentCount({ flight, segment, piece }: FoundRows): number {
  const claimed = Number(flight?.['segments'] ?? 0)
  let last = claimed
  for (const id of segment.keys()) last = Math.max(last, id)
  for (const row of piece.values()) last = Math.max(last, Number(row['segment']))
  return Math.min(last, MAX_SEGMENTS)
}

/** Surveys all segments, in order. */
export async function* surveySegments(found: FoundRows): AsyncGenerator<SurveyedSegment> {
  const bySegment = new Map<number, SqlRow[]>()
  for (const row of found.piece.values()) {
    const own = bySegment.get(Number(row['segment']))
    if (own === undefined) bySegment.set(Number(row['segment']), [row])
    else own.push(row)
  }
  const count = segmentCount(found)
  for (let id = 1; id <= count; id++) {
    const rows = (bySegment.get(id) ?? []).toSorted((a, b) => Number(a['id']) - Number(b['id']))
    yield await surveySegment(id, rows, found)
  }
}

async function surveySegment(
  id: number,
  rows: readonly SqlRow[],
  found: FoundRows,
): Promise<SurveyedSegment> {
  const row = found.segment.get(id)
  const { records, lost } = await decoded(rows)
  const own = found.groups.get(id)
  const prefixBytes = framePrefixBytes(found)
  const given = { records: records.count, bytes: records.byteLength + prefixBytes * framesIn(records) }
  const isAll = lost !== undefined && lost.length === 0
  const total = row === undefined ? undefined : totalsOf(row, prefixBytes)
  const whole = isAll ? given : total
  const ordered = lost?.reduce((sum, group) => sum + group.records, 0)
  const span = spanOf(records)
  const timeOf = (column: string): number | null => (typeof row?.[column] === 'number' ? row[column] : null)
  return {
    id,
    records,
    damagedPieces: damagedPieces(id, rows, found),
    lost: (lost ?? []).map((group) => {
      const known = own?.find((each) => each['number'] === group.number)
      return { ...group, msgid: known === undefined ? undefined : Number(known['msgid']) }
    }),
    lostRecords: whole === undefined ? (ordered ?? null) : whole.records - given.records,
    lostBytes: whole === undefined ? null : whole.bytes - given.bytes,
    firstUs: timeOf('first_us') ?? span?.firstUs ?? null,
    lastUs: timeOf('last_us') ?? span?.lastUs ?? null,
  }
}

/** What came in before each frame (bytes) and counts as received: of a whole tlog, its time. */
function framePrefixBytes({ flight }: FoundRows): number {
  const isWholeTlog = flight?.['source_format'] === 'tlog' && flight['source_sha256'] !== null
  return isWholeTlog ? TIMESTAMP_BYTES : 0
}

function framesIn({ kinds, count }: Records): number {
  let frames = 0
  for (let i = 0; i < count; i++) if (kinds[i] === FRAME) frames++
  return frames
}

function totalsOf(row: SqlRow, prefixBytes: number): { records: number; bytes: number } {
  return {
    records: Number(row['records']),
    bytes: Number(row['framed_bytes']) + Number(row['noise_bytes']) + prefixBytes * Number(row['frames']),
  }
}

/** `lost` is undefined where the order is lost, and with it every record. */
async function decoded(rows: readonly SqlRow[]): Promise<{ records: Records; lost?: LostGroup[] }> {
  const pieces = rows.map(pieceOf)
  if (!pieces.some(({ kind }) => kind === 'order')) return { records: new Records() }
  try {
    return await decodePartialSegment(pieces)
  } catch (error) {
    // Pieces that are as they were written and make no segment: of another flight, or a mistake of whoever wrote them.
    if (!(error instanceof RangeError) && errnoOf(error) === '') throw error
    return { records: new Records() }
  }
}

export function pieceOf(row: SqlRow): Piece {
  const { kind, body } = row
  return {
    kind: kind === 'order' || kind === 'noise' ? kind : 'frames',
    rawBytes: Number(row['raw_bytes']),
    body: body instanceof Uint8Array ? body : new Uint8Array(0),
  }
}

function damagedPieces(id: number, rows: readonly SqlRow[], { segment, piece }: FoundRows): number[] {
  const row = segment.get(id)
  const next = segment.get(id + 1)?.['first_piece']
  const first = Number(row?.['first_piece'] ?? rows[0]?.['id'] ?? 0)
  const last = next === undefined ? Number(rows.at(-1)?.['id'] ?? first) : Number(next) - 1
  const missing: number[] = []
  for (let n = first; n > 0 && n <= last; n++) if (!piece.has(n)) missing.push(n)
  // Nothing says where the pieces of the last segment end, but the hash of all.
  if (missing.length === 0 && row !== undefined && !isSum(rows, row['sha256'])) missing.push(last + 1)
  return missing
}

function isSum(rows: readonly SqlRow[], sha256: unknown): boolean {
  const hash = createHash('sha256')
  for (const { body } of rows.map(pieceOf)) hash.update(body)
  return sha256 instanceof Uint8Array && hash.digest().equals(sha256)
}

/** Smallest and largest receive time that SQLite could hold too (µs). */
function spanOf({ times, count }: Records): { firstUs: number; lastUs: number } | undefined {
  let firstUs = Infinity
  let lastUs = -Infinity
  for (let i = 0; i < count; i++) {
    const us = Number(times[i]!)
    if (!Number.isSafeInteger(us)) continue
    firstUs = Math.min(firstUs, us)
    lastUs = Math.max(lastUs, us)
  }
  return firstUs === Infinity ? undefined : { firstUs, lastUs }
}
