/**
 * Traced vault: the storage of a station at work over two starts, the first of which ends in a kill, as the system calls
 * and publications it consists of, in order.
 */
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Random } from '../../src/simulator/random.js'
import { CutDisk } from './cut-disk.js'
import { FlownPlan } from './flown-plan.js'
import type { FlownFlight, Step } from './flown-plan.js'
import { REPOSITORY } from './groundlock.js'
import type { SystemCall } from './system-calls.js'
import { pathOf, traceNode } from './system-calls.js'

const DRIVER = join(REPOSITORY, 'test', 'support', 'power-cut-driver.mjs')

/** What the driver says. */
export type Line =
  | { what: 'starting' | 'recording' | 'stopping' | 'stopped' }
  | { what: 'given'; flightId: string; records: number }
  | { what: 'stored'; flightId: string; sequence: number; bytes: number }
  | { what: 'closing'; flightId: string }
  | { what: 'closed'; flightId: string; reason: string }

/** What the station does at a moment. */
export const PHASES = [
  'start',
  'recording',
  'segment commit',
  'close and settle',
  'recovery',
  'stop',
] as const
export type Phase = (typeof PHASES)[number]

export type Moment = { phase: Phase } & ({ call: SystemCall } | { line: Line })

export interface TracedVault {
  /** The folder that the calls name, empty when they begin; the vault is in it. */
  root: string
  moments: Moment[]
  /** A short flight more, for a process that goes on from any of the moments. */
  again: Step[]
  flights: FlownFlight[]
}

/** Name of the vault below the root: it is made there, and its own name must last, too. */
export const VAULT = 'vault'

/** Records some flights below `dir` and watches; `bytes`: of the longest. */
export async function traceVault(dir: string, bytes: number, random: Random): Promise<TracedVault> {
  const root = join(dir, 'disk')
  mkdirSync(root)
  const disk = new CutDisk(root)
  const plan = await FlownPlan.create(random)
  const killed = killedPlan(plan, bytes, random)
  const whole = wholePlan(plan, bytes)
  const again = plan.fly(AGAIN_BYTES, false)
  const first = await traceSteps(dir, disk, killed, 'start')
  const second = await traceSteps(dir, disk, whole, 'recovery')
  return { root, moments: [...first, ...second], again, flights: plan.flights }
}

/**
 * Runs the driver on what lies in DIR/disk, which `disk` holds, too, and watches it.
 * Errors: system calls that do not explain what lies there at the end.
 */
export async function traceSteps(
  dir: string,
  disk: CutDisk,
  steps: readonly Step[],
  starting: Phase,
): Promise<Moment[]> {
  const files = { plan: join(dir, 'plan'), lines: join(dir, 'lines'), log: join(dir, 'calls') }
  writeFileSync(files.plan, steps.map((step) => JSON.stringify(step)).join('\n'))
  const args = [DRIVER, join(disk.root, VAULT), files.plan, files.lines]
  const { calls, stderr } = await traceNode(args, dir, files.log)
  const moments = momentsOf(calls.filter(returnedOrDone), disk, files.lines, starting)
  const end = steps.some(({ die }) => die === true) ? 'given' : 'stopped'
  if (!moments.some((moment) => 'line' in moment && moment.line.what === end))
    throw new Error(`the driver ended early:\n${stderr}`)
  for (const moment of moments) if ('call' in moment) disk.apply(moment.call)
  expectSame(disk)
  return moments
}

/** Of the flight that is recorded again (bytes): a few chunks. */
const AGAIN_BYTES = 60_000

/** Pause before the kill, at most (ms): it meets the segment's encoding, or its commit. */
const MOST_REST_MS = 100

/** A flight of several segments that lands, and one that a kill ends in the middle. */
function killedPlan(plan: FlownPlan, bytes: number, random: Random): Step[] {
  return [
    ...plan.fly(bytes, true),
    ...plan.fly(bytes * 0.8, false),
    { restMs: random() * MOST_REST_MS, die: true },
  ]
}

/** Another long one, one that begins as soon as that lands, and a very short one. */
function wholePlan(plan: FlownPlan, bytes: number): Step[] {
  const first = plan.fly(bytes * 0.8, true)
  const second = plan.fly(bytes * 0.2, true)
  const settled = { untilClosed: plan.flights.at(-1)!.head.id }
  return [...first, ...second, settled, ...plan.fly(2_000, true)]
}

/** A write in which the process was killed: was it done? As far as its bytes are there, from the first on. */
function returnedOrDone(call: SystemCall): boolean {
  if (call.result !== undefined) return true
  if (call.name !== 'pwrite64' || call.words[0]!.endsWith('(deleted)')) return false
  const at = Number(call.words.at(-1))
  const there = readFileSync(call.words[0]!).subarray(at, at + call.bytes.length)
  const different = call.bytes.findIndex((byte, i) => byte !== there[i])
  if (different >= 0) call.bytes = call.bytes.subarray(0, different)
  call.result = call.bytes.length
  return call.result > 0
}

function momentsOf(
  calls: readonly SystemCall[],
  disk: CutDisk,
  linesPath: string,
  starting: Phase,
): Moment[] {
  const closing = new Set<string>()
  let isStarting = true
  let phase = starting
  return calls.flatMap((call): Moment[] => {
    if (call.name === 'write' && call.words[0] === linesPath) {
      const line = JSON.parse(call.bytes.toString()) as Line
      if (line.what === 'recording') [isStarting, phase] = [false, 'recording']
      if (line.what === 'stopping') phase = 'stop'
      if (line.what === 'closing') closing.add(line.flightId)
      if (line.what === 'closed') closing.delete(line.flightId)
      return [{ phase, line }]
    }
    const path = pathOf(call)
    if (!disk.holds(path)) return []
    if (!isStarting && phase !== 'stop') phase = phaseOf(path, closing)
    return [{ phase, call }]
  })
}

function phaseOf(path: string, closing: ReadonlySet<string>): Phase {
  const [, id] = /\/flights\/(.*)\.glk/.exec(path) ?? []
  if (id === undefined) return path.endsWith('/flights') ? 'segment commit' : 'recording'
  return closing.has(id) ? 'close and settle' : 'segment commit'
}

function expectSame(disk: CutDisk): void {
  const real = readdirSync(disk.root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('-shm'))
    .map((entry) => relative(disk.root, join(entry.parentPath, entry.name)))
  const files = disk.seen().filter(({ path }) => !path.endsWith('/'))
  const missing = real.filter((path) => !files.some((file) => file.path === path))
  const different = files.filter(({ path, bytes, mode }) => {
    const at = join(disk.root, path)
    return !real.includes(path) || !readFileSync(at).equals(bytes) || (statSync(at).mode & 0o777) !== mode
  })
  const wrong = [...missing, ...different.map(({ path }) => path)]
  if (wrong.length > 0) throw new Error(`the system calls do not explain ${wrong.join(', ')}`)
}
