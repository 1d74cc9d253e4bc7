/** The ruleset: what each policy becomes, and that nft takes it. */
import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { policyOf, subnetTrouble } from '../../../src/hw/door/policy.js'
import type { DoorPolicy } from '../../../src/hw/door/policy.js'
import * as rules from '../../../src/hw/door/ruleset.js'
import { describeNetwork } from '../../support/lab/describe-network.js'

const none: DoorPolicy = { locals: [], ports: [] }
const ports: DoorPolicy = {
  locals: [],
  ports: [
    { protocol: 'tcp', port: 8080 },
    { protocol: 'udp', port: 14550 },
    { protocol: 'tcp', port: 22 },
    { protocol: 'tcp', port: 22 },
  ],
}
const locals = [{ ifindex: 7, subnet: '192.168.7.0/24' }]

/** The chain of one hook of one table. */
function chain(text: string, family: string, hook: string): string {
  const table = new RegExp(`^table ${family} groundlock \\{\\n(?!\\})[^]*?^\\}`, 'm').exec(text)![0]
  return new RegExp(`^  chain ${hook} \\{[^]*?^  \\}`, 'm').exec(table)![0]
}

/** Number of an opening. */
const OPENING = 77

describe('the base', () => {
  it.each([
    ['inet', ['input', 'forward', 'output', 'postrouting']],
    ['arp', ['input', 'output']],
    ['bridge', ['input', 'forward', 'output']],
  ])('drops by default in each chain of %s', (family, hooks) => {
    for (const hook of hooks) {
      expect(chain(rules.rulesetText(none), family, hook)).toMatch(
        new RegExp(`type filter hook ${hook} priority -?\\d+; policy drop`),
      )
    }
  })

  it('names no device but loopback', () => {
    const names = rules.rulesetText(ports, locals).match(/"[^"]*"/g)
    expect(new Set(names)).toEqual(new Set(['"lo"', '"canary"']))
  })

  it.each(['inet', 'bridge'])('forwards nothing in %s, permitted or not', (family) => {
    expect(chain(rules.rulesetText(ports, locals), family, 'forward').split('\n')).toHaveLength(3)
  })

  it('answers what TCP sends toward an uplink with a reset, as the last rule, behind what is accepted', () => {
    const lines = chain(rules.rulesetText(ports), 'inet', 'output').split('\n')
    expect(lines.at(-2)).toBe('    meta l4proto tcp reject with tcp reset')
  })

  it('takes in over a permitted uplink what was asked for, and no more', () => {
    const leased = chain(rules.rulesetText(ports), 'inet', 'input')
      .split('\n')
      .filter((line) => line.includes('@leased'))
    expect(leased).toHaveLength(5)
    for (const line of leased) {
      expect(line).toMatch(
        /ct state (?:established|related)|icmpv6 type|sport 67 udp dport 68|sport 547 udp dport 546/,
      )
    }
  })

  it('carries on a local interface our ports inside its subnet, in both directions, and no more', () => {
    const text = rules.rulesetText(ports, locals)
    const inside = 'iif . ip saddr @locals iif . ip daddr @locals'
    expect(chain(text, 'inet', 'input')).toContain(`${inside} tcp dport { 22, 8080 } accept`)
    expect(chain(text, 'inet', 'input')).toContain(`${inside} udp dport { 14550 } accept`)
    const outside = inside.replaceAll('iif', 'oif')
    for (const hook of ['output', 'postrouting']) {
      expect(chain(text, 'inet', hook)).toContain(`${outside} tcp sport { 22, 8080 } accept`)
      expect(chain(text, 'inet', hook)).toContain(`${outside} udp sport { 14550 } accept`)
    }
    expect(text).toContain('elements = { 7 . 192.168.7.0/24 }')
    expect(rules.rulesetText(none, locals)).not.toMatch(/[sd]port \{/)
  })

  it('leases lapse 3 s after they were given, whoever forgets to say so', () => {
    const sets = rules.rulesetText(none).match(/set leased \{[^}]*\}/g)
    expect(sets).toHaveLength(3)
    for (const set of sets!) expect(set).toContain('flags timeout\n    timeout 3s')
    expect(rules.coverText({ ifindex: 3, name: 'up0' })).toContain('timeout 3s')
  })
})

describe('the twin, the covers and the permit', () => {
  it('the twin has no lease and is owned', () => {
    const twin = rules.twinText(ports, locals)
    expect(twin).not.toContain('leased')
    expect(twin.match(/flags owner/g)).toHaveLength(6) // declared and made, in three families
    expect(twin).toContain('reject with tcp reset')
  })

  it('a cover belongs to one ifindex and one name: made anew, it drops all but under a lease of its own', () => {
    expect(rules.coverText({ ifindex: 3, name: 'up0' }).split('\n')).toEqual([
      'table netdev groundlock_3 {',
      '}',
      'delete table netdev groundlock_3',
      'table netdev groundlock_3 {',
      '  set leased {',
      '    type iface_index',
      '    flags timeout',
      '    timeout 3s',
      '  }',
      '  chain egress {',
      '    type filter hook egress device "up0" priority 0; policy drop',
      '    oif @leased accept',
      '  }',
      '}',
      '',
    ])
  })

  it('a permit empties each set before it fills it: an element that is there would not be renewed', () => {
    const text = rules.permitText(
      [
        { ifindex: 3, name: 'a' },
        { ifindex: 9, name: 'b' },
      ],
      OPENING,
    )
    expect(text.split('\n').filter((line) => line !== '')).toEqual([
      ...['inet', 'arp', 'bridge'].flatMap((family) => [
        `flush set ${family} groundlock leased`,
        `add element ${family} groundlock leased { 3, 9 }`,
      ]),
      'flush map inet groundlock opening',
      'flush set inet groundlock opened',
      'add element inet groundlock opening { 3 : 77, 9 : 77 }',
      'add element inet groundlock opened { 3 . 77, 9 . 77 }',
      'flush set netdev groundlock_3 leased',
      'add element netdev groundlock_3 leased { 3 }',
      'flush set netdev groundlock_9 leased',
      'add element netdev groundlock_9 leased { 9 }',
    ])
    expect(rules.permitText([], OPENING)).not.toContain('add')
  })

  it('shutting takes every lease away, and the number of the opening: the base in one, each cover alone', () => {
    expect(rules.flushText().split('\n')).toEqual([
      'flush set inet groundlock leased',
      'flush set arp groundlock leased',
      'flush set bridge groundlock leased',
      'flush map inet groundlock opening',
      'flush set inet groundlock opened',
      '',
    ])
    expect(rules.flushCoverText(12)).toBe('flush set netdev groundlock_12 leased\n')
  })

  it('a cover goes without an error whether it is there or not: declared, then deleted', () => {
    expect(rules.uncoverText('groundlock_12')).toBe(
      'table netdev groundlock_12 {\n}\ndelete table netdev groundlock_12\n',
    )
  })

  it('locals replace those of before, in each family as its rules want them', () => {
    const two = [...locals, { ifindex: 8, subnet: '10.7.0.0/16' }]
    expect(rules.localsText(two).split('\n')).toEqual([
      'flush set inet groundlock locals',
      'add element inet groundlock locals { 7 . 192.168.7.0/24, 8 . 10.7.0.0/16 }',
      'flush set arp groundlock locals',
      'add element arp groundlock locals { 7 . 192.168.7.0/24, 8 . 10.7.0.0/16 }',
      'flush set bridge groundlock locals',
      'add element bridge groundlock locals { 7, 8 }',
      '',
    ])
    expect(rules.localsText([])).toBe(
      ['inet', 'arp', 'bridge'].map((family) => `flush set ${family} groundlock locals\n`).join(''),
    )
  })

  it('the patterns are base, twin and cover once more, asleep and owned', () => {
    const awake = (text: string) => text.replace(/^  flags (?:owner|dormant)\n/gm, '')
    const tables = (text: string) =>
      text.match(/^table [^]*?^\}\n/gm)!.filter((each) => !each.endsWith(' {\n}\n'))
    const named = (text: string, name: string) => text.replace(/^(table \w+) \S+/gm, `$1 ${name}`)
    const patterns = tables(rules.patternText(ports))
    expect(patterns).toHaveLength(7)
    for (const each of patterns)
      expect(each.split('\n').slice(1, 3)).toEqual(['  flags owner', '  flags dormant'])
    const made = (text: string, name: string) => tables(named(awake(text), name))
    const cover = rules.coverText({ ifindex: 3, name: 'lo' })
    const expected = [
      ...made(rules.rulesetText(ports), 'groundlock_pattern'),
      ...made(rules.twinText(ports, []), 'groundlock_pattern_twin'),
      ...made(cover, 'groundlock_pattern'),
    ]
    expect(patterns.map(awake).sort()).toEqual(expected.sort())
  })

  it('one line is one transaction: every statement has its end, and nothing is empty', () => {
    expect(rules.oneLine('table inet x {\n  chain y {\n    accept\n  }\n}\n\ndelete table inet x\n')).toBe(
      'table inet x { chain y { accept; }; }; delete table inet x;',
    )
  })

  it.each([
    ['eth0', true],
    ['4g0', true],
    ['12', false],
    ['wlx00c0ca', true],
    ['eth0.5', true],
    ['a"b', false],
    ['up*', false],
    ['7', false],
    ['x;y', false],
    ['{', false],
    ['', false],
  ])('%j may stand in a rule: %s', (name, isPlain) => expect(rules.isPlainName(name)).toBe(isPlain))

  it.each(['groundlock', 'groundlock_twin', 'groundlock_12', 'groundlock_pattern'])('%s is ours', (name) =>
    expect(rules.isOurTable(name)).toBe(true),
  )
  it.each(['groundlocks', 'groundlock_x', 'filter', 'my_groundlock'])('%s is not', (name) =>
    expect(rules.isOurTable(name)).toBe(false),
  )
})

describe('a local network', () => {
  it.each(['192.168.7.0/24', '10.1.0.0/16', '172.16.0.0/16', '172.31.255.0/30', '192.168.1.0/31'])(
    '%s may be one',
    (subnet) => expect(subnetTrouble(subnet)).toBeNull(),
  )
  it.each([
    ['10.0.0.0/8', 'wider than /16'],
    ['10.0.0.0/15', 'wider than /16'],
    ['192.168.1.1/32', 'a single address'],
    ['10.0.0.1', 'a single address'],
    ['8.8.8.0/24', 'not a private network'],
    ['172.32.0.0/16', 'not a private network'],
    ['172.15.0.0/16', 'not a private network'],
    ['192.169.0.0/16', 'not a private network'],
    ['0.0.0.0/0', 'wider than /16'],
    ['192.168.7.1/24', 'no IPv4 network'],
    ['192.168.7.0/33', 'no IPv4 network'],
    ['192.168.7/24', 'no IPv4 network'],
    ['192.168.256.0/24', 'no IPv4 network'],
    ['192.168.7.0/24/8', 'no IPv4 network'],
    ['192.168.7.0/', 'no IPv4 network'],
    ['fd00::/64', 'no IPv4 network'],
    ['', 'no IPv4 network'],
  ])('%s may not: %s', (subnet, why) => expect(subnetTrouble(subnet)).toContain(why))

  it('its only port is that of SSH, where one is asked for', () => {
    const eth1 = { name: 'eth1', mac: null, path: 'pci-1', subnet: '192.168.7.0/24' }
    expect(policyOf({ locals: [eth1], sshPort: null, relayLine: null })).toEqual({
      locals: [eth1],
      ports: [],
    })
    expect(policyOf({ locals: [eth1], sshPort: 22, relayLine: null })).toEqual({
      locals: [eth1],
      ports: [{ protocol: 'tcp', port: 22 }],
    })
  })
})

describeNetwork('nft takes it', () => {
  const up = 'ip link add up0 index 7 type veth peer name up1 index 8'
  const loaded = (text: string, ...args: string[]) =>
    spawnSync('unshare', ['-n', 'sh', '-ec', `${up}; nft ${args.join(' ')} -f -; nft list ruleset`], {
      input: text,
      encoding: 'utf8',
    })

  it.each<[string, string]>([
    ['without anything', rules.rulesetText(none)],
    ['with ports', rules.rulesetText(ports)],
    ['with locals', rules.rulesetText(ports, locals)],
    ['with two locals', rules.rulesetText(ports, [...locals, { ifindex: 8, subnet: '10.7.0.0/16' }])],
    ['with two addresses', rules.rulesetText(ports, [{ ifindex: 7, subnet: '10.0.0.0/31' }])],
    ['a cover', rules.coverText({ ifindex: 7, name: 'up0' })],
    ['all in one line', rules.oneLine(rules.rulesetText(ports, locals))],
    ['the twin in one line', rules.oneLine(rules.twinText(ports, locals))],
    ['the patterns in one line', rules.oneLine(rules.patternText(ports))],
    ['locals after all', rules.rulesetText(ports) + rules.localsText(locals)],
    ['a permit', rules.rulesetText(none) + rules.permitText([], OPENING)],
  ])('%s', (_, text) => expect(loaded(text, '-c')).toMatchObject({ status: 0, stderr: '' }))

  it('twice is as once, and a lease does not live through it', () => {
    const base = rules.rulesetText(ports, locals)
    const cover = rules.coverText({ ifindex: 7, name: 'up0' })
    const permit = rules.permitText([{ ifindex: 7, name: 'up0' }], OPENING)
    const once = loaded(base + cover)
    const twice = loaded(base + cover + permit + base + cover)
    expect(once.stderr + twice.stderr).toBe('')
    expect(loaded(base + cover + permit).stdout).toContain('expires')
    expect(twice.stdout).toBe(once.stdout)
  })
})
