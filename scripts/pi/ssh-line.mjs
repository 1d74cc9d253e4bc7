#!/usr/bin/env node
/**
 * SSH line: what becomes of the SSH connection over which somebody installs, and what to change so that SSH is let in after it.
 * The guard's own functions judge, the lines that are proposed too: none is given that the guard would not take.
 * Usage: groundlock config check --json | ssh-line.mjs 'CLIENT PORT SERVER PORT'
 * Exit 0: it runs over lo, or a new one will be let in. 1: it will be shut, or that cannot be told.
 */
import { readFileSync } from 'node:fs'
import { parseConfiguration } from '../../dist/base/configuration.js'
import { isInside, networkText, parseSubnet } from '../../dist/base/ipv4-network.js'
import { sortedBy, surveyNow } from './foresight.mjs'

/** For an interface that has no IPv4 network yet. */
const EXAMPLE_SUBNET = '192.168.7.0/24'

const { locals, sshPort } = JSON.parse(readFileSync(0, 'utf8')).configuration.uplink
const connection = process.argv[2]
const [client, , server, port] = connection.split(' ')
const found = await surveyNow()

const withoutBits = ({ text }) => text.split('/')[0]

/** Of a text that is not sshd's the interface cannot be told. */
function linkOfServer() {
  if (!/^\d+$/.test(port)) return undefined
  const [address] = server.split('%')
  return found.links.find(({ addresses }) => addresses.some((each) => withoutBits(each) === address))
}

/** The network of the address that was connected to, else of the interface's first; undefined: it has none of IPv4. */
function subnetOf({ addresses }) {
  const own = addresses.filter(({ family }) => family === 4)
  const address = own.find((each) => withoutBits(each) === server) ?? own[0]
  return address && networkText(parseSubnet(address.text))
}

/** The same machine, had this interface no routes, and no IPv6 that leads further: both are set where it gets its addresses. */
function withoutWaysOut(link) {
  const addresses = link.addresses.filter(({ family, isLinkLocal }) => family === 4 || isLinkLocal)
  return {
    links: found.links.map((each) => (each === link ? { ...each, addresses } : each)),
    routes: found.routes.filter(({ devices }) => !devices.includes(link.name)),
  }
}

const mismatchOf = ({ name }, entries, survey) =>
  sortedBy(entries, survey).locals.find((local) => local.name === name)?.mismatch

/** As TOML, a line each; an entry is by mac or by path. */
function linesOf(entries) {
  const keys = (entry) => Object.entries(entry).filter(([, value]) => value !== null)
  const texts = entries.map((entry) =>
    keys(entry)
      .map(([key, value]) => `${key} = ${JSON.stringify(value)}`)
      .join(', '),
  )
  return ['[uplink]', `local = [${texts.map((text) => `{ ${text} }`).join(', ')}]`, `ssh_port = ${port}`]
}

/** What the program says of a configuration with these lines; undefined: nothing. */
function mistakeIn(entries) {
  const parsed = parseConfiguration(['[link.a]', 'device = "/dev/null"', ...linesOf(entries)].join('\n'))
  return parsed.problems?.[0].message
}

/** What the configuration should call local, so that this interface is: as it is, where the guard takes it, else with it. */
function wantedEntries(link, subnet, isTaken) {
  if (isTaken) return locals
  const { name, mac } = link
  const others = locals.filter((local) => local.name !== name && (mac === null || local.mac !== mac))
  return [...others, { name, mac, path: null, subnet }]
}

function judge(link) {
  const isTaken = mismatchOf(link, locals, found) === null
  const entries = wantedEntries(link, subnetOf(link) ?? EXAMPLE_SUBNET, isTaken)
  const mismatch = mismatchOf(link, entries, found)
  const lasting = mismatchOf(link, entries, withoutWaysOut(link))
  const reasons = new Set([mismatch, lasting].filter((reason) => reason !== null))
  const mistake = reasons.size === 0 ? mistakeIn(entries) : undefined
  if (mistake !== undefined) reasons.add(mistake)
  const { subnet } = entries.find(({ name }) => name === link.name)
  const host = parseSubnet(client)
  return {
    entries,
    subnet,
    reasons: [...reasons],
    isCuredWithoutWaysOut: mismatch !== null && lasting === null,
    isConfigured: isTaken && String(sshPort) === port,
    isClientLetIn: host !== null && isInside(host, parseSubnet(subnet)),
  }
}

const shutText = (over) => `
You are connected over SSH, from ${client}, and this very connection runs over ${over}.
Groundlock shuts every interface that is not configured as local: this connection ends when the lockdown starts, and
there will be no other over that interface until the switch permits it.`

const localText = (name, end) =>
  `You are connected over ${name}, which is configured as local. It is shut for the seconds until the guard is up:
this connection ${end}`

const foreignText = (name, subnet) =>
  `Only hosts of ${subnet} are let in over ${name}, by IPv4, and you come from ${client}: connect from one, then run this again.
`

const unfitText = (name, reasons) => `
${name} cannot be local as it is now: ${reasons.join('; ')}.`

const withoutWaysOutText = (name) => `
To keep it, let it have no gateway, no other routes, and of IPv6 nothing but link-local addresses; then run this again.
With NetworkManager:

    sudo nmcli connection modify "$(nmcli -g GENERAL.CON-UUID device show ${name})" ipv4.never-default yes \\
      ipv4.ignore-auto-routes yes ipv6.method link-local
    sudo nmcli device reapply ${name}

With dhcpcd, in /etc/dhcpcd.conf, without "static routers"; then sudo dhcpcd -n ${name}:

    interface ${name}
    nogateway
    noipv6

If it is the way to the internet, it is an uplink and stays one: use another interface, a keyboard or the serial console.`

const OTHER_WAY_TEXT = `
A local interface has one private network (10/8, 172.16/12, 192.168/16), /16 or narrower, and lies on nothing that is not local.
To be let in after this, use another interface that does, a keyboard or the serial console.`

const keepText = (entries) => `
To keep it, name it local in /etc/groundlock/groundlock.toml (a first one: write it to a file, --config FILE), then run this again:

    ${linesOf(entries).join('\n    ')}
`

const NO_NETWORK_TEXT = `It has no IPv4 network now, and needs a private one, /16 or narrower: the one above is an example.
`

const ONLY_TEXT = `Only a network that leads no further may be local: one with a router in it is an uplink, whatever it is called.
`

function textOf(link, { entries, subnet, reasons, isCuredWithoutWaysOut, isConfigured, isClientLetIn }) {
  const { name } = link
  const foreign = isClientLetIn ? [] : [foreignText(name, subnet)]
  if (isConfigured && isClientLetIn) return [localText(name, 'may end, and a new one will be let in.')]
  if (isConfigured) return [localText(name, 'ends.'), ...foreign]
  const shut = shutText(`the interface ${name}`)
  if (reasons.length > 0)
    return [shut, unfitText(name, reasons), isCuredWithoutWaysOut ? withoutWaysOutText(name) : OTHER_WAY_TEXT]
  const noNetwork = subnetOf(link) === undefined ? [NO_NETWORK_TEXT] : []
  return [shut, keepText(entries), ...noNetwork, ...foreign, ONLY_TEXT]
}

const link = linkOfServer()
if (link?.isLoopback) process.exit(0)
if (link === undefined) {
  console.log(`${shutText(`one that cannot be told from "${connection}"`)}\n${ONLY_TEXT}`)
  process.exit(1)
}
const judgement = judge(link)
console.log(textOf(link, judgement).join('\n'))
process.exitCode = judgement.isConfigured && judgement.isClientLetIn ? 0 : 1
