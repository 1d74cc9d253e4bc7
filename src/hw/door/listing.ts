/**
 * Listing: what `nft list ruleset` says, cut down to what can be compared.
 * Counts and the time that is left of an element are left out; they change by themselves.
 *
 * Read as text, not as JSON: nft 1.0.6 prints freed memory for a table with a single flag (the twin's `owner`), and all behind
 * it may be missing. The text is that of nft(8), in which a table ends with the only `}` at the beginning of a line.
 */
import { LEASE_MS } from '../token/lease.js'
import { CANARY_COUNTER, isOurTable } from './ruleset.js'

/** One table of ours as it is in the kernel. */
export interface Table {
  family: string
  name: string
  /** All but names of tables and devices and the contents of the sets, in the kernel's order: compared as text. */
  structure: string
  /** How many flags the table has: a base none, a twin one (owner), and a dormant one does nothing at all. */
  flagCount: number
  /**
   * Devices that its chains are bound to (netdev). Where the kernel binds by name it is the name that was given, whatever
   * device has it now.
   */
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

const TABLE = /^table (\S+) (\S+) \{(?: #.*)?$/

/** Null where it is no listing: an nft that is another than we know, or output that was cut. */
export function parseListing(text: string): Listing | null {
  const listing: Listing = { ours: new Map(), foreign: [] }
  const lines = text.split('\n')
  for (let at = 0; at < lines.length; at++) {
    if (lines[at] === '') continue
    const [, family, name] = TABLE.exec(lines[at]!) ?? []
    const end = lines.indexOf('}', at)
    if (family === undefined || name === undefined || end < 0) return null
    const key = `${family} ${name}`
    if (isOurTable(name)) listing.ours.set(key, tableOf(family, name, lines.slice(at + 1, end)))
    else listing.foreign.push(key)
    at = end
  }
  return listing
}

/** What a line of a table can begin, at its depth; a set's elements may go on over several lines. */
const FLAGS = /^\tflags (.*)$/
const OBJECT = /^\t(set|map|counter|chain) (\S+) \{/
const ELEMENTS = '\t\telements = {'
const COUNTS = /^\t\tpackets \d+ bytes \d+$/
const BOUND = /^(\t\ttype filter hook \w+) devices?(?: =)? (\{.*?\}|\S+)( .*)$/

/** Sets and maps whose elements come and go. */
const FILLED = new Set(['leased', 'locals', 'opening', 'opened'])

function tableOf(family: string, name: string, lines: readonly string[]): Table {
  const table: Table = {
    family,
    name,
    structure: '',
    flagCount: 0,
    devices: [],
    leased: [],
    locals: [],
    hasLongLease: false,
  }
  const kept: string[] = []
  let object = ''
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!
    object = OBJECT.exec(line)?.[2] ?? object
    const flags = FLAGS.exec(line)?.[1]
    const bound = BOUND.exec(line)
    if (flags !== undefined) table.flagCount = flags.split(',').length
    else if (bound !== null) {
      table.devices.push(...namesIn(bound[2]!))
      kept.push(bound[1]! + bound[3]!)
    } else if (line.startsWith(ELEMENTS) && FILLED.has(object)) {
      const end = lines.findIndex((each, i) => i >= at && each.endsWith('}'))
      takeElements(table, object, lines.slice(at, end + 1).join(' '))
      at = Math.max(at, end)
    } else if (line !== '' && !(object === CANARY_COUNTER && COUNTS.test(line))) kept.push(line)
  }
  table.structure = kept.join('\n')
  return table
}

function namesIn(devices: string): string[] {
  return devices
    .replace(/^\{ ?| ?\}$/g, '')
    .split(', ')
    .map((name) => name.replaceAll('"', ''))
}

/** `"eth0" . 192.168.7.0/24 timeout 5s expires 4s996ms`: what it is, and for how long. */
const ELEMENT = /^(.*?)(?: timeout (\S+))?(?: expires (\S+))?$/

function takeElements(table: Table, set: string, text: string): void {
  if (set !== 'leased' && set !== 'locals') return
  const inner = text.slice(text.indexOf('{') + 1, text.lastIndexOf('}'))
  for (const part of inner.split(',')) {
    const [, what = '', timeout, expires] = ELEMENT.exec(part.trim()) ?? []
    table[set].push(what.replaceAll('"', '').replaceAll(' . ', ' '))
    // nft leaves an element's own timeout out where it is that of the set; one without an end does not expire.
    const isShort = timeout === undefined && expires !== undefined && durationMs(expires) <= LEASE_MS
    if (set === 'leased' && !isShort) table.hasLongLease = true
  }
}

const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 }

/** `1m2s996ms`; endless where it is none. */
function durationMs(text: string): number {
  const parts = [...text.matchAll(/(\d+)(ms|[dhms])/g)]
  if (parts.map(([whole]) => whole).join('') !== text) return Infinity
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNIT_MS[unit] ?? Infinity), 0)
}
