/** Command `status`: the door, why and since when, and what the station records, on one screen. Needs no root. */
import { setTimeout as pause } from 'node:timers/promises'
import { Command } from 'commander'
import { bootId, monotonicUs } from '../base/clock.js'
import {
  CONFIGURATION_PATH,
  configurationOrDefaults,
  type FoundConfiguration,
} from '../base/configuration-file.js'
import { doorWord } from '../base/guard-status.js'
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

/** The words of the screen that no other program has. */
const LEGEND = `Words on the screen:
  shutting   told to be shut, and not yet read back as shut: a moment, and a fault after 5 s
  witness    the kernel's own count of what each uplink sent: it must stand still while shut
  canary     two packets of our own, sent each 5 s into a pair of virtual devices: the rules must drop them
  base       the rules that drop on every device; they stay when the guard ends
  netdev     a rule at the exit of each uplink, which raw frames meet too; an uplink that has one is covered
  twin       a second copy of the rules while shut, which only the guard can remove
  link down  the uplinks are switched off while shut
  rfkill     the radios are switched off while shut
  lifted     twin, link down and rfkill are taken away while permitted, on purpose
  lease      a permit: it lapses in the kernel after 3 s unless the guard renews it
  token      the lock that either the station or the guard has: one link at a time`

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
Without a usable configuration it looks in the default folders, and says so.
The exit code is 3 where the guard does not say or the door is in fault; with --watch it is that of Ctrl-C.
With --json \`door\` is null where no guard says it now, whatever \`guard.status\` last said.

${LEGEND}

Example: groundlock status --watch`,
    )
    .action(status)
}

async function status(options: Options): Promise<void> {
  const found = configurationOrDefaults(options.config)
  if (options.watch !== true) {
    const snapshot = takeSnapshot(found)
    if (options.json) console.log(JSON.stringify(forPrograms(snapshot, options), null, 2))
    else console.log(statusScreen(snapshot, isColoured()))
    const { guard } = snapshot
    if (guard.state !== 'live' || guard.status?.door === 'fault') process.exitCode = EXIT_CODE.bad
    return
  }
  if (process.stdout.isTTY && options.json !== true) process.stdout.write(HOME + CLEAR_BELOW)
  for (;;) {
    show(takeSnapshot(found), options)
    await pause(WATCH_EVERY_MS)
  }
}

function show(snapshot: Snapshot, options: Options): void {
  if (options.json === true) console.log(JSON.stringify(forPrograms(snapshot, options)))
  else if (!process.stdout.isTTY) console.log(`${statusScreen(snapshot, false)}\n`)
  else {
    const lines = statusScreen(snapshot, isColoured()).split('\n')
    process.stdout.write(HOME + lines.map((line) => `${line}${CLEAR_LINE}\n`).join('') + CLEAR_BELOW)
  }
}

/** The door first, as a live guard says it: what one of before said is below, and says nothing of now. */
function forPrograms({ nowUs, guard, station, configurationTrouble }: Snapshot, { config }: Options): object {
  const live = guard.state === 'live' ? guard.status : null
  return {
    door: live === null ? null : doorWord(live),
    doorSaidBy: live === null ? null : 'guard',
    doorWhy: live?.reason ?? guard.why,
    nowUs,
    configurationPath: config,
    configurationTrouble,
    guard,
    station,
  }
}

function takeSnapshot({ configuration, trouble }: FoundConfiguration): Snapshot {
  const { guard, station, switch: wired, uplink } = configuration
  const present = { nowUs: monotonicUs(), bootId: bootId(), isProcessAlive }
  return {
    nowUs: present.nowUs,
    guard: readGuardStatus(guard.runDir, present),
    station: readStationStatus(station.runDir, present),
    outputs: {
      isSimulated: wired.backend === 'simulated',
      lampLine: wired.lampLine,
      relayLine: uplink.relayLine,
    },
    configurationTrouble: trouble,
  }
}

/** Colour for a terminal only, and not where somebody does not want it (no-color.org). */
function isColoured(): boolean {
  return process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === ''
}
