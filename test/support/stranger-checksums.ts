/** The stranger's checksums: section "Checksums" of docs/flight-file.md. */
import { crc32 } from 'node:zlib'

type Value = number | string | Buffer | null
type Row = Record<string, Value>

interface Tables {
  rows<Row>(sql: string): Promise<Row[]>
}

/** Tables whose rows `flight` counts, and in which column. */
const COUNTED = {
  segment: 'segments',
  component: 'components',
  crc_mismatch: 'crc_mismatches',
  gap: 'gaps',
  event: 'events',
  clock_anchor: 'clock_anchors',
}

/** Errors: the first row that is not as it was written, or a table that lacks some. */
export async function checkRows(db: Tables): Promise<void> {
  const [flight] = await tableOf(db, 'flight')
  if (flight === undefined) throw new Error('flight is empty')
  await tableOf(db, 'piece')
  for (const [table, column] of Object.entries(COUNTED)) {
    const { length } = await tableOf(db, table)
    if (length !== flight[column])
      throw new Error(`${table} has ${length} rows, not ${String(flight[column])}`)
  }
  for (const { id, groups_crc32: crc } of await db.rows<Row>('SELECT * FROM segment')) {
    const groups = await db.rows<Row>(
      `SELECT * FROM message_group WHERE segment = ${Number(id)} ORDER BY number`,
    )
    const written = Buffer.concat(groups.map((row) => netstrings(Object.values(row))))
    if (crc32(written) !== crc) throw new Error(`message_group of segment ${Number(id)} is damaged`)
  }
}

async function tableOf(db: Tables, table: string): Promise<Row[]> {
  const rows = await db.rows<Row>(`SELECT * FROM ${table}`)
  for (const { crc32: crc, ...others } of rows) {
    if (crc32(netstrings(Object.values(others))) !== crc) throw new Error(`a row of ${table} is damaged`)
  }
  return rows
}

function netstrings(values: readonly Value[]): Buffer {
  return Buffer.concat(
    values.map((value) => {
      if (value === null) return Buffer.from('-')
      const bytes = Buffer.isBuffer(value) ? value : Buffer.from(String(value))
      return Buffer.concat([Buffer.from(`${bytes.length}:`), bytes])
    }),
  )
}
