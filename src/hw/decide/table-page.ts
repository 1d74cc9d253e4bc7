/** Table page: the decision table as a person reads it, in SECURITY.md and on a terminal. */
import {
  GONE_MS,
  LATE_MS,
  OVERRIDE_SHUT_MS,
  OVERRIDE_WAIT_MS,
  READING_LIMIT_MS,
  SHUT_MEANT_MS,
} from './guard-state.js'
import type { Phase } from './guard-state.js'
import { EFFECT_RULES, TABLE } from './table.js'
import type { Row } from './table.js'
import type { View } from './view.js'

/** Words of the view as the page calls them; of those that are yes or no, both forms. */
const NAMES: Readonly<Record<string, string>> = {
  phase: 'phase',
  position: 'switch',
  held: `SHUT for ${SHUT_MEANT_MS} ms`,
  station: 'station',
  vehicle: 'vehicle',
  token: 'token',
  kernel: 'kernel',
  witness: 'witness',
  permit: 'renewal',
  late: 'late',
  untilShut: 'SHUT is awaited',
  waited: `refused for ${seconds(OVERRIDE_WAIT_MS)}`,
  override: 'override',
} satisfies Record<keyof View, string>

/** The table between two phases' headings, the effects' rules and the limits, as Markdown. */
export function tableMarkdown(table: readonly Row[] = TABLE): string {
  const rows = table.map(
    (row, index) =>
      `| ${index + 1} | ${row.in.join(', ')} | ${conditionText(row)} | **${row.next}**${row.untilShut === true ? ' until SHUT' : ''} | ${row.name}: “${row.reason}” | ${row.effects.join(', ')} |`,
  )
  const effects = Object.entries(EFFECT_RULES).map(([effect, rule]) => `| ${effect} | ${rule} |`)
  return [
    ['| # | in | when | then | row, and what the screen says | effects |', '|-|-|-|-|-|-|', ...rows],
    ['| effect | is asked for |', '|-|-|', ...effects],
    [limitText()],
  ]
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

/** The table for a terminal: a row is its number, phases and conditions, then what comes of it, indented. */
export function tableText(table: readonly Row[] = TABLE): string {
  return table
    .map((row, index) => {
      const number = `${index + 1}`.padStart(2)
      const effects = row.effects.length === 0 ? 'nothing to do' : row.effects.join(', ')
      return [
        `${number}  ${row.name}  (${row.in.join(', ')})`,
        `    when  ${conditionText(row)}`,
        `    then  ${row.next}${row.untilShut === true ? ' until SHUT' : ''}: ${effects}`,
        `    says  ${row.reason}`,
      ].join('\n')
    })
    .join('\n')
}

function conditionText({ when }: Row): string {
  const parts = Object.entries(when).map(([word, values]) => {
    const name = NAMES[word] ?? word
    if (values[0] === true) return name
    if (values[0] === false) return `no ${name}`
    return `${name} ${values.join(' or ')}`
  })
  return parts.length === 0 ? 'otherwise' : parts.join('; ')
}

function limitText(): string {
  const late = (['asking', 'permitted', 'shutting'] satisfies Phase[]).map(
    (phase) => `${phase} after ${seconds(LATE_MS[phase])}`,
  )
  return (
    `_Late_ is ${late.join(', ')}. A kernel _unread_ was not read since it was last told something; ` +
    `_overdue_: not for ${seconds(READING_LIMIT_MS)}. A station _leaving_ is absent for less than ${seconds(GONE_MS)}. ` +
    `A switch _unproven_ reads PERMIT, and SHUT was never seen. ` +
    `An _override_ is SHUT for ${SHUT_MEANT_MS} ms to ${seconds(OVERRIDE_SHUT_MS)} and PERMIT again, after PERMIT was ` +
    `refused for ${seconds(OVERRIDE_WAIT_MS)}; it is for one opening.`
  )
}

function seconds(ms: number): string {
  return `${ms / 1000} s`
}
