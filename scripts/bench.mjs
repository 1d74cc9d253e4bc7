#!/usr/bin/env node
/**
 * Bench: how fast and how small, as ratios to a reference that is measured in the same run. docs/performance.md explains it.
 *
 *     npm run bench                                  everything; five rounds
 *     npm run bench -- --only framing --rounds 9     one plan
 *     npm run bench -- --json > before.json          then, after a change:
 *     npm run bench -- --compare before.json
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

/** The flight that is generated (bytes of tlog). */
const FLIGHT_BYTES = { quick: 10e6, full: 100e6 }

const OPTIONS = {
  json: { type: 'boolean', default: false },
  compare: { type: 'string' },
  rounds: { type: 'string', default: '5' },
  only: { type: 'string' },
  quick: { type: 'boolean', default: false },
  svg: { type: 'string' },
  dir: { type: 'string', default: tmpdir() },
  help: { type: 'boolean', default: false },
}

const HELP = `npm run bench -- [options]
  --rounds N      how often each is measured (5)
  --only NAME     one plan: framing, decoding, storing, size, reading, start, rates
  --quick         a flight of 10 MB instead of 100
  --json          the rows as JSON
  --compare FILE  an earlier --json: what changed, and whether by more than the noise
  --svg FILE      a chart of the rows that have a goal
  --dir DIR       the disk that is written to: below DIR (the system's temporary folder)`

const options = parsed()
const say = (text) => process.stderr.write(`  ${text}\n`)

function parsed() {
  try {
    const { values } = parseArgs({ options: OPTIONS })
    const rounds = Number(values.rounds)
    if (Number.isInteger(rounds) && rounds > 0) return { ...values, rounds }
    return refuse('--rounds takes a whole number')
  } catch (error) {
    return refuse(error.message)
  }
}

function refuse(why) {
  console.error(`${why}\n${HELP}`)
  process.exit(2)
}

async function main() {
  if (options.help) return console.log(HELP)
  build()
  // Only now: they load dist/.
  const { PLANS } = await import('./bench/plans.mjs')
  const { captures, generatedFlight } = await import('./bench/recordings.mjs')
  if (options.only !== undefined && !(options.only in PLANS)) refuse(`there is no plan ${options.only}`)
  const wanted = Object.entries(PLANS).filter(([name]) => (options.only ?? name) === name)
  const flight = await generatedFlight(FLIGHT_BYTES[options.quick ? 'quick' : 'full'], progress())
  const dir = mkdtempSync(join(options.dir, 'groundlock-bench-'))
  const flightBytes = statSync(flight).size
  const { rounds, quick } = options
  const context = { rounds, quick, flight, flightBytes, captures: captures(), dir, say }
  const rows = []
  try {
    for (const [, plan] of wanted) rows.push(...(await plan(context)))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
  await report({ flightBytes, rows })
}

/** The bench measures dist/; the build does nothing when it is fresh. */
function build() {
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, 'build.mjs')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0) process.exit(status ?? 1)
}

function progress() {
  let told = -1
  return (share) => {
    const percent = Math.floor(share * 10) * 10
    if (percent > told) say(`generating the flight: ${(told = percent)} %`)
  }
}

async function report({ flightBytes, rows }) {
  const { comparisonText, tableText } = await import('./bench/table.mjs')
  const { rounds, quick } = options
  const machine = { node: process.version, arch: process.arch, cores: availableParallelism() }
  const earlier = options.compare && JSON.parse(readFileSync(options.compare, 'utf8'))
  if (options.json)
    console.log(JSON.stringify({ version: 1, machine, rounds, quick, flightBytes, rows }, null, 1))
  else console.log(tableText(rows))
  if (earlier && earlier.quick !== quick) say('The earlier run was on a flight of another length.')
  // Beside --json it goes where it does not break it.
  if (earlier) (options.json ? console.error : console.log)(`\n${comparisonText(rows, earlier.rows)}`)
  if (options.svg !== undefined) {
    const { chartSvg } = await import('./bench/chart.mjs')
    writeFileSync(options.svg, chartSvg(rows))
  }
}

await main()
