/** Command `run`: the station as a daemon, until SIGTERM or Ctrl-C. */
import { Command } from 'commander'
import { CONFIGURATION_PATH, loadConfiguration } from '../base/configuration-file.js'
import { Fault, faultLines } from '../base/fault.js'
import { createLog } from '../base/log.js'
import type { Log } from '../base/log.js'
import { startStation } from '../station.js'
import { runDaemon } from './daemon.js'
import { EXIT_CODE } from './exit-code.js'

export function runCommand(): Command {
  return new Command('run')
    .description('record: read the serial links, keep the flights')
    .option('--config <file>', 'the configuration', CONFIGURATION_PATH)
    .addHelpText(
      'after',
      `
SIGTERM and Ctrl-C end the flight that is on, store everything and stop.
Its status stands in RUN_DIR/station.json; the last stored chunk there is never lost.

Example: groundlock run --config ./groundlock.toml`,
    )
    .action(run)
}

async function run(options: { config: string }): Promise<void> {
  const log = createLog()
  // Flights are nobody's business but the owner's and the group's.
  process.umask(0o027)
  await runDaemon(
    () => startStation(loadConfiguration(options.config), log, (error) => endAsLost(error, log)),
    (signal) => log.info(`${signal}: stopping`),
  )
}

/** The vault's thread is gone. What it had made durable is safe, and the next start goes on. */
function endAsLost(error: unknown, log: Log): never {
  log.error(error instanceof Fault ? faultLines(error) : `the storage worker died: ${stackOf(error)}`)
  process.exit(EXIT_CODE.fault)
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
