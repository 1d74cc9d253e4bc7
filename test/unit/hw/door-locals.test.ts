/** Local interfaces: each way in which one is not what the configuration calls local, and is an uplink then. */
import { describe, expect, it } from 'vitest'
import { parseLinks, parseRoutes } from '../../../src/hw/door/links.js'
import type { Link, Route } from '../../../src/hw/door/links.js'
import { sortLinks } from '../../../src/hw/door/locals.js'
import type { DoorPolicy } from '../../../src/hw/door/policy.js'

const MAC = '02:00:00:00:00:07'
const eth1 = { name: 'eth1', mac: MAC, path: null, subnet: '192.168.7.0/24' }
const policyOf = (...locals: DoorPolicy['locals']): DoorPolicy => ({ locals, ports: [] })

function link(ifindex: number, name: string, more: Partial<Link> = {}): Link {
  return {
    ifindex,
    name,
    altnames: [],
    isUp: true,
    isLoopback: false,
    mac: null,
    kind: '',
    master: null,
    lower: null,
    alias: '',
    addresses: [],
    ...more,
  }
}
const lo = link(1, 'lo', { isLoopback: true })
const address = { family: 4, text: '192.168.7.1/24', isLinkLocal: false } as const
const good = link(7, 'eth1', { mac: MAC, addresses: [address] })
const route = (destination: string, more: Partial<Route> = {}): Route => ({
  destination,
  type: 'unicast',
  devices: ['eth1'],
  hasGateway: false,
  ...more,
})
const facts = { path: 'pci-1', ignoresRouters: true }

interface Case {
  policy?: DoorPolicy
  links?: Link[]
  routes?: Route[]
  fact?: Partial<typeof facts>
}
function sorted({ policy = policyOf(eth1), links = [lo, good], routes = [], fact = {} }: Case) {
  return sortLinks(
    policy,
    { links, routes },
    new Map(links.map((each) => [each.ifindex, { ...facts, ...fact }])),
  )
}

describe('a local interface', () => {
  it.each<[string, Case]>([
    ['with its mac', {}],
    ['with its path', { policy: policyOf({ ...eth1, mac: null, path: 'pci-1' }) }],
    ['with its mac in capitals', { policy: policyOf({ ...eth1, mac: MAC.toUpperCase() }) }],
    ['without an address yet', { links: [lo, { ...good, addresses: [] }] }],
    [
      'with link-local addresses of IPv6',
      {
        links: [lo, { ...good, addresses: [address, { family: 6, text: 'fe80::1/64', isLinkLocal: true }] }],
      },
    ],
    [
      'with the routes that the kernel makes',
      {
        routes: [
          route('192.168.7.0/24'),
          route('192.168.7.1', { type: 'local' }),
          route('192.168.7.255', { type: 'broadcast' }),
          route('fe80::/64'),
          route('ff00::/8', { type: 'multicast' }),
        ],
      },
    ],
    [
      'beside a default route of another',
      { routes: [route('default', { devices: ['eth0'], hasGateway: true })] },
    ],
    [
      'a bridge whose ports are local',
      {
        policy: policyOf({ ...eth1, name: 'br0' }, eth1),
        links: [lo, { ...good, ifindex: 9, name: 'br0', kind: 'bridge' }, { ...good, master: 'br0' }],
      },
    ],
  ])('%s is one', (_, given) => {
    const { locals, uplinks, verified } = sorted(given)
    expect(locals.map(({ mismatch }) => mismatch).filter((why) => why !== null)).toEqual([])
    expect(uplinks).toEqual([])
    expect(verified).toContainEqual({ ifindex: 7, subnet: '192.168.7.0/24' })
  })

  const bridged = { ...good, master: 'br0' }
  const bridge = link(9, 'br0', { kind: 'bridge', mac: MAC })
  it.each<[string, string, Case]>([
    ['with another mac', 'its mac is none and not', { links: [lo, { ...good, mac: null }] }],
    ['with another path', 'its path is pci-1 and not usb', { policy: policyOf({ ...eth1, path: 'usb-2' }) }],
    ['without anything to know it by', 'neither mac nor path', { policy: policyOf({ ...eth1, mac: null }) }],
    ['with a wide subnet', 'wider than /16', { policy: policyOf({ ...eth1, subnet: '0.0.0.0/5' }) }],
    [
      'with a public subnet',
      'not a private network',
      { policy: policyOf({ ...eth1, subnet: '8.8.8.0/24' }) },
    ],
    ['that takes router advertisements', 'accept_ra', { fact: { ignoresRouters: false } }],
    [
      'with a default route',
      'it has a route to default',
      { routes: [route('default', { hasGateway: true })] },
    ],
    ['with a default route without a gateway', 'it has a route to default', { routes: [route('default')] }],
    ['with half of a default route', 'it has a route to 0.0.0.0/1', { routes: [route('0.0.0.0/1')] }],
    [
      'with a router inside',
      'it has a route to 192.168.7.128/25',
      {
        routes: [route('192.168.7.128/25', { hasGateway: true })],
      },
    ],
    ['with a route of IPv6', 'it has a route to 2000::/3', { routes: [route('2000::/3')] }],
    [
      'with an address outside',
      'it has the address 192.168.8.1/24',
      { links: [lo, { ...good, addresses: [address, { ...address, text: '192.168.8.1/24' }] }] },
    ],
    [
      'with a wider address: a netmask of DHCP',
      'it has the address 192.168.7.1/5',
      { links: [lo, { ...good, addresses: [{ ...address, text: '192.168.7.1/5' }] }] },
    ],
    [
      'with an address of IPv6',
      'it has the address 2001:db8::1/64',
      { links: [lo, { ...good, addresses: [{ family: 6, text: '2001:db8::1/64', isLinkLocal: false }] }] },
    ],
    [
      'that is a port of a bridge',
      'it is a port of br0, which is not local',
      { links: [lo, bridge, bridged] },
    ],
    [
      'a bridge with a port that is not local',
      'its port eth0 is not local',
      {
        policy: policyOf({ ...eth1, name: 'br0' }),
        links: [lo, bridge, link(2, 'eth0', { master: 'br0' })],
      },
    ],
    [
      'a VLAN on an uplink',
      'it lies on eth0, which is not local',
      { links: [lo, link(2, 'eth0'), { ...good, kind: 'vlan', lower: 'eth0' }] },
    ],
  ])('%s is an uplink', (_, why, given) => {
    const { locals, uplinks, verified } = sorted(given)
    expect(locals[0]!.mismatch).toContain(why)
    expect(uplinks.map(({ name }) => name)).toContain(locals[0]!.name)
    expect(verified).toEqual([])
  })

  it('that is not there is no trouble', () => {
    expect(sorted({ links: [lo] }).locals).toEqual([{ name: 'eth1', isThere: false, mismatch: null }])
  })

  it('carries a VLAN that is an uplink', () => {
    const vlan = link(8, 'eth1.5', { kind: 'vlan', lower: 'eth1', mac: MAC })
    expect(sorted({ links: [lo, good, vlan] }).uplinks.map(({ name }) => name)).toEqual(['eth1.5'])
  })
})

describe('an uplink', () => {
  it.each(['vlan', 'bridge', 'bond', 'wireguard', 'tun', 'ppp', 'dummy', 'macvlan', '', 'veth', 'brandnew'])(
    'is every other device: %j',
    (kind) => expect(sorted({ links: [lo, link(3, 'x', { kind })] }).uplinks).toHaveLength(1),
  )

  it('is not the pair of the canary, as long as both ends are here and in no bridge', () => {
    const pair = (more: Partial<Link> = {}): Link[] => [
      link(3, 'glcanary0', { kind: 'veth', lower: 'glcanary1', ...more }),
      link(4, 'glcanary1', { kind: 'veth', lower: 'glcanary0' }),
    ]
    const count = (links: Link[]) => sorted({ links: [lo, ...links] }).uplinks.length
    expect(count(pair())).toBe(0)
    expect(count(pair({ master: 'br0' }))).toBe(2)
    expect(count(pair({ kind: 'vlan' }))).toBe(2)
    expect(count(pair().slice(1))).toBe(1)
    expect(count([link(3, 'glcanary0', { kind: 'veth' })])).toBe(1)
  })
})

describe('what ip lists', () => {
  it('is read, a device without an address and an empty object too', () => {
    const text =
      '[{},{"ifindex":5,"ifname":"tun0","flags":["POINTOPOINT","UP"],"link_type":"none","linkinfo":{"info_kind":"tun"}},' +
      '{"ifindex":7,"link":"eth0","ifname":"eth0.5","flags":[],"link_type":"ether","address":"AA:00:00:00:00:01","master":"br0",' +
      '"addr_info":[{"family":"inet","local":"10.0.0.1","prefixlen":24,"scope":"global"}]}]'
    expect(parseLinks(text)).toEqual([
      link(5, 'tun0', { kind: 'tun' }),
      link(7, 'eth0.5', {
        isUp: false,
        mac: 'aa:00:00:00:00:01',
        master: 'br0',
        lower: 'eth0',
        addresses: [{ family: 4, text: '10.0.0.1/24', isLinkLocal: false }],
      }),
    ])
  })

  it('a route over several devices leads over each', () => {
    const text = '[{"dst":"default","nexthops":[{"dev":"eth0"},{"gateway":"192.168.7.9","dev":"eth1"}]}]'
    expect(parseRoutes(text)).toEqual([route('default', { devices: ['eth0', 'eth1'], hasGateway: true })])
  })

  it.each(['{', '{"a":1}', '[{"ifname":3}]', 'Cannot open netlink socket'])('%j is no list', (text) =>
    expect(parseLinks(text)).toBeNull(),
  )
})
