/** Command `guard`: keeps the uplinks shut as a daemon, until SIGTERM or Ctrl-C. */
import { Command } from 'commander'
import { CONFIGURATION_PATH, loadConfiguration } from '../base/configuration-file.js'
import { createLog } from '../base/log.js'
import { startGuard } from '../guard.js'
import { runDaemon } from './daemon.js'

export function guardCommand(): Command {
  return new Command('guard')
    .description('keep the uplinks shut, unless the switch and everything else permit them')
    .option('--config <file>', 'the configuration', CONFIGURATION_PATH)
    .addHelpText(
      'after',
      `
Needs CAP_NET_ADMIN, nft and ip, the GPIO lines of the switch, and the link token (systemd-tmpfiles makes it). It shuts
the uplinks of this machine at once: a connection over one of them, SSH for example, ends. \`groundlock door rules\`
prints what it would load, \`groundlock door table\` how it decides, \`groundlock status\` what it does.
SIGTERM and Ctrl-C shut the door and stop.

Example: groundlock guard --config ./groundlock.toml`,
    )
    .action(guard)
}

async function guard(options: { config: string }): Promise<void> {
  const log = createLog()
  // Whoever may log in may read how the door is; nothing that the guard writes is secret.
  process.umask(0o022)
  // systemd.exec(5) sets it for every service.
  const isInstalledUnit = process.env['INVOCATION_ID'] !== undefined
  await runDaemon(
    () => startGuard(loadConfiguration(options.config), log, { isInstalledUnit }),
    (signal) => log.info(`${signal}: shutting and stopping`),
  )
}
