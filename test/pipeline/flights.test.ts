/** What a person may rely on of `flights`, `show` and `messages`: every flight is listed, and found by little of its id. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { EXIT_CODE } from '../../src/commands/exit-code.js'
import type { FlightReport } from '../../src/commands/flight-report.js'
import type { FlightSummary } from '../../src/commands/flight-summary.js'
import { FRAME, NOISE } from '../../src/storage/segment/records.js'
import { Sqlite } from '../../src/storage/flight/sqlite.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { ATTITUDE, HEARTBEAT, filler, known } from '../support/frames.js'
import { GROUNDLOCK, groundlock } from '../support/groundlock.js'
import type { TestRecord } from '../support/recordings.js'
import { storeFlight } from '../support/stored-flight.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder('flights')
let vaults = 0
let vault: Vault

beforeEach(() => {
  vault = Vault.openOrCreate(join(folder, `vault-${++vaults}`))
})

/** 2024-01-01, µs. */
const UTC_US = 1_704_067_200_000_000

/** A minute of heartbeats, and an attitude twice a second from another component. */
const minute = Array.from({ length: 60 }, (_, s): TestRecord[] => {
  const timeUs = BigInt(s) * 1_000_000n
  const attitude = (half: number): TestRecord => ({
    kind: FRAME,
    link: 0,
    timeUs: timeUs + BigInt(half) * 500_000n,
    bytes: known(ATTITUDE, { seq: 2 * s + half, compid: 2 }),
  })
  return [{ kind: FRAME, link: 0, timeUs, bytes: known(HEARTBEAT, { seq: s }) }, attitude(0), attitude(1)]
}).flat()

function store(id: string, utcUs?: number): Promise<string> {
  const anchors = utcUs === undefined ? [] : [{ recvTimeUs: 0, utcUs, source: 'gps' as const }]
  return storeFlight(vault, {
    head: { id, links: ['radio'], openedUs: 0 },
    segments: [minute],
    happened: { anchors },
  })
}

const run = (...args: string[]) => groundlock([...args, '--vault', vault.dir])
const listed = (): FlightSummary[] => JSON.parse(run('flights', '--json').stdout) as FlightSummary[]

describe('flights', () => {
  test('lists all, the oldest first, in a table of 100 columns and as JSON', async () => {
    await store('second', UTC_US + 3600e6)
    await store('first', UTC_US)
    expect(listed()).toMatchObject([
      {
        id: 'first',
        state: 'closed',
        openedUtc: '2024-01-01T00:00:00.000000Z',
        closedUtc: '2024-01-01T00:00:59.500000Z',
        durationS: 59.5,
        messages: 180,
        noiseBytes: 0,
        loss: 0,
        links: ['radio'],
        origin: 'live',
        source: null,
        fileBytes: statSync(vault.flightPath('first')).size,
      },
      { id: 'second' },
    ])
    const { stdout } = run('flights')
    expect(stdout).toMatch(/^FLIGHT +STARTED \(UTC\) +LASTED +MESSAGES +LOSS +SIZE\n/)
    expect(stdout).toMatch(/first +2024-01-01 00:00 +0:59 +180 +0 % +[\d.]+ kB\n/)
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
  })

  test('lists what it cannot read with the reason, and the others all the same', async () => {
    await store('good', UTC_US)
    writeFileSync(vault.flightPath('text'), 'no flight at all, but long enough to be looked at. '.repeat(20))
    writeFileSync(vault.flightPath('empty'), '')
    const other = await Sqlite.open(vault.flightPath('other'), 'create')
    await other.script('CREATE TABLE a (b)')
    await other.close()
    await store('newer', UTC_US)
    await change('newer', 'PRAGMA user_version=99')
    const flights = JSON.parse(run('flights', '--json').stdout) as {
      id: string
      state: string
      fault?: string
    }[]
    const faults = Object.fromEntries(flights.map(({ id, state, fault }) => [id, fault ?? state]))
    expect(faults).toEqual({
      good: 'closed',
      text: 'GL-FLIGHT-01',
      empty: 'GL-FLIGHT-01',
      other: 'GL-FLIGHT-01',
      newer: 'GL-FLIGHT-02',
    })
    expect(run('flights')).toMatchObject({ code: EXIT_CODE.ok, stderr: '' })
  })

  test('an empty vault is no fault, and none at all is', () => {
    expect(run('flights')).toMatchObject({
      code: EXIT_CODE.ok,
      stdout: expect.stringContaining('has no flights'),
    })
    expect(run('flights', '--json').stdout).toBe('[]\n')
    const { code, stderr } = groundlock(['flights', '--vault', join(folder, 'nowhere')])
    expect({ code, fault: stderr.slice(0, 11) }).toEqual({ code: EXIT_CODE.fault, fault: 'GL-VAULT-01' })
  })

  test.skipIf(process.getuid?.() !== 0)(
    'who may not look into the vault is told which group may (tried as nobody; needs root)',
    () => {
      chmodSync(folder, 0o755)
      const { stderr } = spawnSync(process.execPath, [GROUNDLOCK, 'flights', '--vault', vault.dir], {
        encoding: 'utf8',
        uid: 65534,
        gid: 65534,
      })
      expect(stderr).toMatch(/^GL-VAULT-01 {2}cannot open the vault .*: permission denied\.$/m)
      expect(stderr).toContain('sudo usermod -aG groundlock "$USER"')
      expect(stderr).not.toContain('write')
    },
  )

  test('reading leaves nothing beside the flights', async () => {
    await store('a', UTC_US)
    run('flights')
    run('show', 'a')
    expect(existsSync(`${vault.flightPath('a')}-wal`)).toBe(false)
    expect(existsSync(`${vault.flightPath('a')}-shm`)).toBe(false)
  })
})

describe('a flight is found', () => {
  beforeEach(async () => {
    for (const id of ['hangar-1a2b-00c0ffee-1', 'hangar-1a2b-00c0ffee-2', 'tower-9c9c-import-0123'])
      await store(id)
    // Written last is not last in the alphabet.
    const later = new Date(Date.now() + 60_000)
    utimesSync(vault.flightPath('hangar-1a2b-00c0ffee-2'), later, later)
  })

  test.each([
    ['its id', 'hangar-1a2b-00c0ffee-1', 'hangar-1a2b-00c0ffee-1'],
    ['the beginning of its id', 'tow', 'tower-9c9c-import-0123'],
    ['the end of its id', 'ee-1', 'hangar-1a2b-00c0ffee-1'],
    ['being the last', 'last', 'hangar-1a2b-00c0ffee-2'],
  ])('by %s', (_, word, id) => {
    expect(run('show', word).stdout).toMatch(new RegExp(`^Flight ${id}\n`))
  })

  test.each([
    [
      'several have it',
      'hangar',
      /2 of the vault's 3 flights begin or end with that[^]*They are hangar-1a2b-00c0ffee-1/,
    ],
    [
      'none has it',
      'hangar-1a2b-00c0ffee-3',
      /has 3 flights and none of that name[^]*The nearest are hangar-1a2b-00c0ffee-/,
    ],
    ['it is nothing', '', /none of that name/],
  ])('not where %s', (_, word, words) => {
    const { code, stderr } = run('messages', word)
    expect(stderr).toMatch(/^GL-FLIGHT-04 {2}cannot find flight/)
    expect(stderr).toMatch(words)
    expect(code).toBe(EXIT_CODE.fault)
  })
})

test('messages counts by sender', async () => {
  await store('a')
  expect(JSON.parse(run('messages', 'a', '--json').stdout)).toEqual([
    { sysid: 1, compid: 1, msgid: 0, name: 'HEARTBEAT', count: 60 },
    { sysid: 1, compid: 2, msgid: 30, name: 'ATTITUDE', count: 120 },
  ])
  expect(run('messages', 'a').stdout).toMatch(/ {4}1 {7}2 {5}30 {2}ATTITUDE +120/)
})

test('show tells rates, loss, gaps, armed intervals, events and anchors', async () => {
  const lossy = minute.filter((_, i) => i < 60 || i >= 75)
  await storeFlight(vault, {
    head: { id: 'a', links: ['radio'], openedUs: 0 },
    segments: [[...lossy, { kind: NOISE, link: 0, timeUs: 59_600_000n, bytes: filler(33) }]],
    happened: {
      gaps: [{ link: 0, fromUs: 20e6, toUs: 25e6, bytes: 400, reason: 'the card took nothing' }],
      events: [
        { recvTimeUs: 5e6, kind: 'armed', detail: 'vehicle 1' },
        { recvTimeUs: 30e6, kind: 'link lost', detail: 'radio' },
        { recvTimeUs: 50e6, kind: 'disarmed', detail: 'vehicle 1' },
        { recvTimeUs: 55e6, kind: 'armed', detail: 'vehicle 1' },
      ],
      anchors: [{ recvTimeUs: 0, utcUs: UTC_US, source: 'gps' }],
    },
  })
  const report = JSON.parse(run('show', 'a', '--json').stdout) as FlightReport
  expect(report.messages[0]).toMatchObject({ name: 'HEARTBEAT', count: 55, rateHz: 55 / 59.6 })
  expect(report.components).toMatchObject([
    { link: 'radio', sysid: 1, compid: 1, frames: 55, lost: 5, loss: 5 / 60 },
    { compid: 2, frames: 110, lost: 10 },
  ])
  expect(report.gaps).toMatchObject([
    { link: 'radio', from: { afterStartS: 20, utc: '2024-01-01T00:00:20.000000Z' }, bytes: 400 },
  ])
  expect(report.armed).toMatchObject([
    { vehicle: 'vehicle 1', from: { afterStartS: 5 }, to: { afterStartS: 50 } },
    { vehicle: 'vehicle 1', from: { afterStartS: 55 }, to: null },
  ])
  expect(report.damaged).toEqual({ runs: 0, bytes: 0 })
  const { stdout } = run('show', 'a')
  expect(stdout).toContain('+0:20 (00:00:20) to +0:25 (00:00:25)  radio: 400 bytes, the card took nothing')
  expect(stdout).toContain('vehicle 1: +0:55 (00:00:55) to the end')
  expect(stdout).toContain('+0:30 (00:00:30)  link lost: radio')
  expect(stdout).toContain('started  2024-01-01T00:00:00.000000Z (UTC by GPS, 1 anchor)')
})

test('damage is said, where it is, and never passed on', async () => {
  await store('a')
  await change('a', "UPDATE piece SET body = zeroblob(length(body)) WHERE kind = 'frames'")
  const out = join(folder, 'damaged.csv')
  const { code, stderr } = run('export', 'a', '--format', 'csv', '--out', out)
  expect(stderr).toMatch(
    /^GL-FLIGHT-03 {2}cannot read .*: it is damaged: piece \d+ of segment 1 is not as it was/,
  )
  expect(code).toBe(EXIT_CODE.fault)
  expect(existsSync(out)).toBe(false)
  expect(run('flights').code).toBe(EXIT_CODE.ok)
})

test('a file that was cut short is damaged', async () => {
  await store('a')
  const path = vault.flightPath('a')
  const bytes = readFileSync(path)
  chmodSync(path, 0o640)
  writeFileSync(path, bytes.subarray(0, bytes.length - 1024))
  const { code, stderr } = run('export', 'a', '--format', 'raw', '--out', join(folder, 'short.raw'))
  expect({ code, fault: stderr.slice(0, 12) }).toEqual({ code: EXIT_CODE.fault, fault: 'GL-FLIGHT-03' })
})

/** Changes a settled flight's file behind its back. */
async function change(id: string, sql: string): Promise<void> {
  chmodSync(vault.flightPath(id), 0o640)
  const db = await Sqlite.open(vault.flightPath(id), 'write')
  await db.script(sql)
  await db.close()
}
