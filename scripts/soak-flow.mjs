#!/usr/bin/env node
/**
 * Flow: what recording a full 921600-baud line costs, held against the least program that hears it at all.
 * A station and a bare serialport listener hear the same bytes at the same time, each on its own pseudo-terminal:
 *
 *     source ──┬─▶ PTY ──▶ groundlock run      CPU and memory of its whole process tree
 *      1 ms    └─▶ PTY ──▶ listener.mjs        CPU and memory
 *
 * npm run soak:flow [-- --seconds 600 --json]
 */
import { createHash } from 'node:crypto'
import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { groundlock, startListener, startSource, startStation } from './soak/children.mjs'
import { cpuOf, memoryOf, processTree } from './soak/process-figures.mjs'
import { tableLines } from './soak/table.mjs'

/** A full 921600-baud line: ten bits a byte (bytes/s). */
const RATE = 92_160
/** What a driver hands over at once (ms): the least of an adapter's latency timer. */
const PIECE_MS = 1

const GOALS = { cpuRatio: 0.35, peakMb: 96, peakRatio: 1.7 }

/** How often memory is looked at (ms). */
const LOOK_MS = 1000
/** Memory over time is printed in so many rows. */
const MEMORY_ROWS = 12

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log('npm run soak:flow [-- --seconds 600 --json]')
  process.exit(0)
}
const dir = mkdtempSync(join(tmpdir(), 'groundlock-flow-'))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
const say = (line) => options.json || console.log(line)

const figures = await measure(Number(options.seconds))
if (options.json) console.log(JSON.stringify(figures, null, 2))
else sayReport(figures)
process.exitCode = figures.goals.every(({ met }) => met) ? 0 : 1

async function measure(seconds) {
  const links = [join(dir, 'radio'), join(dir, 'other')]
  const source = await startSource({ rate: RATE, seconds, periodMs: PIECE_MS, links })
  const station = await startStation({ dir, device: links[0], vault: join(dir, 'vault') })
  const listener = startListener(links[1])
  say(`A full line of ${RATE} bytes/s in pieces of ${PIECE_MS} ms for ${seconds} s …`)
  await source.started
  const look = () => [figuresOf(station.pid), figuresOf(listener.pid)]
  const before = look()
  const looks = []
  const beganMs = performance.now()
  const timer = setInterval(() => {
    const [ours, its] = look()
    looks.push({ s: (performance.now() - beganMs) / 1000, ours: ours.memory, listener: its.memory })
  }, LOOK_MS)
  const sent = await source.done
  const after = look()
  clearInterval(timer)
  await station.until(({ links: [link] }) => link.bytesIn >= sent.bytes || link.state !== 'open')
  await station.close()
  const closed = look()
  await Promise.all([station.end(), listener.end()])
  await source.end()
  const ours = {
    cpuS: cost(before[0], after[0]),
    peakMb: closed[0].memory.peakMb,
    threads: threadsOf(station.pid, before[0], after[0]),
  }
  const its = {
    cpuS: cost(before[1], after[1]),
    peakMb: closed[1].memory.peakMb,
    threads: threadsOf(listener.pid, before[1], after[1]),
  }
  const stored = await storedBytes(station)
  return {
    seconds,
    sent,
    ours,
    listener: its,
    stored,
    memory: looks,
    goals: goalsOf(ours, its, sent, stored),
  }
}

function figuresOf(pid) {
  const pids = processTree(pid)
  return { cpu: cpuOf(pids), memory: memoryOf(pids) }
}

function cost(before, after) {
  return after.cpu.seconds - before.cpu.seconds
}

/**
 * CPU by thread (s). Node 20 gives its threads no names of their own: the busiest besides the main one is the storage
 * worker in a station, and a thread of libuv's pool in a listener; the rest is that pool and V8's helpers.
 */
function threadsOf(pid, before, after) {
  const spent = Object.entries(after.cpu.threads)
    .map(([tid, s]) => ({ tid: Number(tid), s: s - (before.cpu.threads[tid] ?? 0) }))
    .toSorted((a, b) => b.s - a.s)
  const others = spent.filter(({ tid }) => tid !== pid).map(({ s }) => s)
  const [busiest = 0, ...rest] = others
  return {
    main: spent.find(({ tid }) => tid === pid)?.s ?? 0,
    busiest,
    others: rest.reduce((sum, s) => sum + s, 0),
  }
}

/** What the vault gives back, and what it says of it. */
async function storedBytes(station) {
  const out = join(dir, 'flight.raw')
  await groundlock('export', 'last', '--vault', station.vault, '--format', 'raw', '--out', out)
  const flight = JSON.parse(await groundlock('show', 'last', '--vault', station.vault, '--json'))
  const hash = createHash('sha256')
  await pipeline(createReadStream(out), hash)
  return { report: flight, sha256: hash.digest('hex'), status: station.status(), log: station.log() }
}

function goalsOf(ours, its, sent, { report, sha256 }) {
  const { bytesIn, lostBytes } = report.flight
  const goal = (name, value, limit, met) => ({ name, value, limit, met })
  const most = (name, value, limit) => goal(name, value, limit, value <= limit)
  return [
    most('CPU / listener’s', ours.cpuS / its.cpuS, GOALS.cpuRatio),
    most('peak memory, MB', ours.peakMb, GOALS.peakMb),
    most('peak memory / listener’s', ours.peakMb / its.peakMb, GOALS.peakRatio),
    goal('bytes in', bytesIn, sent.bytes, bytesIn === sent.bytes),
    goal('bytes lost', lostBytes, 0, lostBytes === 0),
    goal('raw export', sha256.slice(0, 12), sent.sha256.slice(0, 12), sha256 === sent.sha256),
  ]
}

function sayReport({ sent, ours, listener, memory, goals }) {
  const { bytes, pieces, seconds, latestMs } = sent
  say(
    `${bytes} bytes in ${pieces} pieces in ${seconds.toFixed(1)} s, the latest ${latestMs.toFixed(0)} ms late\n`,
  )
  const percent = (s) => `${((100 * s) / seconds).toFixed(2)} %`
  const print = (headings, rows) => say(`${tableLines(headings, rows).join('\n')}\n`)
  print(
    ['', 'station', 'listener', 'ratio'],
    [
      ['CPU of one core', percent(ours.cpuS), percent(listener.cpuS), (ours.cpuS / listener.cpuS).toFixed(2)],
      [
        'peak memory, MB',
        ours.peakMb.toFixed(1),
        listener.peakMb.toFixed(1),
        (ours.peakMb / listener.peakMb).toFixed(2),
      ],
    ],
  )
  print(
    ['CPU by thread', 'station', 'listener'],
    Object.entries({ main: 'main', busiest: 'busiest other', others: 'all others' }).map(([key, name]) => [
      name,
      percent(ours.threads[key]),
      percent(listener.threads[key]),
    ]),
  )
  const every = Math.ceil(memory.length / MEMORY_ROWS)
  const mb = ({ residentMb, anonymousMb, fileMb, sharedMb }) =>
    [residentMb, anonymousMb, fileMb, sharedMb].map((each) => each.toFixed(1))
  print(
    ['at s', 'MB', 'anonymous', 'files', 'shared', 'listener MB', 'anonymous', 'files', 'shared'],
    memory
      .filter((_, i) => i % every === 0 || i === memory.length - 1)
      .map((look) => [look.s.toFixed(0), ...mb(look.ours), ...mb(look.listener)]),
  )
  const text = (value) =>
    typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(2) : String(value)
  print(
    ['', 'measured', 'goal', 'met'],
    goals.map(({ name, value, limit, met }) => [name, text(value), text(limit), met ? 'yes' : 'NO']),
  )
}
