/** What docs/switch.md tells an inspector to read is what the guard says, and its drawings say what the table does. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SETTINGS } from '../../src/base/settings.js'
import { TABLE } from '../../src/hw/decide/table.js'
import { MOVING_RE_READ_MS, RE_READ_MS, SHUT_RE_READ_MS } from '../../src/hw/switch/backend.js'
import { circuitOf } from '../../src/hw/switch/chardev-backend.js'
import * as filter from '../../src/hw/switch/position-filter.js'
import type { Wiring } from '../../src/hw/switch/position-filter.js'
import type { Contacts } from '../../src/hw/switch/reading.js'
import { Drawing, pinsNamed } from '../support/drawing.js'
import { REPOSITORY } from '../support/groundlock.js'

const text = (name: string) => readFileSync(join(REPOSITORY, 'docs', name), 'utf8')
const page = text('switch.md')
const drawings = [...page.matchAll(/\]\((switch-\w+\.svg)\)/g)].map(([, name]) => name!)

/** Pins 1 to 20 of the 40-pin header. Source: raspberrypi.com, "GPIO and the 40-pin header" */
const HEADER = [
  ['3.3 V', '5 V'],
  ['GPIO2', '5 V'],
  ['GPIO3', 'ground'],
  ['GPIO4', 'GPIO14'],
  ['ground', 'GPIO15'],
  ['GPIO17', 'GPIO18'],
  ['GPIO27', 'ground'],
  ['GPIO22', 'GPIO23'],
  ['3.3 V', 'GPIO24'],
  ['GPIO10', 'ground'],
].flat()
const labelOf = (pin: number) => HEADER[pin - 1]

/** Pin by pin, the wire at it and what stands at its other end. A wire of another class is told by its colour. */
const WIRES: Record<string, string[]> = {
  'switch-antivalent.svg': ['9 ground', '11 permit PERMIT (NO)', '13 shut SHUT (NC)', '15 lamp lamp wire'],
  'switch-single.svg': ['9 ground', '11 permit PERMIT (NO)', '15 lamp lamp wire'],
  'switch-relay.svg': ['2 #b3261e VCC', '14 ground GND', '16 permit IN (high = on)', '20 ground'],
  'switch-all.svg': [
    '1 #7a3fa0',
    '2 #b3261e VCC',
    '9 ground',
    '11 permit PERMIT (NO)',
    '13 shut SHUT (NC)',
    '14 ground GND',
    '15 lamp lamp wire',
    '16 permit IN',
    '20 ground',
  ],
}

/** The reason of a row, with what the switch says in it. */
function reasonOf(row: string, switchReason = ''): string {
  const found = TABLE.find(({ name }) => name === row)
  if (found === undefined) throw new Error(`no row ${row}`)
  return found.reason.replace('{switch}', switchReason)
}

/** What the switch says after both contacts were open for so long that it is doubt. */
function pulledPlug(): string {
  const open = { kind: 'sample', contacts: { permit: 'open', shut: 'open' } } as const
  const state = [1, 1000, 1100, 1200].reduce(
    (before, atMs) => filter.step(before, open, atMs),
    filter.startFilter('antivalent', 0),
  )
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

  it.each(drawings)('%s: each pin is where the header has it, and is called what it is', (name) => {
    const { pins } = new Drawing(name)
    expect(pins.map(({ label }) => label)).toEqual(HEADER)
    const [first, second] = pins
    const places = pins.map(({ number }) => ({
      x: (number % 2 === 1 ? first : second)!.x,
      y: first!.y + 36 * Math.floor((number - 1) / 2),
    }))
    expect(pins.map(({ x, y }) => ({ x, y }))).toEqual(places)
  })

  it.each(drawings)('%s: red pins are those of 5 V, and yellow ones those with a wire', (name) => {
    const { pins, wires } = new Drawing(name)
    const red = pins.filter(({ isRed }) => isRed).map(({ number }) => number)
    expect(red).toEqual([2, 4])
    const yellow = pins.filter(({ isYellow }) => isYellow).map(({ number }) => number)
    expect(yellow).toEqual(wires.map(({ pin }) => pin).filter((pin) => !red.includes(pin)))
  })

  it.each(drawings)('%s: each wire goes where it should, and the words beside it say so', (name) => {
    const { wires, description } = new Drawing(name)
    expect(wires.map(({ pin, kind, end }) => `${pin} ${kind} ${end}`.trim())).toEqual(WIRES[name])
    const pins = wires.map(({ pin }) => pin)
    expect(pinsNamed(description)).toEqual(pins)
    const caption = pinsNamed(new RegExp(`!\\[([^\\]]+)\\]\\(${name}`).exec(page)![1]!)
    expect([[], pins]).toContainEqual(caption)
  })

  it.each([
    ['switch-antivalent.svg', 'antivalent', ['GPIO17, pin 11', 'GPIO27, pin 13']],
    ['switch-single.svg', 'single', ['GPIO17, pin 11']],
  ] as const)('%s: its table says what the guard reads', (name, wiring, lines) => {
    const [head, ...rows] = new Drawing(name).rows
    expect(head).toEqual(['switch', ...lines, 'the guard reads'])
    expect(rows.flatMap(([what, ...cells]) => misread(what!, cells, wiring))).toEqual([])
  })
})

describe('the tables', () => {
  it('lines and pins are those of the header, of the drawings and of the settings', () => {
    const rows = [...page.matchAll(/^\| (\w+) +\| (GPIO(\d+))? +\| (\d+) +\| (?:`(\w+) = (\d+)`)?/gm)]
    expect(rows.map(([, name, , line, pin, key, value]) => [name, line, Number(pin), key, value])).toEqual([
      ['permit', String(SETTINGS.permitLine.fallback), 11, 'permit_line', '17'],
      ['shut', String(SETTINGS.shutLine.fallback), 13, 'shut_line', '27'],
      ['ground', undefined, 9, undefined, undefined],
      ['lamp', String(SETTINGS.lampLine.fallback), 15, 'lamp_line', '22'],
      ['relay', '23', 16, 'relay_line', '23'],
    ])
    for (const [, , label = 'ground', , pin] of rows) expect(labelOf(Number(pin))).toBe(label)
  })

  it("the times are the guard's own", () => {
    const section = page.slice(page.indexOf('## What the guard makes of it'), page.indexOf('## The lamp'))
    const rows = [...section.matchAll(/^\| (.+?) +\| (.+?) +\|$/gm)].slice(2)
    const s = (ms: number) => (ms < 1000 ? `${ms} ms` : `${ms / 1000} s`)
    expect(rows.map(([, , value]) => value)).toEqual([
      s(filter.PERMIT_STABLE_MS),
      'at once',
      s(filter.CONTACT_DISCREPANCY_MS),
      s(filter.LONGEST_MOVEMENT_MS),
      s(filter.BOUNCE_WINDOW_MS),
      s(filter.BOUNCE_WINDOW_MS),
      [MOVING_RE_READ_MS, RE_READ_MS, SHUT_RE_READ_MS].map(s).join(', '),
      s(filter.READING_EXPIRES_MS),
    ])
    expect(rows[4]![1]).toContain(`more movements than ${filter.MAX_MOVEMENTS} in this time`)
  })
})

/** What is wrong with a row of a drawing's table: `PERMIT, for 500 ms | low (closed) | high (open) | PERMIT`. */
function misread(what: string, cells: string[], wiring: Wiring): string[] {
  const words = cells.slice(0, -1).map((cell) => /^(high|low) \((open|closed)\)$/.exec(cell))
  const circuits = words.map((found) => circuitOf(found?.[1] === 'high' ? 1 : 0))
  if (words.some((found, index) => found?.[2] !== circuits[index])) return [`${what}: ${cells.join(', ')}`]
  const contacts = { permit: circuits[0]!, shut: circuits[1] ?? null }
  const position = /^\w+/.exec(cells.at(-1)!)![0].toLowerCase()
  // The time at which it is so; one that is `up to` ends there, and one that is `for` was not so before.
  const [, how, time = '2000'] = /, (for|up to) (\d+) ms$/.exec(what) ?? []
  const found = readAfter(contacts, wiring, Number(time))
  const other =
    how === undefined ? undefined : readAfter(contacts, wiring, Number(time) + (how === 'for' ? -1 : 1))
  return found === position && other !== position ? [] : [`${what}: ${found}, ${other}`]
}

/** The position after the contacts of SHUT have become others, and stayed so. */
function readAfter(contacts: Contacts, wiring: Wiring, ms: number): string {
  const events = [
    [{ permit: 'open', shut: 'closed' }, 0],
    [contacts, 2000],
    ...Array.from({ length: filter.LATE_AGREEMENTS }, () => [contacts, 2000 + ms] as const),
  ] as const
  const start = filter.startFilter(wiring, 0)
  return events.reduce(
    (state, [now, atMs]) => filter.step(state, { kind: 'sample', contacts: now }, atMs),
    start,
  ).reading.position
}
