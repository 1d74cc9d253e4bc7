/** Command `status`: the door, why and since when, and what the station records, on one screen. Needs no root. */
import { setTimeout as pause } from 'node:timers/promises'
import { Command } from 'commander'
import { bootId, monotonicUs } from '../base/clock.js'
import { CONFIGURATION_PATH, loadConfiguration } from '../base/configuration-file.js'
import type { Configuration } from '../base/configuration.js'
import { isProcessAlive } from '../base/process-alive.js'
import { readGuardStatus, readStationStatus } from '../doctor/status-file.js'
import { EXIT_CODE } from './exit-code.js'
import { statusScreen, type Snapshot } from './status-screen.js'

/** As often as guard and station write (ms). */
const WATCH_EVERY_MS = 1000

/** Cursor home, then what is below it cleared: no flicker as with the whole screen first (ECMA-48 CUP, ED). */
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'

interface Options {
  config: string
  json?: boolean
  watch?: boolean
}

export function statusCommand(): Command {
  return new Command('status')
    .description('show the door, why and since when, and what is recorded')
    .option('--config <file>', 'the configuration of guard and station', CONFIGURATION_PATH)
    .option('--json', 'print one JSON object (with --watch one a line)')
    .option('--watch', 'show it again each second, until Ctrl-C')
    .addHelpText(
      'after',
      `
Reads what guard and station write of themselves each second; it asks nobody and needs no root.
The exit code is 3 where the guard does not say or the door is in fault.

Example: groundlock status --watch`,
    )
    .action(status)
}

async function status(options: Options): Promise<void> {
  const configuration = loadConfiguration(options.config)
  if (options.watch !== true) {
    const snapshot = takeSnapshot(configuration)
    if (options.json) console.log(JSON.stringify(snapshot, null, 2))
    else console.log(statusScreen(snapshot, isColoured()))
    const { guard } = snapshot
    if (guard.state !== 'live' || guard.status?.door === 'fault') process.exitCode = EXIT_CODE.bad
    return
  }
  if (process.stdout.isTTY && options.json !== true) process.stdout.write(HOME + CLEAR_BELOW)
  for (;;) {
    show(takeSnapshot(configuration), options)
    await pause(WATCH_EVERY_MS)
  }
}

function show(snapshot: Snapshot, { json }: Options): void {
  if (json === true) console.log(JSON.stringify(snapshot))
  else if (!process.stdout.isTTY) console.log(`${statusScreen(snapshot, false)}\n`)
  else {
    const lines = statusScreen(snapshot, isColoured()).split('\n')
    process.stdout.write(HOME + lines.map((line) => `${line}${CLEAR_LINE}\n`).join('') + CLEAR_BELOW)
  }
}

function takeSnapshot({ guard, station }: Configuration): Snapshot {
  const present = { nowUs: monotonicUs(), bootId: bootId(), isProcessAlive }
  return {
    nowUs: present.nowUs,
    guard: readGuardStatus(guard.runDir, present),
    station: readStationStatus(station.runDir, present),
  }
}

/** Colour for a terminal only, and not where somebody does not want it (no-color.org). */
function isColoured(): boolean {
  return process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === ''
}
