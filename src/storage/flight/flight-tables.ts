/**
 * Flight tables: what the small tables of a flight file say, as typed values.
 * Specified in docs/flight-file.md, "Tables".
 */
import type { ClockAnchor, FlightEvent, FlightSource, Gap } from './flight.js'
import { isIntact } from './row-checksum.js'
import { SCHEMA } from './schema.js'
import type { Sqlite, SqlRow, SqlValue } from './sqlite.js'
import type { ComponentCounts, Figures } from './tally.js'

/** The row of `flight`. Times are receive times (µs), null where they are not known. */
export interface FlightRow {
  id: string
  station: string
  bootId: string
  origin: 'live' | 'import'
  previousPart: string | null
  links: string[]
  openedUs: number | null
  closedUs: number | null
  /** null while the flight is not over. */
  closeReason: string | null
  /** The recording that an import came from, or is a part of. */
  source: FlightSource | null
  bytesIn: number
  bytesLost: number
  redactions: number
}

export interface FlightTables {
  flight: FlightRow
  /** Rows of `segment`, in order, as SQLite gives them. */
  segments: SqlRow[]
  figures: Figures
  gaps: Gap[]
  events: FlightEvent[]
  anchors: ClockAnchor[]
}

/**
 * Reads them all as of one moment.
 * Errors: SQLite's; a RangeError where a row is not as it was written, or is missing.
 */
export async function loadTables(db: Sqlite): Promise<FlightTables> {
  await db.run('BEGIN')
  try {
    await checkSchema(db)
    const [flight] = await intactRows(db, 'flight', 1)
    if (flight === undefined) throw new RangeError('its table flight is empty')
    const rowsOf = (table: string, counted: string): Promise<SqlRow[]> =>
      intactRows(db, table, Number(flight[counted]))
    const mismatches = await rowsOf('crc_mismatch', 'crc_mismatches')
    return {
      flight: flightOf(flight),
      segments: await rowsOf('segment', 'segments'),
      figures: {
        components: (await rowsOf('component', 'components')).map(componentOf),
        crcMismatches: new Map(mismatches.map((row) => [Number(row['msgid']), Number(row['count'])])),
        damagedRuns: Number(flight['damaged_runs']),
        damagedBytes: Number(flight['damaged_bytes']),
      },
      gaps: (await rowsOf('gap', 'gaps')).map(gapOf),
      events: (await rowsOf('event', 'events')).map(eventOf),
      anchors: (await rowsOf('clock_anchor', 'clock_anchors')).map(anchorOf),
    }
  } finally {
    await db.run('COMMIT').catch(() => {})
  }
}

/**
 * A bit in the schema can rename a column, and leave every row as it was.
 * Errors: SQLite's; a RangeError where the schema is not that of a flight file.
 */
export async function checkSchema(db: Sqlite): Promise<void> {
  const rows = await db.all('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid')
  if (rows.map(({ sql }) => `\n${String(sql)};`).join('') !== SCHEMA.trimEnd())
    throw new RangeError('its schema is not as it was written')
}

/** All rows of a table, in the order of their keys. */
async function intactRows(db: Sqlite, table: string, count: number): Promise<SqlRow[]> {
  const rows = await db.all(`SELECT * FROM ${table}`)
  if (rows.length !== count) throw new RangeError(`its table ${table} has ${rows.length} rows, not ${count}`)
  if (!rows.every(isIntact)) throw new RangeError(`a row of its table ${table} is not as it was written`)
  return rows
}

export function flightOf(row: SqlRow): FlightRow {
  const time = (column: string): number | null => (row[column] === null ? null : Number(row[column]))
  return {
    id: String(row['id']),
    station: String(row['station']),
    bootId: String(row['boot_id']),
    origin: oneOf(row['origin'], ['live', 'import']),
    previousPart: textOrNull(row['previous_part']),
    links: linksOf(row['links']),
    openedUs: time('opened_us'),
    closedUs: time('closed_us'),
    closeReason: textOrNull(row['close_reason']),
    source: sourceOf(row),
    bytesIn: Number(row['bytes_in']),
    bytesLost: Number(row['bytes_lost']),
    redactions: Number(row['redactions']),
  }
}

function sourceOf(row: SqlRow): FlightSource | null {
  if (row['source_name'] === null) return null
  return {
    name: String(row['source_name']),
    format: oneOf(row['source_format'], ['tlog', 'raw']),
    bytes: Number(row['source_bytes']),
    sha256: textOrNull(row['source_sha256']),
  }
}

export function componentOf(row: SqlRow): ComponentCounts {
  const number = (column: string): number => Number(row[column] ?? 0)
  return {
    link: number('link'),
    sysid: number('sysid'),
    compid: number('compid'),
    frames: number('frames'),
    lost: number('lost'),
    duplicates: number('duplicates'),
    reordered: number('reordered'),
    restarts: number('restarts'),
  }
}

export function gapOf(row: SqlRow): Gap {
  return {
    link: row['link'] === null ? null : Number(row['link']),
    fromUs: Number(row['from_us']),
    toUs: Number(row['to_us']),
    bytes: Number(row['bytes']),
    reason: String(row['reason']),
  }
}

export function eventOf(row: SqlRow): FlightEvent {
  return { recvTimeUs: Number(row['recv_us']), kind: String(row['kind']), detail: String(row['detail']) }
}

export function anchorOf(row: SqlRow): ClockAnchor {
  return {
    recvTimeUs: Number(row['recv_us']),
    utcUs: Number(row['utc_us']),
    source: oneOf(row['source'], ['recorded', 'gps', 'ntp', 'system']),
  }
}

function linksOf(value: SqlValue | undefined): string[] {
  const links: unknown = JSON.parse(String(value))
  if (!Array.isArray(links)) throw new RangeError('its list of links is none')
  return links.map(String)
}

function oneOf<Word extends string>(value: SqlValue | undefined, words: readonly Word[]): Word {
  const found = words.find((word) => word === value)
  if (found === undefined) throw new RangeError(`'${String(value)}' is none of ${words.join(', ')}`)
  return found
}

const textOrNull = (value: SqlValue | undefined): string | null => (value === null ? null : String(value))
