/** Nobody is locked out: from every state that any readings can lead to, a person with the switch gets back to work. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { REPOSITORY } from '../support/groundlock.js'
import { LEFT_OVERS, reachableStates, wayOut } from '../support/guard-graph.js'
import type { Rest } from '../support/guard-graph.js'

const MINUTES_MS = 120_000
const states = reachableStates()

it('the graph has states of every phase, and overrides', () => {
  const phases = states.map(({ phase }) => phase)
  const count = (phase: string) => phases.filter((each) => each === phase).length
  const kinds = ['blocked', 'asking', 'permitted', 'shutting', 'fault']
  process.stdout.write(
    `${states.length} states: ${kinds.map((phase) => `${count(phase)} ${phase}`).join(', ')}; ` +
      `${LEFT_OVERS.length} ways in which the rest was left\n`,
  )
  expect(kinds.filter((phase) => count(phase) === 0)).toEqual([])
  expect(states.some(({ override, phase }) => override && phase === 'permitted')).toBe(true)
})

it('they are as many as docs/proofs.md says', () => {
  const page = readFileSync(join(REPOSITORY, 'docs', 'proofs.md'), 'utf8')
  expect(/From each of (\d+) states/.exec(page)?.[1]).toBe(String(states.length))
})

it.each<Rest>(['on the ground', 'armed at first', 'lost', 'no station'])(
  'with SHUT and PERMIT the door opens and shuts again: %s',
  { timeout: MINUTES_MS },
  (rest) => {
    const stuck = states.flatMap((state) =>
      LEFT_OVERS.flatMap((left) => {
        const why = wayOut(state, left, rest)
        return why === undefined ? [] : [{ why, left, state }]
      }),
    )
    expect(stuck.slice(0, 3)).toEqual([])
  },
)
