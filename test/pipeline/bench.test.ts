/** The bench measures what it says it measures: every row is there, and what no clock has a part in reaches its goal. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { capturesReason } from '../support/captures.js'
import { REPOSITORY } from '../support/groundlock.js'

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

/** The bench as a person runs it: on a short flight, once. */
function bench(...words: string[]): { quick: boolean; rounds: number; flightBytes: number; rows: Row[] } {
  const script = join(REPOSITORY, 'scripts', 'bench.mjs')
  const text = execFileSync(script, ['--quick', '--json', '--rounds', '1', ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return JSON.parse(text) as ReturnType<typeof bench>
}

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
  'start',
  'start-line',
  'export-raw',
  'export-original',
  'export-tlog',
  'export-csv',
  'segment-encode',
  'segment-decode',
]
const WITH_CAPTURES = [
  'framing-captures-65536',
  'framing-captures-512',
  'decoding-captures-65536',
  'decoding-captures-512',
  'size-median',
]

test(
  'a bench has every row, each with its figures, and sizes reach their goals',
  { timeout: 180_000 },
  () => {
    const { quick, rounds, flightBytes, rows } = bench()
    expect({ quick, rounds }).toEqual({ quick: true, rounds: 1 })
    expect(Math.round(flightBytes / 1e6)).toBe(10)
    const names = rows.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(
      expect.arrayContaining(capturesReason === null ? [...EVERYWHERE, ...WITH_CAPTURES] : EVERYWHERE),
    )
    for (const row of rows) expectWellFormed(row)
    const sizes = rows.filter(({ clock, goal }) => !clock && goal !== null)
    expect(sizes.length).toBeGreaterThan(1)
    expect(
      sizes.filter(({ met }) => met !== true).map(({ name, ours, ratio }) => ({ name, ours, ratio })),
    ).toEqual([])
  },
)

function expectWellFormed(row: Row): void {
  const { name, ours, reference, ratio, goal, met, spread, samples } = row
  expect(ours, name).toBeGreaterThan(0)
  expect(reference === null, name).toBe(ratio === null)
  if (reference !== null && ratio !== null) expect(reference * ratio, name).toBeGreaterThan(0)
  expect(met === null, name).toBe(goal === null)
  const judged = ratio === null || goal?.of === 'ours' ? ours : ratio
  if (goal !== null) {
    expect(met, name).toBe(judged >= (goal.atLeast ?? -Infinity) && judged <= (goal.atMost ?? Infinity))
  }
  expect(spread.min, name).toBeLessThanOrEqual(judged)
  expect(spread.max, name).toBeGreaterThanOrEqual(judged)
  expect(samples, name).toBeGreaterThan(0)
}
