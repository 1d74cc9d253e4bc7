/**
 * Recordings of real vehicles go through import and come out again: nothing is missing, invented or changed, and a
 * flight file is small. What is in them is told by an independent decoder.
 */
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { MessageLine } from '../../src/commands/messages.js'
import type { FlightSummary } from '../../src/commands/flight-summary.js'
import type { FlightReport } from '../../src/commands/flight-report.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import type { FieldLayout } from '../../src/mavlink/dialect.js'
import { captures, capturesReason } from '../support/captures.js'
import type { Capture, OracleValue, Sample } from '../support/captures.js'
import { readCsv } from '../support/csv.js'
import { groundlock } from '../support/groundlock.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { readTlog } from '../support/tlog.js'

const folder = temporaryFolder('captures')
const vault = join(folder, 'vault')
const dialect = loadDialect()

/** Recordings of undamaged telemetry: their flight file has at most this share of their bytes. */
const UNDAMAGED = ['dronekit-python-flight.tlog', 'thayer-parsers-rural.tlog', 'uavlogviewer-vtol.tlog']
const LARGEST_SHARE = 0.23

interface Imported {
  file: string
  status: string
  id: string
  noiseBytes: number
}

let imported = new Map<string, Imported>()
const table: object[] = []

function json(...args: string[]): unknown {
  const { code, stdout, stderr } = groundlock([...args, '--vault', vault, '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

const idOf = ({ path }: Capture): string => imported.get(path)!.id

function exported(capture: Capture, format: string): Buffer {
  const out = join(folder, `${capture.name}.${format}`)
  json('export', idOf(capture), '--format', format, '--out', out)
  return readFileSync(out)
}

describe.skipIf(capturesReason !== null)(`recordings of real vehicles ${capturesReason ?? ''}`, () => {
  beforeAll(() => {
    const files = captures().map(({ path }) => path)
    imported = new Map((json('import', ...files) as Imported[]).map((each) => [each.file, each]))
  })

  // oxlint-disable-next-line no-console -- figures that a person looks at, and no test can judge
  afterAll(() => console.table(table))

  test('are imported, each as one flight', () => {
    expect([...imported.values()].map(({ status }) => status)).toEqual(captures().map(() => 'imported'))
    const listed = json('flights') as FlightSummary[]
    expect(new Set(listed.map(({ id }) => id))).toEqual(new Set([...imported.values()].map(({ id }) => id)))
    for (const { name, oracle } of captures()) {
      const flight = listed.find(({ source }) => source?.name === name)
      expect(flight).toMatchObject({ frames: oracle.structural.good, state: 'closed', origin: 'import' })
    }
    expect(readdirSync(join(vault, 'flights')).filter((file) => !file.endsWith('.glk'))).toEqual([])
  })

  for (const capture of captures()) {
    const { name, path, oracle } = capture
    const { structural } = oracle

    test(`${name}: messages by name and by sender are the oracle's`, () => {
      const lines = json('messages', idOf(capture)) as MessageLine[]
      expect(sums(lines, (line) => line.name)).toEqual(structural.by_name)
      expect(sums(lines, ({ sysid, compid }) => `${sysid}/${compid}`)).toEqual(structural.by_component)
    })

    test(`${name}: frames with a wrong checksum and damage are the oracle's, every byte is accounted for`, () => {
      const report = json('show', idOf(capture)) as FlightReport
      const theirs = new Map<string, number>()
      for (const [what, count] of Object.entries(structural.crc_mismatch_of)) {
        const message = what.split(' ')[0]!
        theirs.set(message, (theirs.get(message) ?? 0) + count)
      }
      expect(new Map(report.crcMismatches.map((each) => [each.name, each.count]))).toEqual(theirs)
      expect(report.damaged).toEqual({ runs: structural.skipped_runs, bytes: structural.skipped_bytes })
      const { bytesIn, framedBytes, noiseBytes, lostBytes, frames } = report.flight
      const timestampBytes = oracle.format === 'tlog' ? 8 * frames : 0
      expect(bytesIn).toBe(oracle.bytes)
      expect(framedBytes + noiseBytes + lostBytes + timestampBytes).toBe(oracle.bytes)
      table.push({
        recording: name.slice(0, 28),
        messages: `${frames} / ${structural.good}`,
        'wrong CRC': `${report.crcMismatches.reduce((sum, { count }) => sum + count, 0)} / ${structural.crc_mismatch}`,
        'noise bytes': noiseBytes,
        'flight / recording': (report.flight.fileBytes / oracle.bytes).toFixed(4),
      })
    })

    test(`${name}: the original comes out byte for byte`, () => {
      expect(createHash('sha256').update(exported(capture, 'original')).digest('hex')).toBe(oracle.sha256)
    })

    test(`${name}: raw is what was on the wire`, () => {
      const raw = exported(capture, 'raw')
      const recording = readFileSync(path)
      const undamaged = structural.records === structural.good && structural.skipped_bytes === 0
      const wire = oracle.format === 'raw' ? recording : undamaged ? framesOf(recording) : raw
      expect(raw.equals(wire)).toBe(true)
      // Of a damaged tlog nobody can say which bytes of the damage were timestamps.
      const timestampBytes = oracle.format === 'tlog' ? 8 * structural.good : 0
      expect(raw.length).toBe(recording.length - timestampBytes)
    })

    test(`${name}: sample frames have the oracle's fields in the CSV, at their receive time`, () => {
      const out = join(folder, `${name}.csv`)
      json('export', idOf(capture), '--format', 'csv', '--out', out)
      const recording = readFileSync(path)
      for (const sample of oracle.samples) {
        const { rows } = readCsv(readFileSync(join(out, `${sample.name}.csv`), 'utf8'))
        const timeUs = oracle.format === 'tlog' ? recording.readBigUInt64BE(sample.offset - 8) : 0n
        const sender = {
          recv_time_us: String(timeUs),
          sysid: String(sample.sysid),
          compid: String(sample.compid),
        }
        const at = rows.filter((row) => Object.entries(sender).every(([title, cell]) => row[title] === cell))
        expect(at.map((row) => fieldsOf(row, sample))).toContainEqual(sample.fields)
      }
      const files = Object.keys(structural.by_name).map((message) => `${message}.csv`)
      expect(readdirSync(out).toSorted()).toEqual(files.toSorted())
    })
  }

  test('undamaged ones are stored in less than a quarter of their bytes', () => {
    for (const { name, path, oracle } of captures().filter((each) => UNDAMAGED.includes(each.name))) {
      const flight = join(vault, 'flights', `${imported.get(path)!.id}.glk`)
      expect({ name, small: statSync(flight).size / oracle.bytes <= LARGEST_SHARE }).toEqual({
        name,
        small: true,
      })
    }
  })

  test('are said to be there when they are imported again', () => {
    const again = json('import', ...captures().map(({ path }) => path))
    expect(again).toEqual(
      captures().map(({ path }) => ({ file: path, status: 'already there', id: imported.get(path)!.id })),
    )
  })
})

const framesOf = (tlog: Buffer): Buffer => Buffer.concat(readTlog(tlog).map(({ frame }) => frame))

/** The cells of a row in the oracle's words: 64-bit integers, NaN and infinities are strings, floats have 32 bits. */
function fieldsOf(row: Record<string, string>, { name: message, fields }: Sample): Sample['fields'] {
  const layout = dialect.byName.get(message)!
  const valueOf = ({ type }: FieldLayout, cell: string, like: OracleValue): number | string => {
    if (type === 'char' || typeof like === 'string') return cell
    const float =
      type === 'float' && typeof like === 'number' && Math.fround(Number(cell)) === Math.fround(like)
    return float ? like : Number(cell)
  }
  return Object.fromEntries(
    layout.fields.map((field) => {
      const like = fields[field.name]!
      const value = Array.isArray(like)
        ? like.map((each, i) => valueOf(field, row[`${field.name}[${i}]`]!, each))
        : valueOf(field, row[field.name]!, like)
      return [field.name, value]
    }),
  )
}

function sums(lines: readonly MessageLine[], keyOf: (line: MessageLine) => string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const line of lines) counts[keyOf(line)] = (counts[keyOf(line)] ?? 0) + line.count
  return counts
}
