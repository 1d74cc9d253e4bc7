/** Others' checks: who else on this machine may open a way out or change rules, and what to do about each. */
import { fail, pass, warn, type Answer, type Context, type Group } from './check.js'
import { LOCKDOWN } from './installation.js'
import type { Machine } from './machine.js'
import { OTHERS, type Other } from './others.js'
import { activityOf, mentions, readUnit, unitNames, type Unit } from './unit-files.js'

export const OTHERS_GROUP: Group = {
  name: 'others',
  checks: [
    ...OTHERS.map((other) => ({ name: other.name, look: (context: Context) => lookAtOther(context, other) })),
    { name: 'scripts', look: lookAtScripts },
    { name: 'netconsole', look: lookAtNetconsole },
    { name: 'forwarding', look: lookAtForwarding },
  ],
}

/** Nothing is said of what is not installed, or neither enabled nor active. */
async function lookAtOther({ machine }: Context, other: Other): Promise<Answer[]> {
  const units = other.units.flatMap((name) => installed(machine, name))
  const answers: Answer[] = []
  for (const unit of units) {
    const activity = await activityOf(machine, unit.name)
    if (!unit.isEnabled && activity !== 'active') continue
    const how = [...(unit.isEnabled ? ['enabled'] : []), ...(activity === 'active' ? ['active'] : [])].join(
      ' and ',
    )
    const found = `${unit.name} is ${how}: ${other.does}`
    if (!other.isTamed) answers.push(warn(found, other.todo))
    else if (mentions(unit, 'Requires', LOCKDOWN)) answers.push({ ...pass(found), todo: other.todo })
    else
      answers.push(
        fail(`${found}, but it may start without the lockdown`, `sudo ./scripts/install. ${other.todo}`),
      )
  }
  return answers
}

/** The unit, or the enabled instances of a template. */
function installed(machine: Machine, name: string): Unit[] {
  const instances = name.includes('@.') ? enabledInstances(machine, name) : [name]
  return instances
    .map((each) => readUnit(machine, each))
    .filter((unit): unit is Unit => unit !== null && !unit.isMasked)
}

function enabledInstances(machine: Machine, template: string): string[] {
  const [head = '', tail = ''] = template.split('@')
  const names = new RegExp(`^${head}@.+\\${tail}$`)
  const wants = machine.names('/etc/systemd/system').filter((entry) => entry.endsWith('.wants'))
  const wanted = wants
    .flatMap((entry) => machine.names(`/etc/systemd/system/${entry}`))
    .filter((name) => names.test(name))
  return [...new Set([...wanted, ...unitNames(machine, names)])]
}

/** Where programs leave scripts that run when a network changes, at boot or by the clock. */
const SCRIPT_FOLDERS = [
  '/etc/network/if-pre-up.d',
  '/etc/network/if-up.d',
  '/etc/network/if-down.d',
  '/etc/network/if-post-down.d',
  '/etc/NetworkManager/dispatcher.d',
  '/etc/networkd-dispatcher/routable.d',
  '/lib/dhcpcd/dhcpcd-hooks',
  '/etc/dhcp/dhclient-exit-hooks.d',
  '/etc/cron.d',
  '/etc/cron.daily',
  '/etc/cron.hourly',
]
const SCRIPTS = ['/etc/rc.local', '/etc/dhcpcd.exit-hook', '/etc/crontab']

function lookAtScripts({ machine }: Context): Answer[] {
  const files = [
    ...SCRIPTS,
    ...SCRIPT_FOLDERS.flatMap((folder) => machine.names(folder).map((name) => `${folder}/${name}`)),
  ]
  const found = files.filter((file) =>
    /^[^#\n]*\b(?:nft|iptables(?:-restore)?|ip6tables(?:-restore)?|ufw)\s/m.test(machine.text(file) ?? ''),
  )
  if (found.length === 0) return [pass('none that runs with the network or at boot changes rules')]
  return found.map((file) =>
    warn(`${file} changes firewall rules`, 'Read it, and take out what flushes: nft flush ruleset.'),
  )
}

/** It sends kernel messages by UDP straight from the driver, past every rule. Source: Documentation/networking/netconsole. */
function lookAtNetconsole({ machine }: Context): Answer[] {
  const isLoaded =
    /^netconsole /m.test(machine.text('/proc/modules') ?? '') || machine.isThere('/sys/module/netconsole')
  const targets = machine.names('/sys/kernel/config/netconsole')
  const isAsked = /\bnetconsole=/.test(machine.text('/proc/cmdline') ?? '')
  if (!isLoaded && !isAsked) return [pass('it is not loaded')]
  if (targets.length === 0 && !isAsked)
    return [
      warn(
        'it is loaded, without a target',
        'echo blacklist netconsole | sudo tee /etc/modprobe.d/netconsole.conf',
      ),
    ]
  return [
    fail(
      'it sends kernel messages past the firewall',
      'Take netconsole= out of cmdline.txt; echo blacklist netconsole | sudo tee /etc/modprobe.d/netconsole.conf',
    ),
  ]
}

/** We drop what is forwarded in every state; who turned it on meant something. */
function lookAtForwarding({ machine }: Context): Answer[] {
  const on = ['/proc/sys/net/ipv4/ip_forward', '/proc/sys/net/ipv6/conf/all/forwarding'].filter(
    (path) => machine.text(path)?.trim() === '1',
  )
  if (on.length === 0) return [pass('off')]
  return [
    warn(
      `on (${on.map((path) => path.slice('/proc/sys/'.length)).join(', ')}); what is forwarded is dropped all the same`,
      'Find who turns it on: grep -r forward /etc/sysctl.conf /etc/sysctl.d /usr/lib/sysctl.d; Docker does.',
    ),
  ]
}
