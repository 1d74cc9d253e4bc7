/** Every rule of the base and of the twin, chain by chain: what passes, in which order, and nothing else. */
import { describe, expect, it } from 'vitest'
import type { DoorPolicy } from '../../../src/hw/door/policy.js'
import { baseText, twinText } from '../../../src/hw/door/ruleset.js'
import type { Family } from '../../../src/hw/door/ruleset.js'

const policy: DoorPolicy = { locals: [], ports: [{ protocol: 'tcp', port: 22 }] }
const locals = [{ ifindex: 7, subnet: '192.168.7.0/24' }]

const PORT = 'iif . ip saddr @locals iif . ip daddr @locals tcp dport { 22 } accept'
const OWN_PORT = 'oif . ip saddr @locals oif . ip daddr @locals tcp sport { 22 } accept'
const ARP = 'iif . arp saddr ip @locals iif . arp daddr ip @locals accept'
const RESET = 'meta l4proto tcp reject with tcp reset'

/** Chains by name: priority, then the rules. Those with a star are the lease's, and not in the twin. */
const RULES: Readonly<
  Record<Family, Readonly<Record<string, readonly [base: number, twin: number, ...string[]]>>>
> = {
  inet: {
    input: [
      -10,
      -5,
      'iif "lo" accept',
      '* iif @leased ct state established accept',
      '* iif @leased ct state related meta l4proto { 1, 58 } accept',
      '* iif @leased icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept',
      '* iif @leased meta nfproto ipv4 udp sport 67 udp dport 68 accept',
      '* iif @leased ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept',
      PORT,
    ],
    forward: [-10, -5],
    output: [
      -10,
      -5,
      'oif "lo" accept',
      '* oif @leased meta l4proto != tcp accept',
      '* oif @leased tcp flags & (syn | ack) == syn ct mark set oif map @opening',
      '* oif @leased oif . ct mark @opened accept',
      OWN_PORT,
      '* ip daddr 192.0.2.2 counter name "canary"',
      RESET,
    ],
    postrouting: [400, 405, 'oif "lo" accept', '* oif @leased accept', OWN_PORT],
  },
  arp: {
    input: [-10, -5, '* iif @leased accept', ARP],
    output: [-10, -5, '* oif @leased accept', ARP.replaceAll('iif', 'oif')],
  },
  bridge: {
    input: [-10, -5, '* iif @leased accept', 'iif @locals accept'],
    forward: [-10, -5],
    output: [-10, -5, '* oif @leased accept', 'oif @locals accept'],
  },
}

/** The sets of the base; those with a star are the lease's. */
const LEASE = ['flags timeout', 'timeout 3s']
const prefixes = (type: string) => [
  `set locals typeof ${type}`,
  'flags interval',
  'elements = { 7 . 192.168.7.0/24 }',
]
const OBJECTS: Readonly<Record<Family, readonly (readonly string[])[]>> = {
  inet: [
    ['* set leased type iface_index', ...LEASE],
    ['* map opening type iface_index : mark', ...LEASE],
    ['* set opened type iface_index . mark', ...LEASE],
    ['* counter canary'],
    prefixes('iif . ip saddr'),
  ],
  arp: [['* set leased type iface_index', ...LEASE], prefixes('iif . arp saddr ip')],
  bridge: [
    ['* set leased type iface_index', ...LEASE],
    ['set locals typeof iif', 'elements = { 7 }'],
  ],
}

/** What a table holds: one list a set, counter or chain, its head and its lines without indents. */
function objectsOf(text: string, table: string): string[][] {
  const [content] = text.split(`delete table ${table}\ntable ${table} {\n`)[1]!.split('\n}\n')
  return content!
    .replace(/^  flags owner\n/, '')
    .split('\n  }')
    .map((object) => object.split('\n').map((line) => line.trim().replace(/ \{$/, '')))
    .map((lines) => lines.filter((line) => line !== ''))
    .filter((lines) => lines.length > 0)
}

function expected(family: Family, isTwin: boolean): string[][] {
  const kept = (lines: readonly string[]) =>
    lines.flatMap((line) => (line.startsWith('* ') ? (isTwin ? [] : [line.slice(2)]) : [line]))
  const objects = OBJECTS[family]
    .filter(([head]) => !isTwin || !head!.startsWith('*'))
    .map((lines) => kept(lines).flatMap((line) => line.replace(/^(set|map) (\w+) /, '$1 $2\n').split('\n')))
  const chains = Object.entries(RULES[family]).map(([hook, [base, twin, ...rules]]) => [
    `chain ${hook}`,
    `type filter hook ${hook} priority ${isTwin ? twin : base}; policy drop`,
    ...kept(rules),
  ])
  return [...objects, ...chains]
}

describe.each<Family>(['inet', 'arp', 'bridge'])('in %s', (family) => {
  it('the base has these rules and no other', () => {
    const text = baseText(family, policy, locals)
    expect(objectsOf(text, `${family} groundlock`)).toEqual(expected(family, false))
  })

  it('the twin has those without a lease', () => {
    const text = twinText(policy, locals)
    expect(objectsOf(text, `${family} groundlock_twin`)).toEqual(expected(family, true))
  })
})
