/** The decision table, on every combination of what the guard can remember and read. */
import { expect, it } from 'vitest'
import { decide, fits } from '../../src/hw/decide/decide.js'
import { TABLE } from '../../src/hw/decide/table.js'
import { remember, viewOf } from '../../src/hw/decide/view.js'
import type { View } from '../../src/hw/decide/view.js'
import { brokenRules } from '../support/guard-rules.js'
import { everyReading } from '../support/guard-readings.js'

const WHOLE_TABLE_MS = 120_000

it(
  'every rule holds for every reading in every state; every row decides, and none is there for nothing',
  { timeout: WHOLE_TABLE_MS },
  () => {
    const broken = new Map<string, string>()
    const decided = new Map(TABLE.map(({ name }) => [name, 0]))
    const needed = new Set<string>()
    const count = everyReading((state, inputs) => {
      const decision = decide(state, inputs)
      decided.set(decision.row, decided.get(decision.row)! + 1)
      for (const rule of brokenRules(state, inputs, decision)) {
        if (!broken.has(rule)) broken.set(rule, JSON.stringify({ row: decision.row, state, inputs }))
      }
      if (!needed.has(decision.row) && isNeeded(viewOf(remember(state, inputs), inputs)))
        needed.add(decision.row)
    })
    process.stdout.write(
      `decided ${count} readings; the rarest row decided ${Math.min(...decided.values())} of them\n`,
    )
    expect(Object.fromEntries(broken)).toEqual({})
    expect([...decided].filter(([, times]) => times === 0)).toEqual([])
    expect(TABLE.filter(({ name }) => !needed.has(name))).toEqual([])
  },
)

/** Without the row that decides this view, the next one that fits would decide otherwise, or none would fit. */
function isNeeded(view: View): boolean {
  const [first, second] = TABLE.filter((row) => fits(row, view)).map(({ next, reason, effects, untilShut }) =>
    JSON.stringify({ next, reason, effects, untilShut }),
  )
  return first !== second
}

it('every row has a name of its own', () => {
  expect(new Set(TABLE.map(({ name }) => name)).size).toBe(TABLE.length)
})
