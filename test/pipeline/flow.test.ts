/** A full 921600-baud line costs a station little: the measurement is run for seconds, and every figure of it is there. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { REPOSITORY } from '../support/groundlock.js'

/** Flow of the short form (s): no segment is cut before its end, so it says nothing of the memory of hours. */
const SECONDS = 5

interface Goal {
  name: string
  value: number | string
  limit: number | string
  met: boolean
}

interface Cost {
  cpuS: number
  peakMb: number
  threads: { main: number; busiest: number; others: number }
}

interface Figures {
  sent: { bytes: number; pieces: number; unheard: number }
  ours: Cost
  listener: Cost
  memory: { s: number; ours: { residentMb: number }; listener: { residentMb: number } }[]
  goals: Goal[]
}

test('nothing of a full 921600-baud line in pieces of 1 ms is lost, and what it costs is measured', () => {
  const script = join(REPOSITORY, 'scripts', 'soak-flow.mjs')
  const { stdout, stderr } = spawnSync(script, ['--seconds', String(SECONDS), '--json'], { encoding: 'utf8' })
  expect(stderr).toBe('')
  const { sent, ours, listener, memory, goals } = JSON.parse(stdout) as Figures
  expect(sent.unheard).toBe(0)
  expect(sent.pieces).toBe(SECONDS * 1000)
  for (const { cpuS, peakMb, threads } of [ours, listener]) {
    expect(cpuS).toBeGreaterThan(0)
    expect(threads.main).toBeGreaterThan(0)
    expect(peakMb).toBeGreaterThan(10)
  }
  expect(memory.length).toBeGreaterThan(0)
  // The kernel counts pages per processor, in batches: the peak that it tells can be a little behind.
  for (const look of memory) expect(look.ours.residentMb).toBeLessThanOrEqual(ours.peakMb + 1)
  // How much CPU it takes depends on what else this machine does; the long form says.
  const met = goals.filter(({ met: isMet, name }) => isMet && !name.startsWith('CPU')).map(({ name }) => name)
  expect(met).toEqual(['peak memory, MB', 'peak memory / listener’s', 'bytes in', 'bytes lost', 'raw export'])
}, 60_000)
