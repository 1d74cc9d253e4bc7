/**
 * Power cut: whatever moment the power goes at, the next start finds all that was published, whole, and nothing else.
 *
 *     station's storage ──system calls──▶ a disk that keeps what was flushed ──cut──▶ image ──▶ next start ──▶ compared
 *
 * A card that lies is the control: when it forgets what it was told to flush, the same comparison must see it.
 */
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { CutDisk, FATES } from '../support/cut-disk.js'
import type { FoundFile } from '../support/cut-disk.js'
import { CutVault, Publications, putFiles } from '../support/cut-vault.js'
import type { Seen } from '../support/cut-vault.js'
import {
  SOAK_TIMEOUT_MS,
  amount,
  createProgress,
  isLong,
  randomFor,
  say,
  sayTable,
  seed,
} from '../support/soak.js'
import { straceReason } from '../support/system-calls.js'
import { IN_MEMORY, temporaryFolder } from '../support/temporary-folder.js'
import { PHASES, traceSteps, traceVault } from '../support/traced-vault.js'
import type { Moment, Phase, TracedVault } from '../support/traced-vault.js'

/** Power cuts. */
const POINTS = amount(100, 2400)
/** Writes that a lying card forgets: the newest that matters, and any. */
const FORGOTTEN = Math.ceil(POINTS / (isLong ? 16 : 8))
/** Stations that start again from a cut or a kill at any moment, and how often each is cut then. */
const RESTARTS = Math.ceil(POINTS / 60)
const CUTS_OF_EACH = 4
/** Bytes of the longest flight: of two segments at least, so that the tails take turns. */
const FLIGHT_BYTES = isLong ? 2.6e6 : 1.3e6

/** In memory where that can be: what a power cut leaves is decided by the model, not by a card. */
const dir = temporaryFolder('power-cut', IN_MEMORY)
const image = join(dir, 'image')

describe.skipIf(straceReason !== null)(`a power cut ${straceReason ?? ''}`, () => {
  let traced: TracedVault
  let vault: CutVault

  beforeAll(async () => {
    traced = await traceVault(dir, FLIGHT_BYTES, randomFor('flights'))
    vault = new CutVault(image, traced.flights)
  }, SOAK_TIMEOUT_MS)

  test(
    `One second: what was published is never lost and never corrupt (seed ${seed})`,
    { timeout: SOAK_TIMEOUT_MS },
    async () => {
      const random = randomFor('cuts')
      const progress = createProgress('power cuts', POINTS)
      const rows = new Map(PHASES.map((phase) => [phase, newRow()]))
      const cuts = pointsIn(traced.moments, POINTS, random)
      let done = 0
      await expectEach(
        traced.moments,
        cuts,
        new CutDisk(traced.root),
        new Publications(),
        random,
        '',
        (phase, seen) => {
          addTo(rows.get(phase)!, seen)
          progress(++done, phase)
        },
      )
      sayRows(traced.moments, rows)
      expect(done).toBe(POINTS)
    },
  )

  /** Goes through the moments, cuts the power at the points, and expects all that was published. */
  async function expectEach(
    moments: readonly Moment[],
    points: ReadonlyMap<number, number>,
    disk: CutDisk,
    published: Publications,
    random: () => number,
    before: string,
    onSeen: (phase: Phase, seen: Seen) => void = () => {},
  ): Promise<void> {
    let done = 0
    for (const [i, moment] of moments.entries()) {
      pass(moment, disk, published)
      for (let k = 0; k < (points.get(i) ?? 0); k++) {
        const fate = FATES[done++ % FATES.length]!
        putFiles(image, disk.cut(fate, random))
        const seen = await vault.look(published, random() < 0.5)
        expect(
          seen.problems,
          `${before}cut behind moment ${i} (${moment.phase}), unflushed: ${fate}`,
        ).toEqual([])
        onSeen(moment.phase, seen)
      }
    }
  }

  test.each(['cut', 'killed'] as const)(
    `a station that was %s, starts again and is cut then, loses nothing either (seed ${seed})`,
    { timeout: SOAK_TIMEOUT_MS },
    async (how) => {
      const random = randomFor(how)
      const progress = createProgress(`stations that were ${how}`, RESTARTS)
      const starts = [...pointsIn(traced.moments, RESTARTS, random)].flatMap(([i, times]) =>
        Array.from({ length: times }, () => i),
      )
      for (const [k, start] of starts.entries()) {
        const fate = how === 'cut' ? anyOf(FATES, random) : 'kept'
        const { disk, published } = replay(traced, start)
        const found = disk.cut(fate, random)
        // A kill leaves what was not flushed in the kernel's memory, to be lost yet.
        const goingOn = (): CutDisk =>
          how === 'cut' ? CutDisk.holding(traced.root, found) : replay(traced, start).disk
        putFiles(traced.root, found)
        const moments = await traceSteps(dir, goingOn(), traced.again, 'recovery')
        const again = goingOn()
        await expectEach(
          moments,
          pointsIn(moments, CUTS_OF_EACH, random),
          again,
          published,
          random,
          `${how} behind moment ${start}, `,
        )
        progress(k + 1)
      }
      say(
        `${RESTARTS} stations were ${how}, started again, and cut at ${RESTARTS * CUTS_OF_EACH} points: nothing is missing`,
      )
    },
  )

  test(
    `a card that forgets the newest flushed chunk is found out each time (seed ${seed})`,
    { timeout: SOAK_TIMEOUT_MS },
    async () => {
      const random = randomFor('forgotten chunks')
      const stored = traced.moments.flatMap((moment, i) =>
        'line' in moment && moment.line.what === 'stored' ? [i] : [],
      )
      let caught = 0
      for (let k = 0; k < FORGOTTEN; k++) {
        const end = anyOf(stored, random)
        const { disk, published } = replay(traced, end)
        const newest = disk.flushed.findLast(({ path }) => /tail-\d$/.test(path))!
        putFiles(image, replay(traced, end, newest.number).disk.cut('lost', random))
        const { problems } = await vault.look(published, false)
        if (problems.length > 0) caught++
      }
      say(`control: the newest flushed chunk is forgotten: caught in ${caught} of ${FORGOTTEN}`)
      expect(caught).toBe(FORGOTTEN)
    },
  )

  test(
    `a card that forgets any flushed write is found out where it matters (seed ${seed})`,
    { timeout: SOAK_TIMEOUT_MS },
    async () => {
      const random = randomFor('forgotten writes')
      const outcomes = { caught: 0, superseded: 0, 'found elsewhere': 0 }
      for (let k = 0; k < FORGOTTEN; k++) {
        // Every other one in a flight that is over, where nothing else holds it.
        const isOver = k % 2 === 0
        const end = isOver ? traced.moments.length - 1 : Math.floor(random() * traced.moments.length)
        const { disk, published } = replay(traced, end)
        const among = disk.flushed.filter(({ path }) => !isOver || path.endsWith('.glk'))
        if (among.length === 0) continue
        const forgotten = anyOf(among, random)
        const honest = disk.cut('lost', random)
        const lied = replay(traced, end, forgotten.number).disk.cut('lost', random)
        putFiles(image, lied)
        const { problems } = await vault
          .look(published, false)
          .catch((error: unknown) => ({ problems: [String(error)] }))
        if (problems.length > 0) outcomes.caught++
        else outcomes[isSame(honest, lied) ? 'superseded' : 'found elsewhere']++
      }
      sayTable('control: any flushed write is forgotten', ['outcome', 'writes'], Object.entries(outcomes))
      expect(outcomes.caught).toBeGreaterThan(0)
    },
  )
})

/** What was seen of the cuts in a phase. */
interface Row extends Omit<Seen, 'problems'> {
  cuts: number
}

function newRow(): Row {
  return { cuts: 0, chunks: 0, records: 0, more: 0, lost: 0, readableBefore: 0, refusedBefore: 0 }
}

function addTo(row: Row, seen: Seen): void {
  row.cuts++
  row.chunks += seen.chunks
  row.records += seen.records
  row.more += seen.more
  row.lost += seen.lost
  row.readableBefore += seen.readableBefore
  row.refusedBefore += seen.refusedBefore
}

function sayRows(moments: readonly Moment[], rows: ReadonlyMap<Phase, Row>): void {
  const all = newRow()
  const cells = [...rows].map(([phase, row]) => {
    for (const key of Object.keys(all) as (keyof Row)[]) all[key] += row[key]
    const calls = moments.filter((moment) => moment.phase === phase && 'call' in moment).length
    return [phase, calls, ...cellsOf(row)]
  })
  const calls = moments.filter((moment) => 'call' in moment).length
  sayTable(
    'power cuts: all images opened; published and missing: 0; published and corrupt: 0',
    [
      'phase',
      'calls',
      'cuts',
      'published chunks',
      'their records',
      'records more',
      'records lost unpublished',
      'readable before',
      'refused before',
    ],
    [...cells, ['all', calls, ...cellsOf(all)]],
  )
}

function cellsOf({ cuts, chunks, records, more, lost, readableBefore, refusedBefore }: Row): number[] {
  return [cuts, chunks, records, more, lost, readableBefore, refusedBefore]
}

function pass(moment: Moment, disk: CutDisk, published: Publications): void {
  if ('call' in moment) disk.apply(moment.call)
  else published.take(moment.line)
}

/** The disk, and what was published, behind moment `end`; `forgotten`: the number of a write that no flush keeps. */
function replay(
  { root, moments }: TracedVault,
  end: number,
  forgotten?: number,
): { disk: CutDisk; published: Publications } {
  const disk = new CutDisk(root, forgotten === undefined ? [] : [forgotten])
  const published = new Publications()
  for (const moment of moments.slice(0, end + 1)) pass(moment, disk, published)
  return { disk, published }
}

/**
 * After which moments the power is cut, and how often: anywhere; in each phase as often; behind calls that are no plain
 * writes, and behind those that give or take names, which are few and decide much.
 */
function pointsIn(moments: readonly Moment[], count: number, random: () => number): Map<number, number> {
  const where = (fits: (moment: Moment) => boolean): number[] =>
    moments.flatMap((moment, i) => (fits(moment) ? [i] : []))
  const isCall = (moment: Moment, names: RegExp): boolean => 'call' in moment && names.test(moment.call.name)
  const anywhere = where(() => true)
  const special = where((moment) => !isCall(moment, /^pwrite64$/))
  const naming = where((moment) => isCall(moment, /^(?:mkdir|rename|unlink|chmod)$/))
  const byPhase = PHASES.map((phase) => where((moment) => moment.phase === phase)).filter(
    ({ length }) => length > 0,
  )
  const points = new Map<number, number>()
  for (let k = 0; k < count; k++) {
    const i = anyOf([anywhere, special, naming, byPhase[(k >> 2) % byPhase.length]!][k % 4]!, random)
    points.set(i, (points.get(i) ?? 0) + 1)
  }
  return points
}

function anyOf<Each>(all: readonly Each[], random: () => number): Each {
  return all[Math.floor(random() * all.length)]!
}

function isSame(one: readonly FoundFile[], other: readonly FoundFile[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ path, bytes }) => other.some((each) => each.path === path && each.bytes.equals(bytes)))
  )
}
