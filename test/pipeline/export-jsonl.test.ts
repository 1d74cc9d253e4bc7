/** What a person may rely on of `export --format jsonl`: every message, in order, each a line that any JSON reader reads. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { EXIT_CODE } from '../../src/commands/exit-code.js'
import { decoderFor } from '../../src/mavlink/decode.js'
import type { FieldValue } from '../../src/mavlink/decode.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { exportJsonLines } from '../../src/storage/export/jsonl-export.js'
import { FlightReader } from '../../src/storage/flight/flight-reader.js'
import { FRAME, NOISE } from '../../src/storage/segment/records.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { captures, capturesReason } from '../support/captures.js'
import type { OracleValue } from '../support/captures.js'
import { filler, frame } from '../support/frames.js'
import { GROUNDLOCK, groundlock } from '../support/groundlock.js'
import { anyRecords } from '../support/recordings.js'
import type { TestRecord } from '../support/recordings.js'
import { SOAK_TIMEOUT_MS, amount, seed } from '../support/soak.js'
import { storeFlight } from '../support/stored-flight.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder('export-jsonl')
const vaultDir = join(folder, 'vault')
const vault = Vault.openOrCreate(vaultDir)
const dialect = loadDialect()

/** 2024-01-01, µs. */
const UTC_US = 1_704_067_200_000_000

interface Line {
  meta: {
    type: string
    msgId: number
    mavlink: number
    signed: boolean
    link: string
    srcSystem: number
    srcComponent: number
    seq: number
    recv_time_us: number
    timestamp: number | null
  }
  data: Record<string, OracleValue>
}

const linesIn = (text: string): Line[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)

let outputs = 0

function exported(flight: string, ...more: string[]): string {
  const out = join(folder, `out-${++outputs}.jsonl`)
  const args = ['export', flight, '--vault', vaultDir, '--format', 'jsonl', '--out', out, ...more]
  const { code, stderr } = groundlock(args)
  expect({ code, stderr }).toEqual({ code: EXIT_CODE.ok, stderr: '' })
  return readFileSync(out, 'utf8')
}

/** As `exported`, of the same code without a process for each of many. */
async function exportedHere(flight: string): Promise<string> {
  const reader = await FlightReader.openId(vault, flight, [])
  const path = join(folder, `here-${++outputs}.jsonl`)
  try {
    const selection = { fromUs: -Infinity, toUs: Infinity }
    await exportJsonLines({ flight: reader, path, force: false, selection })
  } finally {
    await reader.close()
  }
  return readFileSync(path, 'utf8')
}

const record = (timeS: number, bytes: Uint8Array, link = 0, kind: 0 | 1 = FRAME): TestRecord => ({
  kind,
  link,
  timeUs: BigInt(Math.round(timeS * 1e6)),
  bytes,
})
const heartbeat = (seq: number, sysid = 1): Uint8Array =>
  frame({ msgid: 0, crcExtra: 50, payload: [seq, 0, 0, 0, 2, 3, 0x81, 4, 3], seq, sysid })
const attitude = (seq: number): Uint8Array =>
  frame({ msgid: 30, crcExtra: 39, payload: new Uint8Array(28).fill(1), seq })

describe.skipIf(capturesReason !== null)(`recordings of real vehicles ${capturesReason ?? ''}`, () => {
  test.each(captures())(
    '$name: every sample is there as the independent decoder has it',
    ({ path, oracle }) => {
      const { stdout } = groundlock(['import', path, '--vault', vaultDir, '--json'])
      const [{ id }] = JSON.parse(stdout) as [{ id: string }]
      const lines = linesIn(exported(id))
      expect(lines).toHaveLength(oracle.structural.good)
      const byName: Record<string, number> = {}
      for (const { meta } of lines) byName[meta.type] = (byName[meta.type] ?? 0) + 1
      expect(byName).toEqual(oracle.structural.by_name)
      const byHeader = new Map<string, Line[]>()
      for (const line of lines) {
        const { type, mavlink, signed, srcSystem, srcComponent, seq } = line.meta
        const key = JSON.stringify([type, mavlink, signed, srcSystem, srcComponent, seq])
        byHeader.set(key, [...(byHeader.get(key) ?? []), line])
      }
      for (const { name, wire, signed, sysid, compid, seq, fields } of oracle.samples) {
        const candidates = byHeader.get(JSON.stringify([name, wire, signed, sysid, compid, seq])) ?? []
        const expected = onWire(name, fields)
        expect(candidates.map(({ data }) => onWire(name, data))).toContainEqual(expected)
      }
    },
  )
})

/** Floats as the 32 bits they were; all else as it is. */
function onWire(name: string, fields: Record<string, OracleValue>): Record<string, OracleValue> {
  const types = new Map(dialect.byName.get(name)!.fields.map((field) => [field.name, field.type]))
  const float = (value: number | string): number | string =>
    typeof value === 'number' ? Math.fround(value) : value
  return Object.fromEntries(
    Object.entries(fields).map(([field, value]) => {
      if (types.get(field) !== 'float') return [field, value]
      return [field, Array.isArray(value) ? value.map(float) : float(value)]
    }),
  )
}

describe('any flight', () => {
  const asJson = (value: FieldValue): unknown => {
    if (typeof value === 'bigint') return String(value)
    if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
    if (typeof value !== 'string') return value.map(asJson)
    return value.replace(/[\udc80-\udcff]/gu, (byte) => `\\x${(byte.charCodeAt(0) & 0xff).toString(16)}`)
  }

  /** The line that a frame must have, by other code than the export's. */
  function lineOf({ bytes, link, timeUs }: TestRecord, links: readonly string[]): Line {
    const v1 = bytes[0] === 0xfe
    const head = v1 ? bytes.subarray(2, 6) : bytes.subarray(4, 10)
    const msgId = head[3]! + (v1 ? 0 : head[4]! * 256 + head[5]! * 65_536)
    const layout = dialect.byId.get(msgId)
    const at = v1 ? 6 : 10
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const type = layout?.name ?? `UNKNOWN_${msgId}`
    const meta = {
      type,
      msgId,
      mavlink: v1 ? 1 : 2,
      signed: !v1 && (bytes[2]! & 1) === 1,
      link: links[link] ?? String(link),
      srcSystem: head[1]!,
      srcComponent: head[2]!,
      seq: head[0]!,
      recv_time_us: Number(timeUs),
      timestamp: null,
    }
    if (layout === undefined)
      return { meta, data: { payload_hex: Buffer.from(bytes.subarray(at, at + bytes[1]!)).toString('hex') } }
    const fields = Object.entries(decoderFor(layout)(view, at, bytes[1]!)).map(([k, v]) => [k, asJson(v)])
    return { meta, data: onWire(type, Object.fromEntries(fields) as Line['data']) }
  }

  test('has a line for each frame, in order, with its values', { timeout: SOAK_TIMEOUT_MS }, async () => {
    const links = ['radio', 'a "spare"\n\u2603']
    let made = 0
    await fc.assert(
      fc.asyncProperty(anyRecords(40), fc.integer({ min: 0, max: 40 }), async (records, cut) => {
        const id = `any-${++made}`
        await storeFlight(vault, {
          head: { id, links },
          segments: [records.slice(0, cut), records.slice(cut)].filter(({ length }) => length > 0),
          // Its last receive time may be none that a flight can end at.
          open: true,
        })
        const text = await exportedHere(id)
        const frames = records.filter(({ kind }) => kind === FRAME)
        const lines = linesIn(text).map(({ meta, data }) => ({
          meta,
          data: dialect.byName.has(meta.type) ? onWire(meta.type, data) : data,
        }))
        expect(lines).toEqual(frames.map((each) => lineOf(each, links)))
        // As text receive times are exact, however large.
        expect([...text.matchAll(/"recv_time_us":(\d+),/g)].map(([, us]) => us)).toEqual(
          frames.map(({ timeUs }) => String(timeUs)),
        )
      }),
      { numRuns: amount(100, 2_000), seed },
    )
  })
})

describe('a line', () => {
  const STATUSTEXT_LONG = Buffer.concat([
    Buffer.from('\u0006a "quoted" \\ \u00e9 \u2603\nline '),
    Buffer.from([0xe4]),
  ])

  test('is as documented, to the byte', async () => {
    const floats = new DataView(new ArrayBuffer(28))
    ;[0.1, NaN, -0, Infinity, 1e-30, -Infinity].forEach((value, i) =>
      floats.setFloat32(4 + 4 * i, value, true),
    )
    const time = new DataView(new ArrayBuffer(12))
    time.setBigUint64(0, 2n ** 64n - 1n, true)
    const messages = [
      frame({ msgid: 30, crcExtra: 39, payload: new Uint8Array(floats.buffer), seq: 5, signed: true }),
      frame({ msgid: 2, crcExtra: 137, payload: new Uint8Array(time.buffer), seq: 6, version: 1 }),
      frame({ msgid: 111, crcExtra: 34, payload: [1], seq: 7 }),
      frame({ msgid: 253, crcExtra: 83, payload: STATUSTEXT_LONG, seq: 8 }),
      frame({ msgid: 54_321, crcExtra: 99, payload: [1, 2, 0xff], seq: 9 }),
    ]
    const id = await storeFlight(vault, {
      head: { id: 'documented', links: ['radio'], openedUs: 100_000_000 },
      segments: [messages.map((bytes, i) => record(100 + i / 4, bytes))],
      happened: { anchors: [{ recvTimeUs: 100_000_000, utcUs: UTC_US, source: 'gps' }] },
    })
    const meta = (type: string, msgId: number, more: string, i: number): string =>
      `{"meta":{"type":"${type}","msgId":${msgId},${more},"link":"radio","srcSystem":1,"srcComponent":1,` +
      `"seq":${5 + i},"recv_time_us":${100_000_000 + i * 250_000},"timestamp":${1_704_067_200 + Math.floor(i / 4)}.${String((i % 4) * 25).padEnd(6, '0')}},"data":`
    expect(exported(id).split('\n')).toEqual([
      `${meta('ATTITUDE', 30, '"mavlink":2,"signed":true', 0)}{"time_boot_ms":0,"roll":0.1,"pitch":"NaN","yaw":-0,"rollspeed":"Infinity","pitchspeed":1e-30,"yawspeed":"-Infinity"}}`,
      `${meta('SYSTEM_TIME', 2, '"mavlink":1,"signed":false', 1)}{"time_unix_usec":"18446744073709551615","time_boot_ms":0}}`,
      `${meta('TIMESYNC', 111, '"mavlink":2,"signed":false', 2)}{"tc1":"1","ts1":"0","target_system":0,"target_component":0}}`,
      `${meta('STATUSTEXT', 253, '"mavlink":2,"signed":false', 3)}{"severity":6,"text":"a \\"quoted\\" \\\\ \u00e9 \u2603\\nline \\\\xe4","id":0,"chunk_seq":0}}`,
      `${meta('UNKNOWN_54321', 54_321, '"mavlink":2,"signed":false', 4)}{"payload_hex":"0102ff"}}`,
      '',
    ])
  })
})

describe('what narrows it', () => {
  const FLIGHT = 'narrow'
  const all = [
    [
      record(100, heartbeat(0)),
      record(100, filler(20), 0, NOISE),
      record(101, heartbeat(1, 2), 1),
      record(102, attitude(2)),
    ],
    [record(103, heartbeat(3, 2), 1), record(104, heartbeat(4)), record(105, filler(7), 1, NOISE)],
  ]

  beforeAll(async () => {
    await storeFlight(vault, {
      head: { id: FLIGHT, links: ['radio', 'spare'], openedUs: 100_000_000 },
      segments: all,
      happened: { anchors: [{ recvTimeUs: 100_000_000, utcUs: UTC_US, source: 'gps' }] },
    })
  })

  test.each([
    [[], [0, 1, 2, 3, 4]],
    [
      ['--messages', 'HEARTBEAT'],
      [0, 1, 3, 4],
    ],
    [['--messages', 'ATTITUDE'], [2]],
    [
      ['--messages', 'ATTITUDE,HEARTBEAT', '--link', 'radio'],
      [0, 2, 4],
    ],
    [
      ['--link', 'spare'],
      [1, 3],
    ],
    [
      ['--from', '1', '--to', '0:03'],
      [1, 2],
    ],
    [
      ['--from', '-0:02'],
      [3, 4],
    ],
    [['--to', '2024-01-01T00:00:01Z'], [0]],
  ])('%j', (args, seqs) => {
    expect(linesIn(exported(FLIGHT, ...args)).map(({ meta }) => meta.seq)).toEqual(seqs)
  })

  test.each(['raw', 'tlog', 'csv', 'jsonl'])(
    'a span with nothing in it is said, and makes no %s',
    (format) => {
      const out = join(folder, `nothing.${format}`)
      const args = ['export', FLIGHT, '--vault', vaultDir, '--format', format, '--out', out, '--from', '1:00']
      const { code, stderr } = groundlock(args)
      expect(code).toBe(EXIT_CODE.fault)
      expect(stderr).toMatch(
        /^GL-EXPORT-07 .*nothing of that is in the span of time.\n.*It lasted 5\.0 s\.\n$/,
      )
      expect(existsSync(out)).toBe(false)
    },
  )

  test('messages that came over another link are said not to be there', () => {
    const out = join(folder, 'elsewhere.jsonl')
    const args = ['export', FLIGHT, '--vault', vaultDir, '--format', 'jsonl', '--out', out]
    const { code, stderr } = groundlock([...args, '--messages', 'ATTITUDE', '--link', 'spare'])
    expect(code).toBe(EXIT_CODE.fault)
    expect(stderr).toContain('GL-EXPORT-07')
    expect(stderr).toContain('none of those messages came over that link')
    expect(existsSync(out)).toBe(false)
  })

  const piped = (
    format: string,
    ...more: string[]
  ): { code: number | null; stdout: Buffer; stderr: string } => {
    const args = ['export', FLIGHT, '--vault', vaultDir, '--format', format, '--out', '-', ...more]
    const { status, stdout, stderr } = spawnSync(GROUNDLOCK, args)
    return { code: status, stdout, stderr: String(stderr) }
  }

  test.each([
    ['jsonl', []],
    ['tlog', []],
    ['raw', ['--link', 'radio']],
  ])('to the standard output %s is what it is in a file, and notes are elsewhere', (format, more) => {
    const out = join(folder, `file-${format}`)
    groundlock(['export', FLIGHT, '--vault', vaultDir, '--format', format, '--out', out, ...more])
    const { code, stdout, stderr } = piped(format, ...more)
    expect(code).toBe(EXIT_CODE.ok)
    expect(stdout.length).toBeGreaterThan(0)
    expect(stdout.equals(readFileSync(out))).toBe(true)
    expect(stderr).toBe(format === 'raw' ? '' : '27 bytes of noise are left out (--format raw has them).\n')
  })

  test.each([
    ['raw', [], EXIT_CODE.fault, 'GL-EXPORT-06'],
    ['csv', [], EXIT_CODE.usage, '--format csv makes a folder'],
    ['jsonl', ['--json'], EXIT_CODE.usage, '--json cannot be used with --out -'],
  ])('to the standard output cannot go %s %j', (format, more, exitCode, words) => {
    const { code, stdout, stderr } = piped(format, ...more)
    expect({ code, stdout: String(stdout) }).toEqual({ code: exitCode, stdout: '' })
    expect(stderr).toContain(words)
  })
})

describe('a reader of the standard output', () => {
  const FLIGHT = 'long'
  /** Megabytes of text; a pipe holds 64 KiB. */
  const COUNT = 30_000

  beforeAll(async () => {
    const frames = Array.from({ length: 256 }, (_, seq) => attitude(seq))
    const segment = Array.from({ length: COUNT / 2 }, (_, i) => record(i / 100, frames[i & 0xff]!))
    await storeFlight(vault, { head: { id: FLIGHT, links: ['radio'] }, segments: [segment, segment] })
  })

  const shell = (command: string): { status: number | null; stdout: string; stderr: string } =>
    spawnSync('bash', ['-c', command], {
      encoding: 'utf8',
      env: {
        ...process.env,
        EXPORT: `${GROUNDLOCK} export ${FLIGHT} --vault ${vaultDir} --format jsonl --out -`,
      },
    })

  test('may be slow', () => {
    const sum = createHash('sha256').update(exported(FLIGHT)).digest('hex')
    // The pipe is full long before the reader begins.
    expect(shell('$EXPORT | (sleep 1; sha256sum)').stdout).toContain(sum)
  })

  test('may have seen enough', () => {
    const { stdout, stderr } = shell('set -o pipefail; $EXPORT | head -n 3; echo "exit ${PIPESTATUS[0]}"')
    expect(
      stdout
        .split('\n')
        .slice(0, 3)
        .map((line) => (JSON.parse(line) as Line).meta.seq),
    ).toEqual([0, 1, 2])
    expect(stdout).toContain('exit 0')
    expect(stderr).not.toContain('Error')
  })

  test('may fail to take it, which is a fault', () => {
    const { status, stderr } = shell('$EXPORT > /dev/full')
    expect(status).toBe(EXIT_CODE.fault)
    expect(stderr).toMatch(/^GL-STDOUT-01 {2}cannot write to the standard output: no space left on device\./)
  })
})

test('a moment is written as show prints it, too', async () => {
  await storeFlight(vault, {
    head: { id: 'hours', links: ['radio'], openedUs: 0 },
    segments: [[0, 59.9, 60, 65, 3599, 3600, 3725.5].map((timeS, seq) => record(timeS, heartbeat(seq)))],
  })
  const seqs = (...args: string[]): number[] =>
    linesIn(exported('hours', ...args)).map(({ meta }) => meta.seq)
  expect(seqs('--from', '1:00')).toEqual([2, 3, 4, 5, 6])
  expect(seqs('--from', '+1:05')).toEqual([3, 4, 5, 6])
  expect(seqs('--from', '60:00')).toEqual([5, 6])
  expect(seqs('--from', '1:02:05.5')).toEqual([6])
  expect(seqs('--to', '0:59.9')).toEqual([0])
  expect(seqs('--from', '-0:02:06.5')).toEqual([4, 5, 6])
})
