/**
 * Links: the interfaces of this network namespace as `ip` lists them, with their addresses and routes.
 * Never from /sys, which may be that of another namespace. Source: ip-link(8), ip-route(8).
 */
import * as v from 'valibot'
import { runTool } from './child.js'
import type { Outcome } from './child.js'

/** What a person sees in `ip link` on a device that was taken down by us. */
export const DOWN_ALIAS = 'groundlock: down while shut'

/** The same where the alias is somebody else's: a second name, of which a device may have several and each only one device. */
export function downAltname(ifindex: number): string {
  return `groundlock_down_${ifindex}`
}

/** Was it taken down by us, whether by this guard or by one before it? */
export function isMarkedDown({ ifindex, alias, altnames }: Link): boolean {
  return alias === DOWN_ALIAS || altnames.includes(downAltname(ifindex))
}

/** What `ip` says, with exit 0, of a list that changed while it was read: a device may be missing in it. */
const INTERRUPTED = 'Dump was interrupted'

/** So often (count) it is asked before that is trouble; a container that starts changes a list once or twice. */
const MOST_ASKED = 3

export interface Link {
  ifindex: number
  name: string
  /** Further names that `ip` takes for it. */
  altnames: string[]
  isUp: boolean
  isLoopback: boolean
  mac: string | null
  /** `veth`, `bridge`, `vlan`, `tun` …; '' for hardware. */
  kind: string
  /** The interface that it is a port of. */
  master: string | null
  /** What it lies on (a VLAN's parent), or a veth's other end; only if that is in this namespace. */
  lower: string | null
  alias: string
  /** IPv4 as `192.168.7.1/24`, IPv6 likewise. */
  addresses: { family: 4 | 6; text: string; isLinkLocal: boolean }[]
}

export interface Route {
  destination: string
  /** unicast, local, broadcast, multicast … */
  type: string
  devices: string[]
  hasGateway: boolean
}

export interface Survey {
  links: Link[]
  routes: Route[]
}

const linksSchema = v.array(
  v.object({
    ifindex: v.number(),
    ifname: v.string(),
    altnames: v.optional(v.array(v.string()), []),
    flags: v.array(v.string()),
    link_type: v.optional(v.string(), ''),
    address: v.optional(v.string()),
    link: v.optional(v.nullable(v.string())),
    master: v.optional(v.string()),
    ifalias: v.optional(v.string(), ''),
    linkinfo: v.optional(v.object({ info_kind: v.optional(v.string(), '') })),
    addr_info: v.optional(
      v.array(
        v.object({
          family: v.optional(v.string(), ''),
          local: v.optional(v.string(), ''),
          prefixlen: v.optional(v.number(), 0),
          scope: v.optional(v.string(), ''),
        }),
      ),
      [],
    ),
  }),
)

const hopSchema = v.looseObject({ dev: v.optional(v.string()), gateway: v.optional(v.string()) })
const routesSchema = v.array(
  v.looseObject({
    dst: v.string(),
    type: v.optional(v.string(), 'unicast'),
    dev: v.optional(v.string()),
    gateway: v.optional(v.string()),
    via: v.optional(v.unknown()),
    nexthops: v.optional(v.array(hopSchema), []),
  }),
)

/** `ip -j -d addr` to links; null where it is none. */
export function parseLinks(text: string): Link[] | null {
  // iproute2 writes an empty object for what it left out.
  const parsed = v.safeParse(linksSchema, withoutEmpty(text))
  if (!parsed.success) return null
  return parsed.output.map((each) => ({
    ifindex: each.ifindex,
    name: each.ifname,
    altnames: each.altnames,
    isUp: each.flags.includes('UP'),
    isLoopback: each.flags.includes('LOOPBACK'),
    mac: each.link_type === 'ether' ? (each.address?.toLowerCase() ?? null) : null,
    kind: each.linkinfo?.info_kind ?? '',
    master: each.master ?? null,
    lower: each.link ?? null,
    alias: each.ifalias,
    addresses: each.addr_info
      .filter(({ family }) => family === 'inet' || family === 'inet6')
      .map(({ family, local, prefixlen, scope }) => ({
        family: family === 'inet' ? 4 : 6,
        text: `${local}/${prefixlen}`,
        isLinkLocal: scope === 'link',
      })),
  }))
}

/** `ip -j route show table all` to routes; null where it is none. */
export function parseRoutes(text: string): Route[] | null {
  const parsed = v.safeParse(routesSchema, withoutEmpty(text))
  if (!parsed.success) return null
  return parsed.output.map(({ dst, type, dev, gateway, via, nexthops }) => ({
    destination: dst,
    type,
    devices: [dev, ...nexthops.map((hop) => hop.dev)].filter((name) => name !== undefined),
    hasGateway:
      gateway !== undefined || via !== undefined || nexthops.some((hop) => hop.gateway !== undefined),
  }))
}

/** The interfaces as they are now, or what failed. Routes are asked for only where a local interface hangs on them. */
export async function survey(withRoutes: boolean): Promise<Survey | { trouble: string }> {
  const [links, routes] = await Promise.all([
    listed(['-j', '-d', 'addr', 'show']),
    withRoutes ? listed(['-j', 'route', 'show', 'table', 'all']) : { trouble: null, stdout: '[]' },
  ])
  const trouble = links.trouble ?? routes.trouble
  if (trouble !== null) return { trouble }
  const parsed = { links: parseLinks(links.stdout), routes: parseRoutes(routes.stdout) }
  if (parsed.links === null || parsed.links.length === 0 || parsed.routes === null) {
    return { trouble: 'ip: its list of interfaces cannot be read' }
  }
  return { links: parsed.links, routes: parsed.routes }
}

async function listed(args: readonly string[]): Promise<Pick<Outcome, 'trouble' | 'stdout'>> {
  for (let asked = 0; asked < MOST_ASKED; asked++) {
    const outcome = await runTool('ip', args)
    if (!outcome.stderr.includes(INTERRUPTED)) return outcome
  }
  return { trouble: 'ip: the interfaces change faster than they can be listed', stdout: '' }
}

/** By its index, whatever it is called when the command arrives (`if7`); by its name where some device is called that. */
export function linkHandle(
  { ifindex, name }: { ifindex: number; name: string },
  links: readonly Link[],
): string {
  const handle = `if${ifindex}`
  return links.some((link) => link.name === handle || link.altnames.includes(handle)) ? name : handle
}

function withoutEmpty(text: string): unknown {
  try {
    const list: unknown = JSON.parse(text === '' ? '[]' : escaped(text))
    if (!Array.isArray(list)) return list
    return list.filter(
      (each: unknown) => typeof each !== 'object' || each === null || Object.keys(each).length > 0,
    )
  } catch {
    return null
  }
}

/**
 * iproute2 writes most control characters as they are, and an alias or a name may hold any: one such device would make the
 * list unreadable for as long as it is there. Those that JSON takes for space it escapes by itself.
 */
function escaped(text: string): string {
  return text.replace(
    /(?![\n\r\t])\p{Cc}/gu,
    (one) => `\\u00${one.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
