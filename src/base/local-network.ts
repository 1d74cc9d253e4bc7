/**
 * Local network: how an interface that belongs to the site is written in the configuration, and what may be written.
 * An interface is local by what it is (address of its hardware, or the socket it is plugged into) and by a subnet that
 * somebody chose, never by what DHCP says: a netmask of /5 would make a public address "own subnet".
 */
import * as v from 'valibot'

/** IFNAMSIZ less its final zero (linux/if.h), bytes. */
const MAX_INTERFACE_NAME_BYTES = 15

/** Wider than this no site's own network is; a wider one would reach into somebody else's (bits of the prefix). */
const MIN_PREFIX_BITS = 16

/** Both ends have to be in it, and a single address is one end. Two are a subnet between two hosts (RFC 3021). */
const MAX_PREFIX_BITS = 31

/** udev's ID_PATH is below 100 characters on anything seen; this only keeps a file's content out (characters). */
const MAX_PATH_CHARACTERS = 200

const nameRule = `an interface's name: at most ${MAX_INTERFACE_NAME_BYTES} of A-Z, a-z, 0-9, '.', '_' and '-', and not lo`
const macRule = "a hardware address such as dc:a6:32:01:23:45, one card's own"
const pathRule = "udev's ID_PATH, such as platform-fd580000.ethernet: udevadm info /sys/class/net/eth1"
const subnetRule = `a private IPv4 subnet of /${MIN_PREFIX_BITS} to /${MAX_PREFIX_BITS} below 10/8, 172.16/12 or 192.168/16, such as 192.168.7.0/24`

/** No `*` or quote: the name stands in firewall rules, where they mean something else. */
export const interfaceName = v.pipe(
  v.string(nameRule),
  v.regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,14}$/, nameRule),
  v.check((name) => name !== 'lo', nameRule),
)

/** In lower case, as the kernel writes it. Neither all zeros nor a group address: no card has one. */
export const macAddress = v.pipe(
  v.string(macRule),
  v.toLowerCase(),
  v.regex(/^[0-9a-f][02468ace](?::[0-9a-f]{2}){5}$/, macRule),
  v.check((mac) => mac !== '00:00:00:00:00:00', macRule),
)

export const udevPath = v.pipe(
  v.string(pathRule),
  v.maxLength(MAX_PATH_CHARACTERS, pathRule),
  v.regex(/^[a-z0-9][\w.:,+@=-]*$/i, pathRule),
)

export const privateSubnet = v.pipe(
  v.string(subnetRule),
  v.rawCheck(({ dataset, addIssue }) => {
    const subnet = dataset.typed ? parseSubnet(dataset.value) : null
    if (subnet === null || !isWidthAllowed(subnet) || !isPrivate(subnet.address))
      addIssue({ message: subnetRule })
    else if (networkOf(subnet) !== subnet.address)
      addIssue({ message: `the subnet and not an address in it, so ${subnetText(subnet)}` })
  }),
)

/** Whether an address lies in both of two valid subnets. */
export function doSubnetsOverlap(one: string, other: string): boolean {
  const [a, b] = [parseSubnet(one), parseSubnet(other)]
  if (a === null || b === null) return false
  const bits = Math.min(a.bits, b.bits)
  return networkOf({ ...a, bits }) === networkOf({ ...b, bits })
}

interface Subnet {
  /** 32 bits, unsigned. */
  address: number
  bits: number
}

/** Reads `a.b.c.d/n` without any freedom (no leading zeros, nothing left out); null for everything else. */
function parseSubnet(text: string): Subnet | null {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text)?.slice(1)
  if (parts === undefined || parts.some((part) => String(Number(part)) !== part)) return null
  const [a = 0, b = 0, c = 0, d = 0, bits = 0] = parts.map(Number)
  if (Math.max(a, b, c, d) > 255 || bits > 32) return null
  return { address: ((a << 24) | (b << 16) | (c << 8) | d) >>> 0, bits }
}

function isWidthAllowed({ bits }: Subnet): boolean {
  return bits >= MIN_PREFIX_BITS && bits <= MAX_PREFIX_BITS
}

/** RFC 1918 §3. A prefix of /16 or narrower lies wholly inside or outside of each. */
function isPrivate(address: number): boolean {
  return address >>> 24 === 10 || address >>> 20 === 0xac1 || address >>> 16 === 0xc0a8
}

function networkOf({ address, bits }: Subnet): number {
  return bits === 0 ? 0 : (address & (0xffffffff << (32 - bits))) >>> 0
}

function subnetText(subnet: Subnet): string {
  const network = networkOf(subnet)
  return `${[24, 16, 8, 0].map((shift) => (network >>> shift) & 0xff).join('.')}/${subnet.bits}`
}
