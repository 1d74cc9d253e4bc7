/** Command `demo`: a simulated copter flies into a station; what comes out is shown and held against what went in. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { stringify } from 'smol-toml'
import { Fault } from '../base/fault.js'
import { simulate } from '../simulator/simulate.js'
import type { SimulationResult } from '../simulator/simulate.js'
import { showAirlock } from './demo-airlock.js'
import { ended, startChild } from './demo-child.js'
import { openDemoFolder } from './demo-folder.js'
import { EXIT_CODE } from './exit-code.js'
import { interruptible } from './interrupt.js'
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
      'where all of it is kept, new or empty; a new folder in the system’s temporary one unless told',
    )
    .addHelpText(
      'after',
      `
It takes about a minute, and shows the airlock to root only. Ctrl-C ends it; nothing of it is left then.

Example: groundlock demo`,
    )
    .action(demo)
}

async function demo(options: { dir?: string }): Promise<void> {
  const folder = openDemoFolder(options.dir)
  await interruptible(async (signal) => {
    try {
      const isTrue = await show(folder.path, signal)
      signal.throwIfAborted()
      if (!isTrue) process.exitCode = EXIT_CODE.bad
    } finally {
      if (signal.aborted) folder.restore()
    }
  }, 'nothing of the demo is left')
}

/** Shows all of it, and says whether it was true. Rejects soon after it is aborted, with all ended that it started. */
async function show(dir: string, signal: AbortSignal): Promise<boolean> {
  const paths = {
    device: join(dir, 'radio'),
    wire: join(dir, 'wire'),
    config: join(dir, 'groundlock.toml'),
    vault: join(dir, 'vault'),
    raw: join(dir, 'flight.raw'),
    tlog: join(dir, 'flight.tlog'),
    csv: join(dir, 'csv'),
    airlock: join(dir, 'airlock'),
  }
  const configuration = {
    station: { run_dir: join(dir, 'run') },
    // No guard is there yet. It is the airlock's, so that a folder whose name is too long for that one is refused at once.
    guard: { run_dir: join(paths.airlock, 'guard'), token: join(paths.airlock, 'token', 'link') },
    vault: { dir: paths.vault },
    link: { radio: { device: paths.device } },
  }
  writeFileSync(paths.config, stringify(configuration))
  say(`A copter flies for ${FLIGHT.durationS} s over a radio that loses 1 byte in 1000;`)
  say('in the middle somebody pulls the plug and puts it back. A station records it.\n')
  const flown = await fly(paths, signal)
  await groundlock(['show', 'last', '--vault', paths.vault], signal)
  for (const format of ['raw', 'tlog', 'csv'] as const) {
    const words = ['export', 'last', '--vault', paths.vault, '--format', format, '--out', paths[format]]
    await groundlock(words, signal)
  }
  const verdict = compare(readFileSync(paths.wire), readFileSync(paths.raw), flown)
  say(`\n${verdict.text}`)
  say(
    `\n  flight  ${join(paths.vault, 'flights')}\n  tlog    ${paths.tlog}\n  CSV     ${paths.csv}\n  raw     ${paths.raw}`,
  )
  const isTrue = await showAirlock({ main: MAIN, folder: paths.airlock, say, signal })
  return verdict.equal && isTrue
}

/** Runs a station, flies, and stops the station. Nobody flies on without one. */
async function fly(
  paths: { config: string; device: string; wire: string },
  signal: AbortSignal,
): Promise<SimulationResult> {
  const station = startChild(MAIN, ['run', '--config', paths.config], {
    stdio: ['ignore', 'ignore', 'inherit'],
    signal,
  })
  const alone = new AbortController()
  const stationEnd = ended(station).then(() => alone.abort())
  const progress = createProgressLine('flying')
  try {
    const flown = await simulate({
      link: paths.device,
      durationS: FLIGHT.durationS,
      seed: FLIGHT.seed,
      startUtcMs: Date.now(),
      byteLoss: FLIGHT.byteLoss,
      unplugs: [FLIGHT.unplug],
      wireLog: paths.wire,
      signal: AbortSignal.any([signal, alone.signal]),
      onProgress: (timeS) => progress.update(timeS, FLIGHT.durationS),
    })
    signal.throwIfAborted()
    if (alone.signal.aborted) throw stationFault(paths.config)
    return flown
  } finally {
    progress.end()
    station.kill('SIGTERM')
    await stationEnd
  }
}

function stationFault(configuration: string): Fault {
  return new Fault({
    code: 'GL-DEMO-03',
    op: 'fly into the station of',
    subject: configuration,
    found: 'it ended before the flight (its own words stand above)',
    hint: 'Do what they say. Where they are about a path, name another folder with --dir.',
    recovery: 'user',
  })
}

/** Types a command as a person would, and shows it. */
async function groundlock(words: readonly string[], signal: AbortSignal): Promise<void> {
  say(`\n$ groundlock ${words.join(' ')}`)
  const code = await ended(startChild(MAIN, words, { stdio: ['ignore', 'inherit', 'inherit'], signal }))
  signal.throwIfAborted()
  if (code === 0) return
  throw new Fault({
    code: 'GL-DEMO-01',
    op: 'show the demo’s',
    subject: words[0] ?? '',
    found: 'the command failed (above)',
    hint: 'Run ./scripts/test to see what is wrong with this installation.',
    recovery: 'stop',
  })
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
