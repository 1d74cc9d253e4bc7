/**
 * Reading: one message of a long flight, and exports of all of it. What is read from the disk is the kernel's count.
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { loadDialect } from '../../dist/mavlink/dialect.js'
import { allCoresMs } from './core-time.mjs'
import { columnsOf } from '../../dist/storage/export/csv-cells.js'
import { exportCsv } from '../../dist/storage/export/csv-export.js'
import { exportOriginal } from '../../dist/storage/export/original-export.js'
import { exportRaw } from '../../dist/storage/export/raw-export.js'
import { exportTlog } from '../../dist/storage/export/tlog-export.js'
import { FlightReader } from '../../dist/storage/flight/flight-reader.js'
import { Sqlite } from '../../dist/storage/flight/sqlite.js'
import { Vault } from '../../dist/storage/vault/vault.js'

/** A cell's value instead of its text: what the CSV export takes from a group, and no more. */
class Values {
  count = 0
  sum = 0
  integer(value) {
    this.sum += value
    this.count++
  }
  float(value) {
    this.integer(value)
  }
  double(value) {
    this.integer(value)
  }
  bigint(value) {
    this.integer(Number(BigInt.asUintN(32, value)))
  }
  csvText(text) {
    this.integer(text.length)
  }
}

/** Reads the values of all messages of that name. The program itself and SQLite are loaded before it counts. */
export async function readMessage({ dir, message }) {
  const layout = loadDialect().byName.get(message)
  const msgids = [layout.msgid]
  const vault = Vault.open(dir)
  await import('sqlite3')
  const columns = columnsOf(layout)
  const before = bytesRead()
  const [startMs, startCpuMs] = [performance.now(), allCoresMs()]
  const flight = await FlightReader.open(vault, 'last')
  const values = new Values()
  let rows = 0
  let lastUs = 0
  for (const segment of flight.segments) {
    for (const group of await segment.groups({ msgids, rowBytes: () => layout.length })) {
      const { payloads, stride, times, count } = group
      const view = new DataView(payloads.buffer, payloads.byteOffset, payloads.byteLength)
      for (let row = 0; row < count; row++) {
        lastUs = Math.max(lastUs, Number(times[row]))
        for (const { cell } of columns) cell(values, view, row * stride)
      }
      rows += count
    }
  }
  const [ms, cpuMs] = [performance.now() - startMs, allCoresMs() - startCpuMs]
  const readBytes = bytesRead() - before
  const groupBytes = await storedBytes(vault.flightPath(flight.info.id), layout.msgid)
  await flight.close()
  const rates = { mRowsPerS: rows / 1000 / ms, mRowsPerCpuS: rows / 1000 / cpuMs }
  return { rows, cells: values.count, lastUs, ...rates, readBytes, groupBytes }
}

/** Bytes of the pieces that hold the message. */
async function storedBytes(path, msgid) {
  const db = await Sqlite.open(path, 'read')
  const [row] = await db.all(
    'SELECT sum(length(body)) AS bytes FROM piece WHERE id IN (SELECT piece FROM message_group WHERE msgid = ?)',
    [msgid],
  )
  await db.close()
  return row.bytes
}

/** What this process has read from files so far, by the kernel's count. */
function bytesRead() {
  return Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))[1])
}

const EXPORTS = { raw: exportRaw, original: exportOriginal, tlog: exportTlog, csv: exportCsv }

/** Exports the flight, or those of its messages, to a file or folder that is removed again; flushed, as exports are. */
export async function exportFlight({ dir, format, messages }) {
  const path = join(dir, `export-${format}`)
  const vault = Vault.open(dir)
  const { byName } = loadDialect()
  const msgids = messages?.map((name) => byName.get(name).msgid)
  const startMs = performance.now()
  const flight = await FlightReader.open(vault, 'last')
  const selection = { fromUs: -Infinity, toUs: Infinity, ...(msgids === undefined ? {} : { msgids }) }
  const counts = await flight.messages()
  const { files } = await EXPORTS[format]({ flight, path, force: true, selection })
  const ms = performance.now() - startMs
  const rows = counts
    .filter(({ msgid }) => msgids?.includes(msgid) ?? true)
    .reduce((sum, { count }) => sum + count, 0)
  await flight.close()
  rmSync(path, { recursive: true })
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  return { mbPerS: bytes / 1000 / ms, mRowsPerS: rows / 1000 / ms, rows }
}
