/**
 * Locals: which interfaces are what the configuration calls local, pure. All others but loopback are uplinks; a mismatch is one.
 * Never believed: what a DHCP server says of its network. Compared: name, hardware address or path, addresses, routes, ports.
 */
import { isMarkedDown } from './links.js'
import { subnetTrouble } from './policy.js'
import type { LocalInterface } from '../../base/configuration.js'
import { isInside, parseSubnet } from '../../base/ipv4-network.js'
import type { Subnet } from '../../base/ipv4-network.js'
import type { DoorPolicy } from './policy.js'
import type { Link, Survey } from './links.js'
import type { Uplink, VerifiedLocal } from './ruleset.js'

/** What is known of an interface beyond what `ip` lists. */
export interface LinkFacts {
  /** udev's ID_PATH; null where udev does not know it. */
  path: string | null
  /** Router advertisements are not accepted (or there is no IPv6): they would bring a default route. */
  ignoresRouters: boolean
}

export interface LocalReading {
  name: string
  isThere: boolean
  /** Why it is an uplink though it was configured as local; null if it is local, or not there. */
  mismatch: string | null
}

export interface Sorted {
  locals: LocalReading[]
  verified: VerifiedLocal[]
  uplinks: (Uplink & { isUp: boolean })[]
}

/** The canary's own pair of virtual devices: no way out of this machine, as long as both ends are here. */
const CANARY_NAME = /^glcanary[01]$/

/**
 * Every link is loopback, verified local, the canary's, or an uplink.
 * @param before what was read last: an interface that we took down has lost the routes by which it was found out.
 */
export function sortLinks(
  policy: DoorPolicy,
  { links, routes }: Survey,
  facts: ReadonlyMap<number, LinkFacts>,
  before: readonly LocalReading[] = [],
): Sorted {
  const byName = new Map(links.map((link) => [link.name, link]))
  const mismatches = new Map<string, string | null>()
  for (const local of policy.locals) {
    const link = byName.get(local.name)
    if (link !== undefined) {
      const found = identityMismatch(local, link, { links, routes }, facts.get(link.ifindex))
      mismatches.set(local.name, found ?? lastingMismatch(link, before))
    }
  }
  spreadMismatches(mismatches, byName)
  const isLocal = (link: Link) => mismatches.get(link.name) === null
  return {
    locals: policy.locals.map(({ name }) => ({
      name,
      isThere: byName.has(name),
      mismatch: mismatches.get(name) ?? null,
    })),
    verified: policy.locals.flatMap(({ name, subnet }) => {
      const link = byName.get(name)
      return link !== undefined && isLocal(link) ? [{ ifindex: link.ifindex, subnet }] : []
    }),
    uplinks: links
      .filter((link) => !link.isLoopback && !isLocal(link) && !isCanary(link, byName))
      .map(({ ifindex, name, isUp }) => ({ ifindex, name, isUp })),
  }
}

function identityMismatch(
  local: LocalInterface,
  link: Link,
  survey: Survey,
  facts: LinkFacts | undefined,
): string | null {
  const bad = subnetTrouble(local.subnet)
  if (bad !== null) return bad
  if (local.mac === null && local.path === null) return 'neither mac nor path says which device it is'
  if (local.mac !== null && local.mac.toLowerCase() !== link.mac) {
    return `its mac is ${link.mac ?? 'none'} and not ${local.mac}`
  }
  if (local.path !== null && facts?.path !== local.path) {
    return `its path is ${facts?.path ?? 'not known'} and not ${local.path}`
  }
  if (facts?.ignoresRouters !== true) return 'it takes router advertisements (accept_ra)'
  const subnet = parseSubnet(local.subnet)!
  return addressMismatch(link, subnet) ?? routeMismatch(link, survey, subnet)
}

/** While it is down as an uplink it stays one: it is looked at afresh when it is up, by a permit or by hand. */
function lastingMismatch(link: Link, before: readonly LocalReading[]): string | null {
  const { name, isUp } = link
  if (isUp || !isMarkedDown(link)) return null
  const why = before.find((each) => each.name === name)?.mismatch
  return why ?? `it was taken down as an uplink (ip link set ${name} up)`
}

function addressMismatch(link: Link, subnet: Subnet): string | null {
  const stray = link.addresses.find(({ family, text, isLinkLocal }) => {
    if (family === 6) return !isLinkLocal
    const [address = '', bits] = text.split('/')
    const host = parseSubnet(address)
    return host === null || !isInside(host, subnet) || Number(bits) < subnet.bits
  })
  return stray === undefined ? null : `it has the address ${stray.text}, outside its subnet`
}

/** A route that leads out of the subnet makes it a way out, whether or not it is called default. */
function routeMismatch(link: Link, { routes }: Survey, subnet: Subnet): string | null {
  const out = routes.find(({ destination, type, devices, hasGateway }) => {
    if (!devices.includes(link.name)) return false
    if (hasGateway) return true
    if (type === 'local' || type === 'broadcast' || type === 'anycast' || type === 'multicast') return false
    if (/^(?:fe80:|ff)/.test(destination)) return false
    const target = parseSubnet(destination)
    return target === null || !isInside(target, subnet)
  })
  return out === undefined ? null : `it has a route to ${out.destination}`
}

/** An interface is only as local as its ports, the bridge that it is a port of, and what it lies on. To a fixed point. */
function spreadMismatches(mismatches: Map<string, string | null>, byName: ReadonlyMap<string, Link>): void {
  const isLocal = (name: string) => mismatches.get(name) === null
  for (let hasChanged = true; hasChanged;) {
    hasChanged = false
    for (const [name, mismatch] of mismatches) {
      const why = mismatch === null ? neighbourMismatch(byName.get(name)!, byName, isLocal) : null
      if (why === null) continue
      mismatches.set(name, why)
      hasChanged = true
    }
  }
}

function neighbourMismatch(
  link: Link,
  byName: ReadonlyMap<string, Link>,
  isLocal: (name: string) => boolean,
): string | null {
  for (const port of byName.values()) {
    if (port.master === link.name && !isLocal(port.name)) return `its port ${port.name} is not local`
  }
  if (link.master !== null && !isLocal(link.master))
    return `it is a port of ${link.master}, which is not local`
  if (link.kind !== 'veth' && link.lower !== null && !isLocal(link.lower)) {
    return `it lies on ${link.lower}, which is not local`
  }
  return null
}

function isCanary(link: Link, byName: ReadonlyMap<string, Link>): boolean {
  if (link.kind !== 'veth' || !CANARY_NAME.test(link.name) || link.lower === null) return false
  const other = byName.get(link.lower)
  const isPair = other?.kind === 'veth' && CANARY_NAME.test(other.name) && other.lower === link.name
  return isPair && link.master === null && other.master === null
}
