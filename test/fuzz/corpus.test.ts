/**
 * The corpus of hard cases: each is split as its maker counted it, however it is cut, and comes out of a flight as it
 * went in. `UPDATE=1 npx vitest run test/fuzz/corpus.test.ts` writes test/fixtures anew.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { createSplitter } from '../../src/link/frame-splitter.js'
import { msgidAt } from '../../src/link/frame.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { groundlock, REPOSITORY } from '../support/groundlock.js'
import { hardCases } from '../support/hard-cases.js'
import type { HardCase } from '../support/hard-cases.js'
import { SOAK_TIMEOUT_MS, randomFor } from '../support/soak.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const FIXTURES = join(REPOSITORY, 'test', 'fixtures')
const cases = hardCases()
const folder = temporaryFolder('corpus')

const sha256 = (of: Uint8Array): string => createHash('sha256').update(of).digest('hex')
const isPacked = ({ file }: HardCase): boolean => file.endsWith('.gz')

/** What expected.json says of all cases: by file, so that a person can look one up. */
const expected = Object.fromEntries(
  cases.map(({ file, about, format, bytes, frames, noiseBytes, keys }) => [
    file,
    { about, format, bytes: bytes.length, sha256: sha256(bytes), frames, noiseBytes, keys },
  ]),
)

function committed(hard: HardCase): Buffer {
  const file = readFileSync(join(FIXTURES, hard.file))
  return isPacked(hard) ? gunzipSync(file) : file
}

if (process.env['UPDATE'] !== undefined) {
  mkdirSync(FIXTURES, { recursive: true })
  for (const hard of cases)
    writeFileSync(join(FIXTURES, hard.file), isPacked(hard) ? gzipSync(hard.bytes, { level: 9 }) : hard.bytes)
  writeFileSync(join(FIXTURES, 'expected.json'), `${JSON.stringify(expected, null, 2)}\n`)
}

test('test/fixtures holds what is made here, and no other file', () => {
  expect(readdirSync(FIXTURES).toSorted()).toEqual(
    ['README.md', 'expected.json', ...cases.map(({ file }) => file)].toSorted(),
  )
  expect(JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8'))).toEqual(expected)
  expect(cases.map((hard) => [hard.file, sha256(committed(hard))])).toEqual(
    cases.map(({ file, bytes }) => [file, sha256(bytes)]),
  )
  const page = readFileSync(join(FIXTURES, 'README.md'), 'utf8')
  for (const { file, about } of cases) expect(page).toContain(`| \`${file}\` | ${about} |`)
})

const vault = join(folder, 'vault')
const pathOf = ({ file }: HardCase): string => join(folder, file)
let flights = new Map<string, { file: string; id: string }>()

beforeAll(() => {
  for (const hard of cases) writeFileSync(pathOf(hard), committed(hard))
  const { stdout } = groundlock(['import', ...cases.map(pathOf), '--vault', vault, '--json'])
  flights = new Map((JSON.parse(stdout) as { file: string; id: string }[]).map((each) => [each.file, each]))
}, SOAK_TIMEOUT_MS)

describe.each(cases)('$file', (hard) => {
  const bytes = committed(hard)
  const random = randomFor(hard.file)
  const ofAnySize = (): number => 1 + Math.floor(2 ** (11 * random()))

  test.each([
    ['whole', () => bytes.length],
    ['byte by byte', () => 1],
    ['in random pieces', ofAnySize],
    ['in other random pieces', ofAnySize],
  ])('Byte-exact and Counted: is split as its maker counted, %s', (_, sizeOf) => {
    const result = split(hard, bytes, sizeOf)
    expect(result).toEqual({ frames: hard.frames, noiseBytes: hard.noiseBytes })
  })

  test('Byte-exact and Counted: comes out of a flight as it went in, but for signing keys', () => {
    const { noiseBytes, format, keys } = hard
    const frames = Object.values(hard.frames).reduce((sum, each) => sum + each, 0)
    const flight = flights.get(pathOf(hard))!
    expect(flight).toMatchObject({ status: 'imported', format, frames, noiseBytes, redactions: keys.length })
    const out = `${pathOf(hard)}.out`
    const { stderr } = groundlock([
      'export',
      flight.id,
      '--vault',
      vault,
      '--format',
      'original',
      '--out',
      out,
    ])
    expect(stderr).toBe('')
    const stored = Buffer.from(bytes)
    for (const [offset, length] of keys) stored.fill(0, offset, offset + length)
    expect(Buffer.compare(readFileSync(out), stored)).toBe(0)
  })
})

/** What the splitter makes of it; throws where the pieces are not the bytes, in order. */
function split(
  { format }: HardCase,
  bytes: Uint8Array,
  sizeOf: () => number,
): Pick<HardCase, 'frames' | 'noiseBytes'> {
  const frames: Record<string, number> = {}
  const prefixBytes = format === 'tlog' ? 8 : 0
  let noiseBytes = 0
  let done = 0
  const take = (piece: Uint8Array, start: number, end: number): void => {
    for (let i = start; i < end; i++)
      if (piece[i] !== bytes[done++]) throw new Error(`another byte at ${done - 1}`)
  }
  const sink = {
    frame: (piece: Uint8Array, start: number, end: number) => {
      const msgid = msgidAt(piece, start + prefixBytes)
      frames[msgid] = (frames[msgid] ?? 0) + 1
      take(piece, start, end)
    },
    noise: (piece: Uint8Array, start: number, end: number) => {
      noiseBytes += end - start
      take(piece, start, end)
    },
  }
  const splitter = createSplitter(loadDialect().byId, sink, { prefixBytes })
  for (let at = 0; at < bytes.length;) {
    const size = sizeOf()
    splitter.push(bytes.subarray(at, at + size))
    at += size
  }
  splitter.end()
  if (done !== bytes.length) throw new Error(`${bytes.length} bytes in, ${done} out`)
  return { frames, noiseBytes }
}
