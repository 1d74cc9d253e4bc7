/** What a person may rely on of `salvage`: what can be read comes out to the byte, and what cannot is said. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { EXIT_CODE } from '../../src/commands/exit-code.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { checkFlight } from '../../src/storage/check/flight-check.js'
import { salvageFlight } from '../../src/storage/check/salvage.js'
import type { Salvaged } from '../../src/storage/check/salvage.js'
import { FlightFile } from '../../src/storage/flight/flight-file.js'
import type { FlightTables } from '../../src/storage/flight/flight-tables.js'
import { LiveFlight } from '../../src/storage/flight/live-flight.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { HEAD } from '../support/chunks.js'
import {
  change,
  damagePiece,
  linesIn,
  overwrite,
  records,
  storeThreeSegments,
} from '../support/damaged-flight.js'
import { groundlock } from '../support/groundlock.js'
import { concat } from '../support/frames.js'
import { storeFlight } from '../support/stored-flight.js'
import { linesOf, recordsOf } from '../support/recordings.js'
import type { TestRecord } from '../support/recordings.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { longRecording } from '../support/tlog.js'

const folder = temporaryFolder('salvage')
let runs = 0
let vault: Vault
let path: string
let out: string

beforeEach(async () => {
  vault = Vault.openOrCreate(join(folder, `vault-${++runs}`))
  path = vault.flightPath('a')
  out = join(folder, `out-${runs}.glk`)
  await storeThreeSegments(vault, 'a')
})

const lines = (...segments: number[]): string[] => linesOf(recordsOf(segments.flatMap(records)))
const isAttitude = (line: string): boolean => /^frame link 0 at \d+: fd1c/.test(line)

/** Salvages; the copy is whole, always. */
async function salvage(from = path): Promise<Salvaged & { tables: FlightTables; lines: string[] }> {
  const salvaged = await salvageFlight(from, out, { dialect: loadDialect() })
  expect((await checkFlight(out)).findings).toEqual([])
  const { file, tables } = await FlightFile.open(out)
  await file.close()
  return { ...salvaged, tables, lines: await linesIn(out) }
}

describe('a damaged piece', () => {
  test('of frames costs the messages in it, and all others have their order and sequence numbers', async () => {
    const piece = await damagePiece(path, "segment = 2 AND kind = 'frames'")
    const { lines: given, losses, tables } = await salvage()
    expect(given).toEqual([...lines(0), ...lines(1).filter((line) => !isAttitude(line)), ...lines(2)])
    expect(losses).toMatchObject([{ segment: 2, pieces: [piece], records: 1600, bytes: 1600 * 40 }])
    expect(losses[0]!.text).toContain('1600 ATTITUDE from 1/1')
    expect(tables.gaps).toMatchObject([{ link: 0, fromUs: 9_000_000, toUs: 16_995_000, bytes: 1600 * 40 }])
    expect(tables.events.map(({ kind }) => kind)).toEqual(['armed', 'disarmed', 'salvaged'])
  })

  test('of noise costs the noise', async () => {
    await damagePiece(path, "segment = 1 AND kind = 'noise'")
    const { lines: given, losses } = await salvage()
    expect(given).toEqual([...lines(0).filter((line) => line.startsWith('frame')), ...lines(1, 2)])
    expect(losses).toMatchObject([{ segment: 1, records: 8 }])
  })

  test('that holds the order costs the segment', async () => {
    const piece = await damagePiece(path, "segment = 3 AND kind = 'order'")
    const { lines: given, losses } = await salvage()
    expect(given).toEqual(lines(0, 1))
    expect(losses).toMatchObject([{ segment: 3, pieces: [piece], records: 1908 }])
  })
})

describe('bytes that are lost', () => {
  test('of several links are on none', async () => {
    await damagePiece(path, "segment = 3 AND kind = 'order'")
    const { tables, losses } = await salvage()
    expect(tables.gaps).toMatchObject([{ link: null, bytes: losses[0]!.bytes }])
    copyFileSync(out, vault.flightPath('salvaged'))
    const { code, stdout } = groundlock(['show', 'salvaged', '--vault', vault.dir])
    expect(code).toBe(EXIT_CODE.ok)
    expect(stdout).toMatch(/no one link: [\d,]+ bytes, the flight file was damaged/)
  })

  test('of a flight with one link are on that, also noise', async () => {
    const own = (segment: number): TestRecord[] => records(segment).filter(({ link }) => link === 0)
    await storeFlight(vault, { head: { id: 'one', links: ['radio'] }, segments: [own(0), own(1)] })
    await damagePiece(vault.flightPath('one'), "segment = 2 AND kind = 'noise'")
    const { tables } = await salvage(vault.flightPath('one'))
    expect(tables.gaps).toMatchObject([{ link: 0 }])
  })
})

describe('damaged tables cost no record', () => {
  test.each([
    ['component', 'UPDATE component SET frames = 7'],
    ['message_group', 'DELETE FROM message_group'],
    ['segment', 'UPDATE segment SET first_piece = 3, records = 1'],
    ['the rows of segment', 'DELETE FROM segment'],
  ])('%s', async (_, sql) => {
    await change(path, sql)
    const { lines: given, tables } = await salvage()
    expect(given).toEqual(lines(0, 1, 2))
    expect(tables.figures.components.map(({ sysid, frames }) => [sysid, frames])).toEqual([
      [1, 5400],
      [2, 300],
    ])
  })

  test('the row of the flight', async () => {
    await change(path, "UPDATE flight SET station = 'x'")
    const { lines: given, losses } = await salvage()
    expect(given).toEqual(lines(0, 1, 2))
    expect(losses).toMatchObject([{ text: expect.stringContaining('the row of table flight') }])
  })

  test('the row of the flight: all links have names, and every byte can be exported', async () => {
    await change(path, "UPDATE flight SET station = 'x'")
    const { tables } = await salvage()
    expect(tables.flight.links).toEqual(['link-0', 'link-1'])
    copyFileSync(out, vault.flightPath('salvaged'))
    const raw = join(folder, `out-${runs}.raw`)
    const { code } = groundlock(['export', 'salvaged', '--vault', vault.dir, '--format', 'raw', '--out', raw])
    expect(code).toBe(EXIT_CODE.ok)
    for (const link of [0, 1]) {
      const wire = [0, 1, 2].flatMap(records).filter((each) => each.link === link)
      expect(
        readFileSync(raw.replace(/raw$/, `link-${link}.raw`)).equals(concat(wire.map(({ bytes }) => bytes))),
      ).toBe(true)
    }
  })

  test('but the row itself, which is not passed on', async () => {
    await change(
      path,
      'UPDATE event SET recv_us = 5 WHERE id = 1; UPDATE clock_anchor SET utc_us = 5 WHERE id = 2',
    )
    const { losses, tables } = await salvage()
    expect(tables.events.map(({ kind }) => kind)).toEqual(['disarmed', 'salvaged', 'salvaged'])
    expect(tables.anchors).toHaveLength(1)
    expect(losses.map(({ text }) => text)).toEqual([
      'lost: 1 of the event records',
      'lost: 1 of the clock anchor records',
    ])
  })
})

describe('a file that SQLite refuses', () => {
  test('without a header', async () => {
    overwrite(path, readFileSync(path).fill(0, 0, 100))
    expect((await salvage()).lines).toEqual(lines(0, 1, 2))
  })

  test('without its first sector, and without any inner page', async () => {
    const file = readFileSync(path).fill(0, 0, 512)
    for (let at = 512; at < file.length; at += 512) if ([2, 5].includes(file[at]!)) file.fill(0, at, at + 512)
    overwrite(path, file)
    expect((await salvage()).lines).toEqual(lines(0, 1, 2))
  })

  test('that lost its end', async () => {
    const file = readFileSync(path)
    overwrite(path, file.subarray(0, Math.floor(file.length * 0.7)))
    const { lines: given, losses } = await salvage()
    // The page that holds a small piece may be one of the last, whatever the piece's number.
    const frames = (all: string[]): string[] => all.filter((line) => line.startsWith('frame'))
    expect(frames(given).slice(0, 1900)).toEqual(frames(lines(0)))
    expect(given.length).toBeLessThan(lines(0, 1, 2).length)
    expect(losses.length).toBeGreaterThan(0)
  })
})

test('a -wal is part of the flight', async () => {
  const flight = LiveFlight.begin(vault, { ...HEAD, id: 'live' }, loadDialect(), async () => {})
  for (let segment = 0; segment < 3; segment++) {
    for (const { kind, link, timeUs, bytes } of records(segment))
      flight.record(kind, link, timeUs, bytes, 0, bytes.length)
    await flight.cut()
  }
  const cutOff = join(folder, 'cut-off.glk')
  for (const end of ['', '-wal']) copyFileSync(vault.flightPath('live') + end, cutOff + end)
  expect(statSync(`${cutOff}-wal`).size).toBeGreaterThan(10_000)
  expect((await salvage(cutOff)).lines).toEqual(lines(0, 1, 2))
  await flight.end('landed')
  await flight.settle()
})

test('a recording of which nothing is lost can still be exported as it was', async () => {
  const recording = join(folder, 'recording.tlog')
  writeFileSync(recording, longRecording(3000))
  const other = Vault.openOrCreate(join(folder, 'others'))
  expect(groundlock(['import', recording, '--vault', other.dir]).code).toBe(EXIT_CODE.ok)
  const [id] = other.flightIds()
  overwrite(other.flightPath(id!), readFileSync(other.flightPath(id!)).fill(0, 0, 100))
  await salvage(other.flightPath(id!))
  const place = Vault.openOrCreate(join(folder, 'salvaged'))
  mkdirSync(place.flightsDir, { recursive: true })
  copyFileSync(out, place.flightPath(id!))
  const back = join(folder, 'back.tlog')
  const exported = groundlock(['export', id!, '--vault', place.dir, '--format', 'original', '--out', back])
  expect(exported.code).toBe(EXIT_CODE.ok)
  expect(readFileSync(back).equals(readFileSync(recording))).toBe(true)
})

describe('salvage', () => {
  const run = (...args: string[]) => groundlock(['salvage', ...args, '--vault', vault.dir])

  test('says what was given back and what was lost, also as JSON', async () => {
    await damagePiece(path, "segment = 2 AND kind = 'frames'")
    const { code, stdout } = run('a', '--out', out)
    expect(code).toBe(EXIT_CODE.ok)
    expect(stdout).toMatch(
      /4,124 records, [\d.]+ kB\n {2}segment 2 \(piece \d+\): 1600 records lost: 1600 ATTITUDE/,
    )
    expect(stdout).toContain('received between +0:08 and +0:15')
    const json = JSON.parse(run('a', '--json', '--out', `${out}.2`).stdout) as Salvaged
    expect(json).toMatchObject({ id: 'a', records: 4124, losses: [{ segment: 2, records: 1600 }] })
  })

  test('leaves the damaged file as it is', async () => {
    await damagePiece(path, "kind = 'order'")
    const hash = (): string => createHash('sha256').update(readFileSync(path)).digest('hex')
    const before = hash()
    expect(run('a', '--out', out).code).toBe(EXIT_CODE.ok)
    expect(hash()).toBe(before)
  })

  test.each([
    ['GL-SALVAGE-01', () => ['a', '--out', path]],
    ['GL-SALVAGE-02', () => ['a', '--out', join(folder, 'no', 'such', 'folder')]],
    ['GL-FLIGHT-05', () => [join(folder, 'no.glk'), '--out', out]],
    ['GL-FLIGHT-06', () => [join(import.meta.dirname, 'salvage.test.ts'), '--out', out]],
  ])('%s', (fault, args) => {
    const { code, stderr } = run(...args())
    expect({ code, fault: stderr.slice(0, fault.length) }).toEqual({ code: EXIT_CODE.fault, fault })
    expect(existsSync(out)).toBe(false)
  })
})
