/**
 * Listing: what `nft -j list ruleset` says, cut down to what can be compared.
 * Handles, counts and the time that is left of an element are left out; they change by themselves.
 */
import * as v from 'valibot'
import { CANARY_COUNTER, LEASE_S, isOurTable } from './ruleset.js'

/** One table of ours as it is in the kernel. */
export interface Table {
  family: string
  name: string
  /** All but names of tables and devices and the contents of the sets, in the kernel's order: compared as text. */
  structure: string
  /** How many flags the table has: a base none, a twin one (owner), and a dormant one does nothing at all. */
  flagCount: number
  /** Devices that its chains are bound to (netdev). */
  devices: string[]
  /** Elements of `leased` and `locals`, as nft writes them: `eth0`, `eth0 192.168.7.0/24`. */
  leased: string[]
  locals: string[]
  /** An element of `leased` that lives longer than a lease may. */
  hasLongLease: boolean
}

export interface Listing {
  /** By family and name: `inet groundlock`. */
  ours: Map<string, Table>
  /** Tables of other programs, `ip filter`; never touched. */
  foreign: string[]
}

const objectSchema = v.looseObject({
  family: v.string(),
  name: v.optional(v.string()),
  table: v.optional(v.string()),
})
const listingSchema = v.object({ nftables: v.array(v.record(v.string(), v.unknown())) })
const elementSchema = v.object({
  elem: v.looseObject({
    val: v.unknown(),
    timeout: v.optional(v.number()),
    expires: v.optional(v.number()),
  }),
})
const prefixSchema = v.object({ prefix: v.object({ addr: v.string(), len: v.number() }) })
const concatSchema = v.object({ concat: v.array(v.unknown()) })

/** Null where it is no listing: an nft that is another than we know, or output that was cut. */
export function parseListing(
  text: string,
  devices: ReadonlyMap<string, string[]> = new Map(),
): Listing | null {
  const parsed = v.safeParse(listingSchema, json(text))
  if (!parsed.success) return null
  const listing: Listing = { ours: new Map(), foreign: [] }
  const parts = new Map<Table, unknown[]>()
  for (const entry of parsed.output.nftables) {
    const [kind, value] = Object.entries(entry)[0] ?? ['', null]
    const object = v.safeParse(objectSchema, value)
    if (!object.success) continue // metainfo
    addObject(listing, parts, kind, object.output)
  }
  for (const [table, objects] of parts) {
    table.structure = JSON.stringify(objects)
    if (table.family === 'netdev') table.devices = devices.get(table.name) ?? []
  }
  return listing
}

/**
 * Devices that the netdev chains are bound to, by table: `nft list chains netdev`. Read as text, because the JSON of nft 1.0.6
 * does not say them. Where the kernel binds by name it is the name that was given, whatever device has it now.
 */
export function chainDevices(text: string): Map<string, string[]> {
  const devices = new Map<string, string[]>()
  let table = ''
  for (const line of text.split('\n')) {
    table = /^table netdev (\S+) \{/.exec(line)?.[1] ?? table
    const bound = /^\t\ttype filter hook \w+ devices?(?: =)? (.*?) priority /.exec(line)?.[1]
    if (bound === undefined) continue
    const names = bound.replace(/^\{ | \}$/g, '').split(', ')
    devices.set(table, [...(devices.get(table) ?? []), ...names.map((name) => name.replaceAll('"', ''))])
  }
  return devices
}

/** Tables that other programs made, as `family name`: `doctor` says whose they may be. */
export function foreignTables(text: string): string[] {
  return parseListing(text)?.foreign ?? []
}

type ListedObject = v.InferOutput<typeof objectSchema>

function addObject(listing: Listing, parts: Map<Table, unknown[]>, kind: string, object: ListedObject): void {
  const name = (kind === 'table' ? object.name : object.table) ?? ''
  const key = `${object.family} ${name}`
  if (!isOurTable(name)) {
    if (kind === 'table') listing.foreign.push(key)
    return
  }
  let table = listing.ours.get(key)
  if (table === undefined) {
    const empty = { structure: '', flagCount: 0, devices: [], leased: [], locals: [], hasLongLease: false }
    table = { family: object.family, name, ...empty }
    listing.ours.set(key, table)
    parts.set(table, [])
  }
  if (kind === 'table') {
    table.flagCount = flagCount(object['flags'])
    return
  }
  if (kind === 'set') readSet(table, object)
  parts.get(table)!.push([kind, comparable(kind, object)])
}

function readSet(table: Table, object: ListedObject): void {
  const elements = Array.isArray(object['elem']) ? (object['elem'] as unknown[]) : []
  if (object.name === 'locals') table.locals = elements.map(elementText)
  if (object.name !== 'leased') return
  table.leased = elements.map(elementText)
  table.hasLongLease = !elements.every(isShortLease)
}

/** nft leaves an element's own timeout out where it is that of the set; one without an end has no `expires`. */
function isShortLease(element: unknown): boolean {
  if (!v.is(elementSchema, element)) return false
  return element.elem.timeout === undefined && (element.elem.expires ?? Infinity) <= LEASE_S
}

function elementText(element: unknown): string {
  const inner = v.is(elementSchema, element) ? element.elem.val : element
  if (v.is(concatSchema, inner)) return inner.concat.map(elementText).join(' ')
  if (v.is(prefixSchema, inner)) return `${inner.prefix.addr}/${inner.prefix.len}`
  return typeof inner === 'string' || typeof inner === 'number' ? String(inner) : JSON.stringify(inner)
}

/** What has to be equal. */
function comparable(kind: string, object: ListedObject): Record<string, unknown> {
  const { handle: _, table: __, dev: ___, ...kept } = object as Record<string, unknown>
  if (kind === 'set' && (kept['name'] === 'leased' || kept['name'] === 'locals')) delete kept['elem']
  if (kind === 'counter' && kept['name'] === CANARY_COUNTER) return { name: CANARY_COUNTER }
  return kept
}

/** nft 1.0.6 writes nonsense for a single flag of a table, so only their number counts. */
function flagCount(flags: unknown): number {
  if (flags === undefined) return 0
  return Array.isArray(flags) ? flags.length : 1
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
