/**
 * Door policy: what the kernel is to enforce, as a value. Which interfaces are local, and which ports of ours they carry.
 * Everything that is not named here is an uplink, the interfaces that nobody has thought of among them.
 */

import type { Configuration, LocalInterface } from '../../base/configuration.js'

export interface LocalPort {
  protocol: 'tcp' | 'udp'
  port: number
}

export interface DoorPolicy {
  locals: LocalInterface[]
  ports: LocalPort[]
}

export function policyOf({ locals, sshPort }: Configuration['uplink']): DoorPolicy {
  return { locals, ports: sshPort === null ? [] : [{ protocol: 'tcp', port: sshPort }] }
}

/** An IPv4 network: its first address as a number and its prefix length (bits). */
export interface Subnet {
  first: number
  bits: number
}

/** Widest network that may be local (bits): a /5 from a DHCP server would make 8.8.8.8 a neighbour. */
const WIDEST_BITS = 16

/** RFC 1918: the networks that no router of the internet carries. */
const PRIVATE: readonly Subnet[] = [
  { first: 0x0a000000, bits: 8 },
  { first: 0xac100000, bits: 12 },
  { first: 0xc0a80000, bits: 16 },
]

const ADDRESS = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/

/** An IPv4 address as a number, or null. */
export function addressNumber(text: string): number | null {
  const parts = ADDRESS.exec(text)?.slice(1).map(Number)
  if (parts === undefined || parts.some((part) => part > 255)) return null
  return parts.reduce((number, part) => number * 256 + part, 0)
}

const SUBNET = /^([\d.]+)(?:\/(\d{1,2}))?$/

/** `192.168.7.0/24` as numbers; a lone address is a network of one. Null where it is none, or has bits behind its prefix. */
export function parseSubnet(text: string): Subnet | null {
  const parts = SUBNET.exec(text)
  if (parts === null) return null
  const first = addressNumber(parts[1]!)
  const bits = Number(parts[2] ?? 32)
  if (first === null || bits > 32) return null
  return first % 2 ** (32 - bits) === 0 ? { first, bits } : null
}

export function isInside(inner: Subnet, outer: Subnet): boolean {
  const size = 2 ** (32 - outer.bits)
  return inner.bits >= outer.bits && Math.floor(inner.first / size) === Math.floor(outer.first / size)
}

/** Why a network may not be local, or null: it must be private and /16 or narrower, whatever a configuration says. */
export function subnetTrouble(text: string): string | null {
  const subnet = parseSubnet(text)
  if (subnet === null) return `${text} is no IPv4 network such as 192.168.7.0/24`
  if (subnet.bits < WIDEST_BITS) return `${text} is wider than /${WIDEST_BITS}`
  if (!PRIVATE.some((network) => isInside(subnet, network))) return `${text} is not a private network`
  return null
}
