/**
 * Flight segment: a segment as a reader meets it, be it committed to the flight's file or still in the tails.
 */
import { damagedFault, readingFault } from './flight-fault.js'
import { sortByGroup } from '../segment/group-sort.js'
import { groupOf } from '../segment/message-group.js'
import type { MessageGroup } from '../segment/message-group.js'
import { FRAME } from '../segment/records.js'
import type { Records } from '../segment/records.js'
import { decodeSegment, groupAt, inflatePiece } from '../segment/segment.js'
import type { Piece, PieceKind } from '../segment/segment.js'
import { isIntact } from './row-checksum.js'
import type { Sqlite, SqlRow } from './sqlite.js'

/** Which groups are wanted; what is absent does not narrow. */
export interface GroupFilter {
  msgids?: readonly number[]
  link?: number
  /** Bytes that a payload's row has at least, by msgid: a decoder's whole message, so that it finds its zeros in place. */
  rowBytes?: (msgid: number) => number
}

export interface FlightSegment {
  /** Smallest and largest receive time (µs); null where they are beyond what SQLite can hold. */
  readonly firstUs: number | null
  readonly lastUs: number | null
  readonly recordCount: number
  readonly frames: number
  readonly framedBytes: number
  readonly noiseBytes: number
  /** All records, in the order and with the bytes they came in. Errors: Fault GL-FLIGHT-03. */
  records(): Promise<Records>
  /** The frames of the wanted kinds, a group a kind and sender; reads no piece that holds none of them. */
  groups(filter: GroupFilter): Promise<MessageGroup[]>
}

/** Where a group lies, as `message_group` has it. */
export interface GroupPlace {
  msgid: number
  link: number
  piece: number
  offset: number
}

/** A segment of the flight's file. */
export class StoredSegment implements FlightSegment {
  readonly id: number
  readonly firstUs: number | null
  readonly lastUs: number | null
  readonly recordCount: number
  readonly frames: number
  readonly framedBytes: number
  readonly noiseBytes: number
  readonly #db: Sqlite
  readonly #path: string
  readonly #places: (filter: GroupFilter, segment: number) => Promise<readonly GroupPlace[]>

  /** `places` finds the segment's groups; a reader asks for those of all segments at once. */
  constructor(
    db: Sqlite,
    path: string,
    row: SqlRow,
    places: (filter: GroupFilter, segment: number) => Promise<readonly GroupPlace[]>,
  ) {
    const time = (column: string): number | null => (row[column] === null ? null : Number(row[column]))
    this.id = Number(row['id'])
    this.firstUs = time('first_us')
    this.lastUs = time('last_us')
    this.recordCount = Number(row['records'])
    this.frames = Number(row['frames'])
    this.framedBytes = Number(row['framed_bytes'])
    this.noiseBytes = Number(row['noise_bytes'])
    this.#db = db
    this.#path = path
    this.#places = places
  }

  async records(): Promise<Records> {
    const rows = await this.#rows(
      `SELECT * FROM piece WHERE id >= (SELECT first_piece FROM segment WHERE id = ?1)
      AND id < ifnull((SELECT first_piece FROM segment WHERE id = ?1 + 1), 9e15) ORDER BY id`,
      [this.id],
    )
    const pieces = rows.map((row) => this.#pieceOf(row))
    return this.#reading(() => decodeSegment(pieces))
  }

  async groups(filter: GroupFilter): Promise<MessageGroup[]> {
    const places = await this.#places(filter, this.id)
    const ids = [...new Set(places.map(({ piece }) => piece))]
    if (ids.length === 0) return []
    const rows = await this.#rows(`SELECT * FROM piece WHERE id IN (${ids.map(() => '?').join()})`, ids)
    const raw = new Map<number, Uint8Array>()
    await this.#reading(() =>
      Promise.all(
        rows.map(async (row) => {
          const { body, rawBytes } = this.#pieceOf(row)
          raw.set(Number(row['id']), await inflatePiece(body, rawBytes))
        }),
      ),
    )
    return this.#reading(async () =>
      places.map(({ piece, offset, msgid, link }) => {
        const bytes = raw.get(piece)
        if (bytes === undefined) throw new RangeError(`piece ${piece} is missing`)
        const group = groupAt(bytes, offset, filter.rowBytes?.(msgid) ?? 0)
        if (group.key.msgid === msgid && group.key.link === link) return group
        throw new RangeError(`its table message_group names a group that is not in piece ${piece}`)
      }),
    )
  }

  #pieceOf(row: SqlRow): Piece {
    const body = row['body']
    if (!(body instanceof Uint8Array) || !isIntact(row)) {
      throw damagedFault(
        this.#path,
        `piece ${Number(row['id'])} of segment ${this.id} is not as it was written`,
      )
    }
    return { kind: pieceKind(row['kind']), rawBytes: Number(row['raw_bytes']), body }
  }

  #rows(sql: string, values: number[]): Promise<SqlRow[]> {
    return this.#reading(() => this.#db.all(sql, values))
  }

  async #reading<Value>(work: () => Promise<Value>): Promise<Value> {
    try {
      return await work()
    } catch (error) {
      throw readingFault(this.#path, error)
    }
  }
}

function pieceKind(value: unknown): PieceKind {
  return value === 'order' || value === 'noise' ? value : 'frames'
}

/** Records that no segment holds yet, taken from the tails. */
export class TailSegment implements FlightSegment {
  readonly firstUs: number | null
  readonly lastUs: number | null
  readonly recordCount: number
  readonly frames: number
  readonly framedBytes: number
  readonly noiseBytes: number
  readonly #records: Records

  constructor(records: Records) {
    let frames = 0
    let framedBytes = 0
    for (let i = 0; i < records.count; i++) {
      if (records.kinds[i] !== FRAME) continue
      frames++
      framedBytes += records.ends[i]! - records.startOf(i)
    }
    this.#records = records
    this.recordCount = records.count
    this.frames = frames
    this.framedBytes = framedBytes
    this.noiseBytes = records.byteLength - framedBytes
    // A live flight's times are monotonic.
    this.firstUs = records.count === 0 ? null : Number(records.times[0])
    this.lastUs = records.count === 0 ? null : Number(records.times[records.count - 1])
  }

  async records(): Promise<Records> {
    return this.#records
  }

  async groups({ msgids, link, rowBytes }: GroupFilter): Promise<MessageGroup[]> {
    return sortByGroup(this.#records)
      .frames.filter(({ key }) => msgids?.includes(key.msgid) ?? true)
      .filter(({ key }) => link === undefined || key.link === link)
      .map(({ key, indices }) => groupOf(this.#records, indices, key, rowBytes?.(key.msgid) ?? 0))
  }
}
