/** The bench measures what it says it measures: every row is there, and what no clock has a part in reaches its goal. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { capturesReason } from '../support/captures.js'
import { REPOSITORY } from '../support/groundlock.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** It takes 20 s where nothing else runs (ms). */
const TIMEOUT_MS = 300_000

interface Row {
  name: string
  what: string
  unit: string
  ours: number
  reference: number | null
  ratio: number | null
  goal: { of: 'ratio' | 'ours'; atLeast?: number; atMost?: number } | null
  met: boolean | null
  spread: { min: number; max: number }
  samples: number
  clock: boolean
}

interface Bench {
  quick: boolean
  rounds: number
  flightBytes: number
  rows: Row[]
}

/** The bench as a person runs it: on a short flight, once. */
function bench(...words: string[]): { result: Bench; said: string } {
  const script = join(REPOSITORY, 'scripts', 'bench.mjs')
  const { status, stdout, stderr } = spawnSync(script, ['--quick', '--json', '--rounds', '1', ...words], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return { result: JSON.parse(stdout) as Bench, said: stderr }
}

/** What starts are watched with. */
const canWatch = spawnSync('perl', ['-MTime::HiRes', '-e', '1']).status === 0

const EVERYWHERE = [
  'framing-generated-65536',
  'framing-generated-512',
  'decoding-generated-65536',
  'decoding-generated-512',
  'import',
  'import-several',
  'import-memory',
  'size-generated',
  ...['ATTITUDE', 'GLOBAL_POSITION_INT', 'HEARTBEAT', 'STATUSTEXT'].flatMap((message) => [
    `read-bytes-${message}`,
    `read-rows-${message}`,
  ]),
  'csv-ATTITUDE',
  'csv-GLOBAL_POSITION_INT',
  'export-raw',
  'export-original',
  'export-tlog',
  'export-csv',
  'segment-encode',
  'segment-decode',
]
const WITH_PERL = ['start', 'start-line']
const WITH_CAPTURES = [
  'framing-captures-65536',
  'framing-captures-512',
  'decoding-captures-65536',
  'decoding-captures-512',
  'size-median',
]

const folder = temporaryFolder('bench')
let whole: Bench

beforeAll(() => {
  whole = bench().result
}, TIMEOUT_MS)

test('every row is there, once', () => {
  expect(whole).toMatchObject({ quick: true, rounds: 1 })
  expect(Math.round(whole.flightBytes / 1e6)).toBe(10)
  const names = whole.rows.map(({ name }) => name)
  const wanted = [
    ...EVERYWHERE,
    ...(canWatch ? WITH_PERL : []),
    ...(capturesReason === null ? WITH_CAPTURES : []),
  ]
  expect(names.filter((name, i) => names.indexOf(name) < i)).toEqual([])
  expect(wanted.filter((name) => !names.includes(name))).toEqual([])
})

test('a row has its figures, and says rightly whether it reaches its goal', () => {
  expect(whole.rows.flatMap(flawsOf)).toEqual([])
})

test('what no clock has a part in reaches its goal', () => {
  const judged = whole.rows.filter(({ clock, goal }) => !clock && goal !== null)
  expect(judged.length).toBeGreaterThan(1)
  const missed = judged.filter(({ met }) => met !== true)
  expect(missed.map(({ what, ours, ratio }) => [what, ours, ratio])).toEqual([])
})

test('a comparison tells a change from noise', { timeout: TIMEOUT_MS }, () => {
  const rows = whole.rows.map((row) => {
    const { ratio } = row
    if (row.name !== 'size-generated' || ratio === null) return row
    return { ...row, ratio: ratio * 2, spread: { min: ratio * 1.9, max: ratio * 2.1 } }
  })
  const before = join(folder, 'before.json')
  writeFileSync(before, JSON.stringify({ ...whole, rows }))
  const { said } = bench('--only', 'size', '--compare', before)
  expect(said).toMatch(/tlog: generated: .* \(-50\.0 %, BETTER, beyond the spread\)/)
  expect(said).toMatch(/a row a message: not measured this time/)
})

/** What is wrong with a row, in words. */
function flawsOf({ name, ours, reference, ratio, goal, met, spread, samples }: Row): string[] {
  const judged = ratio === null || goal?.of === 'ours' ? ours : ratio
  const reached = goal && judged >= (goal.atLeast ?? -Infinity) && judged <= (goal.atMost ?? Infinity)
  const flaws: [boolean, string][] = [
    [!(ours > 0 && samples > 0), 'it has no figure'],
    [(reference === null) !== (ratio === null), 'a ratio goes with a reference'],
    [ratio !== null && !(ratio > 0), 'its ratio is none'],
    [met !== reached, 'it does not say whether it reaches its goal'],
    [!(spread.min <= judged && judged <= spread.max), 'its figure lies outside of its spread'],
  ]
  return flaws.filter(([is]) => is).map(([, flaw]) => `${name}: ${flaw}`)
}
