/** Uplink checks: each interface of this machine, whether it is an uplink or local, and what keeps it shut. */
import type { LocalInterface } from '../base/configuration.js'
import type { GuardStatus } from '../base/guard-status.js'
import { AS_ROOT, fail, notApplicable, pass, warn, type Answer, type Context, type Group } from './check.js'
import { startGuardCommand } from './installation.js'
import type { Machine } from './machine.js'

export const UPLINK_GROUP: Group = {
  name: 'interfaces',
  checks: [
    { name: 'uplink', look: lookAtUplinks },
    { name: 'local', look: lookAtLocals },
  ],
}

const NET = '/sys/class/net'
/** IFF_UP (linux/if.h): the administrator's wish, which link down takes away. */
const IFF_UP = 1
/** The guard's own pair of virtual devices. */
const CANARY = /^glcanary\d$/

/** What a guard that runs has read of the kernel; null where there is none, or where it could not read. */
function readingOf({ guard }: Context): GuardStatus['reading'] {
  const reading = guard.state === 'live' ? guard.status?.reading : null
  return reading?.isRead === true ? reading : null
}

/** A local interface that is not as configured is one of them. */
async function lookAtUplinks(context: Context): Promise<Answer[]> {
  const { machine, configuration } = context
  const asConfigured = configuration.uplink.locals.filter((local) => mismatchOf(context, local) === null)
  const locals = new Set(asConfigured.map(({ name }) => name))
  const names = machine
    .names(NET)
    .filter(
      (name) =>
        name !== 'lo' &&
        !locals.has(name) &&
        !CANARY.test(name) &&
        machine.text(`${NET}/${name}/ifindex`) !== null,
    )
  if (names.length === 0) return [notApplicable('there is none: every interface is lo or local')]
  const covers = await coversOf(machine)
  return names.map((name) => uplinkAnswer(context, name, covers))
}

/** Ifindexes that have a netdev table of ours; null where this user may not see them. */
async function coversOf(machine: Machine): Promise<Set<number> | null> {
  if (!machine.isRoot) return null
  const ran = await machine.run('nft', ['list', 'tables', 'netdev'])
  if (ran?.code !== 0) return null
  return new Set(
    [...ran.stdout.matchAll(/^table netdev groundlock_(\d+)$/gm)].map((match) => Number(match[1])),
  )
}

function uplinkAnswer(context: Context, name: string, covers: Set<number> | null): Answer {
  const { machine, guard } = context
  const ifindex = Number(machine.text(`${NET}/${name}/ifindex`))
  const seen = readingOf(context)?.uplinks.find(
    (uplink) => uplink.ifindex === ifindex && uplink.name === name,
  )
  const isUp = seen?.isUp ?? (Number(machine.text(`${NET}/${name}/flags`)) & IFF_UP) !== 0
  const isCovered = seen?.isCovered ?? covers?.has(ifindex) ?? null
  const parts = [
    `${name} (${kindOf(machine, name)}): ${isUp ? 'up' : 'link down'}`,
    isCovered === null ? 'cover not seen' : isCovered ? 'covered' : 'not covered',
    ...(seen?.isLeased === true ? ['permitted now'] : []),
  ]
  const found = parts.join(', ')
  if (isCovered === null) return notApplicable(found, machine.isRoot ? null : AS_ROOT)
  if (!isCovered)
    return fail(found, `Raw frames can leave over it. Is the guard running? ${startGuardCommand(machine)}`)
  if (seen !== undefined) return pass(found)
  return guard.state === 'live'
    ? warn(found, 'The guard has not read it back: journalctl -u groundlock-guard')
    : warn(found, `No guard that runs looks after it: ${startGuardCommand(machine)}`)
}

function kindOf(machine: Machine, name: string): string {
  if (machine.isThere(`${NET}/${name}/wireless`) || machine.isThere(`${NET}/${name}/phy80211`)) return 'Wi-Fi'
  if (machine.isThere(`${NET}/${name}/bridge`)) return 'bridge'
  if (machine.isThere(`${NET}/${name}/bonding`)) return 'bond'
  if (machine.isThere(`${NET}/${name}/tun_flags`)) return 'tunnel'
  if (/\/usb\d*\//.test(machine.real(`${NET}/${name}`))) return 'USB'
  return machine.isThere(`${NET}/${name}/device`) ? 'card' : 'virtual'
}

function lookAtLocals(context: Context): Answer[] {
  const { locals } = context.configuration.uplink
  if (locals.length === 0) return [notApplicable('none is configured: every interface but lo is an uplink')]
  return locals.map((local) => localAnswer(context, local))
}

/** What becomes of it as an uplink stands with the uplinks: it may be shut, permitted or bare. */
function localAnswer(context: Context, local: LocalInterface): Answer {
  const { name, subnet } = local
  if (!context.machine.isThere(`${NET}/${name}`)) return notApplicable(`${name} is not plugged in`)
  const mismatch = mismatchOf(context, local)
  // Only the guard tells the rules of a local interface, and it looks at addresses, all routes and what lies on it as well.
  if (mismatch === null)
    return pass(
      readingOf(context) === null
        ? `${name} has the card and no default route, as configured; the guard, which looks at more, has not seen it`
        : `${name} is what is configured, ${subnet} only`,
    )
  return fail(
    `${name} is not as configured, so an uplink: ${mismatch}`,
    'Mend the entry in [uplink] local, or what is plugged in; groundlock config explain uplink.local',
  )
}

/** Why it is an uplink though it is configured as local: the guard's word first, which compares more than we do here. */
function mismatchOf(context: Context, local: LocalInterface): string | null {
  const { machine } = context
  const reading = readingOf(context)
  const told = reading?.locals.find(({ name }) => name === local.name)?.mismatch ?? null
  if (told !== null) return told
  // The guard switches router advertisements off when it looks: before its first look they mean nothing.
  return identityMismatch(machine, local) ?? (reading === null ? null : routerMismatch(machine, local))
}

function identityMismatch(machine: Machine, { name, mac, path }: LocalInterface): string | null {
  const found = machine.text(`${NET}/${name}/address`)?.trim() ?? 'none'
  if (mac !== null && found !== mac) return `its hardware address is ${found}, not ${mac}`
  const place = pathOf(machine, name)
  if (path !== null && place !== path) return `its path is ${place ?? 'not known to udev'}, not ${path}`
  return hasDefaultRoute(machine, name) ? 'a default route leads over it' : null
}

function routerMismatch(machine: Machine, { name }: LocalInterface): string | null {
  const acceptRa = machine.text(`/proc/sys/net/ipv6/conf/${name}/accept_ra`)?.trim() ?? '0'
  return acceptRa === '0' ? null : 'it takes routes from router advertisements (accept_ra is not 0)'
}

/** What udev keeps of a network device. Source: sd-device, /run/udev/data/n<ifindex>. */
function pathOf(machine: Machine, name: string): string | null {
  const ifindex = machine.text(`${NET}/${name}/ifindex`)?.trim()
  const data = machine.text(`/run/udev/data/n${ifindex}`) ?? ''
  return /^E:ID_PATH=(.*)$/m.exec(data)?.[1] ?? null
}

/** Destination and mask of zero in proc(5)'s /proc/net/route. */
function hasDefaultRoute(machine: Machine, name: string): boolean {
  const rows = (machine.text('/proc/net/route') ?? '').split('\n').map((line) => line.split('\t'))
  return rows.some((row) => row[0] === name && row[1] === '00000000' && row[7] === '00000000')
}
