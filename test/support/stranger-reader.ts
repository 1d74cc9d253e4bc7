/**
 * The stranger's reader: reads flight files and tails by docs/flight-file.md alone, with none of the product's code.
 * It uses that page's words and sections, and is written to be held against it, not to be fast. This file is "Tables";
 * the other sections are in the stranger's other files.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import sqlite3 from 'sqlite3'
import { Cursor } from './stranger-cursor.js'
import { checkRows } from './stranger-checksums.js'
import { readGroup, type Group } from './stranger-group.js'
import { readSegment, type RawPiece, type StrangerRecord } from './stranger-segment.js'
import { readTail } from './stranger-tail.js'

interface Piece {
  id: number
  kind: string
  body: Buffer
  raw_bytes: number
}

/** Best first. */
const ANCHOR_SOURCES = ['recorded', 'gps', 'ntp', 'system']

/** A flight file, open to be read as it is at this moment. */
export class StrangerFlight {
  readonly #db: sqlite3.Database

  private constructor(db: sqlite3.Database) {
    this.#db = db
  }

  static async open(path: string): Promise<StrangerFlight> {
    const db = await new Promise<sqlite3.Database>((resolve, reject) => {
      const opened = new sqlite3.Database(path, sqlite3.OPEN_READONLY, (error) =>
        error === null ? resolve(opened) : reject(error),
      )
    })
    const flight = new StrangerFlight(db)
    const [id] = await flight.rows<{ application_id: number }>('PRAGMA application_id')
    const [version] = await flight.rows<{ user_version: number }>('PRAGMA user_version')
    if (id?.application_id === 0x474c4b31 && version?.user_version === 1) {
      await flight.rows('BEGIN')
      return flight
    }
    await flight.close()
    throw new Error(`${path} is no flight file of version 1`)
  }

  rows<Row>(sql: string, ...values: readonly number[]): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      this.#db.all<Row>(sql, values, (error, rows) => (error === null ? resolve(rows) : reject(error)))
    })
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#db.close((error) => (error === null ? resolve() : reject(error)))
    })
  }

  /** All records, in the order in which they came; every row of the file is held against its checksum. */
  async records(): Promise<StrangerRecord[]> {
    await checkRows(this)
    const segments = await this.rows<{ id: number; first_piece: number; sha256: Buffer }>(
      'SELECT * FROM segment ORDER BY id',
    )
    const records: StrangerRecord[] = []
    for (const [i, { id, first_piece, sha256 }] of segments.entries()) {
      const pieces = await this.rows<Piece>(
        'SELECT * FROM piece WHERE id >= ? AND id < ? ORDER BY id',
        first_piece,
        segments[i + 1]?.first_piece ?? Infinity,
      )
      const hash = createHash('sha256')
      for (const { body } of pieces) hash.update(body)
      if (!hash.digest().equals(sha256)) throw new Error(`segment ${id} is damaged`)
      for (const record of readSegment(pieces.map(decompress))) records.push(record)
    }
    return records
  }

  /** The groups of one message, each of them by itself: only the pieces that hold them are read. */
  async groupsOf(msgid: number): Promise<Group[]> {
    const rows = await this.rows<Piece & { number: number; offset: number }>(
      `SELECT g.number, g.offset, p.* FROM message_group g JOIN piece p ON p.id = g.piece
       WHERE g.msgid = ? ORDER BY g.segment, g.number`,
      msgid,
    )
    return rows.map((row) => {
      const cursor = new Cursor(decompress(row).raw, row.offset)
      if (cursor.varint() !== row.number) throw new Error(`group ${row.number} is not at ${row.offset}`)
      return readGroup(cursor)
    })
  }

  /** UTC of a receive time (µs); undefined if the flight does not know it. */
  async utcUs(recvUs: bigint): Promise<bigint | undefined> {
    const all = await this.rows<{ recv_us: number; utc_us: number; source: string }>(
      'SELECT * FROM clock_anchor ORDER BY recv_us',
    )
    const best = ANCHOR_SOURCES.find((name) => all.some(({ source }) => source === name))
    const anchors = all.filter(({ source }) => source === best)
    const anchor = anchors.findLast(({ recv_us }) => BigInt(recv_us) <= recvUs) ?? anchors[0]
    return anchor && recvUs + BigInt(anchor.utc_us) - BigInt(anchor.recv_us)
  }
}

function decompress({ id, kind, body, raw_bytes }: Piece): RawPiece {
  const raw = brotliDecompressSync(body)
  if (raw.length !== raw_bytes) throw new Error(`piece ${id} has ${raw.length} bytes, not ${raw_bytes}`)
  return { kind, raw }
}

/** The bytes of one link, as they came. */
export function rawBytes(records: readonly StrangerRecord[], link: number): Uint8Array {
  return Buffer.concat(records.filter((record) => record.link === link).map(({ bytes }) => bytes))
}

/** What a vault holds of a flight that is being recorded, or was when the power went: its file, then the tails. */
export async function readVault(vault: string, id: string): Promise<StrangerRecord[]> {
  const chunks = ['tail-0', 'tail-1']
    .flatMap((tail) => readTail(join(vault, tail)))
    .filter(({ head }) => head.id === id)
    .toSorted((a, b) => a.sequence - b.sequence)
  const { records, lastChunk } = await readFileOf(vault, id)
  const newer = chunks.filter(({ sequence }) => sequence > lastChunk)
  const first = lastChunk > 0 ? lastChunk + 1 : newer[0]?.sequence
  const gap = newer.find(({ sequence }, i) => sequence !== first! + i)
  if (gap !== undefined) throw new Error(`chunks are missing before ${gap.sequence}: to be read again`)
  return records.concat(newer.flatMap(({ items }) => items.filter((item) => 'bytes' in item)))
}

async function readFileOf(
  vault: string,
  id: string,
): Promise<{ records: StrangerRecord[]; lastChunk: number }> {
  const path = join(vault, 'flights', `${id}.glk`)
  if (!existsSync(path)) return { records: [], lastChunk: 0 }
  const flight = await StrangerFlight.open(path)
  try {
    const [row] = await flight.rows<{ last: number | null }>('SELECT max(last_chunk) AS last FROM segment')
    return { records: await flight.records(), lastChunk: row?.last ?? 0 }
  } finally {
    await flight.close()
  }
}
