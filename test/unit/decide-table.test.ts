/** The decision table, on every combination of what the guard can remember and read. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { expect, it } from 'vitest'
import { decide, fits } from '../../src/hw/decide/decide.js'
import { TABLE } from '../../src/hw/decide/table.js'
import { tableMarkdown, tableText } from '../../src/hw/decide/table-page.js'
import { remember, viewOf } from '../../src/hw/decide/view.js'
import type { View } from '../../src/hw/decide/view.js'
import { brokenRules } from '../support/guard-rules.js'
import { everyReading } from '../support/guard-readings.js'
import { REPOSITORY } from '../support/groundlock.js'

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

it('SECURITY.md holds the table (npm run docs rewrites it)', async () => {
  const path = join(REPOSITORY, 'SECURITY.md')
  const page = readFileSync(path, 'utf8')
  const [begin, end] = ['<!-- table: made by `npm run docs` -->', '<!-- end of the table -->']
  const head = page.slice(0, page.indexOf(begin) + begin.length)
  const tail = page.slice(page.indexOf(end))
  const options = { ...(await resolveConfig(path)), parser: 'markdown' }
  const made = await format(`${head}\n\n${tableMarkdown()}\n\n${tail}`, options)
  if (process.env['UPDATE'] !== undefined) writeFileSync(path, made)
  expect(readFileSync(path, 'utf8')).toBe(made)
})

it('on a terminal each row has four lines: name, conditions, what is done, what the screen says', () => {
  const lines = tableText().split('\n')
  expect(lines).toHaveLength(4 * TABLE.length)
  expect(lines.slice(0, 4)).toEqual([
    ' 1  fault: not shut  (fault)',
    '    when  kernel leased or differs or unread or overdue',
    '    then  fault: shut harder',
    '    says  {why} (the kernel does not read as shut: {kernel})',
  ])
})
