/** Command `door`: prints how the guard decides and what it would load. Changes and loads nothing. */
import { readdirSync, readFileSync } from 'node:fs'
import { Command } from 'commander'
import { CONFIGURATION_PATH, loadConfiguration } from '../base/configuration-file.js'
import type { LocalInterface } from '../base/configuration.js'
import { tableText } from '../hw/decide/table-page.js'
import { TABLE } from '../hw/decide/table.js'
import { policyOf } from '../hw/door/policy.js'
import type { DoorPolicy } from '../hw/door/policy.js'
import {
  coverText,
  isPlainName,
  rulesetText,
  twinText,
  type Uplink,
  type VerifiedLocal,
} from '../hw/door/ruleset.js'
import { plain } from './plain-text.js'

/** The interfaces of this machine, or of the network namespace that it was mounted in. */
const NET = '/sys/class/net'

export function doorCommand(): Command {
  const door = new Command('door')
    .description('print how the guard decides and what it would load')
    .addHelpText('after', '\nExample: groundlock door table')
  door
    .command('table')
    .description('print the table by which the guard decides: the first row that fits holds')
    .option('--json', 'print the rows as an array of objects')
    .addHelpText('after', '\nExample: groundlock door table')
    .action(({ json }: { json?: boolean }) => {
      console.log(json === true ? JSON.stringify(TABLE, null, 2) : tableText())
    })
  door
    .command('rules')
    .description('print the firewall rules that would be loaded for this configuration; loads nothing')
    .option('--config <file>', 'the configuration', CONFIGURATION_PATH)
    .option('--lockdown', 'only the base as it is loaded at boot, when nothing is local yet')
    .addHelpText(
      'after',
      `
They are for the interfaces that are here now. The guard lets a local interface in only after it has seen that it is the
one configured; here its name alone counts. The syntax can be tried: groundlock door rules --lockdown | sudo nft -c -f -

Example: groundlock door rules --config ./groundlock.toml`,
    )
    .action(rules)
  return door
}

/** Bare as it is at boot: no interface is local before it was looked at. */
const BOOT_POLICY: DoorPolicy = { locals: [], ports: [] }

function rules({ config, lockdown }: { config: string; lockdown?: boolean }): void {
  if (lockdown === true) {
    console.log(rulesetText(BOOT_POLICY).trimEnd())
    return
  }
  const policy = policyOf(loadConfiguration(config).uplink)
  const links = linksHere()
  console.log(rulesPage(policy, links).trimEnd())
}

function linksHere(): Uplink[] {
  return readdirSync(NET)
    .sort()
    .flatMap((name) => {
      const ifindex = ifindexOf(name)
      return name === 'lo' || ifindex === null ? [] : [{ ifindex, name }]
    })
}

/** Null where it is no interface (`bonding_masters`), or gone since it was listed. */
function ifindexOf(name: string): number | null {
  try {
    return Number(readFileSync(`${NET}/${name}/ifindex`, 'utf8'))
  } catch {
    return null
  }
}

/** All that would be loaded, in the order of loading, with what each part is for. */
function rulesPage(policy: DoorPolicy, links: readonly Uplink[]): string {
  const byName = new Map(links.map((link) => [link.name, link]))
  const here = policy.locals.filter(({ name }) => byName.has(name))
  const verified: VerifiedLocal[] = here.map(({ name, subnet }) => ({
    ifindex: byName.get(name)!.ifindex,
    subnet,
  }))
  const uplinks = links.filter(({ name }) => here.every((local) => local.name !== name))
  return [
    comment([
      'The base: drops on every device, present or future. It survives the guard.',
      ...localLines(policy.locals, byName),
    ]),
    rulesetText(policy, verified),
    comment(["The owned twin, while shut: no other program's flush removes it."]),
    twinText(policy, verified),
    ...uplinks.map(
      (uplink) => comment([`The cover of ${uplink.name}: what raw sockets send.`]) + coverOf(uplink),
    ),
  ].join('\n')
}

function localLines(locals: readonly LocalInterface[], byName: ReadonlyMap<string, Uplink>): string[] {
  if (locals.length === 0) return ['No interface is configured as local: all but lo are uplinks.']
  return locals.map(({ name, mac, path, subnet }) =>
    byName.has(name)
      ? `Local: ${name}, ${subnet} only, if it is ${mac ?? path}.`
      : `Local, and not plugged in now: ${name}.`,
  )
}

function coverOf(uplink: Uplink): string {
  if (isPlainName(uplink.name)) return coverText(uplink)
  return comment(['No rule can name it, so nothing is permitted while it is there.'])
}

function comment(lines: readonly string[]): string {
  return lines.map((line) => `# ${plain(line)}\n`).join('')
}
