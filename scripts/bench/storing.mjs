/**
 * Storing: a recording made durable: by our import, and by a store of a row a message as one writes it in an afternoon.
 * Both on the same disk, both flushed when they say that they are done.
 */
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sqlite3 from 'sqlite3'
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
 * The first `sliceBytes` of the recording, a row a message: time, sender, id, and the fields as JSON; one index. It is given
 * frames and times apart. `several`: many rows an INSERT, as our own files do it, instead of a prepared one for each.
 */
export async function importReference({ path, dir, sliceBytes, several }) {
  const tlog = readFileSync(path).subarray(0, sliceBytes)
  const { bytes, timesMs } = wireOf(tlog)
  mkdirSync(dir, { recursive: true })
  const startMs = performance.now()
  const store = await (several ? severalRows : rowByRow)(join(dir, 'messages.db'))
  let rows = []
  let count = 0
  let writing = Promise.resolve()
  const write = () => {
    const some = rows
    rows = []
    writing = writing.then(() => store.write(some))
  }
  await parseReference(piecesOf(bytes, PIECE_BYTES), (frame) => {
    rows.push(rowOf(frame, timesMs[count++]))
    if (rows.length === ROWS_A_TRANSACTION) write()
  })
  write()
  await writing
  await store.close()
  return { mbPerS: tlog.length / 1000 / (performance.now() - startMs), frames: count }
}

const SCHEMA = `PRAGMA synchronous = FULL;
  CREATE TABLE message (time_ms INTEGER, sysid INTEGER, compid INTEGER, msgid INTEGER, fields TEXT);
  CREATE INDEX message_by_id ON message (msgid, time_ms)`
const INSERT = 'INSERT INTO message VALUES (?, ?, ?, ?, ?)'

async function severalRows(path) {
  const db = await Sqlite.open(path, 'create')
  await db.script(SCHEMA)
  return {
    write: (rows) => db.transaction(() => db.insertAll(INSERT, rows)),
    close: () => db.close(),
  }
}

/** As the package's README does it: a prepared statement, run for each row. */
async function rowByRow(path) {
  const db = new sqlite3.Database(path)
  db.serialize()
  const exec = promisify(db.exec.bind(db))
  await exec(SCHEMA)
  const insert = db.prepare(INSERT)
  return {
    async write(rows) {
      await exec('BEGIN')
      // They wait for their turn in the package; the last of them is told last.
      for (const row of rows.slice(0, -1)) insert.run(row)
      const [last] = rows.slice(-1)
      if (last !== undefined) await promisify(insert.run.bind(insert))(last)
      await exec('COMMIT')
    },
    async close() {
      await new Promise((resolve) => insert.finalize(resolve))
      await promisify(db.close.bind(db))()
    },
  }
}

function rowOf(frame, timeMs) {
  const { header } = frame
  const fields = JSON.stringify(messageOf(frame), (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  return [timeMs, header.sysid, header.compid, header.msgid, fields]
}
