/**
 * Segment check: the pieces of each segment, held against their checksums and its hash; what they hold, decoded, against
 * what the tables say of it.
 */
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { errnoOf, reasonOf } from '../../base/fault.js'
import { REDACTED_EVENT } from '../flight/flight.js'
import { isIntact } from '../flight/row-checksum.js'
import type { Sqlite, SqlRow } from '../flight/sqlite.js'
import { sortByGroup } from '../segment/group-sort.js'
import { FRAME } from '../segment/records.js'
import type { Records } from '../segment/records.js'
import { decodeSegment, groupAt, inflatePiece } from '../segment/segment.js'
import { TIMESTAMP_BYTES } from '../import/tlog.js'
import type { Note } from './finding.js'
import { pieceOf } from './survey.js'
import type { TableCheck } from './table-check.js'

export class SegmentCheck {
  pieces = 0
  records = 0
  frames = 0
  framedBytes = 0
  noiseBytes = 0
  readonly #db: Sqlite
  readonly #tables: TableCheck
  readonly #note: Note
  /** Frames by link, sysid and compid. */
  readonly #senders = new Map<string, number>()
  /** Of the recording that was imported, where it can be put back. */
  #source: Hash | undefined
  #allDecoded: boolean

  constructor(db: Sqlite, tables: TableCheck, note: Note) {
    this.#db = db
    this.#tables = tables
    this.#note = note
    const { flight, incomplete } = tables
    this.#allDecoded = !incomplete.has('segment')
    if (typeof flight?.['source_sha256'] === 'string' && flight['redactions'] === 0)
      this.#source = createHash('sha256')
  }

  async check(row: SqlRow): Promise<void> {
    const id = Number(row['id'])
    const pieces = await this.#piecesOf(row)
    const records = pieces === undefined ? undefined : await this.#decoded(id, pieces)
    if (pieces === undefined || records === undefined) {
      this.#allDecoded = false
      return
    }
    this.#holdTotals(row, records)
    await this.#holdGroups(row, records, pieces)
    this.#addToSource(records)
  }

  /** What concerns all segments together. */
  async end(): Promise<void> {
    const [row] = await this.#db.all('SELECT count(*) AS pieces FROM piece')
    if (row?.['pieces'] !== this.pieces && this.#allDecoded)
      this.#note(
        'table',
        'piece',
        `it has ${Number(row?.['pieces'])} rows, and the segments have ${this.pieces} pieces`,
      )
    if (this.#allDecoded) this.#holdFlight()
  }

  /** The pieces of a segment; undefined where one is not as it was written. */
  async #piecesOf(row: SqlRow): Promise<SqlRow[] | undefined> {
    const id = Number(row['id'])
    const rows = await this.#rows(row)
    if (rows === undefined) return undefined
    this.pieces += rows.length
    const hash = createHash('sha256')
    let whole = true
    for (const [i, piece] of rows.entries()) {
      hash.update(pieceOf(piece).body)
      const isOwn = piece['id'] === Number(row['first_piece']) + i && piece['segment'] === id
      if (isOwn && isIntact(piece)) continue
      whole = false
      this.#note(
        'piece',
        Number(piece['id']),
        `of segment ${id} (${String(piece['kind'])}): it is not as it was written`,
      )
    }
    const sha256 = row['sha256']
    if (whole && !(sha256 instanceof Uint8Array && hash.digest().equals(sha256))) {
      whole = false
      this.#note('segment', id, 'its pieces are not those that it had: their hash differs')
    }
    return whole ? rows : undefined
  }

  /** Those up to the next segment's first; where the row that names that is damaged, those that say they are its own. */
  async #rows(row: SqlRow): Promise<SqlRow[] | undefined> {
    const { segments, flight } = this.#tables
    const id = Number(row['id'])
    const first = Number(row['first_piece'])
    const next = segments.find((each) => Number(each['id']) > id)
    const end = Number(next?.['first_piece'] ?? Number.MAX_SAFE_INTEGER)
    const isEnd = next === undefined ? flight?.['segments'] === id : next['id'] === id + 1
    const own = isEnd ? '' : 'AND segment = ?'
    try {
      return await this.#db.all(`SELECT * FROM piece WHERE id >= ? AND id < ? ${own} ORDER BY id`, [
        first,
        end,
        ...(isEnd ? [] : [id]),
      ])
    } catch (error) {
      if (errnoOf(error) === '') throw error
      this.#note('segment', id, `its pieces, from ${first} on, cannot all be read: ${reasonOf(error)}`)
      return undefined
    }
  }

  async #decoded(id: number, pieces: readonly SqlRow[]): Promise<Records | undefined> {
    try {
      return await decodeSegment(pieces.map(pieceOf))
    } catch (error) {
      if (!(error instanceof RangeError) && errnoOf(error) === '') throw error
      this.#note('segment', id, `its pieces do not make a segment: ${reasonOf(error)}`)
      return undefined
    }
  }

  #holdTotals(row: SqlRow, records: Records): void {
    const found = { records: records.count, frames: 0, framed_bytes: 0, noise_bytes: 0 }
    for (let i = 0; i < records.count; i++) {
      const bytes = records.ends[i]! - records.startOf(i)
      if (records.kinds[i] === FRAME) {
        found.frames++
        found.framed_bytes += bytes
      } else found.noise_bytes += bytes
    }
    for (const [column, value] of Object.entries(found))
      if (row[column] !== value)
        this.#note(
          'counts',
          '',
          `segment ${Number(row['id'])} says ${column} ${Number(row[column])}, and holds ${value}`,
        )
    this.records += found.records
    this.frames += found.frames
    this.framedBytes += found.framed_bytes
    this.noiseBytes += found.noise_bytes
  }

  /** Each row of `message_group` names a group that is there, and each group is named. */
  async #holdGroups(row: SqlRow, records: Records, pieces: readonly SqlRow[]): Promise<void> {
    const id = Number(row['id'])
    const groups = sortByGroup(records).frames
    const rows = this.#tables.groups.get(id) ?? []
    const raw = new Map<number, Uint8Array>()
    for (const piece of pieces) {
      const { kind, body, rawBytes } = pieceOf(piece)
      if (kind === 'frames') raw.set(Number(piece['id']), await inflatePiece(body, rawBytes))
    }
    for (const { key, indices } of groups) {
      const sender = `${key.link} ${key.sysid} ${key.compid}`
      this.#senders.set(sender, (this.#senders.get(sender) ?? 0) + indices.length)
    }
    const held = rows.filter((each) => isInPiece(each, raw)).length
    if (held !== groups.length || rows.length !== groups.length)
      this.#note(
        'counts',
        '',
        `message_group has ${rows.length} groups of segment ${id}, ${held} of them right, and it has ${groups.length}`,
      )
  }

  #addToSource({ kinds, times, bytes, ends, count }: Records): void {
    const source = this.#source
    if (source === undefined) return
    const isTlog = this.#tables.flight?.['source_format'] === 'tlog'
    const time = Buffer.alloc(TIMESTAMP_BYTES)
    for (let i = 0, start = 0; i < count; start = ends[i++]!) {
      if (isTlog && kinds[i] === FRAME) {
        time.writeBigUInt64BE(times[i]!)
        source.update(time)
      }
      source.update(bytes.subarray(start, ends[i]))
    }
  }

  #holdFlight(): void {
    const { flight, components, gaps, events, incomplete } = this.#tables
    if (flight === undefined) return
    const hold = (what: string, said: unknown, held: number | string): void => {
      if (said !== held)
        this.#note('counts', '', `${what}: the tables say ${String(said)}, and there are ${held}`)
    }
    const lost = gaps.reduce((sum, gap) => sum + Number(gap['bytes']), 0)
    // What is before each frame of a tlog came in, too, and is in its time.
    const prefixes =
      flight['source_format'] === 'tlog' && flight['source_sha256'] !== null
        ? TIMESTAMP_BYTES * this.frames
        : 0
    if (!incomplete.has('gap')) {
      const cameIn = this.framedBytes + this.noiseBytes + prefixes + lost
      hold('bytes that came in (framed, noise and lost)', flight['bytes_in'], cameIn)
      hold('bytes that were lost (in gaps)', flight['bytes_lost'], lost)
    }
    for (const row of components) {
      const { link, sysid, compid } = row
      hold(
        `frames of ${Number(sysid)}/${Number(compid)} on link ${Number(link)}`,
        row['frames'],
        this.#senders.get(`${Number(link)} ${Number(sysid)} ${Number(compid)}`) ?? 0,
      )
    }
    const redacted = events.filter(({ kind }) => kind === REDACTED_EVENT).length
    if (redacted > Number(flight['redactions'])) hold('redactions', flight['redactions'], redacted)
    if (this.#source !== undefined)
      hold('the hash of the recording', flight['source_sha256'], this.#source.digest('hex'))
  }
}

function isInPiece(row: SqlRow, raw: ReadonlyMap<number, Uint8Array>): boolean {
  const bytes = raw.get(Number(row['piece']))
  if (bytes === undefined) return false
  try {
    const { key, count } = groupAt(bytes, Number(row['offset']), 0)
    return (
      key.msgid === row['msgid'] &&
      key.link === row['link'] &&
      key.sysid === row['sysid'] &&
      key.compid === row['compid'] &&
      count === row['count']
    )
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}
