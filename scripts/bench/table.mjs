/**
 * Table: rows as text for a person.
 */
import { judgedOf } from './row.mjs'

const HEAD = ['', 'ours', 'reference', 'ratio', 'goal', 'met', 'spread']

export function tableText(rows) {
  const cells = [HEAD, ...rows.map(cellsOf)]
  const widths = HEAD.map((_, i) => Math.max(...cells.map((line) => line[i].length)))
  const lines = cells.map((line) =>
    line
      .map((cell, i) => pad(cell, widths[i], i))
      .join('  ')
      .trimEnd(),
  )
  const notes = rows.filter(({ note }) => note !== '').map(({ what, note }) => `${what}: ${note}`)
  return [...lines, '', ...notes].join('\n')
}

function cellsOf(row) {
  const { what, unit, ours, reference, ratio, goal, met, spread } = row
  return [
    what,
    `${digits(ours)} ${unit}`,
    reference === null ? '' : `${digits(reference)} ${unit}`,
    ratio === null ? '' : digits(ratio),
    goal === null ? '' : goalText(row),
    met === null ? '' : met ? 'yes' : 'NO',
    `${digits(spread.min)} – ${digits(spread.max)}`,
  ]
}

/** `≥ 50`, `≤ 0.22`; with its unit where it is about ours alone. */
export function goalText(row) {
  const { goal, ratio, unit } = row
  const least = goal.atLeast !== undefined
  const text = `${least ? '≥' : '≤'} ${least ? goal.atLeast : goal.atMost}`
  return ratio !== null && goal.of !== 'ours' ? text : `${text} ${unit}`
}

/** Three digits that count. */
export function digits(value) {
  if (!Number.isFinite(value)) return '–'
  if (Math.abs(value) >= 100) return String(Math.round(value))
  return value.toPrecision(3)
}

function pad(text, width, column) {
  return column === 0 || column >= 4 ? text.padEnd(width) : text.padStart(width)
}

/** What changed against an earlier run, a line a row, and whether by more than either run's rounds differed. */
export function comparisonText(rows, earlier) {
  const lines = rows.map((row) => {
    const before = earlier.find(({ name }) => name === row.name)
    if (before === undefined) return `${row.what}: new`
    const [was, is] = [judgedOf(before), judgedOf(row)]
    const percent = 100 * (is / was - 1)
    const change = `${percent >= 0 ? '+' : ''}${percent.toFixed(1)} %`
    return `${row.what}: ${digits(was)} → ${digits(is)} (${change}, ${verdictOf(row, before)})`
  })
  const gone = earlier.filter(({ name }) => rows.every((row) => row.name !== name))
  return [...lines, ...gone.map(({ what }) => `${what}: not measured this time`)].join('\n')
}

/** A change counts where each run's median lies outside of what the rounds of the other showed. */
export function verdictOf(row, before) {
  const [was, is] = [judgedOf(before), judgedOf(row)]
  if (isWithin(is, before.spread) || isWithin(was, row.spread)) return 'within the spread'
  return is > was === (row.better === 'higher') ? 'BETTER, beyond the spread' : 'WORSE, beyond the spread'
}

function isWithin(value, { min, max }) {
  return value >= min && value <= max
}
