/** What a person may rely on of `export`: the bytes, the times, the values, and what narrows it. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { EXIT_CODE } from '../../src/commands/exit-code.js'
import { FRAME, NOISE } from '../../src/storage/segment/records.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { readCsv } from '../support/csv.js'
import type { CsvFile } from '../support/csv.js'
import { concat, filler, frame } from '../support/frames.js'
import { groundlock } from '../support/groundlock.js'
import type { TestRecord } from '../support/recordings.js'
import { storeFlight } from '../support/stored-flight.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { readTlog } from '../support/tlog.js'

const folder = temporaryFolder('export')
const vaultDir = join(folder, 'vault')
const vault = Vault.openOrCreate(vaultDir)

/** 2024-01-01, µs. */
const UTC_US = 1_704_067_200_000_000

let outputs = 0

/** Exports to a new place of its own and returns it. */
function exported(flight: string, format: string, ...more: string[]): string {
  const out = join(folder, `out-${++outputs}.${format}`)
  const args = ['export', flight, '--vault', vaultDir, '--format', format, '--out', out, ...more]
  const { code, stderr } = groundlock(args)
  expect({ code, stderr }).toEqual({ code: EXIT_CODE.ok, stderr: '' })
  return out
}

const heartbeat = (seq: number, sysid = 1): Uint8Array =>
  frame({ msgid: 0, crcExtra: 50, payload: [seq, 0, 0, 0, 2, 3, 0x81, 4, 3], seq, sysid })

function record(timeS: number, bytes: Uint8Array, link = 0, kind: 0 | 1 = FRAME): TestRecord {
  return { kind, link, timeUs: BigInt(Math.round(timeS * 1e6)), bytes }
}

/** Seconds since 2024-01-01 of the frames in a tlog. */
const secondsOf = (tlog: string): number[] =>
  readTlog(readFileSync(tlog)).map(({ timeUs }) => (Number(timeUs) - UTC_US) / 1e6)

function csvOf(out: string, message: string): CsvFile {
  return readCsv(readFileSync(join(out, `${message}.csv`), 'utf8'))
}

/** Two links, two vehicles, noise, an anchor: 100 s after boot it was 2024-01-01. */
const TWO_LINKS = 'hangar-1a2b-00c0ffee-1'
const noise = filler(20)
const twoLinks: TestRecord[][] = [
  [
    record(100, heartbeat(0)),
    record(100, noise, 0, NOISE),
    record(101, heartbeat(1, 2), 1),
    record(102, heartbeat(2)),
  ],
  [record(103, heartbeat(3, 2), 1), record(104, heartbeat(4)), record(105, filler(7), 1, NOISE)],
]

beforeAll(async () => {
  await storeFlight(vault, {
    head: { id: TWO_LINKS, links: ['radio', 'spare'], openedUs: 100_000_000 },
    segments: twoLinks,
    happened: { anchors: [{ recvTimeUs: 100_000_000, utcUs: UTC_US, source: 'gps' }] },
  })
})

describe('raw', () => {
  const wire = (link: number): Uint8Array =>
    concat(
      twoLinks
        .flat()
        .filter((each) => each.link === link)
        .map(({ bytes }) => bytes),
    )

  test('is the bytes as they came in, a file a link', () => {
    const out = exported(TWO_LINKS, 'raw')
    expect(existsSync(out)).toBe(false)
    expect(readFileSync(out.replace(/raw$/, 'radio.raw')).equals(wire(0))).toBe(true)
    expect(readFileSync(out.replace(/raw$/, 'spare.raw')).equals(wire(1))).toBe(true)
  })

  test('of a link that the flight does not name is refused', async () => {
    for (const [id, links] of [
      ['nameless', []],
      ['half-named', ['radio']],
    ] as const) {
      await storeFlight(vault, { head: { id, links: [...links] }, segments: twoLinks })
      const out = join(folder, `${id}.raw`)
      const { code, stderr } = groundlock([
        'export',
        id,
        '--vault',
        vaultDir,
        '--format',
        'raw',
        '--out',
        out,
      ])
      expect({ code, fault: stderr.slice(0, 12) }).toEqual({ code: EXIT_CODE.fault, fault: 'GL-EXPORT-08' })
      expect(existsSync(out)).toBe(false)
    }
  })

  test('of one link is the file itself', () => {
    expect(readFileSync(exported(TWO_LINKS, 'raw', '--link', 'spare')).equals(wire(1))).toBe(true)
  })

  test('of a span of time is what came in it, noise too', () => {
    const out = exported(TWO_LINKS, 'raw', '--link', 'radio', '--from', '0', '--to', '2')
    expect(readFileSync(out).equals(concat([heartbeat(0), noise]))).toBe(true)
  })
})

describe('tlog', () => {
  test('has the frames with their UTC, and says what it left out', () => {
    const out = exported(TWO_LINKS, 'tlog')
    expect(readTlog(readFileSync(out))).toEqual(
      [0, 1, 2, 3, 4].map((seq) => ({
        timeUs: BigInt(UTC_US + seq * 1_000_000),
        frame: Buffer.from(heartbeat(seq, seq % 2 === 0 ? 1 : 2)),
      })),
    )
    const again = ['export', TWO_LINKS, '--vault', vaultDir, '--format', 'tlog', '--out', out, '--force']
    expect(groundlock(again).stdout).toContain('27 bytes of noise are left out')
  })

  test.each([
    [
      ['--from', '1', '--to', '3'],
      [1, 2],
    ],
    [
      ['--from', '-2'],
      [3, 4],
    ],
    [
      ['--from', '2024-01-01T00:00:01.5Z', '--to', '2024-01-01T01:00:04+01:00'],
      [2, 3],
    ],
    [
      ['--link', 'spare'],
      [1, 3],
    ],
    [['--messages', 'HEARTBEAT', '--to', '0.5'], [0]],
  ])('%j narrows it', (args, seconds) => {
    expect(secondsOf(exported(TWO_LINKS, 'tlog', ...args))).toEqual(seconds)
  })

  test('begins a new file at a clock step, and no timestamp goes back in any', async () => {
    const anchors = [
      { recvTimeUs: 0, utcUs: UTC_US, source: 'system' as const },
      { recvTimeUs: 10_000_000, utcUs: UTC_US + 4_000_000, source: 'system' as const },
      { recvTimeUs: 20_000_000, utcUs: UTC_US + 3_600_000_000, source: 'system' as const },
      // Drift is no step: 0.2 s back in ten seconds.
      { recvTimeUs: 30_000_000, utcUs: UTC_US + 3_609_800_000, source: 'system' as const },
    ]
    const times = [0, 5, 9, 10, 15, 19, 20, 25, 29.9, 30, 31]
    const id = await storeFlight(vault, {
      head: { id: 'steps', links: ['radio'], openedUs: 0 },
      segments: [times.map((timeS, seq) => record(timeS, heartbeat(seq)))],
      happened: { anchors },
    })
    const out = exported(id, 'tlog')
    expect(secondsOf(out)).toEqual([0, 5, 9])
    expect(secondsOf(out.replace(/tlog$/, '2.tlog'))).toEqual([4, 9, 13])
    expect(secondsOf(out.replace(/tlog$/, '3.tlog'))).toEqual([3600, 3605, 3609.9, 3609.9, 3610.8])
    expect(existsSync(out.replace(/tlog$/, '4.tlog'))).toBe(false)
  })

  test('of a flight whose UTC nobody knows has the receive clock, and says so', async () => {
    const id = await storeFlight(vault, {
      head: { id: 'undated', links: ['radio'], openedUs: 7_000_000 },
      segments: [[record(7, heartbeat(0)), record(8, heartbeat(1))]],
    })
    const args = [
      'export',
      id,
      '--vault',
      vaultDir,
      '--format',
      'tlog',
      '--out',
      join(folder, 'undated.tlog'),
    ]
    expect(groundlock(args).stdout).toContain('UTC is not known')
    expect(readTlog(readFileSync(join(folder, 'undated.tlog'))).map(({ timeUs }) => timeUs)).toEqual([
      7_000_000n,
      8_000_000n,
    ])
    const utc = ['--from', '2024-01-01T00:00:00Z']
    const { code, stderr } = groundlock([...args.slice(0, -1), join(folder, 'none.tlog'), ...utc])
    expect({ code, fault: stderr.slice(0, 12) }).toEqual({ code: EXIT_CODE.fault, fault: 'GL-EXPORT-05' })
  })
})

describe('csv', () => {
  test('has a file for each message, with links, senders and UTC, by receive time', () => {
    const out = exported(TWO_LINKS, 'csv')
    expect(readdirSync(out)).toEqual(['HEARTBEAT.csv'])
    const { rows } = csvOf(out, 'HEARTBEAT')
    expect(
      rows.map(({ recv_time_us, utc, link, sysid, custom_mode }) => [
        recv_time_us,
        utc,
        link,
        sysid,
        custom_mode,
      ]),
    ).toEqual([
      ['100000000', '2024-01-01T00:00:00.000000Z', 'radio', '1', '0'],
      ['101000000', '2024-01-01T00:00:01.000000Z', 'spare', '2', '1'],
      ['102000000', '2024-01-01T00:00:02.000000Z', 'radio', '1', '2'],
      ['103000000', '2024-01-01T00:00:03.000000Z', 'spare', '2', '3'],
      ['104000000', '2024-01-01T00:00:04.000000Z', 'radio', '1', '4'],
    ])
  })

  test.each([
    [
      ['--from', '1', '--to', '3'],
      ['1', '2'],
    ],
    [
      ['--link', 'spare', '--messages', 'heartbeat'],
      ['1', '3'],
    ],
    [['--to', '0.5'], ['0']],
  ])('%j narrows it', (args, modes) => {
    const out = exported(TWO_LINKS, 'csv', ...args, '--messages', 'HEARTBEAT')
    expect(csvOf(out, 'HEARTBEAT').rows.map((row) => row['custom_mode'])).toEqual(modes)
  })

  test('keeps every value: 64 bits, floats, NaN, texts, arrays, units, payloads that were cut', async () => {
    const floats = [0.1, NaN, -0, Infinity, 1e-30, 16_777_217, 123_456.79]
    const attitude = new DataView(new ArrayBuffer(28))
    floats.slice(0, 6).forEach((value, i) => attitude.setFloat32(4 + 4 * i, value, true))
    const time = new DataView(new ArrayBuffer(12))
    time.setBigUint64(0, 2n ** 64n - 1n, true)
    const text = Buffer.concat([Buffer.from('\u0006a "quoted", \u00e9 \u2603\nline '), Buffer.from([0xe4])])
    const servo = Uint8Array.from([1, 2, 3, 4, 0xdc, 5])
    const messages = [
      frame({ msgid: 30, crcExtra: 39, payload: new Uint8Array(attitude.buffer) }),
      frame({ msgid: 2, crcExtra: 137, payload: new Uint8Array(time.buffer) }),
      frame({ msgid: 253, crcExtra: 83, payload: text }),
      frame({ msgid: 36, crcExtra: 222, payload: servo }),
      frame({ msgid: 111, crcExtra: 34, payload: new Uint8Array(16).fill(0xff) }),
    ]
    const id = await storeFlight(vault, {
      head: { id: 'values', links: ['radio'] },
      segments: [messages.map((bytes, i) => record(i, bytes))],
    })
    const out = exported(id, 'csv')
    const row = (message: string): Record<string, string> => csvOf(out, message).rows[0]!
    expect(row('ATTITUDE')).toMatchObject({
      roll: '0.1',
      pitch: 'NaN',
      yaw: '-0',
      rollspeed: 'Infinity',
      pitchspeed: '1e-30',
      yawspeed: '16777216',
    })
    expect(csvOf(out, 'ATTITUDE').units).toMatchObject({
      roll: 'rad',
      time_boot_ms: 'ms',
      recv_time_us: null,
    })
    expect(row('SYSTEM_TIME')).toMatchObject({ time_unix_usec: '18446744073709551615', time_boot_ms: '0' })
    expect(row('STATUSTEXT')['text']).toBe('a "quoted", \u00e9 \u2603\nline \\xe4')
    expect(row('SERVO_OUTPUT_RAW')).toMatchObject({
      time_usec: '67305985',
      servo1_raw: '1500',
      servo2_raw: '0',
    })
    expect(row('TIMESYNC')).toMatchObject({ tc1: '-1', ts1: '-1' })
    expect(row('ATTITUDE')['utc']).toBe('')
  })

  test('says which of the messages asked for are not in the flight, and fails if none is', () => {
    const args = [
      'export',
      TWO_LINKS,
      '--vault',
      vaultDir,
      '--format',
      'csv',
      '--out',
      join(folder, 'some.csv'),
    ]
    const some = groundlock([...args, '--messages', 'HEARTBEAT,ATTITUDE'])
    expect(some).toMatchObject({
      code: EXIT_CODE.ok,
      stdout: expect.stringContaining('Not in this flight: ATTITUDE.'),
    })
    const none = groundlock([...args, '--force', '--messages', 'ATTITUDE'])
    expect(none.code).toBe(EXIT_CODE.fault)
    expect(none.stderr).toContain('GL-EXPORT-04')
  })
})

describe('what cannot be done is said before anything is written', () => {
  const out = join(folder, 'never')
  test.each([
    ['the original of a flight that was recorded here', ['original'], EXIT_CODE.fault, 'GL-EXPORT-03'],
    ['a link that is not there', ['raw', '--link', 'wire'], EXIT_CODE.fault, 'Its links are radio, spare.'],
    ['a message that is none', ['csv', '--messages', 'ATITUDE'], EXIT_CODE.usage, 'the nearest is ATTITUDE'],
    ['a time that is none', ['tlog', '--from', 'noon'], EXIT_CODE.usage, '2023-04-18T11:03:34Z'],
    [
      'raw of some messages',
      ['raw', '--messages', 'HEARTBEAT'],
      EXIT_CODE.usage,
      '--messages cannot be used',
    ],
    [
      'a format that is none',
      ['parquet'],
      EXIT_CODE.usage,
      'Allowed choices are raw, original, tlog, csv, jsonl',
    ],
  ])('%s', (_, [format, ...more], exitCode, words) => {
    const args = ['export', TWO_LINKS, '--vault', vaultDir, '--format', format!, '--out', out, ...more]
    const { code, stderr } = groundlock(args)
    expect(stderr).toContain(words)
    expect(code).toBe(exitCode)
    expect(existsSync(out)).toBe(false)
  })
})
