/** Never both: an open serial port and a live permit, in every interleaving of guard, nft children, station and time. */
import { expect, it } from 'vitest'
import { ALL_RULES, searchAirlock } from '../support/airlock-model.js'
import type { AirlockRules } from '../support/airlock-model.js'

it('never both, whatever the order, whoever is killed or stopped', () => {
  const { states, steps, trace, seen } = searchAirlock(ALL_RULES)
  process.stdout.write(
    `airlock: ${states} states, ${steps} steps, ${seen.length} kinds of step, never both\n`,
  )
  expect(trace).toEqual([])
  // A model in which something cannot happen would find nothing either.
  expect(seen.sort()).toEqual([
    'a tick',
    'child: commits a lease',
    'child: exits, or SIGKILL',
    'guard: SIGKILL',
    'guard: answers "shut, verified" (lateQuestion)',
    'guard: answers "shut, verified" (question)',
    'guard: end renewal, flush again',
    'guard: flush',
    'guard: free token',
    'guard: give up, read back',
    'guard: make permitted-once',
    'guard: read back',
    'guard: read kernel',
    'guard: reads the kernel for "is shut" (lateQuestion)',
    'guard: reads the kernel for "is shut" (question)',
    'guard: shut (not permitted)',
    'guard: spawn first permit',
    'guard: spawn renewal',
    'guard: starts',
    'guard: take token',
    'orphan: commits a lease',
    'orphan: exits, or SIGKILL',
    'station: SIGKILL',
    'station: SIGKILL, token closed',
    'station: free token',
    'station: gives way before it opened',
    'station: gives way, closes the port',
    'station: has waited, opens the port',
    'station: is told "shut, verified", opens the port',
    'station: port closed by the kernel',
    'station: starts',
    'station: take token, ask "is shut"',
  ])
})

it.each(Object.keys(ALL_RULES) as (keyof AirlockRules)[])('both doors open without %s', (rule) => {
  const { states, trace } = searchAirlock({ ...ALL_RULES, [rule]: false })
  process.stdout.write(`without ${rule}, after ${states} states:\n  ${trace.join('\n  ')}\n`)
  expect(trace.at(-1)).toMatch(/opens the port|commits a lease/)
})
