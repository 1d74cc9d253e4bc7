/**
 * Recordings of real vehicles go through import and come out again: nothing is missing, invented or changed, and a
 * flight file is small. What is in them is told by an independent decoder.
 */
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { MessageLine } from '../../src/commands/messages.js'
import type { FlightReport } from '../../src/commands/flight-report.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import type { FieldLayout } from '../../src/mavlink/dialect.js'
import { captures, capturesReason } from '../support/captures.js'
import type { Capture, OracleValue, Sample } from '../support/captures.js'
import { readCsv } from '../support/csv.js'
import { groundlock } from '../support/groundlock.js'
import { temporaryFolder } from '../support/temporary-folder.js'

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

function json<Value>(...args: string[]): Value {
  const { code, stdout, stderr } = groundlock([...args, '--vault', vault, '--json'])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(stdout) as Value
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
    imported = new Map(json<Imported[]>('import', ...files).map((each) => [each.file, each]))
  })

  afterAll(() => console.table(table))

  test('are imported, each as one flight', () => {
    expect([...imported.values()].map(({ status }) => status)).toEqual(captures().map(() => 'imported'))
    const listed = json<{ id: string; frames: number; source: { name: string } }[]>('flights')
    expect(new Set(listed.map(({ id }) => id))).toEqual(new Set([...imported.values()].map(({ id }) => id)))
    for (const { name, oracle } of captures()) {
      const flight = listed.find(({ source }) => source.name === name)
      expect(flight).toMatchObject({ frames: oracle.structural.good, state: 'closed', origin: 'import' })
    }
    expect(readdirSync(join(vault, 'flights')).filter((file) => !file.endsWith('.glk'))).toEqual([])
  })

  for (const capture of captures()) {
    const { name, path, oracle } = capture
    const { structural } = oracle

    test(`${name}: messages by name and by sender are the oracle's`, () => {
      const lines = json<MessageLine[]>('messages', idOf(capture))
      expect(sums(lines, (line) => line.name)).toEqual(structural.by_name)
      expect(sums(lines, ({ sysid, compid }) => `${sysid}/${compid}`)).toEqual(structural.by_component)
    })

    test(`${name}: frames with a wrong checksum and damage are the oracle's, every byte is accounted for`, () => {
      const report = json<FlightReport>('show', idOf(capture))
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
      if (oracle.format === 'raw') expect(raw.equals(recording)).toBe(true)
      // Of a damaged tlog nobody can say which bytes of the damage were timestamps.
      else if (structural.records === structural.good && structural.skipped_bytes === 0) {
        expect(raw.equals(withoutTimestamps(recording))).toBe(true)
      } else expect(raw.length).toBe(recording.length - 8 * structural.good)
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
        const at = rows.filter((row) => Object.entries(sender).every(([name, cell]) => row[name] === cell))
        expect(at.map((row) => fieldsOf(row, sample))).toContainEqual(sample.fields)
      }
      const files = Object.keys(structural.by_name).map((message) => `${message}.csv`)
      expect(readdirSync(out).toSorted()).toEqual(files.toSorted())
    })
  }

  test('undamaged ones are stored in less than a quarter of their bytes', () => {
    for (const { name, path, oracle } of captures().filter((capture) => UNDAMAGED.includes(capture.name))) {
      const flight = join(vault, 'flights', `${imported.get(path)!.id}.glk`)
      expect({ name, small: statSync(flight).size / oracle.bytes <= LARGEST_SHARE }).toEqual({
        name,
        small: true,
      })
    }
  })

  test('are said to be there when they are imported again', () => {
    const again = json<Imported[]>('import', ...captures().map(({ path }) => path))
    expect(again).toEqual(
      captures().map(({ path }) => ({ file: path, status: 'already there', id: imported.get(path)!.id })),
    )
  })
})

/** The cells of a row in the oracle's words: 64-bit integers, NaN and infinities are strings, floats have 32 bits. */
function fieldsOf(row: Record<string, string>, { name, fields }: Sample): Sample['fields'] {
  const layout = dialect.byName.get(name)!
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

/** The frames of an undamaged tlog, one behind the other. */
function withoutTimestamps(tlog: Buffer): Buffer {
  const frames: Buffer[] = []
  for (let at = 0; at < tlog.length;) {
    const start = at + 8
    const length =
      tlog[start] === 0xfe ? tlog[start + 1]! + 8 : tlog[start + 1]! + 12 + 13 * (tlog[start + 2]! & 1)
    frames.push(tlog.subarray(start, start + length))
    at = start + length
  }
  return Buffer.concat(frames)
}
