/**
 * Kernel checks: whether nft and this kernel can do what keeps the uplinks shut. What they can is tried out in an empty
 * network namespace that is gone with the trial, never in the machine's own.
 */
import {
  AS_ROOT,
  fail,
  notApplicable,
  pass,
  warn,
  type Answer,
  type Check,
  type Context,
  type Group,
} from './check.js'
import type { Machine } from './machine.js'

/** What is tried: words for a person, the rules that need it, and what is lost without it. */
const FEATURES = [
  {
    name: 'drop in inet, arp and bridge',
    rules: ['inet', 'arp', 'bridge']
      .map(
        (family) =>
          `table ${family} t {\n chain c {\n  type filter hook output priority 0; policy drop;\n }\n}\n`,
      )
      .join(''),
  },
  {
    name: 'reset toward our own socket (nft_reject)',
    rules:
      'table inet t {\n chain c {\n  type filter hook output priority 0;\n  meta l4proto tcp reject with tcp reset;\n }\n}\n',
  },
  {
    name: 'egress of a device (netdev)',
    rules:
      'table netdev t {\n chain c {\n  type filter hook egress device "lo" priority 0; policy drop;\n }\n}\n',
  },
  { name: 'tables with an owner', rules: 'table inet t {\n flags owner;\n}\n' },
  {
    name: 'sets whose elements lapse',
    rules:
      'table inet t {\n set s {\n  type iface_index; flags timeout; timeout 3s;\n }\n}\nadd element inet t s { 1 }\n',
  },
] as const

/** The oldest that the rules were tried with. */
const OLDEST_NFT = [1, 0, 6]
/** From here on netdev chains bind by name, before that by device. Source: Linux 6.16, netfilter: nf_tables. */
const BINDS_BY_NAME_FROM = [6, 16]
/** `hook egress` of netdev is there from 5.16, which everything here rests on. */
const OLDEST_KERNEL = [5, 16]

export const KERNEL_GROUP: Group = {
  name: 'firewall',
  checks: [
    { name: 'nft', look: lookAtNft },
    { name: 'kernel features', look: lookAtFeatures },
    { name: 'INET_DIAG_DESTROY', look: lookAtDestroy },
    { name: 'netdev binding', look: lookAtBinding },
    { name: 'tools', look: lookAtTools },
  ] satisfies Check[],
}

async function lookAtNft({ machine }: Context): Promise<Answer[]> {
  const ran = await machine.run('nft', ['--version'])
  if (ran === null) return [fail('nft is not installed', 'sudo apt install nftables')]
  const version = /v(\d+(?:\.\d+)*)/.exec(ran.stdout)?.[1]
  if (version === undefined)
    return [warn(`its version is not known: ${firstLine(ran.stdout)}`, 'Look at it: nft --version')]
  return isAtLeast(version, OLDEST_NFT)
    ? [pass(`nftables ${version}`)]
    : [
        fail(
          `nftables ${version}, and 1.0.6 is the oldest that was tried`,
          'Take the one of Debian 12 or later.',
        ),
      ]
}

async function lookAtFeatures({ machine }: Context): Promise<Answer[]> {
  if (!machine.isRoot)
    return [notApplicable('they are tried in an empty network namespace, which needs root', AS_ROOT)]
  const empty = await machine.run('unshare', ['-n', 'true'])
  if (empty?.code !== 0)
    return [
      notApplicable(
        'no network namespace can be made here to try them in',
        'In a container: look on the host.',
      ),
    ]
  const answers: Answer[] = []
  for (const { name, rules } of FEATURES) {
    const ran = await machine.run('unshare', ['-n', 'nft', '-f', '-'], rules)
    answers.push(
      ran?.code === 0
        ? pass(name)
        : fail(
            `${name}: ${firstLine(ran?.stderr ?? 'not tried')}`,
            'This kernel or nft cannot keep an uplink shut as it must be. Take the kernel of Debian 12 or later, or Raspberry Pi OS.',
          ),
    )
  }
  return answers
}

/** It would end established connections; the reset rule does the same work, so it is information. */
async function lookAtDestroy({ machine }: Context): Promise<Answer[]> {
  const instead = 'the reset rule ends connections in its place'
  const value = await kernelOption(machine, 'CONFIG_INET_DIAG_DESTROY')
  if (value === null) return [notApplicable(`the kernel's configuration is not there to be read; ${instead}`)]
  return value === 'y' ? [pass('it is built in')] : [pass(`not in this kernel; ${instead}`)]
}

/** y, m or n; null where the kernel's configuration cannot be read. Source: proc(5), /proc/config.gz. */
async function kernelOption(machine: Machine, name: string): Promise<string | null> {
  const release = machine.text('/proc/sys/kernel/osrelease')?.trim() ?? ''
  const onDisk = machine.text(`/boot/config-${release}`)
  const all =
    onDisk ??
    ((machine.text('/proc/config.gz') ?? '') === ''
      ? null
      : (await machine.run('zcat', ['/proc/config.gz']))?.stdout)
  if (all === null || all === undefined || all === '') return null
  return new RegExp(`^${name}=([ym])$`, 'm').exec(all)?.[1] ?? 'n'
}

function lookAtBinding({ machine }: Context): Answer[] {
  const release = machine.text('/proc/sys/kernel/osrelease')?.trim() ?? ''
  if (!/^\d+\.\d+/.test(release)) return [notApplicable('the version of the kernel cannot be read')]
  if (!isAtLeast(release, OLDEST_KERNEL))
    return [
      fail(
        `kernel ${release} has no netdev egress`,
        'Take the kernel of Debian 12 or later, or Raspberry Pi OS.',
      ),
    ]
  return isAtLeast(release, BINDS_BY_NAME_FROM)
    ? [pass(`kernel ${release}: by name; a renamed uplink is covered again by udev's rule and the guard`)]
    : [pass(`kernel ${release}: by device; it follows a rename, and goes with the device`)]
}

/** What the guard runs besides nft and libgpiod's tools, and the package that has it. */
const TOOLS = { ip: 'iproute2', flock: 'util-linux', setpriv: 'util-linux' }

async function lookAtTools({ machine }: Context): Promise<Answer[]> {
  const missing: string[] = []
  for (const [tool, name] of Object.entries(TOOLS))
    if ((await machine.run(tool, ['--version'])) === null) missing.push(`${tool} (package ${name})`)
  if (missing.length === 0) return [pass(Object.keys(TOOLS).join(', '))]
  return [fail(`missing: ${missing.join(', ')}`, 'Install them with apt.')]
}

/** `6.12.34+rpt-rpi-v8` against [6, 16]. */
export function isAtLeast(version: string, wanted: readonly number[]): boolean {
  const numbers = version.split(/[^\d]+/).map(Number)
  for (const [at, want] of wanted.entries()) {
    const have = numbers[at] ?? 0
    if (have !== want) return have > want
  }
  return true
}

export function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? ''
}
