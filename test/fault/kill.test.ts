/**
 * What a person may rely on when the power goes or the process is killed at any moment, at the full flow of a
 * 921600-baud line: every flight can be opened, what was published as stored is there, every byte is the one that was
 * on the wire, and the next start records again. (What a card forgets when the power goes: power-cut.test.ts.)
 */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { KillChain } from '../support/kill-chain.js'
import type { KillFigures, Phase } from '../support/kill-chain.js'
import { SOAK_TIMEOUT_MS, amount, createProgress, isLong, randomFor, sayTable } from '../support/soak.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** Stations at once, each on a vault of its own: more would share two cores. */
const CHAINS = 2
/** SIGKILLs of all of them. */
const KILLS = amount(16, 500)
/** What the next start promises (ms). */
const RECORDS_AGAIN_MS = 2000

const folder = temporaryFolder('kill')

test(
  `${KILLS} SIGKILLs at full flow: what was published is there, byte for byte, and the next start records`,
  async () => {
    const progress = createProgress('kills', KILLS)
    let done = 0
    const outcomes = await Promise.allSettled(
      Array.from({ length: CHAINS }, async (_, n) => {
        const chain = await KillChain.begin(join(folder, `chain-${n}`), randomFor(`kill ${n}`))
        try {
          while (done < KILLS) {
            done++
            await chain.liveAndDie()
            progress(done)
          }
          await chain.end()
        } finally {
          // Where one failed the other one need not go on.
          done = Infinity
          await chain.abandon()
        }
        return chain.figures
      }),
    )
    const figures = outcomes.map((outcome) => {
      if (outcome.status === 'rejected') throw outcome.reason
      return outcome.value
    })
    const firstStoredMs = figures.flatMap((each) => each.firstStoredMs)
    const sum = (of: (each: KillFigures) => number): number =>
      figures.reduce((all, each) => all + of(each), 0)
    tell(figures, firstStoredMs)
    expect(sum(({ kills }) => Object.values(kills).reduce((all, count) => all + count, 0))).toBe(KILLS)
    expect(sum(({ publishedChecked }) => publishedChecked)).toBeGreaterThan(0)
    const killedEarly = sum(({ kills }) => kills.start + kills.recovery)
    expect(firstStoredMs).toHaveLength(KILLS - killedEarly + CHAINS)
    // How fast is for the long form to say, which has the machine to itself.
    const worstMs = Math.max(...firstStoredMs)
    if (isLong && worstMs > RECORDS_AGAIN_MS) throw new Error(`a start took ${worstMs} ms to store again`)
  },
  SOAK_TIMEOUT_MS,
)

function tell(figures: readonly KillFigures[], firstStoredMs: readonly number[]): void {
  const sum = (of: (each: KillFigures) => number): number => figures.reduce((all, each) => all + of(each), 0)
  const phases: Phase[] = ['start', 'recovery', 'recording', 'commit', 'close']
  sayTable(
    'SIGKILLs at full flow',
    ['killed at', 'times'],
    phases.map((phase) => [phase, sum(({ kills }) => kills[phase])]),
  )
  sayTable(
    'What was left',
    ['flights', 'bytes', 'published chunks', 'closes'],
    [
      [
        sum((each) => each.flightsChecked),
        sum((each) => each.bytesChecked),
        sum((each) => each.publishedChecked),
        sum((each) => each.closesChecked),
      ],
    ],
  )
  const missingMs = figures.flatMap((each) => each.missingMs)
  sayTable(
    'Times (ms)',
    ['of', 'count', 'half', '99 %', 'worst'],
    [
      ['start to the first stored chunk', ...spread(firstStoredMs)],
      ['of the line sent and in no flight, per kill', ...spread(missingMs)],
    ],
  )
}

/** Count, median, 99th percentile and maximum. */
function spread(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0)
  return [sorted.length, at(0.5), at(0.99), at(1)]
}
