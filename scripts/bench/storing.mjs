/**
 * Storing: a recording made durable: by our import, and by a store of a row a message as one writes it in an afternoon.
 * Both on the same disk, both flushed when they say that they are done.
 */
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { loadDialect } from '../../dist/mavlink/dialect.js'
import { Sqlite } from '../../dist/storage/flight/sqlite.js'
import { importFile } from '../../dist/storage/import/import.js'
import { Vault } from '../../dist/storage/vault/vault.js'
import { messageOf, parseReference, piecesOf } from './framing.mjs'
import { wireOf } from './recordings.mjs'

/** Rows in a transaction of the reference (rows). */
const ROWS_A_TRANSACTION = 5000
const PIECE_BYTES = 64 * 1024

/** Imports `path` into the vault `dir`, which is made. */
export async function importOurs({ path, dir }) {
  const startMs = performance.now()
  const vault = Vault.openOrCreate(dir)
  const station = vault.importStation()
  const { id } = await importFile(path, { vault, station, dialect: loadDialect(), format: 'auto' })
  const ms = performance.now() - startMs
  const file = vault.flightPath(id)
  const bytes = statSync(path).size
  return {
    mbPerS: bytes / 1000 / ms,
    storedBytes: statSync(file).size,
    id,
    // ru_maxrss is in KiB on Linux.
    peakMib: process.resourceUsage().maxRSS / 1024,
  }
}

/**
 * The first `sliceBytes` of the recording, a row a message: time, sender, id, and the fields as JSON; one index.
 * It is given frames and times apart, and may write several rows an INSERT: with one each it takes twice as long.
 */
export async function importReference({ path, dir, sliceBytes }) {
  const tlog = readFileSync(path).subarray(0, sliceBytes)
  const { bytes, timesMs } = wireOf(tlog)
  mkdirSync(dir, { recursive: true })
  const startMs = performance.now()
  const db = await Sqlite.open(join(dir, 'messages.db'), 'create')
  await db.script(`PRAGMA synchronous = FULL;
    CREATE TABLE message (time_ms INTEGER, sysid INTEGER, compid INTEGER, msgid INTEGER, fields TEXT);
    CREATE INDEX message_by_id ON message (msgid, time_ms)`)
  let rows = []
  let count = 0
  const write = (some) =>
    db.transaction(() => db.insertAll('INSERT INTO message VALUES (?, ?, ?, ?, ?)', some))
  let writing = Promise.resolve()
  await parseReference(piecesOf(bytes, PIECE_BYTES), (frame) => {
    rows.push(rowOf(frame, timesMs[count++]))
    if (rows.length < ROWS_A_TRANSACTION) return
    const some = rows
    rows = []
    writing = writing.then(() => write(some))
  })
  await writing
  if (rows.length > 0) await write(rows)
  await db.close()
  return { mbPerS: tlog.length / 1000 / (performance.now() - startMs), frames: count }
}

function rowOf(frame, timeMs) {
  const { header } = frame
  const fields = JSON.stringify(messageOf(frame), (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  return [timeMs, header.sysid, header.compid, header.msgid, fields]
}
