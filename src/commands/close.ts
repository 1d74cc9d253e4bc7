/** Command `close`: ends the flight that the running station records. */
import { join } from 'node:path'
import { Command } from 'commander'
import { CONFIGURATION_PATH, loadConfiguration } from '../base/configuration-file.js'
import { askStation } from '../forward/station-socket.js'
import { SOCKET_FILE } from '../station.js'

export function closeCommand(): Command {
  return new Command('close')
    .description('end the flight that is being recorded, now')
    .option('--config <file>', 'the configuration of the running station', CONFIGURATION_PATH)
    .option('--json', 'print the answer as one JSON object')
    .addHelpText(
      'after',
      `
The next heartbeat of a vehicle begins a new flight.

Example: groundlock close`,
    )
    .action(close)
}

async function close(options: { config: string; json?: boolean }): Promise<void> {
  const { station } = loadConfiguration(options.config)
  const answer = await askStation(join(station.runDir, SOCKET_FILE), 'close')
  const flight = typeof answer['closed'] === 'string' ? answer['closed'] : null
  if (options.json) console.log(JSON.stringify({ flight }))
  else console.log(flight === null ? 'No flight is being recorded.' : `Flight ${flight} is closed.`)
}
