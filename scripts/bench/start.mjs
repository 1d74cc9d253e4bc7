/**
 * Start: from the station's start to the first byte that it takes from a serial line, beside an empty Node process.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rowOf } from './row.mjs'
import { sideBySide } from './rounds.mjs'

const run = promisify(execFile)
const WATCH = join(import.meta.dirname, 'first-byte.pl')
const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'groundlock.cjs')

/** Starts are short and differ much: there are more of them than rounds of anything else. */
const ROUNDS = { quick: 3, full: 20 }

export async function startRows({ dir, quick, rounds }) {
  if (!(await canWatch())) {
    console.error('  left out: it takes perl with Time::HiRes')
    return []
  }
  const station = stationIn(join(dir, 'station'))
  // The first start makes the vault.
  await station.firstByte()
  const count = Math.max(rounds, ROUNDS[quick ? 'quick' : 'full'])
  const results = await sideBySide(count, {
    ours: station.firstByte,
    reference: async () => ({
      exit: await watch(['exit', process.execPath, '-e', '0']),
      line: await watch(['line', process.execPath, '-e', 'console.log(1)']),
    }),
  })
  return [
    rowOf({
      name: 'start',
      what: 'start to first byte, an empty Node process',
      unit: 'ms',
      samples: results.map(({ ours, reference }) => ({ ours, reference: reference.exit })),
      goal: { of: 'ratio', atMost: 1.6 },
      better: 'lower',
    }),
    rowOf({
      name: 'start-line',
      what: 'start to first byte, Node to its first line',
      unit: 'ms',
      samples: results.map(({ ours, reference }) => ({ ours, reference: reference.line })),
      better: 'lower',
    }),
  ]
}

function canWatch() {
  return run('perl', ['-MTime::HiRes', '-e', '1']).then(
    () => true,
    () => false,
  )
}

/** A station with a vault and a line of its own. */
function stationIn(dir) {
  mkdirSync(dir)
  const device = join(dir, 'radio')
  const configuration = join(dir, 'groundlock.toml')
  writeFileSync(
    configuration,
    `[station]\nrun_dir = "${dir}/run"\n[guard]\nrun_dir = "${dir}/guard"\ntoken = "${dir}/token"\n[vault]\ndir = "${dir}/vault"\n[link.radio]\ndevice = "${device}"\n`,
  )
  const command = [process.execPath, MAIN, 'run', '--config', configuration]
  return { firstByte: () => watch(['byte', device, ...command]) }
}

/** Milliseconds that first-byte.pl prints. */
async function watch(words) {
  const { stdout } = await run('perl', [WATCH, ...words], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
  })
  return Number(stdout)
}
