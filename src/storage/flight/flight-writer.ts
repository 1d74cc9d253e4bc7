/**
 * Flight writer: makes one flight file and commits segments, events, gaps and clock anchors to it.
 *
 *     create ──▶ commit* ──▶ close ──▶ settle (one read-only file without -wal)
 *
 * Specified in docs/flight-file.md, "Tables".
 */
import { createHash } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { componentOf } from './flight-tables.js'
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
import { APPLICATION_ID, FORMAT_VERSION, PAGE_BYTES, SCHEMA } from './schema.js'
import { Sqlite } from './sqlite.js'
import type { SqlValue } from './sqlite.js'
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

/** Whether power cuts matter: a live flight commits to a WAL, an import is written aside and synced at its end. */
export type Durability = 'each commit' | 'at the end'

export class FlightWriter {
  readonly path: string
  readonly #db: Sqlite
  #segments: number
  #pieces: number

  private constructor(path: string, db: Sqlite, segments: number, pieces: number) {
    this.path = path
    this.#db = db
    this.#segments = segments
    this.#pieces = pieces
  }

  static async create(path: string, head: FlightHead, durability: Durability): Promise<FlightWriter> {
    const db = await Sqlite.open(path, 'create')
    try {
      await makeTables(db, head, durability)
    } catch (error) {
      await db.close()
      throw error
    }
    return new FlightWriter(path, db, 0, 0)
  }

  /**
   * Opens a flight that was begun and not closed, to go on with it; undefined where the power went before its tables
   * were made. Errors: SQLite's own where the file is damaged.
   */
  static async resume(path: string): Promise<FlightWriter | undefined> {
    const db = await Sqlite.open(path, 'write')
    try {
      const [made] = await db.all("SELECT count(*) AS tables FROM sqlite_master WHERE name = 'flight'")
      if (made?.['tables'] === 0) {
        await db.close()
        return undefined
      }
      await db.script(pragmas('each commit'))
      const [row] = await db.all(
        'SELECT (SELECT max(id) FROM segment) AS segments, (SELECT max(id) FROM piece) AS pieces',
      )
      return new FlightWriter(path, db, Number(row?.['segments'] ?? 0), Number(row?.['pieces'] ?? 0))
    } catch (error) {
      await db.close().catch(() => {})
      throw error
    }
  }

  /** What the file already says, for going on with it. */
  async progress(): Promise<FlightProgress> {
    const [row] = await this.#db
      .all(`SELECT opened_us, close_reason, bytes_in, bytes_lost, redactions, damaged_runs,
      damaged_bytes, (SELECT max(last_chunk) FROM segment) AS last_chunk, (SELECT max(last_us) FROM segment) AS last_us
      FROM flight`)
    const number = (column: string): number => Number(row?.[column] ?? 0)
    const components = await this.#db.all('SELECT * FROM component')
    const mismatches = await this.#db.all('SELECT * FROM crc_mismatch')
    return {
      closed: row?.['close_reason'] !== null,
      lastChunk: number('last_chunk'),
      openedUs: number('opened_us'),
      lastUs: number('last_us'),
      totals: {
        bytesIn: number('bytes_in'),
        bytesLost: number('bytes_lost'),
        redactions: number('redactions'),
      },
      figures: {
        components: components.map(componentOf),
        crcMismatches: new Map(mismatches.map((m) => [Number(m['msgid']), Number(m['count'])])),
        damagedRuns: number('damaged_runs'),
        damagedBytes: number('damaged_bytes'),
      },
    }
  }

  /** Commits all of `commit` and the figures so far, or, when it fails, nothing. */
  async commit(commit: Commit, figures: Figures, totals: FlightTotals): Promise<void> {
    const pieces = this.#pieces
    try {
      await this.#db.transaction(async () => {
        if (commit.segment !== undefined) await this.#insertSegment(commit.segment, commit)
        await this.#insertHappenings(commit)
        await this.#replaceFigures(figures, totals)
        if (commit.end !== undefined) await this.close(commit.end)
      })
    } catch (error) {
      this.#pieces = pieces
      throw error
    }
    if (commit.segment !== undefined) this.#segments++
  }

  async noteSource(source: FlightSource): Promise<void> {
    await this.#db.run('UPDATE flight SET source_name=?, source_format=?, source_bytes=?, source_sha256=?', [
      source.name,
      source.format,
      source.bytes,
      source.sha256,
    ])
  }

  /** Marks the flight as over. */
  async close({ reason, openedUs, closedUs }: FlightEnd): Promise<void> {
    await this.#db.run('UPDATE flight SET opened_us=?, closed_us=?, close_reason=?', [
      openedUs,
      closedUs,
      reason,
    ])
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
    const isOneFile = await succeeded(this.#db.run('PRAGMA journal_mode=DELETE'))
    const isReadOnly = isOneFile && (await succeeded(chmod(this.path, SETTLED_MODE)))
    return (await succeeded(this.#db.close())) && isReadOnly
  }

  async #insertSegment(segment: Segment, { firstChunk, lastChunk }: Commit): Promise<void> {
    const id = this.#segments + 1
    const firstPiece = this.#pieces + 1
    const hash = createHash('sha256')
    for (const { body } of segment.pieces) hash.update(body)
    await this.#db.run('INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', [
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
    ])
    await this.#db.insertAll(
      'INSERT INTO piece VALUES (?, ?, ?, ?, ?, ?)',
      segment.pieces.map(({ kind, rawBytes, body }, i) => [
        firstPiece + i,
        id,
        kind,
        rawBytes,
        crc32(body),
        body,
      ]),
    )
    await this.#db.insertAll(
      'INSERT INTO message_group VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      segment.groups.map(({ key, number, count, piece, offset }) => [
        key.msgid,
        id,
        number,
        key.link,
        key.sysid,
        key.compid,
        count,
        firstPiece + piece,
        offset,
      ]),
    )
    this.#pieces += segment.pieces.length
  }

  async #insertHappenings({ gaps, events, anchors }: Commit): Promise<void> {
    await this.#db.insertAll(
      'INSERT INTO gap VALUES (?, ?, ?, ?, ?)',
      gaps.map((gap) => [gap.link, gap.fromUs, gap.toUs, gap.bytes, gap.reason]),
    )
    await this.#db.insertAll(
      'INSERT INTO event VALUES (?, ?, ?)',
      events.map((event) => [event.recvTimeUs, event.kind, event.detail]),
    )
    await this.#db.insertAll(
      'INSERT INTO clock_anchor VALUES (?, ?, ?)',
      anchors.map((anchor) => [anchor.recvTimeUs, anchor.utcUs, anchor.source]),
    )
  }

  async #replaceFigures(figures: Figures, { bytesIn, bytesLost, redactions }: FlightTotals): Promise<void> {
    await this.#db.run(
      'UPDATE flight SET bytes_in=?, bytes_lost=?, redactions=?, damaged_runs=?, damaged_bytes=?',
      [bytesIn, bytesLost, redactions, figures.damagedRuns, figures.damagedBytes],
    )
    await this.#db.insertAll(
      'INSERT OR REPLACE INTO component VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      figures.components.map((c) => [
        c.link,
        c.sysid,
        c.compid,
        c.frames,
        c.lost,
        c.duplicates,
        c.reordered,
        c.restarts,
      ]),
    )
    await this.#db.insertAll('INSERT OR REPLACE INTO crc_mismatch VALUES (?, ?)', [...figures.crcMismatches])
  }
}

async function makeTables(db: Sqlite, head: FlightHead, durability: Durability): Promise<void> {
  await db.script(`PRAGMA page_size=${PAGE_BYTES}; ${pragmas(durability)}`)
  await db.transaction(async () => {
    await db.script(
      `PRAGMA application_id=${APPLICATION_ID}; PRAGMA user_version=${FORMAT_VERSION}; ${SCHEMA}`,
    )
    const { id, station, bootId, origin, previousPart, links, openedUs } = head
    await db.run(
      'INSERT INTO flight (id, station, boot_id, origin, previous_part, links, opened_us) VALUES (?, ?, ?, ?, ?, ?, ?)',
      [id, station, bootId, origin, previousPart, JSON.stringify(links), openedUs],
    )
  })
}

function pragmas(durability: Durability): string {
  return durability === 'each commit'
    ? 'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;'
    : 'PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;'
}

/** A receive time as SQLite can hold it; those of a broken clock, millennia away, stand in the pieces only. */
function storable(timeUs: bigint): SqlValue {
  return timeUs <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(timeUs) : null
}
