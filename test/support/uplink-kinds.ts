/**
 * Uplink kinds: devices that lie on another uplink, each made in a network lab with its counterpart outside. They are
 * uplinks like any other; not every kernel makes them.
 *
 *     station                                     outside
 *       vlan5, bond9, mv9, ipvl3, ipvl4 ── upN  ───veth─── farN  (── fvlan5)
 *       wg9 198.18.6.2 ─ ─ ─ ─ up5  ───veth─── far5 ─ ─ ─ fwg9 198.18.6.1     encrypted between 198.18.5.2 and .1
 */
import { spawnSync } from 'node:child_process'
import { ALL_ROWS, BARE_ROWS, IP_ROWS } from './leak-traffic.js'
import { mac } from './network-lab.js'
import type { NetworkLab } from './network-lab.js'

export interface UplinkKind {
  /** Of the leak table. */
  row: string
  device: string
  /** What it lies on: an uplink too. Both may be covered, and both are taken down. */
  lower: string
  /** Where its frames arrive. */
  far: string
  /** Of its addresses: 198.18.<number>.2 and .1. */
  number: number
  /** What it carries; a tunnel takes no Ethernet header. */
  rows: readonly string[]
  /** Makes one where there are `near` and `far`, a veth pair. */
  trial: string
  /** The lower uplink and all that is outside. */
  prepare(net: NetworkLab): Promise<void>
  /** The device itself, down and without addresses. May be done again after it was deleted. */
  make(net: NetworkLab): Promise<void>
  /** Takes it and its lower device up, with addresses. Errors: it does not stay up, as with a door that is shut. */
  dress(net: NetworkLab): Promise<void>
}

/** Why this kernel makes none, in its own words; null where it does. */
export function whyNone({ trial }: UplinkKind): string | null {
  const script = `ip link add near type veth peer name far && ${trial}`
  const { status, stderr } = spawnSync('unshare', ['--net', 'sh', '-c', script], { encoding: 'utf8' })
  return status === 0 ? null : `this kernel makes none (${stderr.trim().split('\n').join(', ')})`
}

/** A lower uplink whose addresses go to what will lie on it. */
async function bareUplink(net: NetworkLab, number: number): Promise<void> {
  await net.addUplink(number)
  await net.station.ip(`address flush dev up${number}`)
}

/** Takes the lower one up first: without it the other stays down. */
async function dressBoth(net: NetworkLab, { lower, number, device }: UplinkKind): Promise<void> {
  await net.station.ip(`link set ${lower} up`)
  await net.dress(number, device)
}

const vlan: UplinkKind = {
  row: 'a VLAN',
  device: 'vlan5',
  lower: 'up1',
  far: 'fvlan5',
  number: 1,
  rows: ALL_ROWS,
  trial: 'ip link add link near name vlan5 type vlan id 5',
  async prepare(net) {
    await bareUplink(net, 1)
    await net.outside.ip('address flush dev far1\nlink add link far1 name fvlan5 type vlan id 5')
    await net.dressFar(1, 'fvlan5')
  },
  make: async (net) => void (await net.station.ip('link add link up1 name vlan5 type vlan id 5')),
  dress: (net) => dressBoth(net, vlan),
}

const bond: UplinkKind = {
  row: 'a bond',
  device: 'bond9',
  lower: 'up2',
  far: 'far2',
  number: 2,
  rows: ALL_ROWS,
  trial: 'ip link add bond9 type bond mode active-backup miimon 50 && ip link set near master bond9',
  prepare: (net) => bareUplink(net, 2),
  make: async (net) =>
    void (await net.station.ip(`
      link set up2 down
      link add bond9 type bond mode active-backup miimon 50
      link set up2 master bond9`)),
  dress: (net) => dressBoth(net, bond),
}

/** It has an address of its own: that of the uplinks here, so the lower one gets another. */
const macvlan: UplinkKind = {
  row: 'a macvlan',
  device: 'mv9',
  lower: 'up7',
  far: 'far7',
  number: 7,
  rows: ALL_ROWS,
  trial: 'ip link add link near name mv9 type macvlan mode bridge',
  async prepare(net) {
    await bareUplink(net, 7)
    await net.station.ip('link set up7 address 02:00:00:00:17:99')
  },
  make: async (net) =>
    void (await net.station.ip(`link add link up7 name mv9 address ${mac(7, 2)} type macvlan mode bridge`)),
  dress: (net) => dressBoth(net, macvlan),
}

/** In layer 3 an ipvlan looks up the way once more, over what it lies on. */
function wayOver(lower: string, number: number): string {
  const far = `lladdr ${mac(number, 1)} nud permanent dev ${lower}`
  return `
    route replace 198.18.${number}.0/24 dev ${lower} metric 9
    neighbour replace 198.18.${number}.1 ${far}
    route replace 2001:db8:${number}::/64 dev ${lower} metric 999
    neighbour replace 2001:db8:${number}::1 ${far}`
}

function ipvlan(mode: 'l2' | 'l3', number: number): UplinkKind {
  const [device, lower] = [`ipvl${number}`, `up${number}`]
  const kind: UplinkKind = {
    row: `an ipvlan (${mode})`,
    device,
    lower,
    far: `far${number}`,
    number,
    // In layer 3 it routes: its raw frames are looked at as IP, and nothing asks who has an address.
    rows: mode === 'l2' ? ALL_ROWS : ['udp', 'tcp new', 'tcp kept', 'icmp', 'fragments', 'udp6', 'raw ip'],
    trial: `ip link add link near name ${device} type ipvlan mode ${mode}`,
    prepare: (net) => bareUplink(net, number),
    make: async (net) =>
      void (await net.station.ip(`link add link ${lower} name ${device} type ipvlan mode ${mode}`)),
    async dress(net) {
      await dressBoth(net, kind)
      if (mode === 'l3') await net.station.ip(wayOver(lower, number))
    },
  }
  return kind
}

const OUTER = 5

const wireguard: UplinkKind = {
  row: 'WireGuard',
  device: 'wg9',
  lower: `up${OUTER}`,
  far: 'fwg9',
  number: 6,
  rows: [...IP_ROWS, ...BARE_ROWS],
  trial: 'ip link add wg9 type wireguard && wg show wg9',
  async prepare(net) {
    await net.addUplink(OUTER)
    await net.outside.ip('link add fwg9 type wireguard')
    await net.outside.shell('wg set fwg9 listen-port 51820 private-key /dev/stdin <<end\n$(wg genkey)\nend')
    await net.outside.ip(
      'link set fwg9 up\naddress add 198.18.6.1/24 dev fwg9\naddress add 2001:db8:6::1/64 dev fwg9',
    )
  },
  async make(net) {
    await net.station.ip('link add wg9 type wireguard')
    const far = (await net.outside.run('wg', 'show', 'fwg9', 'public-key')).trim()
    const peer = `peer ${far} endpoint 198.18.${OUTER}.1:51820 allowed-ips 0.0.0.0/0,::/0 persistent-keepalive 1`
    await net.station.shell(`wg set wg9 private-key /dev/stdin ${peer} <<end\n$(wg genkey)\nend`)
    const near = (await net.station.run('wg', 'show', 'wg9', 'public-key')).trim()
    await net.outside.run(
      'wg',
      'set',
      'fwg9',
      'peer',
      near,
      'allowed-ips',
      '198.18.6.0/24,2001:db8:6::/64,fe80::/10',
    )
  },
  async dress(net) {
    await net.dress(OUTER)
    await net.dress(6, 'wg9')
  },
}

export const UPLINK_KINDS: readonly UplinkKind[] = [
  vlan,
  bond,
  macvlan,
  wireguard,
  ipvlan('l2', 3),
  ipvlan('l3', 4),
]
