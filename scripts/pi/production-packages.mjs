#!/usr/bin/env node
/**
 * Production packages: the folders below node_modules that the installed program loads, one path a line. It follows the
 * manifests from the package's own dependencies; what those need only to be compiled or generated is left out.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const top = join(import.meta.dirname, '..', '..')

/** Fetch or compile what lies compiled here already, or generate what is generated (100 MB with what they need). */
const BEFORE_RUNNING = new Set([
  'prebuild-install',
  'node-addon-api',
  'node-gyp',
  'tar',
  'mavlink-mappings-gen',
  'ts-node',
])

const dependenciesOf = (folder) =>
  Object.keys(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).dependencies ?? {})

/** As Node looks for it: beside the one that asks, then one folder further up each. */
function find(name, from) {
  for (let folder = from; folder.startsWith(top); folder = dirname(folder)) {
    const place = join(folder, 'node_modules', name)
    if (existsSync(join(place, 'package.json'))) return place
  }
  throw new Error(`${name}, which ${from} needs, is not installed: ./scripts/prepare`)
}

const found = new Set()
const waiting = dependenciesOf(top).map((name) => find(name, top))
for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
  if (found.has(folder)) continue
  found.add(folder)
  for (const name of dependenciesOf(folder).filter((each) => !BEFORE_RUNNING.has(each)))
    waiting.push(find(name, folder))
}
for (const folder of found) console.log(relative(top, folder))
