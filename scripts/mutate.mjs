#!/usr/bin/env node
/**
 * The mutation run: `npm run mutate [GROUP …]`. Stryker changes one thing of the guard's core at a time, and a test must notice. Prints
 * what survived, file by file; fails where a group keeps less than 90 % of its mutants from surviving.
 *
 * Stryker is 170 packages that nobody needs to build or test Groundlock, so it is no dependency: it is installed once, into
 * a cache outside of the checkout (XDG_CACHE_HOME), and runs on a copy of the project in a temporary folder.
 *
 * Each mutant meets the group's quick tests. What survives them meets all tests of the group, the slow ones and those that start
 * the built program among them, in a vitest of its own: Stryker's runner takes some killed mutants for survivors
 * (stryker-js #6073, #6192), above all those with which a module does not even load. So does what only made a test late.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GROUPS } from './mutation/groups.mjs'
import { secondLook } from './mutation/second-look.mjs'
import { runStryker } from './mutation/stryker.mjs'
import { summary } from './mutation/summary.mjs'

/** Least share of mutants that the tests must notice in each group (percent). */
const GOAL_PERCENT = 90

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => GROUPS[name] === undefined)
if (unknown.length > 0) {
  console.error(`no such group: ${unknown.join(', ')} (there are ${Object.keys(GROUPS).join(', ')})`)
  process.exit(2)
}

const temporary = mkdtempSync(join(tmpdir(), 'groundlock-mutation-'))
chmodSync(temporary, 0o755)
// A test that a mutant hangs does not clean up: what it made goes with the rest.
process.env.TMPDIR = temporary
process.once('exit', () => rmSync(temporary, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))

const scores = []
for (const name of asked.length > 0 ? asked : Object.keys(GROUPS)) {
  const group = GROUPS[name]
  const { report, sandbox } = await runStryker(join(temporary, name), group)
  const mutants = await secondLook(sandbox, group, JSON.parse(readFileSync(report, 'utf8')))
  const { text, percent } = summary(name, mutants)
  scores.push(percent)
  console.log(text)
}
process.exit(scores.every((percent) => percent >= GOAL_PERCENT) ? 0 : 1)
