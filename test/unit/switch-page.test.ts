/** What docs/switch.md tells an inspector to read is what the guard says, and its drawings say what the table does. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { TABLE } from '../../src/hw/decide/table.js'
import { startFilter, step } from '../../src/hw/switch/position-filter.js'
import { REPOSITORY } from '../support/groundlock.js'

const text = (name: string) => readFileSync(join(REPOSITORY, 'docs', name), 'utf8')
const page = text('switch.md')
const drawings = [...page.matchAll(/\]\((switch-\w+\.svg)\)/g)].map(([, name]) => name!)

/** The reason of a row, with what the switch says in it. */
function reasonOf(row: string, switchReason = ''): string {
  const found = TABLE.find(({ name }) => name === row)
  if (found === undefined) throw new Error(`no row ${row}`)
  return found.reason.replace('{switch}', switchReason)
}

/** What the switch says after both contacts were open for so long that it is doubt. */
function pulledPlug(): string {
  const open = { kind: 'sample', contacts: { permit: 'open', shut: 'open' } } as const
  const state = step(step(startFilter('antivalent', 0), open, 1), open, 1000)
  expect(state.reading.position).toBe('doubt')
  return state.reading.reason
}

describe('the acceptance test', () => {
  const rows = page
    .slice(page.indexOf('## Acceptance test'), page.indexOf('## Backends'))
    .split('\n')
    .filter((line) => /^\| \d+\. /.test(line))
  const rowOf = (number: number) => rows.find((row) => row.startsWith(`| ${number}. `))

  it('has every step once, in their order', () => {
    expect(rows.map((row) => Number(/\d+/.exec(row)![0]))).toEqual(rows.map((_, at) => at + 1))
  })

  it.each([
    ['a plug that is pulled', 4, () => reasonOf('switch in doubt', pulledPlug()).split(':', 2).join(':')],
    ['a fault that is held', 5, () => reasonOf('fault: waits for SHUT').replace('{why}: ', '')],
    ['a fault that ends', 6, () => reasonOf('fault: cleared').split(/; |: /, 2)[1]!],
    ['an armed vehicle', 8, () => reasonOf('armed')],
    ['a guard that was killed', 10, () => reasonOf('SHUT never seen')],
    ['a Pi without power', 12, () => reasonOf('SHUT never seen').split(':', 1)[0]!],
  ])("%s: the guard's own words", (_, number, reason) => expect(rowOf(number)).toContain(`\`${reason()}`))
})

describe('the drawings', () => {
  it('are there', () => {
    expect(drawings).toHaveLength(4)
    expect(drawings.filter((name) => !existsSync(join(REPOSITORY, 'docs', name)))).toEqual([])
  })

  it('call the door after a doubt what the table calls it', () => {
    const { next } = TABLE.find(({ name }) => name === 'switch in doubt')!
    const said = drawings.flatMap((name) => [...text(name).matchAll(/doubt: (\w+)/g)].map(([, door]) => door))
    expect(said).toHaveLength(3)
    expect(new Set(said)).toEqual(new Set([next]))
  })

  it.each(drawings)('%s: red pins are those of 5 V, and no other is', (name) => {
    const pins = [...text(name).matchAll(/<rect ([^>]+) \/>\s*<text class="pin"[^>]*>(\d+)</g)]
    expect(pins).toHaveLength(20)
    const red = pins.filter(([, rect]) => rect!.includes('danger')).map(([, , pin]) => pin)
    expect(red).toEqual(['2', '4'])
  })
})
