/**
 * Door reading: what the kernel has, held against what it should have. Pure; each difference is named with what to do.
 */
import type { Table, Listing } from './listing.js'
import type { Link } from './links.js'
import type { LocalReading, Sorted } from './locals.js'
import { BASE, FAMILIES, PATTERN, PATTERN_TWIN, TWIN, coverName, isPlainName } from './ruleset.js'
import type { VerifiedLocal } from './ruleset.js'

/**
 * `leased`: not shut. That is so with a lease, and in a permit that had nobody to give one to: no uplink is plugged in, or one
 * has just come and gets its lease with the next renewal.
 */
export type KernelState = 'shut' | 'leased' | 'differs'

export interface UplinkReading {
  ifindex: number
  name: string
  isUp: boolean
  /** Its egress drop is there and bound to it. */
  isCovered: boolean
  isLeased: boolean
}

export interface DoorReading {
  /** When it was begun (monotonic, ms). */
  atMs: number
  kernel: KernelState
  /** Both rules and links could be read. Where not, what is below says nothing of what there is. */
  isRead: boolean
  /** What differs, a line each, with what to do. */
  problems: string[]
  uplinks: UplinkReading[]
  locals: LocalReading[]
  layers: { base: boolean; netdev: boolean; twin: boolean; linkDown: boolean; rfkill: boolean | null }
}

/** How this kernel and this nft list our structures: learnt from the patterns, which nobody else can change. */
export interface Structures {
  base: Map<string, string>
  twin: Map<string, string>
  cover: string
}

export function learnStructures(listing: Listing): Structures | null {
  const structure = (family: string, name: string) => listing.ours.get(`${family} ${name}`)?.structure
  const all = (name: string) => new Map(FAMILIES.map((family) => [family, structure(family, name) ?? '']))
  const structures = {
    base: all(PATTERN),
    twin: all(PATTERN_TWIN),
    cover: structure('netdev', PATTERN) ?? '',
  }
  const texts = [...structures.base.values(), ...structures.twin.values(), structures.cover]
  return texts.includes('') ? null : structures
}

/** What was read, and what was wanted. */
export interface Seen {
  /** When looking began (monotonic, ms). */
  atMs: number
  listing: Listing
  links: readonly Link[]
  sorted: Sorted
  structures: Structures | null
  /** The last word was "shut": no lease may be there, and the twin must. */
  isShut: boolean
  /** Uplinks (ifindex) that the last permit gave a lease; those that are still there should have one. */
  permitted: ReadonlySet<number>
  /** Neither the listing nor the links stand in for what could not be read. */
  isRead: boolean
}

/** What is to be made again; empty where all is as it should be. */
export interface Wrong {
  base: string[]
  twin: string[]
  covers: number[]
  /** Tables of uplinks that are no more. */
  stale: string[]
  leases: string[]
}

export interface Comparison {
  wrong: Wrong
  leased: Set<number>
  problems: string[]
}

const REMADE =
  'it is made again by itself; if it happens again, find the program that changes it: sudo nft monitor'

export function compare(seen: Seen): Comparison {
  const { listing, sorted, structures, isShut } = seen
  const wrong: Wrong = { base: [], twin: [], covers: [], stale: [], leases: [] }
  const problems: string[] = []
  if (structures === null) problems.push('this nft or kernel cannot load the ruleset: sudo groundlock doctor')
  for (const family of FAMILIES) {
    const why = baseTrouble(listing.ours.get(`${family} ${BASE}`), structures?.base.get(family), 0, seen)
    if (why !== null) wrong.base.push(`table ${family} ${BASE} ${why}`)
    const table = listing.ours.get(`${family} ${TWIN}`)
    const twin = isShut ? baseTrouble(table, structures?.twin.get(family), 1, seen) : null
    if (twin !== null) wrong.twin.push(`table ${family} ${TWIN} ${twin}`)
  }
  for (const uplink of sorted.uplinks) {
    const why = coverTrouble(uplink, listing.ours.get(`netdev ${coverName(uplink.ifindex)}`), structures)
    if (why === null) continue
    wrong.covers.push(uplink.ifindex)
    problems.push(`uplink ${uplink.name} (${uplink.ifindex}) ${why}`)
  }
  const names = new Set(sorted.uplinks.map(({ ifindex }) => coverName(ifindex)))
  for (const { family, name } of listing.ours.values()) {
    if (family === 'netdev' && /_\d+$/.test(name) && !names.has(name)) wrong.stale.push(name)
  }
  const leased = leasedUplinks(seen, wrong.leases)
  problems.push(...[...wrong.base, ...wrong.twin].map((what) => `${what}: ${REMADE}`), ...wrong.leases)
  return { wrong, leased, problems }
}

function baseTrouble(
  table: Table | undefined,
  structure: string | undefined,
  flags: number,
  { sorted, links }: Seen,
): string | null {
  if (table === undefined) return 'is missing'
  if (table.structure !== structure) return 'differs from the policy'
  if (table.flagCount !== flags) return 'has other flags'
  const wanted = localElements(table.family, sorted.verified, links)
  if (wanted.join() !== [...table.locals].sort().join())
    return 'has other local interfaces than were verified'
  return null
}

/** The contents of a `locals` set as nft lists them: an ifindex by its name. */
function localElements(family: string, verified: readonly VerifiedLocal[], links: readonly Link[]): string[] {
  const elements = verified.map(({ ifindex, subnet }) => {
    const name = links.find((link) => link.ifindex === ifindex)?.name ?? String(ifindex)
    return family === 'bridge' ? name : `${name} ${subnet}`
  })
  return elements.sort()
}

function coverTrouble(
  { name }: { name: string },
  table: Table | undefined,
  structures: Structures | null,
): string | null {
  if (!isPlainName(name)) return 'has a name that no rule can hold: rename it (ip link set … name …)'
  if (table === undefined) return `has no egress drop: ${REMADE}`
  const isRight = table.structure === structures?.cover && table.flagCount === 0
  if (!isRight) return `has another egress drop than it should: ${REMADE}`
  if (table.devices.join() !== name)
    return `has an egress drop that is bound to ${table.devices.join()}: ${REMADE}`
  return null
}

/** Uplinks with a lease in any table. A lease of anything else, or one that lasts, is wrong; while shut every one is. */
function leasedUplinks({ listing, sorted, isShut }: Seen, wrong: string[]): Set<number> {
  const leased = new Set<number>()
  for (const { family, name, leased: elements, hasLongLease } of listing.ours.values()) {
    for (const element of elements) {
      const uplink = sorted.uplinks.find((each) => each.name === element || String(each.ifindex) === element)
      if (uplink !== undefined) leased.add(uplink.ifindex)
      if (isShut)
        wrong.push(`${family} ${name} has a lease for ${element} that nobody gave: it is taken away`)
      // An element that is no uplink is one that was, a moment ago: its lease lapses, and its index is not used again so soon.
    }
    if (hasLongLease) wrong.push(`${family} ${name} has a lease without an end: it is taken away`)
  }
  return leased
}

export function readingOf(
  { wrong, leased, problems }: Comparison,
  { atMs, sorted, isShut, permitted, isRead }: Seen,
  radio: boolean | null,
): DoorReading {
  const differs = problems.length > 0
  const hasLapsed = leased.size === 0 && sorted.uplinks.some(({ ifindex }) => permitted.has(ifindex))
  return {
    atMs,
    kernel: differs ? 'differs' : isShut || hasLapsed ? 'shut' : 'leased',
    isRead,
    problems,
    uplinks: sorted.uplinks.map(({ ifindex, name, isUp }) => ({
      ifindex,
      name,
      isUp,
      isCovered: !wrong.covers.includes(ifindex),
      isLeased: leased.has(ifindex),
    })),
    locals: sorted.locals,
    layers: {
      base: wrong.base.length === 0 && wrong.leases.length === 0,
      netdev: wrong.covers.length === 0,
      twin: isShut && wrong.twin.length === 0,
      linkDown: sorted.uplinks.every(({ isUp }) => !isUp),
      rfkill: radio,
    },
  }
}
