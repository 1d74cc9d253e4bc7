/**
 * Door policy: what the kernel is to enforce, as a value. Which interfaces are local, and which ports of ours they carry.
 * Everything that is not named here is an uplink, the interfaces that nobody has thought of among them.
 */
import type { Configuration, LocalInterface } from '../../base/configuration.js'
import { isPrivate, networkOf, parseSubnet } from '../../base/ipv4-network.js'

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

/** Widest network that may be local (bits): a /5 from a DHCP server would make 8.8.8.8 a neighbour. */
const WIDEST_BITS = 16

/** A single address is one end of a cable, and nft lists it without its length: read back it would differ (bits). */
const SINGLE_BITS = 32

/** Why a network may not be local, or null: it must be private and of /16 to /31, whatever a configuration says. */
export function subnetTrouble(text: string): string | null {
  const subnet = parseSubnet(text)
  if (subnet === null || networkOf(subnet) !== subnet.first)
    return `${text} is no IPv4 network such as 192.168.7.0/24`
  if (subnet.bits < WIDEST_BITS) return `${text} is wider than /${WIDEST_BITS}`
  if (subnet.bits === SINGLE_BITS) return `${text} is a single address`
  if (!isPrivate(subnet)) return `${text} is not a private network`
  return null
}
