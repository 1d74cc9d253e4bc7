#!/usr/bin/env node
/**
 * Uplinks: the interfaces of this machine that will be shut, in one line: all but lo and what the configuration names as local.
 * Usage: groundlock config check --json | uplinks.mjs
 */
import { readFileSync, readdirSync } from 'node:fs'

const { configuration } = JSON.parse(readFileSync(0, 'utf8'))
const FOLDER = '/sys/class/net'

function factOf(name, fact) {
  try {
    return readFileSync(`${FOLDER}/${name}/${fact}`, 'utf8').trim()
  } catch {
    return ''
  }
}

/** One that is named by its place (`path`) is what it is, for whoever installs: the guard will look. */
const isLocal = (name) =>
  configuration.uplink.locals.some(
    (local) => local.name === name && (local.mac === null || local.mac === factOf(name, 'address')),
  )

// glcanary0 and glcanary1 are the guard's own; bonding_masters is a file.
const names = readdirSync(FOLDER).filter(
  (name) => name !== 'lo' && !/^glcanary.$/.test(name) && factOf(name, 'ifindex') !== '' && !isLocal(name),
)
console.log(names.map((name) => `${name} (${factOf(name, 'operstate') || 'not known'})`).join(', '))
