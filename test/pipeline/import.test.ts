/** What a person may rely on of `import`: whatever the file is like, nothing of it is lost, and what is wrong is said. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FlightSummary } from '../../src/commands/flight-summary.js'
import { EXIT_CODE } from '../../src/commands/exit-code.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { importFile } from '../../src/storage/import/import.js'
import type { ImportOptions } from '../../src/storage/import/import.js'
import { importSplit } from '../../src/storage/import/split-import.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { readCsv } from '../support/csv.js'
import { HEARTBEAT, SETUP_SIGNING, concat, filler, frame, known } from '../support/frames.js'
import { GROUNDLOCK, groundlock } from '../support/groundlock.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { longRecording, readTlog, tlogRecord } from '../support/tlog.js'

const folder = temporaryFolder('import')
// Also for the user that may not write to the vault.
chmodSync(folder, 0o755)

/** 2024-01-01, µs. */
const START_US = 1_704_067_200_000_000n

let made = 0

/** A file of these bytes, and a new vault. */
function given(...parts: Uint8Array[]): { file: string; vault: string; bytes: Buffer } {
  const file = join(folder, `recording-${++made}`)
  const bytes = Buffer.concat(parts)
  writeFileSync(file, bytes)
  return { file, vault: join(folder, `vault-${made}`), bytes }
}

const beat = (i: number): Uint8Array => known(HEARTBEAT, { seq: i & 0xff })
const beats = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => tlogRecord(START_US + BigInt(i) * 1_000_000n, beat(i)))

function imported(file: string, vault: string, ...more: string[]): FlightSummary {
  const { code, stderr } = groundlock(['import', file, '--vault', vault, ...more])
  expect(stderr).toBe('')
  expect(code).toBe(EXIT_CODE.ok)
  return flights(vault).at(-1)!
}

function flights(vault: string): FlightSummary[] {
  return JSON.parse(groundlock(['flights', '--vault', vault, '--json']).stdout) as FlightSummary[]
}

function exported(vault: string, format: string): Buffer {
  const out = join(folder, `export-${++made}`)
  const { code, stderr } = groundlock(['export', 'last', '--vault', vault, '--format', format, '--out', out])
  expect({ code, stderr }).toEqual({ code: EXIT_CODE.ok, stderr: '' })
  return readFileSync(out)
}

describe('a recording comes out again as it went in', () => {
  const junk = filler(50)
  const text = Buffer.from('Connected to COM3\n')
  const cut = beats(7)[6]!.subarray(0, 12)
  const crlf = Buffer.from(
    Array.from(Buffer.concat(beats(40))).flatMap((byte) => (byte === 0x0a ? [0x0d, 0x0a] : [byte])),
  )

  test.each([
    ['junk before the records', [junk, ...beats(6)], 6],
    ['text before the records', [text, ...beats(6)], 6],
    ['junk between records', [...beats(3), junk, ...beats(3)], 6],
    ['junk after the records', [...beats(6), junk], 6],
    ['a last record that is cut off', [...beats(6), cut], 6],
    ['zeros before the records', [new Uint8Array(300_000), ...beats(6)], 6],
    ['the same records twice', [...beats(6), ...beats(6)], 12],
  ])('%s', (_, parts, frames) => {
    const { file, vault, bytes } = given(...parts)
    expect(imported(file, vault)).toMatchObject({ frames, source: { format: 'tlog', bytes: bytes.length } })
    expect(exported(vault, 'original').equals(bytes)).toBe(true)
  })

  test('a tlog that went through a translation of line ends', () => {
    const { file, vault, bytes } = given(crlf)
    expect(imported(file, vault).frames).toBeGreaterThan(0)
    expect(exported(vault, 'original').equals(bytes)).toBe(true)
  })

  test('a raw stream with noise in it', () => {
    const { file, vault, bytes } = given(beat(1), beat(2), junk, beat(3), beat(4))
    expect(imported(file, vault)).toMatchObject({ frames: 4, noiseBytes: 50, source: { format: 'raw' } })
    expect(exported(vault, 'raw').equals(bytes)).toBe(true)
    expect(exported(vault, 'original').equals(bytes)).toBe(true)
  })

  test('a raw stream that is said to be one, though it looks like a tlog', () => {
    const { file, vault, bytes } = given(...beats(5))
    expect(imported(file, vault, '--format', 'raw')).toMatchObject({ source: { format: 'raw' } })
    expect(exported(vault, 'raw').equals(bytes)).toBe(true)
  })

  test('equal, backward and absurd receive times', () => {
    const times = [0n, 0n, -5_000_000n, 0n, 2n ** 63n, 1n - START_US, 2n ** 64n - 1n - START_US, 7n].map(
      (t) => BigInt.asUintN(64, START_US + t),
    )
    const { file, vault, bytes } = given(...times.map((timeUs, i) => tlogRecord(timeUs, beat(i))))
    expect(imported(file, vault).frames).toBe(times.length)
    expect(exported(vault, 'original').equals(bytes)).toBe(true)
    const csv = join(folder, 'absurd.csv')
    groundlock(['export', 'last', '--vault', vault, '--format', 'csv', '--out', csv])
    const { rows } = readCsv(readFileSync(join(csv, 'HEARTBEAT.csv'), 'utf8'))
    expect(new Set(rows.map((row) => row['recv_time_us']))).toEqual(new Set(times.map(String)))
    expect(rows).toHaveLength(times.length)
    const utc = new Map(rows.map((row) => [row['recv_time_us'], row['utc']]))
    expect(utc.get(String(START_US))).toBe('2024-01-01T00:00:00.000000Z')
    expect(utc.get(String(times[4]))).toBe('')
  })

  test('messages that no definition knows', () => {
    const unknown = Array.from({ length: 6 }, (_, i) =>
      frame({ msgid: 54_321, crcExtra: 99, payload: [1, 2, 3, i + 1], seq: i }),
    )
    const { file, vault, bytes } = given(
      ...unknown.flatMap((each, i) => [tlogRecord(START_US, beat(i)), tlogRecord(START_US, each)]),
    )
    imported(file, vault)
    const { stdout } = groundlock(['messages', 'last', '--vault', vault, '--json'])
    expect(JSON.parse(stdout)).toContainEqual({
      sysid: 1,
      compid: 1,
      msgid: 54_321,
      name: 'UNKNOWN_54321',
      count: 6,
    })
    expect(exported(vault, 'original').equals(bytes)).toBe(true)
    const csv = join(folder, 'unknown.csv')
    groundlock(['export', 'last', '--vault', vault, '--format', 'csv', '--out', csv])
    const { rows, units } = readCsv(readFileSync(join(csv, 'UNKNOWN_54321.csv'), 'utf8'))
    expect(units['payload']).toBe('hex')
    expect(rows.map((row) => row['payload'])).toEqual(expect.arrayContaining(['01020303', '01020304']))
  })
})

describe('what is no recording is said to be what it looks like', () => {
  test.each([
    ['an empty file', new Uint8Array(0), 'an empty file'],
    ['text', Buffer.from('Dear pilot,\n\nthe log is on the other card.\n'), 'text'],
    ['a zip archive', concat([Buffer.from('PK\x03\x04'), filler(500)]), 'a zip archive; unpack it first'],
    ['zeros', new Uint8Array(1000), 'nothing but zeros'],
  ])('%s', (_, bytes, words) => {
    const { file, vault } = given(bytes)
    const { code, stdout, stderr } = groundlock(['import', file, '--vault', vault])
    expect({ code, stdout }).toEqual({ code: EXIT_CODE.fault, stdout: '' })
    expect(stderr).toContain(`GL-IMPORT-02  cannot import ${file}: it holds no valid MAVLink frame`)
    expect(stderr).toContain(`it looks like ${words}`)
    expect(readdirSync(join(vault, 'flights'))).toEqual([])
  })

  test('a file that is not there', () => {
    const { vault } = given()
    const { code, stderr } = groundlock(['import', join(folder, 'absent.tlog'), '--vault', vault])
    expect(code).toBe(EXIT_CODE.fault)
    expect(stderr).toContain('GL-IMPORT-01')
  })
})

describe('several files', () => {
  test('a bad one does not stop the others, and is told by the exit code', () => {
    const good = given(...beats(5))
    const bad = given(Buffer.from('no telemetry'))
    const alsoGood = given(...beats(8))
    const files = [good.file, bad.file, alsoGood.file]
    const { code, stdout, stderr } = groundlock(['import', ...files, '--vault', good.vault, '--json'])
    expect(code).toBe(EXIT_CODE.fault)
    expect(stderr).toContain(`cannot import ${bad.file}`)
    expect(stderr).toContain('1 of 3 files could not be imported')
    expect(JSON.parse(stdout)).toMatchObject([
      { file: good.file, status: 'imported', frames: 5 },
      { file: bad.file, status: 'failed', fault: 'GL-IMPORT-02' },
      { file: alsoGood.file, status: 'imported', frames: 8 },
    ])
    expect(flights(good.vault)).toHaveLength(2)
  })

  test('one that is in the vault is said to be, under whatever name it comes', () => {
    const { file, vault } = given(...beats(5))
    const { id } = imported(file, vault)
    copyFileSync(file, `${file}-copy`)
    const { code, stdout } = groundlock(['import', `${file}-copy`, '--vault', vault])
    expect(code).toBe(EXIT_CODE.ok)
    expect(stdout).toBe(`${file}-copy is in the vault already: ${id}\n`)
    expect(flights(vault)).toHaveLength(1)
  })

  test('the ids begin with the vault’s station, or with the one that is named', () => {
    const { file, vault } = given(...beats(5))
    mkdirSync(vault)
    writeFileSync(join(vault, 'station'), 'hangar-1a2b\n')
    expect(imported(file, vault).id).toMatch(/^hangar-1a2b-import-[0-9a-f]{16}$/)
    const other = given(...beats(6))
    groundlock(['import', other.file, '--vault', vault, '--station', 'tower'])
    expect(flights(vault).map(({ id }) => id.replace(/[0-9a-f]+$/, ''))).toContain('tower-1a2b-import-')
    expect(readFileSync(join(vault, 'station'), 'utf8')).toBe('hangar-1a2b\n')
  })
})

// Somebody else must be able to run this checkout: one below /root, say, is closed to everybody but root.
const NOBODY = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
const othersMayRun = spawnSync(GROUNDLOCK, ['--version'], NOBODY).status === 0

test.skipIf(!othersMayRun)('a vault that may not be written to is a fault, and stays as it is', () => {
  const { file, vault } = given(...beats(5))
  imported(file, vault)
  const other = given(...beats(6))
  const before = readdirSync(join(vault, 'flights'))
  chmodSync(join(vault, 'flights'), 0o555)
  chmodSync(vault, 0o555)
  // Root may write anywhere, so that it has to be somebody else.
  const { status, stderr } = spawnSync(GROUNDLOCK, ['import', other.file, '--vault', vault], {
    encoding: 'utf8',
    ...NOBODY,
  })
  chmodSync(vault, 0o755)
  chmodSync(join(vault, 'flights'), 0o755)
  expect(stderr).toMatch(/^GL-VAULT-01 {2}cannot write to the vault .*: permission denied\./)
  expect(status).toBe(EXIT_CODE.fault)
  expect(readdirSync(join(vault, 'flights'))).toEqual(before)
})

describe('a signing key', () => {
  const KEY_AT = 10
  const payload = Uint8Array.from({ length: 42 }, (_, i) => i + 1)
  const setup = known(SETUP_SIGNING, { payload, seq: 9 })
  /** Where the key stands in a file of which the frame begins at `at`. */
  const zeroed = (bytes: Uint8Array, at: number): Buffer =>
    Buffer.from(bytes).fill(0, at + 10 + KEY_AT, at + 10 + KEY_AT + 32)

  test('is zeroed in a good frame, in every export, and counted; all other bytes are as they were', () => {
    const { file, vault, bytes } = given(...beats(3), tlogRecord(START_US, setup), ...beats(3))
    expect(imported(file, vault).redactions).toBe(1)
    const at = Buffer.concat(beats(3)).length + 8
    expect(exported(vault, 'original').equals(zeroed(bytes, at))).toBe(true)
    expect(exported(vault, 'tlog').includes(Buffer.from(payload.subarray(KEY_AT)))).toBe(false)
    const wire = Buffer.concat(readTlog(zeroed(bytes, at)).map((record) => record.frame))
    expect(exported(vault, 'raw').equals(wire)).toBe(true)
    const csv = join(folder, 'key.csv')
    groundlock(['export', 'last', '--vault', vault, '--format', 'csv', '--out', csv])
    const [row] = readCsv(readFileSync(join(csv, 'SETUP_SIGNING.csv'), 'utf8')).rows
    const cells = Array.from({ length: 32 }, (_, i) => row![`secret_key[${i}]`])
    expect(cells).toEqual(Array.from({ length: 32 }, () => '0'))
    expect(row!['target_system']).toBe('9')
  })

  test('is zeroed in a frame that is damaged too', () => {
    const damaged = Buffer.from(setup)
    damaged[damaged.length - 1]! ^= 1
    const { file, vault, bytes } = given(beat(0), beat(1), damaged, beat(2))
    expect(imported(file, vault).redactions).toBe(1)
    const at = beat(0).length + beat(1).length
    expect(exported(vault, 'raw').equals(zeroed(bytes, at))).toBe(true)
  })

  test('and a person is told that the original differs', () => {
    const { file, vault } = given(...beats(3), tlogRecord(START_US, setup), ...beats(3))
    imported(file, vault)
    const out = join(folder, 'told.tlog')
    const args = ['export', 'last', '--vault', vault, '--format', 'original', '--out', out]
    expect(groundlock(args).stdout).toContain('1 signing key was zeroed before storing')
    expect(groundlock(['show', 'last', '--vault', vault]).stdout).toMatch(/zeroed +1 signing key/)
  })
})

test('Ctrl-C in the middle leaves nothing behind', async () => {
  const { file, vault } = given(longRecording(300_000))
  mkdirSync(join(vault, 'flights'), { recursive: true })
  const begun = once(watch(join(vault, 'flights')), 'change')
  const child = spawn(GROUNDLOCK, ['import', file, '--vault', vault], { stdio: 'ignore' })
  await begun
  child.kill('SIGINT')
  const [code] = (await once(child, 'close')) as [number]
  expect(code).toBe(EXIT_CODE.interrupted)
  expect(readdirSync(join(vault, 'flights'))).toEqual([])
})

describe('a flight that is being imported', () => {
  const optionsFor = (dir: string): ImportOptions => ({
    vault: Vault.openOrCreate(dir),
    station: 'test-0000',
    dialect: loadDialect(),
    format: 'auto',
  })

  test.each([
    ['whole', importFile],
    ['split', importSplit],
  ])('is not readable by all: %s', async (_, run) => {
    const { file, vault: dir } = given(...beats(5))
    const options = optionsFor(dir)
    const modes: number[] = []
    const onProgress = (): void => {
      const { flightsDir } = options.vault
      modes.push(...readdirSync(flightsDir).map((name) => statSync(join(flightsDir, name)).mode & 0o7))
    }
    await run(file, { ...options, onProgress })
    expect(modes).toEqual([0])
  })

  test('twice at once is there once', async () => {
    const { file, vault: dir, bytes } = given(...beats(500))
    const options = optionsFor(dir)
    const results = await Promise.all([importFile(file, options), importFile(file, options)])
    expect(results.map(({ kind }) => kind).toSorted()).toEqual(['already there', 'imported'])
    expect(readdirSync(options.vault.flightsDir)).toEqual([`${results[0].id}.glk`])
    expect(exported(dir, 'original').equals(bytes)).toBe(true)
  })

  test('leaves nothing for ever where it was killed, and nothing of others is touched', async () => {
    const { file, vault: dir } = given(...beats(5))
    const options = optionsFor(dir)
    const { flightsDir } = options.vault
    const { id } = await importFile(file, optionsFor(`${dir}-other`))
    const dead = spawnSync('true').pid
    const stale = [`${id}.glk.${dead}-01234567.partial`, `${id}-2.glk.${process.pid}-01234567.partial`]
    const kept = [
      `${id}.glk.${process.ppid}-01234567.partial`,
      `${id}.glk.partial`,
      `${id}0.glk.${dead}-01234567.partial`,
    ]
    for (const name of [...stale, ...kept]) writeFileSync(join(flightsDir, name), 'cut')
    expect(await importFile(file, options)).toMatchObject({ kind: 'imported', id })
    expect(readdirSync(flightsDir).toSorted()).toEqual([`${id}.glk`, ...kept].toSorted())
  })

  test.each([[[]], [['--split']]])('can be killed and imported again: %j', async (more) => {
    const { file, vault } = given(longRecording(300_000))
    const flightsDir = join(vault, 'flights')
    mkdirSync(flightsDir, { recursive: true })
    const begun = once(watch(flightsDir), 'change')
    const child = spawn(GROUNDLOCK, ['import', file, '--vault', vault, ...more], { stdio: 'ignore' })
    await begun
    child.kill('SIGKILL')
    await once(child, 'close')
    expect(readdirSync(flightsDir)).toMatchObject([expect.stringMatching(/\.partial$/)])
    imported(file, vault, ...more)
    expect(readdirSync(flightsDir)).toMatchObject([expect.stringMatching(/\.glk$/)])
  })
})
