/**
 * Flight writer: makes one flight file and commits segments, events, gaps and clock anchors to it.
 *
 *     begin, with the first commit ──▶ commit* ──▶ settle (one read-only file without -wal)     a live flight
 *     create ──▶ commit* ──▶ close ──▶ settle                                                   one made aside
 *
 * Specified in docs/flight-file.md, "Tables".
 */
import { createHash } from 'node:crypto'
import { chmod, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { loadTables } from './flight-tables.js'
import type {
  ClockAnchor,
  FlightEnd,
  FlightEvent,
  FlightHead,
  FlightSource,
  FlightTotals,
  Gap,
} from './flight.js'
import type { Segment } from '../segment/segment.js'
import { rowCrc32, valuesCrc32, withChecksum } from './row-checksum.js'
import { APPLICATION_ID, FORMAT_VERSION, PAGE_BYTES, SCHEMA } from './schema.js'
import { Sqlite } from './sqlite.js'
import type { SqlRow, SqlValue } from './sqlite.js'
import type { Figures } from './tally.js'

/** What is committed at once: a segment, if there is one, and what happened meanwhile. */
export interface Commit {
  segment?: Segment
  firstChunk: number
  lastChunk: number
  gaps: Gap[]
  events: FlightEvent[]
  anchors: ClockAnchor[]
  /** The flight is over with this. */
  end?: FlightEnd
}

/** How far a flight that was begun by another process has come. */
export interface FlightProgress {
  closed: boolean
  /** Last chunk that a committed segment holds; 0 before the first. */
  lastChunk: number
  openedUs: number
  /** Receive time of the last record committed (µs); 0 before the first. */
  lastUs: number
  totals: FlightTotals
  figures: Figures
}

/** Permissions of a flight that is over: nobody writes it any more. */
const SETTLED_MODE = 0o440

/** Ending of a live flight's file until its first commit is whole; a station that starts removes what was left. */
export const NEW_SUFFIX = '.new'

/** Rows that a flight has of what is only ever added; their ids count from 1. */
interface RowCounts {
  segments: number
  pieces: number
  gaps: number
  events: number
  anchors: number
}

export class FlightWriter {
  readonly path: string
  readonly #db: Sqlite
  #counts: RowCounts

  private constructor(path: string, db: Sqlite, counts: RowCounts) {
    this.path = path
    this.#db = db
    this.#counts = counts
  }

  /** A file that a power cut may tear: whoever makes it aside syncs it at its end. */
  static async create(path: string, head: FlightHead): Promise<FlightWriter> {
    const db = await Sqlite.open(path, 'create')
    try {
      await db.script(`PRAGMA page_size=${PAGE_BYTES}; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;`)
      await makeTables(db, head)
    } catch (error) {
      await db.close()
      throw error
    }
    return new FlightWriter(path, db, { segments: 0, pieces: 0, gaps: 0, events: 0, anchors: 0 })
  }

  /**
   * A live flight's file with its first commit, there whole or not at all, even after a power cut. Written aside and named
   * when it is on the card: that writes a first segment, often the only one, once and not to a WAL as well.
   * Errors: SQLite's and the system's; try again.
   */
  static async begin(
    path: string,
    head: FlightHead,
    first: Commit,
    figures: Figures,
    totals: FlightTotals,
  ): Promise<FlightWriter> {
    const aside = path + NEW_SUFFIX
    for (const end of ['', '-wal', '-shm']) await rm(aside + end, { force: true })
    const made = await FlightWriter.create(aside, head)
    try {
      await made.#db.run(`PRAGMA cache_size=-${CACHE_KIB}`)
      await made.commit(first, figures, totals)
      // Nobody else has it open: SQLite then needs no -shm.
      if (first.end === undefined)
        await made.#db.script('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;')
    } finally {
      await made.release()
    }
    await syncPath(aside)
    await rename(aside, path)
    await syncPath(dirname(path))
    return new FlightWriter(path, await openDurable(path), made.#counts)
  }

  /**
   * Opens a flight that was begun and not closed, to go on with it.
   * Errors: SQLite's own where the file is damaged.
   */
  static async resume(path: string): Promise<FlightWriter> {
    const db = await openDurable(path)
    try {
      const last = async (table: string): Promise<number> =>
        Number((await db.all(`SELECT max(id) AS last FROM ${table}`))[0]?.['last'] ?? 0)
      return new FlightWriter(path, db, {
        segments: await last('segment'),
        pieces: await last('piece'),
        gaps: await last('gap'),
        events: await last('event'),
        anchors: await last('clock_anchor'),
      })
    } catch (error) {
      await db.close().catch(() => {})
      throw error
    }
  }

  /**
   * What the file already says, for going on with it.
   * Errors: a RangeError where it is damaged: gone on with, a wrong number would get a right checksum.
   */
  async progress(): Promise<FlightProgress> {
    const { flight, segments, figures } = await loadTables(this.#db)
    const { bytesIn, bytesLost, redactions } = flight
    return {
      closed: flight.closeReason !== null,
      lastChunk: segments.reduce((last, segment) => Math.max(last, Number(segment['last_chunk'])), 0),
      openedUs: flight.openedUs ?? 0,
      lastUs: segments.reduce((last, segment) => Math.max(last, Number(segment['last_us'] ?? 0)), 0),
      totals: { bytesIn, bytesLost, redactions },
      figures,
    }
  }

  /** Commits all of `commit` and the figures so far, or, when it fails, nothing. */
  async commit(commit: Commit, figures: Figures, totals: FlightTotals): Promise<void> {
    const { segment, gaps, events, anchors } = commit
    const before = this.#counts
    const after: RowCounts = {
      segments: before.segments + (segment === undefined ? 0 : 1),
      pieces: before.pieces + (segment?.pieces.length ?? 0),
      gaps: before.gaps + gaps.length,
      events: before.events + events.length,
      anchors: before.anchors + anchors.length,
    }
    await this.#db.transaction(async () => {
      if (segment !== undefined) await this.#insertSegment(segment, commit)
      await this.#insertHappenings(commit)
      await this.#replaceFigures(figures)
      await this.#updateFlight({
        bytes_in: totals.bytesIn,
        bytes_lost: totals.bytesLost,
        redactions: totals.redactions,
        damaged_runs: figures.damagedRuns,
        damaged_bytes: figures.damagedBytes,
        segments: after.segments,
        components: figures.components.length,
        crc_mismatches: figures.crcMismatches.size,
        gaps: after.gaps,
        events: after.events,
        clock_anchors: after.anchors,
        ...(commit.end === undefined ? {} : endColumns(commit.end)),
      })
    })
    this.#counts = after
  }

  async noteSource(source: FlightSource): Promise<void> {
    await this.#db.transaction(() =>
      this.#updateFlight({
        source_name: source.name,
        source_format: source.format,
        source_bytes: source.bytes,
        source_sha256: source.sha256,
      }),
    )
  }

  /** Marks the flight as over. */
  async close(end: FlightEnd): Promise<void> {
    await this.#db.transaction(() => this.#updateFlight(endColumns(end)))
  }

  /** Gives the file back without saying that the flight is over. */
  async release(): Promise<void> {
    await this.#db.close()
  }

  /**
   * Makes the closed flight one read-only file without a -wal and lets go of it.
   * Returns false where a reader holds it open or the file system refuses: it is closed all the same, and settled at the
   * next chance. Never throws: nothing that was committed depends on it.
   */
  async settle(): Promise<boolean> {
    const succeeded = (work: Promise<unknown>): Promise<boolean> =>
      work.then(
        () => true,
        () => false,
      )
    // The one page that this writes is as good in part: but for the mode nothing changes that a reader would trust.
    const isOneFile = await succeeded(this.#db.run('PRAGMA journal_mode=MEMORY'))
    // A power cut could bring a removed journal back; beside a read-only file nobody may roll it back, nor read the file.
    const isAlone = isOneFile && (await succeeded(syncPath(dirname(this.path))))
    const isReadOnly = isAlone && (await succeeded(chmod(this.path, SETTLED_MODE)))
    return (await succeeded(this.#db.close())) && isReadOnly
  }

  async #insertSegment(segment: Segment, { firstChunk, lastChunk }: Commit): Promise<void> {
    const id = this.#counts.segments + 1
    const firstPiece = this.#counts.pieces + 1
    const hash = createHash('sha256')
    for (const { body } of segment.pieces) hash.update(body)
    const groups = groupRows(segment, id, firstPiece)
    await this.#db.insertAll('INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', [
      withChecksum([
        id,
        firstChunk,
        lastChunk,
        storable(segment.firstTimeUs),
        storable(segment.lastTimeUs),
        segment.records,
        segment.frames,
        segment.framedBytes,
        segment.noiseBytes,
        firstPiece,
        hash.digest(),
        valuesCrc32(groups.flat()),
      ]),
    ])
    await this.#db.insertAll(
      'INSERT INTO piece VALUES (?, ?, ?, ?, ?, ?)',
      segment.pieces.map(({ kind, rawBytes, body }, i) => {
        const values = [firstPiece + i, id, kind, rawBytes]
        return [...values, valuesCrc32([...values, body]), body]
      }),
    )
    await this.#db.insertAll('INSERT INTO message_group VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)', groups)
  }

  async #insertHappenings({ gaps, events, anchors }: Commit): Promise<void> {
    const before = this.#counts
    await this.#db.insertAll(
      'INSERT INTO gap VALUES (?, ?, ?, ?, ?, ?, ?)',
      gaps.map((gap, i) =>
        withChecksum([before.gaps + 1 + i, gap.link, gap.fromUs, gap.toUs, gap.bytes, gap.reason]),
      ),
    )
    await this.#db.insertAll(
      'INSERT INTO event VALUES (?, ?, ?, ?, ?)',
      events.map((event, i) =>
        withChecksum([before.events + 1 + i, event.recvTimeUs, event.kind, event.detail]),
      ),
    )
    await this.#db.insertAll(
      'INSERT INTO clock_anchor VALUES (?, ?, ?, ?, ?)',
      anchors.map((anchor, i) =>
        withChecksum([before.anchors + 1 + i, anchor.recvTimeUs, anchor.utcUs, anchor.source]),
      ),
    )
  }

  async #replaceFigures(figures: Figures): Promise<void> {
    await this.#db.insertAll(
      'INSERT OR REPLACE INTO component VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      figures.components.map((c) =>
        withChecksum([c.link, c.sysid, c.compid, c.frames, c.lost, c.duplicates, c.reordered, c.restarts]),
      ),
    )
    await this.#db.insertAll(
      'INSERT OR REPLACE INTO crc_mismatch VALUES (?, ?, ?)',
      [...figures.crcMismatches].map(withChecksum),
    )
  }

  /** Sets columns of the flight's row, and its checksum to what the row then says. */
  async #updateFlight(columns: SqlRow): Promise<void> {
    const set = Object.keys(columns).map((column) => `${column}=?`)
    await this.#db.run(`UPDATE flight SET ${set.join()}`, Object.values(columns))
    await sumFlight(this.#db)
  }
}

async function sumFlight(db: Sqlite): Promise<void> {
  const [row] = await db.all('SELECT * FROM flight')
  if (row !== undefined) await db.run('UPDATE flight SET crc32=?', [rowCrc32(row)])
}

/** What `message_group` says of a segment, in order of the groups' numbers. */
function groupRows({ groups }: Segment, segment: number, firstPiece: number): SqlValue[][] {
  return groups
    .toSorted((a, b) => a.number - b.number)
    .map(({ key, number, count, piece, offset }) => [
      key.msgid,
      segment,
      number,
      key.link,
      key.sysid,
      key.compid,
      count,
      firstPiece + piece,
      offset,
    ])
}

function endColumns({ reason, openedUs, closedUs }: FlightEnd): SqlRow {
  return { opened_us: openedUs, closed_us: closedUs, close_reason: reason }
}

/** Makes what is in a file, or the names in a folder, durable, without holding up this thread. */
async function syncPath(path: string): Promise<void> {
  const opened = await open(path)
  try {
    await opened.sync()
  } finally {
    await opened.close()
  }
}

async function makeTables(db: Sqlite, head: FlightHead): Promise<void> {
  await db.transaction(async () => {
    await db.script(
      `PRAGMA application_id=${APPLICATION_ID}; PRAGMA user_version=${FORMAT_VERSION}; ${SCHEMA}`,
    )
    const { id, station, bootId, origin, previousPart, links, openedUs } = head
    await db.run(
      'INSERT INTO flight (id, station, boot_id, origin, previous_part, links, opened_us) VALUES (?, ?, ?, ?, ?, ?, ?)',
      [id, station, bootId, origin, previousPart, JSON.stringify(links), openedUs],
    )
    await sumFlight(db)
  })
}

/** Pages that SQLite keeps of a live flight (KiB): those of one segment; by default 2 MB, and what is written is not read again. */
const CACHE_KIB = 512

/** Opens a file that is there so that each commit outlives a power cut. One in WAL mode stays in it. */
async function openDurable(path: string): Promise<Sqlite> {
  const db = await Sqlite.open(path, 'write')
  try {
    await db.script(`PRAGMA synchronous=FULL; PRAGMA cache_size=-${CACHE_KIB};`)
  } catch (error) {
    await db.close()
    throw error
  }
  return db
}

/** A receive time as SQLite can hold it; those of a broken clock, millennia away, stand in the pieces only. */
function storable(timeUs: bigint): SqlValue {
  return timeUs <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(timeUs) : null
}
