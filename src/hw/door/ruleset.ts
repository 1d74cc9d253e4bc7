/**
 * Ruleset: the firewall's text from a policy, pure. The base drops on every device, present or future, and names none.
 *
 *     inet arp bridge  groundlock          the base: survives the guard, shut by itself when its leases lapse
 *     inet arp bridge  groundlock_twin     the same without leases, owned by the resident nft: no flush removes it
 *     netdev           groundlock_<ifindex> egress of one uplink: what raw sockets send
 *
 * Source: nft(8). Written for nftables 1.0.6 and later: there is no `destroy`, and one `flags` has one flag.
 */
import { LEASE_MS } from '../token/lease.js'
import type { DoorPolicy, LocalPort } from './policy.js'

export const BASE = 'groundlock'
export const TWIN = 'groundlock_twin'
export const PATTERN = 'groundlock_pattern'
export const PATTERN_TWIN = 'groundlock_pattern_twin'

/** Where the canary sends to: TEST-NET-1 (RFC 5737), which no network has. Only counted, then dropped as all else. */
export const CANARY_ADDRESS = '192.0.2.2'
export const CANARY_COUNTER = 'canary'

/** A local interface after its identity was verified. */
export interface VerifiedLocal {
  ifindex: number
  subnet: string
}

export interface Uplink {
  ifindex: number
  name: string
}

export const FAMILIES = ['inet', 'arp', 'bridge'] as const
export type Family = (typeof FAMILIES)[number]

/** What nft takes in quotes. The kernel allows more: `a"b`, `up*` (a pattern), and digits, which would be read as an ifindex. */
const PLAIN_NAME = /^(?!\d+$)[A-Za-z0-9_.@-]{1,15}$/

/** A device that no rule can name is not covered, and so nothing is permitted while it is there. */
export function isPlainName(name: string): boolean {
  return PLAIN_NAME.test(name)
}

/** An uplink's own table. It is named by ifindex: one that was deleted and made again never finds a lease of before. */
export function coverName(ifindex: number): string {
  return `${BASE}_${ifindex}`
}

/** Ours are the base, the twin, the patterns and the covers, and no other name that only begins alike. */
export function isOurTable(name: string): boolean {
  return /^groundlock(?:_twin|_pattern|_pattern_twin|_\d+)?$/.test(name)
}

/**
 * The base as one text that `nft -f` takes as a whole or not at all, and any number of times. Loading it shuts: its leases
 * are empty. Without verified locals (at boot, in the lockdown unit) the local interfaces are shut as well.
 */
export function rulesetText(policy: DoorPolicy, locals: readonly VerifiedLocal[] = []): string {
  return FAMILIES.map((family) => baseText(family, policy, locals)).join('')
}

export function baseText(family: Family, policy: DoorPolicy, locals: readonly VerifiedLocal[]): string {
  return renewed(family, BASE, [leaseSet, ...body(family, policy, locals, 'leased')])
}

/** The twin holds what the base holds, but no lease: it can only drop. For the resident nft alone, which owns it. */
export function twinText(policy: DoorPolicy, locals: readonly VerifiedLocal[]): string {
  return FAMILIES.map((family) =>
    renewed(family, TWIN, body(family, policy, locals, null), ['flags owner']),
  ).join('')
}

/**
 * One uplink's egress, where raw sockets pass. The device is named, for there is no other way: kernels before 6.16 bind to the
 * device of that name, later ones to the name, so it is made again for each new pair of ifindex and name.
 */
export function coverText(uplink: Uplink): string {
  return renewed('netdev', coverName(uplink.ifindex), coverBody(uplink.name))
}

export function uncoverText(table: string): string {
  return `table netdev ${table} {\n}\ndelete table netdev ${table}\n`
}

/**
 * All structures once more, dormant and owned: nobody else can change them, and the kernel does not run them. The way in which
 * this kernel and this nft list them is what the real ones are compared with.
 */
export function patternText(policy: DoorPolicy): string {
  const dormant = ['flags owner', 'flags dormant']
  const tables = FAMILIES.flatMap((family) => [
    tableText(family, PATTERN, [...dormant, leaseSet, ...body(family, policy, [], 'leased')]),
    tableText(family, PATTERN_TWIN, [...dormant, ...body(family, policy, [], null)]),
  ])
  return [...tables, tableText('netdev', PATTERN, [...dormant, ...coverBody('lo')])].join('')
}

/** Fills the base with the local interfaces that were verified; the ones of before go in the same transaction. */
export function localsText(locals: readonly VerifiedLocal[]): string {
  return FAMILIES.map((family) => {
    const set = `${family} ${BASE} locals`
    const members = family === 'bridge' ? locals.map(({ ifindex }) => ifindex) : prefixes(locals)
    return `flush set ${set}\n${members.length === 0 ? '' : `add element ${set} { ${members.join(', ')} }\n`}`
  }).join('')
}

/** Takes every lease away in the base. No device is named, so nothing that comes or goes can make it fail. */
export function flushText(): string {
  return FAMILIES.map((family) => `flush set ${family} ${BASE} leased\n`).join('') + NO_OPENING
}

/** One cover's leases. Fails, with all that is in one transaction with it, where the uplink has just gone. */
export function flushCoverText(ifindex: number): string {
  return `flush set netdev ${coverName(ifindex)} leased\n`
}

/**
 * One lease for all these uplinks, in one transaction. Flush and add: adding an element that is there does not renew it.
 * `opening` numbers what begins between two shuttings (1 to 2^32 - 1): a connection of before has another number.
 */
export function permitText(uplinks: readonly Uplink[], opening: number): string {
  const elements = uplinks.map(({ ifindex }) => ifindex).join(', ')
  const add = (set: string, members: string) => (members === '' ? '' : `add element ${set} { ${members} }\n`)
  const fill = (set: string, members: string) => `flush set ${set}\n${add(set, members)}`
  const base = FAMILIES.map((family) => fill(`${family} ${BASE} leased`, elements))
  const numbers = [
    NO_OPENING,
    add(`inet ${BASE} opening`, uplinks.map(({ ifindex }) => `${ifindex} : ${opening}`).join(', ')),
    add(`inet ${BASE} opened`, uplinks.map(({ ifindex }) => `${ifindex} . ${opening}`).join(', ')),
  ]
  const covers = uplinks.map(({ ifindex }) => fill(`netdev ${coverName(ifindex)} leased`, String(ifindex)))
  return [...base, ...numbers, ...covers].join('')
}

/**
 * Several lines as one: what stands on one line of an interactive nft is one transaction.
 * Every statement gets its `;`, the last one before a `}` too, which nft wants there.
 */
export function oneLine(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => (line.endsWith('{') ? line : `${line};`))
    .join(' ')
}

/** The lease set: an element lives for a lease from its commit, even one that is added without a word about time. */
const LEASE = ['flags timeout', `timeout ${LEASE_MS / 1000}s`]
const leaseSet = block('set leased', ['type iface_index', ...LEASE])

/**
 * The number of this opening, by uplink, and what has it. A connection that was written to while its link was down has bytes
 * that no rule has seen: no route led to one. They would leave at the next opening, if that did not tell old from new.
 */
const openingMap = block('map opening', ['type iface_index : mark', ...LEASE])
const openedSet = block('set opened', ['type iface_index . mark', ...LEASE])
const NO_OPENING = `flush map inet ${BASE} opening\nflush set inet ${BASE} opened\n`

/** A table made anew in one transaction: declared, so that deleting it cannot fail, deleted, made. */
function renewed(
  family: string,
  name: string,
  content: readonly string[],
  flags: readonly string[] = [],
): string {
  const declared = tableText(family, name, flags)
  return `${declared}delete table ${family} ${name}\n${tableText(family, name, [...flags, ...content])}`
}

function tableText(family: string, name: string, content: readonly string[]): string {
  return `${block(`table ${family} ${name}`, content)}\n`
}

function block(head: string, content: readonly string[]): string {
  return [`${head} {`, ...content.map((line) => indented(line)), '}'].join('\n')
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')
}

function coverBody(device: string): string[] {
  const rules = [`type filter hook egress device "${device}" priority 0; policy drop`, 'oif @leased accept']
  return [leaseSet, block('chain egress', rules)]
}

type Leases = 'leased' | null

function body(
  family: Family,
  policy: DoorPolicy,
  locals: readonly VerifiedLocal[],
  leases: Leases,
): string[] {
  if (family === 'inet') return inetBody(policy, locals, leases)
  return family === 'arp' ? arpBody(locals, leases) : bridgeBody(locals, leases)
}

/**
 * Where the chains stand among those of others: behind connection tracking (-200) and address translation (-100), which may
 * send a packet elsewhere, and before the usual filters (0), so that our reset is the answer and not their silence. The twin
 * comes after the base for the same reason. `postrouting` looks again when everybody is done.
 */
const FILTER_PRIORITY = { leased: -10, twin: -5 } as const
const LAST_PRIORITY = { leased: 400, twin: 405 } as const

function chain(hook: string, leases: Leases, rules: readonly string[]): string {
  const priority = (hook === 'postrouting' ? LAST_PRIORITY : FILTER_PRIORITY)[leases ?? 'twin']
  return block(`chain ${hook}`, [`type filter hook ${hook} priority ${priority}; policy drop`, ...rules])
}

function inetBody(policy: DoorPolicy, locals: readonly VerifiedLocal[], leases: Leases): string[] {
  const ownPorts = portRules(policy.ports, 'oif . ip saddr @locals oif . ip daddr @locals', 'sport')
  return [
    ...when(leases, openingMap, openedSet, `counter ${CANARY_COUNTER} {\n}`),
    localSet('iif . ip saddr', 'interval', prefixes(locals)),
    chain('input', leases, [
      'iif "lo" accept',
      ...when(leases, ...REPLIES),
      ...portRules(policy.ports, 'iif . ip saddr @locals iif . ip daddr @locals', 'dport'),
    ]),
    chain('forward', leases, []),
    chain('output', leases, [
      'oif "lo" accept',
      ...when(leases, ...NEW_ONLY),
      ...ownPorts,
      ...when(leases, `ip daddr ${CANARY_ADDRESS} counter name "${CANARY_COUNTER}"`),
      // The reset goes to our own socket, over lo: what it had queued dies here, and does not leave at the next opening.
      'meta l4proto tcp reject with tcp reset',
    ]),
    chain('postrouting', leases, ['oif "lo" accept', ...when(leases, 'oif @leased accept'), ...ownPorts]),
  ]
}

/** What may go out over a permitted uplink: of TCP only what began in this opening; the rest meets the reset below. */
const NEW_ONLY = [
  'oif @leased meta l4proto != tcp accept',
  'oif @leased tcp flags & (syn | ack) == syn ct mark set oif map @opening',
  'oif @leased oif . ct mark @opened accept',
]

/**
 * What may come in over a permitted uplink: replies, neighbours and routers of IPv6 (RFC 4861: hop limit 255), DHCP. ICMP of
 * both kinds by number: their names stand in /etc/protocols, which a small Debian does not have, and then nft refuses it all.
 */
const REPLIES = [
  'iif @leased ct state established accept',
  'iif @leased ct state related meta l4proto { 1, 58 } accept',
  'iif @leased icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept',
  'iif @leased meta nfproto ipv4 udp sport 67 udp dport 68 accept',
  'iif @leased ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept',
]

function arpBody(locals: readonly VerifiedLocal[], leases: Leases): string[] {
  return [
    localSet('iif . arp saddr ip', 'interval', prefixes(locals)),
    chain('input', leases, [
      ...when(leases, 'iif @leased accept'),
      'iif . arp saddr ip @locals iif . arp daddr ip @locals accept',
    ]),
    chain('output', leases, [
      ...when(leases, 'oif @leased accept'),
      'oif . arp saddr ip @locals oif . arp daddr ip @locals accept',
    ]),
  ]
}

function bridgeBody(locals: readonly VerifiedLocal[], leases: Leases): string[] {
  const members = locals.map(({ ifindex }) => String(ifindex))
  return [
    localSet('iif', null, members),
    chain('input', leases, [...when(leases, 'iif @leased accept'), 'iif @locals accept']),
    chain('forward', leases, []),
    chain('output', leases, [...when(leases, 'oif @leased accept'), 'oif @locals accept']),
  ]
}

function localSet(type: string, flags: string | null, members: readonly string[]): string {
  const elements = members.length === 0 ? [] : [`elements = { ${members.join(', ')} }`]
  return block('set locals', [`typeof ${type}`, ...(flags === null ? [] : [`flags ${flags}`]), ...elements])
}

function prefixes(locals: readonly VerifiedLocal[]): string[] {
  return locals.map(({ ifindex, subnet }) => `${ifindex} . ${subnet}`)
}

/** Our own ports and no other; without ports a local interface carries nothing but ARP. */
function portRules(ports: readonly LocalPort[], where: string, side: 'sport' | 'dport'): string[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) => {
    const numbers = [...new Set(ports.filter((each) => each.protocol === protocol).map(({ port }) => port))]
    if (numbers.length === 0) return []
    return [`${where} ${protocol} ${side} { ${numbers.sort((a, b) => a - b).join(', ')} } accept`]
  })
}

function when(leases: Leases, ...lines: string[]): string[] {
  return leases === null ? [] : lines
}
