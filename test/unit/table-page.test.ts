/** The decision table as people read it: the page in SECURITY.md, and the terminal's form. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { expect, it } from 'vitest'
import { TABLE } from '../../src/hw/decide/table.js'
import { tableMarkdown, tableText } from '../../src/hw/decide/table-page.js'
import { REPOSITORY } from '../support/groundlock.js'

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
    '    when  kernel leased or differs or overdue',
    '    then  fault: shut harder',
    '    says  {why} (the kernel does not read as shut: {kernel})',
  ])
})

it('a row of several phases and conditions, one that awaits SHUT, and one with nothing to do', () => {
  const row = { name: 'made', in: ['blocked', 'asking'], next: 'blocked', reason: 'so', effects: [] } as const
  const when = { phase: ['fault'], late: [true], override: [false], token: ['free', 'other'] } as const
  expect(tableText([{ ...row, when, untilShut: true }])).toBe(
    [
      ' 1  made  (blocked, asking)',
      '    when  phase fault; late; no override; token free or other',
      '    then  blocked until SHUT: nothing to do',
      '    says  so',
    ].join('\n'),
  )
  expect(tableText([{ ...row, when: {}, effects: ['note override', 'renew permit'] }])).toContain(
    '    when  otherwise\n    then  blocked: note override, renew permit\n',
  )
})
