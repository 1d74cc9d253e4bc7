/** Command `demo`: a simulated copter flies into a station; what comes out is shown and held against what went in. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { Fault } from '../base/fault.js'
import { makeFolder } from '../base/make-folder.js'
import { simulate } from '../simulator/simulate.js'
import type { SimulationResult } from '../simulator/simulate.js'
import { showAirlock } from './demo-airlock.js'
import { EXIT_CODE } from './exit-code.js'
import { createProgressLine } from './progress-line.js'

/** The mission, in seconds; bytes are lost as on a radio at the end of its range. */
const FLIGHT = { durationS: 40, seed: 7, byteLoss: 0.001, unplug: { atS: 18, forS: 4 } } as const

/** The program that runs now: the demo types its other commands. */
const MAIN = process.argv[1] ?? 'groundlock'

export function demoCommand(): Command {
  return new Command('demo')
    .description('fly a simulated copter into a station; show what was recorded, and the airlock')
    .option(
      '--dir <folder>',
      'where all of it is kept; a new folder in the system’s temporary one unless told',
    )
    .addHelpText(
      'after',
      '\nIt takes about a minute, and shows the airlock to root only. Example: groundlock demo',
    )
    .action(demo)
}

async function demo(options: { dir?: string }): Promise<void> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'groundlock-demo-'))
  makeFolder(dir)
  const paths = {
    device: join(dir, 'radio'),
    wire: join(dir, 'wire'),
    config: join(dir, 'groundlock.toml'),
    vault: join(dir, 'vault'),
    raw: join(dir, 'flight.raw'),
    tlog: join(dir, 'flight.tlog'),
    csv: join(dir, 'csv'),
  }
  writeFileSync(
    paths.config,
    `[station]\nrun_dir = "${join(dir, 'run')}"\n[guard]\nrun_dir = "${join(dir, 'guard')}"\ntoken = "${join(dir, 'token')}"\n[vault]\ndir = "${paths.vault}"\n[link.radio]\ndevice = "${paths.device}"\n`,
  )
  say(`A copter flies for ${FLIGHT.durationS} s over a radio that loses 1 byte in 1000;`)
  say('in the middle somebody pulls the plug and puts it back. A station records it.\n')
  const flown = await fly(paths)
  await groundlock('show', 'last', '--vault', paths.vault)
  for (const format of ['raw', 'tlog', 'csv'] as const) {
    await groundlock('export', 'last', '--vault', paths.vault, '--format', format, '--out', paths[format])
  }
  const verdict = compare(readFileSync(paths.wire), readFileSync(paths.raw), flown)
  say(`\n${verdict.text}`)
  say(
    `\n  flight  ${join(paths.vault, 'flights')}\n  tlog    ${paths.tlog}\n  CSV     ${paths.csv}\n  raw     ${paths.raw}`,
  )
  const isTrue = await showAirlock(MAIN, join(dir, 'airlock'), say)
  if (!verdict.equal || !isTrue) process.exitCode = EXIT_CODE.bad
}

/** Runs a station, flies, and stops the station. */
async function fly(paths: { config: string; device: string; wire: string }): Promise<SimulationResult> {
  const station = spawn(MAIN, ['run', '--config', paths.config], { stdio: ['ignore', 'ignore', 'inherit'] })
  const interrupt = new AbortController()
  process.once('SIGINT', () => interrupt.abort())
  const progress = createProgressLine('flying')
  try {
    return await simulate({
      link: paths.device,
      durationS: FLIGHT.durationS,
      seed: FLIGHT.seed,
      startUtcMs: Date.now(),
      byteLoss: FLIGHT.byteLoss,
      unplugs: [FLIGHT.unplug],
      wireLog: paths.wire,
      signal: interrupt.signal,
      onProgress: (timeS) => progress.update(timeS, FLIGHT.durationS),
    })
  } finally {
    progress.end()
    station.kill('SIGTERM')
    await ended(station)
    if (interrupt.signal.aborted) process.exitCode = EXIT_CODE.interrupted
  }
}

/** Types a command as a person would, and shows it. */
async function groundlock(...words: string[]): Promise<void> {
  say(`\n$ groundlock ${words.join(' ')}`)
  const child = spawn(MAIN, words, { stdio: ['ignore', 'inherit', 'inherit'] })
  if ((await ended(child)) === 0) return
  throw new Fault({
    code: 'GL-DEMO-01',
    op: 'show the demo’s',
    subject: words[0] ?? '',
    found: 'the command failed (above)',
    hint: 'Run ./scripts/test to see what is wrong with this installation.',
    recovery: 'stop',
  })
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}

/** Holds the export against the wire: of what was on it before the plug was pulled, the kernel may have dropped the end. */
function compare(wire: Buffer, raw: Buffer, { readers }: SimulationResult): { equal: boolean; text: string } {
  const resumedAt = readers.at(-1)?.fromByte ?? 0
  const before = raw.length - (wire.length - resumedAt)
  const equal =
    before >= 0 &&
    wire.subarray(0, before).equals(raw.subarray(0, before)) &&
    wire.subarray(resumedAt).equals(raw.subarray(before))
  const undelivered = resumedAt - before
  const text = equal
    ? `The raw export is the ${wire.length} bytes that were on the wire, byte for byte${undelivered > 0 ? `, but for ${undelivered} that went down with the plug` : ''}.`
    : `The raw export (${raw.length} bytes) is NOT what was on the wire (${wire.length} bytes).`
  return { equal, text }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
