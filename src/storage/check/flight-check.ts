/**
 * Flight check: whether a flight's file is as it was written, down to every bit that means something, and if not, what
 * is damaged and what can still be read.
 *
 *     header ─▶ SQLite's own check ─▶ rows ─▶ segments ─▶ counts ──any finding──▶ survey of what is readable
 */
import { existsSync, statSync } from 'node:fs'
import { Fault, errnoOf, reasonOf } from '../../base/fault.js'
import { newerFault, notAFlightFault, unreadableFault } from '../flight/flight-fault.js'
import { checkSchema } from '../flight/flight-tables.js'
import { APPLICATION_ID, FORMAT_VERSION, SCHEMA } from '../flight/schema.js'
import { Sqlite } from '../flight/sqlite.js'
import type { SqlRow } from '../flight/sqlite.js'
import { HEADER_BYTES, headerProblems } from './file-header.js'
import { findingText } from './finding.js'
import type { Finding, Note } from './finding.js'
import { findRows } from './found-rows.js'
import type { FoundRows } from './found-rows.js'
import { PageImage, TOO_LARGE_CODE } from './page-image.js'
import { TableCheck } from './table-check.js'
import { SegmentCheck } from './segment-check.js'
import { segmentCount, surveySegments } from './survey.js'

/** Lines of SQLite's own check that are taken (lines): one bad page can give hundreds. */
const MAX_STRUCTURE_LINES = 10

/** What can still be read of a damaged flight, as `salvage` would give it back. */
export interface Readable {
  /** Segments that are whole, that are in parts, and that there are or were. */
  whole: number
  inParts: number
  segments: number
  records: number
  /** Seconds of receive time that the readable segments span; null where they have no times. */
  seconds: number | null
}

export interface FlightCheck {
  path: string
  /** The flight's id, as its table says; null where that cannot be read. */
  id: string | null
  findings: Finding[]
  /** What was read of it. */
  segments: number
  pieces: number
  records: number
  frames: number
  bytes: number
  /** Keys that were zeroed in it. */
  redactions: number
  /** Only where something was found; null, too, of a file too large to be looked through. */
  readable: Readable | null
}

export interface CheckOptions {
  /** Called with the segments that are done, of how many. */
  onProgress?: (done: number, all: number) => void
  signal?: AbortSignal
}

/**
 * Checks the flight file at `path`, as it is at this moment where it is being recorded.
 * Errors: Fault GL-FLIGHT-01 not a flight, 02 of a newer format, 05 not to be opened; damage is a finding, never an error.
 */
export async function checkFlight(path: string, options: CheckOptions = {}): Promise<FlightCheck> {
  const check: FlightCheck = {
    path,
    id: null,
    findings: [],
    segments: 0,
    pieces: 0,
    records: 0,
    frames: 0,
    bytes: 0,
    redactions: 0,
    readable: null,
  }
  const note: Note = (part, subject, problem) => {
    check.findings.push({ part, subject: String(subject), problem })
  }
  for (const problem of problemsOfHeader(path)) note('header', '', problem)
  await readThrough(path, check, note, options)
  if (check.findings.length > 0) check.readable = await readableOf(path, check, note, options)
  if (check.readable?.segments === 0 && check.id === null)
    throw notAFlightFault(path, `nothing of a flight is in it (${findingText(check.findings[0]!)})`)
  return check
}

function problemsOfHeader(path: string): string[] {
  try {
    const { size } = statSync(path)
    // The first page is in the -wal until that is taken into the file.
    const header = PageImage.firstPage(path).subarray(0, HEADER_BYTES)
    return headerProblems(header, size, existsSync(`${path}-wal`))
  } catch (cause) {
    throw cause instanceof Fault ? cause : unreadableFault(path, cause)
  }
}

/** Reads all of it as a reader would. What SQLite refuses is a finding, and the end. */
async function readThrough(
  path: string,
  check: FlightCheck,
  note: Note,
  options: CheckOptions,
): Promise<void> {
  let db: Sqlite | undefined
  try {
    db = await Sqlite.open(path, 'read')
    await db.run('BEGIN')
    await checkVersion(db, path, check)
    await checkStructure(db, note)
    // With other names of columns nothing can be said of what is in them; the structure's findings name the table.
    if (!(await hasOwnColumns(db))) return
    const tables = new TableCheck(db, note)
    await tables.read()
    check.id = tables.flight === undefined ? null : String(tables.flight['id'])
    check.redactions = Number(tables.flight?.['redactions'] ?? 0)
    const segments = new SegmentCheck(db, tables, note)
    for (const [i, row] of tables.segments.entries()) {
      options.signal?.throwIfAborted()
      await segments.check(row)
      options.onProgress?.(i + 1, tables.segments.length)
    }
    await segments.end()
    check.segments = tables.segments.length
    check.pieces = segments.pieces
    check.records = segments.records
    check.frames = segments.frames
    check.bytes = segments.framedBytes + segments.noiseBytes
  } catch (error) {
    if (error instanceof Fault || options.signal?.aborted === true) throw error
    if (errnoOf(error) === '' && !(error instanceof RangeError)) throw error
    if (isRefused(error) && check.findings.length === 0) throw unreadableFault(path, error)
    const who = error instanceof RangeError ? '' : 'SQLite cannot read it: '
    note('structure', '', who + reasonOf(error))
  } finally {
    await db?.close().catch(() => {})
  }
}

/** Not what the file holds, but who asks for it. */
function isRefused(error: unknown): boolean {
  return ['SQLITE_CANTOPEN', 'SQLITE_PERM', 'SQLITE_AUTH', 'SQLITE_BUSY', 'SQLITE_READONLY'].includes(
    errnoOf(error),
  )
}

/** No program will have got so far; a higher number is damage. */
const MAX_VERSION = 255

/**
 * Of a newer format nothing can be said, whatever else of its header is not as in ours; but where all else is ours, it is
 * the number that is damaged, and the header's findings have it.
 */
async function checkVersion(db: Sqlite, path: string, { findings }: FlightCheck): Promise<void> {
  const [row] = await db.all(
    'SELECT application_id AS application, user_version AS version FROM pragma_application_id, pragma_user_version',
  )
  const version = Number(row?.['version'])
  if (row?.['application'] !== APPLICATION_ID || version <= FORMAT_VERSION || version > MAX_VERSION) return
  if (findings.length > 1 || (await hasOtherTables(db))) throw newerFault(path, version, FORMAT_VERSION)
}

async function hasOwnColumns(db: Sqlite): Promise<boolean> {
  try {
    await checkSchema(db)
    return true
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

async function hasOtherTables(db: Sqlite): Promise<boolean> {
  return JSON.stringify(await schemaOf(db)) !== JSON.stringify(await ownSchema())
}

async function checkStructure(db: Sqlite, note: Note): Promise<void> {
  const found = await schemaOf(db)
  const own = await ownSchema()
  for (const [i, row] of own.entries())
    if (JSON.stringify(found[i]) !== JSON.stringify(row))
      note('structure', '', `the schema of ${String(row['name'])} is not ours`)
  if (found.length > own.length)
    note('structure', '', `it has ${found.length} tables and indexes, not ${own.length}`)
  const lines = await db.all('PRAGMA integrity_check')
  const problems = lines.map((row) => String(row['integrity_check'])).filter((line) => line !== 'ok')
  // A line can hold several.
  for (const line of problems
    .join('\n')
    .split('\n')
    .filter((each) => each !== '')
    .slice(0, MAX_STRUCTURE_LINES))
    note('structure', '', line)
}

function schemaOf(db: Sqlite): Promise<SqlRow[]> {
  return db.all('SELECT rowid, type, name, tbl_name, sql FROM sqlite_schema')
}

/** What the schema of a flight file is when it is made. */
let ownRows: Promise<SqlRow[]> | undefined

function ownSchema(): Promise<SqlRow[]> {
  ownRows ??= makeSchema()
  return ownRows
}

async function makeSchema(): Promise<SqlRow[]> {
  const db = await Sqlite.open(':memory:', 'create')
  try {
    await db.script(SCHEMA)
    return await schemaOf(db)
  } finally {
    await db.close()
  }
}

async function readableOf(
  path: string,
  check: FlightCheck,
  note: Note,
  { onProgress, signal }: CheckOptions,
): Promise<Readable | null> {
  const image = imageOf(path, note)
  if (image === undefined) return null
  const found = findRows(image)
  if (check.id === null && found.flight !== undefined) check.id = String(found.flight['id'])
  const readable: Readable = {
    whole: 0,
    inParts: 0,
    segments: segmentCount(found),
    records: 0,
    seconds: null,
  }
  for await (const { id, records, lost, lostRecords, firstUs, lastUs } of surveySegments(found)) {
    signal?.throwIfAborted()
    onProgress?.(id, readable.segments)
    if (records.count === 0) continue
    if (lost.length === 0 && lostRecords === 0) readable.whole++
    else readable.inParts++
    readable.records += records.count
    if (firstUs !== null && lastUs !== null)
      readable.seconds = (readable.seconds ?? 0) + secondsWithin(found, firstUs, lastUs)
  }
  return readable
}

/** Undefined where the file is too large, which is a finding among those that there are already. */
function imageOf(path: string, note: Note): PageImage | undefined {
  try {
    return PageImage.read(path)
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== TOO_LARGE_CODE) throw unreadableFault(path, error)
    note('structure', '', `${error.found}: what can be read of it was not looked for`)
    return undefined
  }
}

/** How long a segment lasts in the flight (s): a recording can have a few frames with absurd times. */
function secondsWithin({ flight }: FoundRows, firstUs: number, lastUs: number): number {
  const { opened_us: openedUs, closed_us: closedUs } = flight ?? {}
  const from = typeof openedUs === 'number' ? Math.max(openedUs, firstUs) : firstUs
  const to = typeof closedUs === 'number' ? Math.min(closedUs, lastUs) : lastUs
  return Math.max(0, to - from) / 1e6
}
