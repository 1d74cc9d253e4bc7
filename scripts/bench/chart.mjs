/**
 * Chart: how far each row is beyond its goal, as an SVG: a bar a row, the goal a line.
 */
import { judgedOf } from './row.mjs'
import { digits, goalText } from './table.mjs'

/** Sizes (px). */
const ROW_HEIGHT = 30
const LABEL_WIDTH = 470
const BAR_WIDTH = 300
const VALUE_WIDTH = 240
const TOP = 56

/** Bars end here: what is better than the goal by more is written, not drawn (times the goal). */
const MOST_TIMES = 2

/** An SVG of the rows that have a goal. */
export function chartSvg(rows) {
  const judged = rows.filter(({ goal }) => goal !== null)
  const width = LABEL_WIDTH + BAR_WIDTH + VALUE_WIDTH
  const height = TOP + judged.length * ROW_HEIGHT + 16
  const goalX = LABEL_WIDTH + BAR_WIDTH / MOST_TIMES
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    '  font-family="system-ui, sans-serif" font-size="13" fill="#1c2330">',
    `<title>Measured against the goals</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(16, 26, 'Measured against the goals', 'font-weight="600" font-size="15"'),
    text(goalX, 46, 'goal', 'text-anchor="middle" fill="#5b6472"'),
    ...judged.flatMap((row, i) => barOf(row, TOP + i * ROW_HEIGHT)),
    `<line x1="${goalX}" x2="${goalX}" y1="${TOP - 4}" y2="${height - 12}" stroke="#1c2330" stroke-dasharray="3 3"/>`,
    '</svg>',
    '',
  ].join('\n')
}

function barOf(row, y) {
  const { goal, met, what } = row
  const value = judgedOf(row)
  const times = goal.atLeast === undefined ? goal.atMost / value : value / goal.atLeast
  const length = (Math.min(times, MOST_TIMES) / MOST_TIMES) * BAR_WIDTH
  const unit = (row.ratio !== null && goal.of !== 'ours') || row.unit === '' ? '' : ` ${row.unit}`
  return [
    text(LABEL_WIDTH - 10, y + 17, escaped(what), 'text-anchor="end"'),
    `<rect x="${LABEL_WIDTH}" y="${y + 5}" width="${length.toFixed(1)}" height="${ROW_HEIGHT - 12}" rx="2" fill="${met ? '#2f7d5b' : '#c2572b'}"/>`,
    text(
      LABEL_WIDTH + BAR_WIDTH + 12,
      y + 17,
      escaped(`${digits(value)}${unit}, goal ${goalText(row)}${met ? '' : ': missed'}`),
    ),
  ]
}

function text(x, y, content, attributes = '') {
  return `<text x="${x}" y="${y}" ${attributes}>${content}</text>`
}

function escaped(words) {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
