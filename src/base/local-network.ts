/**
 * Local network: how an interface that belongs to the site is written in the configuration, and what may be written.
 * An interface is local by what it is (address of its hardware, or the socket it is plugged into) and by a subnet that
 * somebody chose, never by what DHCP says: a netmask of /5 would make a public address "own subnet".
 */
import * as v from 'valibot'
import { isInside, isPrivate, networkOf, networkText, parseSubnet, type Subnet } from './ipv4-network.js'

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
    if (subnet === null || !isWidthAllowed(subnet) || !isPrivate(subnet)) addIssue({ message: subnetRule })
    else if (networkOf(subnet) !== subnet.first)
      addIssue({ message: `the subnet and not an address in it, so ${networkText(subnet)}` })
  }),
)

/** Whether an address lies in both of two valid subnets. */
export function doSubnetsOverlap(one: string, other: string): boolean {
  const [a, b] = [parseSubnet(one), parseSubnet(other)]
  if (a === null || b === null) return false
  return isInside(a, b) || isInside(b, a)
}

function isWidthAllowed({ bits }: Subnet): boolean {
  return bits >= MIN_PREFIX_BITS && bits <= MAX_PREFIX_BITS
}
