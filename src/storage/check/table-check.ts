/**
 * Table check: the rows of a flight's small tables, held against their checksums, their numbering and their counts.
 */
import { errnoOf, reasonOf } from '../../base/fault.js'
import { anchorOf, eventOf, flightOf, gapOf } from '../flight/flight-tables.js'
import { isIntact, valuesCrc32 } from '../flight/row-checksum.js'
import type { Sqlite, SqlRow } from '../flight/sqlite.js'
import type { Note } from './finding.js'

/** Tables that the flight's row counts, and in which column. */
const COUNTED: Readonly<Record<string, string>> = {
  segment: 'segments',
  component: 'components',
  crc_mismatch: 'crc_mismatches',
  gap: 'gaps',
  event: 'events',
  clock_anchor: 'clock_anchors',
}
/** Those whose ids count from 1 without holes. */
const NUMBERED = ['segment', 'gap', 'event', 'clock_anchor']
/** Whose rows must mean something, too. */
const MEANING: Readonly<Record<string, (row: SqlRow) => unknown>> = {
  flight: flightOf,
  gap: gapOf,
  event: eventOf,
  clock_anchor: anchorOf,
}

export class TableCheck {
  flight: SqlRow | undefined
  segments: SqlRow[] = []
  components: SqlRow[] = []
  gaps: SqlRow[] = []
  events: SqlRow[] = []
  /** Rows of `message_group` by segment, in order of their numbers. */
  readonly groups = new Map<number, SqlRow[]>()
  /** Tables of which rows are missing or damaged: what they add up to says nothing. */
  readonly incomplete = new Set<string>()
  /** Ids of the rows of `segment`, damaged ones too. */
  #segmentIds = new Set<number>()
  readonly #db: Sqlite
  readonly #note: Note

  constructor(db: Sqlite, note: Note) {
    this.#db = db
    this.#note = note
  }

  async read(): Promise<void> {
    const flights = await this.#all('SELECT * FROM flight', 'flight')
    if (flights.length !== 1) this.#note('table', 'flight', `it has ${flights.length} rows, not 1`)
    this.flight = this.#intact('flight', flights)[0]
    this.segments = await this.#counted('segment')
    this.components = await this.#counted('component')
    await this.#counted('crc_mismatch')
    this.gaps = await this.#counted('gap')
    this.events = await this.#counted('event')
    await this.#counted('clock_anchor')
    await this.#readGroups()
  }

  async #counted(table: string): Promise<SqlRow[]> {
    const rows = await this.#all(`SELECT * FROM ${table}`, table)
    const count = this.flight?.[COUNTED[table]!]
    if (this.flight !== undefined && rows.length !== count) {
      this.incomplete.add(table)
      this.#note('table', table, `it has ${rows.length} rows, not ${String(count)}`)
    }
    if (NUMBERED.includes(table) && rows.some((row, i) => row['id'] !== i + 1))
      this.#note('table', table, 'its rows are not numbered from 1 without holes')
    if (table === 'segment') this.#segmentIds = new Set(rows.map(({ id }) => Number(id)))
    return this.#intact(table, rows)
  }

  /** Those rows of a table that are as they were written; the others are noted. */
  #intact(table: string, rows: readonly SqlRow[]): SqlRow[] {
    return rows.filter((row) => {
      const problem = isIntact(row) ? meaningProblem(table, row) : 'it is not as it was written'
      if (problem === undefined) return true
      this.incomplete.add(table)
      this.#note('table', table, `row ${String(Object.values(row)[0])}: ${problem}`)
      return false
    })
  }

  async #readGroups(): Promise<void> {
    const rows = await this.#all('SELECT * FROM message_group ORDER BY segment, number', 'message_group')
    for (const row of rows) {
      const segment = Number(row['segment'])
      const own = this.groups.get(segment)
      if (own === undefined) this.groups.set(segment, [row])
      else own.push(row)
    }
    for (const { id, groups_crc32: crc } of this.segments) {
      const own = this.groups.get(Number(id)) ?? []
      if (valuesCrc32(own.flatMap((row) => Object.values(row))) !== crc)
        this.#note('table', 'message_group', `its rows of segment ${Number(id)} are not as they were written`)
    }
    for (const segment of this.groups.keys())
      if (!this.#segmentIds.has(segment))
        this.#note('table', 'message_group', `it has rows of a segment ${segment}`)
  }

  /** What SQLite refuses to read of one table must not keep us from the others. */
  async #all(sql: string, table: string): Promise<SqlRow[]> {
    try {
      return await this.#db.all(sql)
    } catch (error) {
      if (errnoOf(error) === '') throw error
      this.incomplete.add(table)
      this.#note('table', table, `it cannot be read: ${reasonOf(error)}`)
      return []
    }
  }
}

function meaningProblem(table: string, row: SqlRow): string | undefined {
  try {
    MEANING[table]?.(row)
    return undefined
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError) return reasonOf(error)
    throw error
  }
}
