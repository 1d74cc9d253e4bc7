/** What a person may rely on of `check`: a whole flight is said to be, and of a damaged one what is damaged. */
import { chmodSync, copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { EXIT_CODE } from '../../src/commands/exit-code.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { checkFlight } from '../../src/storage/check/flight-check.js'
import type { FlightCheck } from '../../src/storage/check/flight-check.js'
import { findingText } from '../../src/storage/check/finding.js'
import { LiveFlight } from '../../src/storage/flight/live-flight.js'
import { rowCrc32 } from '../../src/storage/flight/row-checksum.js'
import { COLUMNS } from '../../src/storage/flight/schema.js'
import { Sqlite } from '../../src/storage/flight/sqlite.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { captures, capturesReason } from '../support/captures.js'
import { HEAD } from '../support/chunks.js'
import { change, damagePiece, records, storeThreeSegments } from '../support/damaged-flight.js'
import { groundlock } from '../support/groundlock.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder('check')
let vaults = 0
let vault: Vault

beforeEach(() => {
  vault = Vault.openOrCreate(join(folder, `vault-${++vaults}`))
})

const run = (...args: string[]) => groundlock([...args, '--vault', vault.dir])
const partsOf = ({ findings }: FlightCheck): string[] => [
  ...new Set(findings.map(({ part, subject }) => `${part} ${subject}`.trim())),
]

describe('a whole flight', () => {
  test('is said to be, with what was read of it', async () => {
    await storeThreeSegments(vault, 'a')
    expect(run('check', 'a')).toMatchObject({
      code: EXIT_CODE.ok,
      stdout: expect.stringMatching(/^whole: a {2}3 segments, \d+ pieces, 5,724 records, [\d.]+ kB/),
      stderr: '',
    })
    const found = JSON.parse(run('check', 'a', '--json').stdout) as FlightCheck
    expect(found).toMatchObject({ id: 'a', findings: [], segments: 3, records: 5724, readable: null })
  })

  test.skipIf(capturesReason !== null)(`recordings of real vehicles ${capturesReason ?? ''}`, () => {
    const paths = captures().map(({ path }) => path)
    expect(run('import', ...paths).code).toBe(EXIT_CODE.ok)
    const { code, stdout } = run('check', '--all')
    expect({ code, last: stdout.trim().split('\n').at(-1) }).toEqual({
      code: EXIT_CODE.ok,
      last: `${paths.length} flights: ${paths.length} whole, 0 damaged`,
    })
  })

  test('may be anywhere', async () => {
    await storeThreeSegments(vault, 'a')
    const stick = join(folder, 'on a stick.glk')
    copyFileSync(vault.flightPath('a'), stick)
    expect(groundlock(['check', stick])).toMatchObject({
      code: EXIT_CODE.ok,
      stdout: expect.stringMatching(/^whole: /),
    })
  })

  test('may still be recorded', async () => {
    const flight = LiveFlight.begin(vault, HEAD, loadDialect(), async () => {})
    for (const { kind, link, timeUs, bytes } of records(0))
      flight.record(kind, link, timeUs, bytes, 0, bytes.length)
    flight.gap({ link: 0, fromUs: 1, toUs: 2, bytes: 77, reason: 'memory was full' })
    await flight.cut()
    expect(run('check', 'last').stdout).toMatch(/^whole: .* 1 segment,/)
    await flight.end('landed')
    await flight.settle()
    expect(run('check', 'last').stdout).toMatch(/^whole: /)
  })
})

describe('a number that was changed is named with its table', () => {
  const tables = [...COLUMNS].filter(([table]) => table !== 'piece')
  const columns = tables.flatMap(([table, all]) => all.map(({ name, type }) => ({ table, name, type })))

  test.each(columns)('$table.$name', async ({ table, name, type }) => {
    await storeThreeSegments(vault, 'a')
    const path = vault.flightPath('a')
    await change(
      path,
      "INSERT INTO gap VALUES (1, 0, 1, 2, 3, '', 0); INSERT INTO crc_mismatch VALUES (1, 1, 0)",
    )
    const other = {
      INTEGER: `ifnull(${name}, 0) + 1`,
      TEXT: `ifnull(${name}, '') || 'x'`,
      BLOB: 'zeroblob(32)',
    }[type]
    const allowed = name === 'origin' ? "'import'" : other
    await change(
      path,
      `UPDATE ${table} SET ${name} = ${allowed} WHERE rowid_of = 1`.replace(
        ' WHERE rowid_of = 1',
        lastRow(table),
      ),
    )
    expect(partsOf(await checkFlight(path))).toContain(`table ${table}`)
  })

  /** One row, of which no other has the next key. */
  function lastRow(table: string): string {
    const key =
      { flight: 'id', component: 'sysid', message_group: 'number', crc_mismatch: 'msgid' }[table] ?? 'id'
    const more = table === 'message_group' ? ' AND segment = 3' : ''
    return ` WHERE ${key} = (SELECT max(${key}) FROM ${table}${more.replace(' AND', ' WHERE')})${more}`
  }
})

describe('a row that was changed is all that is found', () => {
  const all = ({ findings }: FlightCheck): string[] => findings.map(findingText)

  test.each([
    ['segment', 1],
    ['segment', 2],
    ['segment', 3],
    ['event', 1],
    ['clock_anchor', 1],
    ['gap', 1],
  ])('%s %i', async (table, id) => {
    await storeThreeSegments(vault, 'a', [
      { link: 0, fromUs: 1, toUs: 2, bytes: 77, reason: 'memory was full' },
    ])
    const path = vault.flightPath('a')
    expect((await checkFlight(path)).findings).toEqual([])
    await change(path, `UPDATE ${table} SET crc32 = crc32 + 1 WHERE id = ${id}`)
    const found = await checkFlight(path)
    expect(all(found)).toEqual([`table ${table}: row ${id}: it is not as it was written`])
    expect(found.readable).toMatchObject({ segments: 3, records: 5724 })
  })

  test('and a piece of the segment before a damaged row is still named alone', async () => {
    await storeThreeSegments(vault, 'a')
    const path = vault.flightPath('a')
    const piece = await damagePiece(path, "segment = 1 AND kind = 'frames'")
    await change(path, 'UPDATE segment SET records = 1 WHERE id = 2')
    expect(all(await checkFlight(path))).toEqual([
      'table segment: row 2: it is not as it was written',
      `piece ${piece}: of segment 1 (frames): it is not as it was written`,
    ])
  })

  test('a name in the schema', async () => {
    await storeThreeSegments(vault, 'a')
    const path = vault.flightPath('a')
    await change(path, 'ALTER TABLE gap RENAME COLUMN reason TO seasons')
    expect(all(await checkFlight(path)).filter((line) => line.startsWith('structure'))).toEqual([
      'structure: the schema of gap is not ours',
    ])
  })

  test('a mistake in what a row means is not told as SQLite’s', async () => {
    await storeThreeSegments(vault, 'a')
    const path = vault.flightPath('a')
    await change(path, 'DELETE FROM piece WHERE segment = 2')
    expect(all(await checkFlight(path)).join('\n')).not.toContain('SQLite')
  })
})

test('a flight of a newer format is never called damaged, whatever else is new', async () => {
  await storeThreeSegments(vault, 'a')
  const path = vault.flightPath('a')
  await change(path, 'PRAGMA journal_mode = DELETE; PRAGMA user_version = 2; PRAGMA page_size = 4096; VACUUM')
  expect(run('check', 'a')).toMatchObject({
    code: EXIT_CODE.fault,
    stderr: expect.stringMatching(/^GL-FLIGHT-02 .*version 2/),
  })
})

test.each([
  ['no byte', ''],
  ['a header and no table', 'PRAGMA page_size = 512; PRAGMA journal_mode = WAL'],
])('a file with %s is told as no flight', async (_, sql) => {
  const path = vault.flightPath('empty')
  writeFileSync(path, '')
  await change(path, sql)
  expect(run('check', 'empty')).toMatchObject({
    code: EXIT_CODE.fault,
    stderr: expect.stringMatching(/^GL-FLIGHT-01 .*empty/),
  })
})

test('a damaged flight of more than 2 GiB is checked, and what can be read of it is not looked for', async () => {
  await storeThreeSegments(vault, 'a')
  const path = vault.flightPath('a')
  chmodSync(path, 0o640)
  truncateSync(path, 2 ** 31 + 512)
  const { code, stdout, stderr } = run('check', 'a')
  expect({ code, stderr }).toEqual({ code: EXIT_CODE.bad, stderr: '' })
  expect(stdout).toContain('it has more than 2 GiB: what can be read of it was not looked for')
  const salvaged = run('salvage', 'a', '--out', join(folder, 'large.glk'))
  expect(salvaged).toMatchObject({ code: EXIT_CODE.fault, stderr: expect.stringMatching(/^GL-SALVAGE-03 /) })
})

describe('damage is named', () => {
  test('a piece, and what can be read without it', async () => {
    await storeThreeSegments(vault, 'a')
    const piece = await damagePiece(vault.flightPath('a'), "segment = 2 AND kind = 'frames'")
    const { code, stdout } = run('check', 'a')
    expect(code).toBe(EXIT_CODE.bad)
    expect(stdout).toContain(`piece ${piece}: of segment 2 (frames): it is not as it was written`)
    expect(stdout).toMatch(/can be read: 2 of 3 segments, and 1 in parts: [\d,]+ records, 0:2\d of flight/)
    expect(stdout).toContain('groundlock salvage a --out FILE')
  })

  test.each([
    ['component', 'frames', 'counts'],
    ['segment', 'records', 'counts'],
    ['flight', 'bytes_in', 'counts'],
    ['piece', 'raw_bytes', 'segment'],
  ])('a wrong %s.%s with a right checksum', async (table, column, part) => {
    await storeThreeSegments(vault, 'a')
    const path = vault.flightPath('a')
    const isFirst = table === 'flight' ? '' : table === 'component' ? ' WHERE sysid = 1' : ' WHERE id = 2'
    await change(path, `UPDATE ${table} SET ${column} = ${column} + 1${isFirst}`)
    const db = await Sqlite.open(path, 'write')
    const [row] = await db.all(`SELECT * FROM ${table}${isFirst}`)
    await db.run(`UPDATE ${table} SET crc32 = ?${isFirst}`, [rowCrc32(row!)])
    await db.close()
    const parts = partsOf(await checkFlight(path))
    expect(parts.every((each) => each.startsWith(part))).toBe(true)
    expect(parts).toHaveLength(1)
  })

  test('rows that are gone from the end of a table', async () => {
    await storeThreeSegments(vault, 'a')
    await change(vault.flightPath('a'), 'DELETE FROM event WHERE id = 2; DELETE FROM clock_anchor')
    expect(partsOf(await checkFlight(vault.flightPath('a')))).toEqual(['table event', 'table clock_anchor'])
  })

  test('a piece that is gone, and one too many', async () => {
    await storeThreeSegments(vault, 'a')
    const path = vault.flightPath('a')
    await change(path, 'DELETE FROM piece WHERE id = (SELECT max(id) FROM piece)')
    expect(partsOf(await checkFlight(path))).toContain('segment 3')
  })

  test('readers of a damaged flight are told of check and salvage', async () => {
    await storeThreeSegments(vault, 'a')
    await change(vault.flightPath('a'), 'UPDATE clock_anchor SET utc_us = utc_us + 1')
    const { code, stderr } = run('show', 'a')
    expect(code).toBe(EXIT_CODE.fault)
    expect(stderr).toMatch(/^GL-FLIGHT-03 .*clock_anchor/)
    expect(stderr).toContain('`groundlock check`')
    expect(stderr).toContain('`groundlock salvage`')
  })
})

test('--all: one bad flight stops nothing, what is left over is named, and the sum stands at the end', async () => {
  for (const id of ['a', 'b', 'c', 'newer']) await storeThreeSegments(vault, id)
  await damagePiece(vault.flightPath('b'), "kind = 'order'")
  await change(vault.flightPath('newer'), 'PRAGMA user_version=2; CREATE TABLE more (a)')
  writeFileSync(vault.flightPath('text'), 'no flight at all '.repeat(100))
  for (const end of ['', '-wal', '-shm']) writeFileSync(`${vault.flightPath('d')}.damaged${end}`, '')
  writeFileSync(`${vault.flightPath('e')}.1-00000000.partial`, '')
  const { code, stdout, stderr } = run('check', '--all')
  expect(code).toBe(EXIT_CODE.bad)
  expect(stdout).toMatch(/^whole: a .*\ndamaged: b\n(?: .*\n)+whole: c /)
  expect(stdout).toMatch(/left over: .*d\.glk\.damaged was set aside/)
  expect(stdout.match(/left over: .*d\.glk/g)).toHaveLength(1)
  expect(stdout).toMatch(/left over: .*e\.glk\.1-00000000\.partial is of an import/)
  expect(stdout).toMatch(/5 flights: 2 whole, 1 damaged, 2 could not be checked\n$/)
  expect(stderr).toMatch(/GL-FLIGHT-02/)
  expect(stderr).toMatch(/GL-FLIGHT-01/)
  const all = JSON.parse(run('check', '--all', '--json').stdout) as { name: string; findings?: object[] }[]
  expect(all.map(({ name, findings }) => [name, findings?.length ?? 'fault'])).toEqual([
    ['a', 0],
    ['b', 1],
    ['c', 0],
    ['newer', 'fault'],
    ['text', 'fault'],
  ])
})

test('nothing is changed by a check', async () => {
  await storeThreeSegments(vault, 'a')
  const before = readFileSync(vault.flightPath('a'))
  run('check', 'a')
  expect(readFileSync(vault.flightPath('a')).equals(before)).toBe(true)
})

test('a flight or --all, not both and not neither', () => {
  expect(run('check').code).toBe(EXIT_CODE.usage)
  expect(run('check', 'a', '--all').code).toBe(EXIT_CODE.usage)
})
