#!/usr/bin/env node
/**
 * Is local: whether a configuration lets SSH in over an interface: local by its name, its identity and its network, and the port.
 * Usage: is-local.mjs NAME MAC SUBNET PORT CONFIGURATION. Exit 0: it does. 1: it does not, or cannot be read.
 */
import { readFileSync } from 'node:fs'
import { parse } from 'smol-toml'

const [name, mac, subnet, port, path] = process.argv.slice(2)

function uplink() {
  try {
    return Object(parse(readFileSync(path, 'utf8')).uplink)
  } catch {
    return {}
  }
}

const { local: locals, ssh_port: sshPort } = uplink()

// One that is named by its place (`path`) is what it is, for whoever installs: the guard will look.
const isNamed = (Array.isArray(locals) ? locals : []).some(
  (local) =>
    local.name === name &&
    local.subnet === subnet &&
    (local.mac === undefined
      ? local.path !== undefined
      : String(local.mac).toLowerCase() === mac.toLowerCase()),
)
process.exit(isNamed && String(sshPort) === port ? 0 : 1)
