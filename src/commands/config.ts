/** Command `config`: checks a configuration file, and explains what may stand in one. */
import { Command } from 'commander'
import { CONFIGURATION_PATH, invalidFault, readConfigurationText } from '../base/configuration-file.js'
import { parseConfiguration, type Configuration, type SwitchConfiguration } from '../base/configuration.js'
import { faultLines } from '../base/fault.js'
import { settingText } from '../base/settings-page.js'
import { ALL_SETTINGS, nearestKey, nearestText, type Setting } from '../base/settings.js'
import { EXIT_CODE } from './exit-code.js'

export function configCommand(): Command {
  const config = new Command('config')
    .description('check and explain the configuration file')
    .addHelpText('after', '\nExample: groundlock config check --config ./groundlock.toml')
  config
    .command('check')
    .description('say whether a configuration file can be used, and what is wrong with it')
    .option('--config <file>', 'the file to check', CONFIGURATION_PATH)
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', '\nExample: groundlock config check --config ./groundlock.toml')
    .action(check)
  config
    .command('explain')
    .description('print every key with its meaning, default and an example')
    .argument('[key]', 'only this key, or the keys of this section')
    .option('--json', 'print an array of objects, one a key')
    .addHelpText('after', '\nExample: groundlock config explain link.radio.baud')
    .action(explain)
  return config
}

function check(options: { config: string; json?: boolean }): void {
  const parsed = parseConfiguration(readConfigurationText(options.config))
  const problems = 'problems' in parsed ? parsed.problems : []
  if (options.json) {
    console.log(JSON.stringify({ file: options.config, valid: problems.length === 0, ...parsed }, null, 2))
  } else if ('problems' in parsed) {
    console.error(faultLines(invalidFault(options.config, problems)))
  } else {
    console.log(summary(options.config, parsed.configuration))
  }
  if (problems.length > 0) process.exitCode = EXIT_CODE.bad
}

function summary(file: string, configuration: Configuration): string {
  const { station, vault, links, uplink, guard } = configuration
  return [
    `${file} is valid.`,
    `  station  ${station.name}, its socket and status file in ${station.runDir}`,
    `  vault    ${vault.dir}`,
    ...links.map((link) => `  link     ${link.name}: ${link.device} at ${link.baud} bit/s`),
    `  switch   ${switchSummary(configuration.switch)}`,
    ...uplink.locals.map(
      ({ name, mac, path, subnet }) =>
        `  local    ${name} (${mac ?? path}), ${subnet} only${sshSummary(uplink.sshPort)}`,
    ),
    `  uplink   every other interface${relaySummary(configuration)}`,
    `  guard    its socket and status file in ${guard.runDir}; link token ${guard.token}`,
  ].join('\n')
}

function sshSummary(port: number | null): string {
  return port === null ? '' : `; from there SSH on TCP port ${port}`
}

function relaySummary({ uplink: { relayLine }, switch: { backend } }: Configuration): string {
  if (relayLine === null) return ''
  return backend === 'simulated' ? '; no relay, as the switch is simulated' : `; relay on GPIO ${relayLine}`
}

function switchSummary({ backend, chip, wiring, permitLine, shutLine, lampLine, file }: SwitchConfiguration) {
  if (backend === 'simulated') return `simulated by ${file}`
  const shut = wiring === 'single' ? '' : `, SHUT on GPIO ${shutLine}`
  const lamp = lampLine === null ? 'no lamp' : `lamp on GPIO ${lampLine}`
  return `${wiring}, backend ${backend}, chip ${chip}: PERMIT on GPIO ${permitLine}${shut}, ${lamp}`
}

function explain(key: string | undefined, options: { json?: boolean }, command: Command): void {
  const settings = key === undefined ? ALL_SETTINGS : matching(key)
  if (settings.length === 0) {
    const nearest = nearestKey((key ?? '').replace(/\[\d*\]/, '.0').split('.'), false)
    const more = nearest === null ? '; `groundlock config explain` lists every key' : nearestText(nearest)
    command.error(`error: unknown key '${key}'${more}`)
  }
  if (options.json) console.log(JSON.stringify(settings.map(plain), null, 2))
  else console.log(settings.map(settingText).join('\n\n'))
}

/** Settings at or below a key; the name of a link may be given or written as `*`, an entry's number left out. */
function matching(key: string): Setting[] {
  const pattern = key
    .replace(/^link\.[^.]+/, 'link.*')
    .replace(/^uplink\.local(?:\[\d*\])?(?=\.|$)/, 'uplink.local[]')
  return ALL_SETTINGS.filter((setting) => setting.key === pattern || setting.key.startsWith(`${pattern}.`))
}

function plain({ key, fallback, oneOf, unit, doc, example }: Setting) {
  return {
    key,
    required: fallback === undefined,
    oneOf: oneOf ?? null,
    default: fallback ?? null,
    unit,
    doc,
    example,
  }
}
