/** IPv4 network: addresses and subnets as numbers, read without any freedom: no leading zeros, nothing left out. */

export interface Subnet {
  /** 32 bits, unsigned; of a network, its first address. */
  first: number
  /** Of the prefix. */
  bits: number
}

/** RFC 1918 §3: the networks that no router of the internet carries. */
const PRIVATE: readonly Subnet[] = [
  { first: 0x0a000000, bits: 8 },
  { first: 0xac100000, bits: 12 },
  { first: 0xc0a80000, bits: 16 },
]

const SUBNET = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/

/** `192.168.7.1/24` as numbers; a lone address has all 32 bits. Null for everything else. */
export function parseSubnet(text: string): Subnet | null {
  const parts = SUBNET.exec(text.includes('/') ? text : `${text}/32`)?.slice(1)
  if (parts === undefined || parts.some((part) => String(Number(part)) !== part)) return null
  const [a = 0, b = 0, c = 0, d = 0, bits = 0] = parts.map(Number)
  if (Math.max(a, b, c, d) > 255 || bits > 32) return null
  return { first: ((a * 256 + b) * 256 + c) * 256 + d, bits }
}

/** The first address of the network that the subnet's address is in. */
export function networkOf({ first, bits }: Subnet): number {
  return first - (first % 2 ** (32 - bits))
}

/** The network that the subnet's address is in, as text: of `192.168.7.1/24`, `192.168.7.0/24`. */
export function networkText(subnet: Subnet): string {
  const network = networkOf(subnet)
  return `${[24, 16, 8, 0].map((shift) => (network >>> shift) & 0xff).join('.')}/${subnet.bits}`
}

export function isInside(inner: Subnet, outer: Subnet): boolean {
  return inner.bits >= outer.bits && networkOf({ ...inner, bits: outer.bits }) === networkOf(outer)
}

export function isPrivate(subnet: Subnet): boolean {
  return PRIVATE.some((network) => isInside(subnet, network))
}
