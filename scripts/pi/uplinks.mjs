#!/usr/bin/env node
/**
 * Uplinks: the interfaces of this machine that will be shut, in one line: all but lo and what is local as the configuration says.
 * Usage: groundlock config check --json | uplinks.mjs
 */
import { readFileSync } from 'node:fs'
import { sortedBy, surveyNow } from './foresight.mjs'

const { configuration } = JSON.parse(readFileSync(0, 'utf8'))
const { locals, uplinks } = sortedBy(configuration.uplink.locals, await surveyNow())

function text({ name, isUp }) {
  const mismatch = locals.find((local) => local.name === name)?.mismatch
  const why = mismatch === undefined ? '' : `, though configured as local: ${mismatch}`
  return `${name} (${isUp ? 'up' : 'down'}${why})`
}

console.log(uplinks.map(text).join(', '))
