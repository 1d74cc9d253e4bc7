/**
 * Flight file: the SQLite file of one flight, opened for reading, as far as it is committed at that moment.
 * Specified in docs/flight-file.md.
 */
import { newerFault, notAFlightFault, readingFault } from './flight-fault.js'
import { StoredSegment } from './flight-segment.js'
import type { GroupFilter, GroupPlace } from './flight-segment.js'
import { loadTables } from './flight-tables.js'
import type { FlightTables } from './flight-tables.js'
import { APPLICATION_ID, FORMAT_VERSION } from './schema.js'
import { Sqlite } from './sqlite.js'
import type { SqlRow } from './sqlite.js'

/** Frames of one kind and sender in the flight. */
export interface MessageCount {
  link: number
  sysid: number
  compid: number
  msgid: number
  count: number
}

export interface OpenedFile {
  file: FlightFile
  tables: FlightTables
}

export class FlightFile {
  readonly path: string
  readonly segments: readonly StoredSegment[]
  /** Last chunk that a segment holds; 0 before the first. */
  readonly lastChunk: number
  readonly #db: Sqlite
  #places: { key: string; bySegment: Promise<Map<number, GroupPlace[]>> } | undefined

  private constructor(path: string, db: Sqlite, { segments }: FlightTables) {
    this.path = path
    this.#db = db
    this.segments = segments.map(
      (row) => new StoredSegment(db, path, row, (filter, segment) => this.#placesIn(filter, segment)),
    )
    this.lastChunk = Number(segments.at(-1)?.['last_chunk'] ?? 0)
  }

  /** Errors: Fault GL-FLIGHT-01 not a flight, 02 of a newer format, 03 damaged, 05 not to be opened. */
  static async open(path: string): Promise<OpenedFile> {
    let db: Sqlite | undefined
    try {
      db = await Sqlite.open(path, 'read')
      await checkFormat(db, path)
      const tables = await loadTables(db)
      return { file: new FlightFile(path, db, tables), tables }
    } catch (error) {
      await db?.close().catch(() => {})
      throw readingFault(path, error)
    }
  }

  async messages(): Promise<MessageCount[]> {
    const rows = await this.#rows(
      `SELECT link, sysid, compid, msgid, sum(count) AS count FROM message_group WHERE segment <= ?
      GROUP BY msgid, link, sysid, compid`,
      [this.segments.at(-1)?.id ?? 0],
    )
    return rows.map((row) => ({
      link: Number(row['link']),
      sysid: Number(row['sysid']),
      compid: Number(row['compid']),
      msgid: Number(row['msgid']),
      count: Number(row['count']),
    }))
  }

  close(): Promise<void> {
    return this.#db.close()
  }

  /** The wanted groups of a segment. Those of all segments come with one query, which is kept for the next segment. */
  async #placesIn({ msgids, link }: GroupFilter, segment: number): Promise<readonly GroupPlace[]> {
    const key = `${msgids?.join() ?? 'all'} ${link}`
    if (this.#places?.key !== key) this.#places = { key, bySegment: this.#loadPlaces(msgids, link) }
    return (await this.#places.bySegment).get(segment) ?? []
  }

  async #loadPlaces(
    msgids: readonly number[] | undefined,
    link: number | undefined,
  ): Promise<Map<number, GroupPlace[]>> {
    const wanted = [
      ...(msgids === undefined ? [] : [`msgid IN (${msgids.map(() => '?').join()})`]),
      ...(link === undefined ? [] : ['link = ?']),
    ]
    const where = wanted.length === 0 ? '' : `WHERE ${wanted.join(' AND ')}`
    const rows = await this.#rows(
      `SELECT segment, msgid, link, piece, offset FROM message_group ${where} ORDER BY msgid, segment, number`,
      [...(msgids ?? []), ...(link === undefined ? [] : [link])],
    )
    const bySegment = new Map<number, GroupPlace[]>()
    for (const row of rows) {
      const segment = Number(row['segment'])
      const place = {
        msgid: Number(row['msgid']),
        link: Number(row['link']),
        piece: Number(row['piece']),
        offset: Number(row['offset']),
      }
      const places = bySegment.get(segment)
      if (places === undefined) bySegment.set(segment, [place])
      else places.push(place)
    }
    return bySegment
  }

  #rows(sql: string, values: number[]): Promise<SqlRow[]> {
    return this.#db.all(sql, values).catch((error: unknown) => {
      throw readingFault(this.path, error)
    })
  }
}

async function checkFormat(db: Sqlite, path: string): Promise<void> {
  const [row] = await db.all(
    `SELECT application_id AS application, user_version AS version, (SELECT count(*) FROM sqlite_master) AS tables
    FROM pragma_application_id, pragma_user_version`,
  )
  if (row?.['tables'] === 0) throw notAFlightFault(path, 'it is empty')
  if (row?.['application'] !== APPLICATION_ID)
    throw notAFlightFault(path, 'it is a SQLite file of another program')
  const version = Number(row['version'])
  if (version > FORMAT_VERSION) throw newerFault(path, version, FORMAT_VERSION)
}
