#!/usr/bin/env node
/**
 * Is local: whether a configuration names an interface as local, by its name, its identity and its network.
 * Usage: is-local.mjs NAME MAC SUBNET CONFIGURATION. Exit 0: it does. 1: it does not, or cannot be read.
 */
import { readFileSync } from 'node:fs'
import { parse } from 'smol-toml'

const [name, mac, subnet, path] = process.argv.slice(2)

function locals() {
  try {
    const list = Object(parse(readFileSync(path, 'utf8')).uplink).local
    return Array.isArray(list) ? list : []
  } catch {
    return []
  }
}

// One that is named by its place (`path`) is what it is, for whoever installs: the guard will look.
const isNamed = locals().some(
  (local) =>
    local.name === name &&
    local.subnet === subnet &&
    (local.mac === undefined
      ? local.path !== undefined
      : String(local.mac).toLowerCase() === mac.toLowerCase()),
)
process.exit(isNamed ? 0 : 1)
