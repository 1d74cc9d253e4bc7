/** Leak table: what was sent and what arrived outside, by kind of traffic or event and by state of the door. */
import { sayTable, say } from './soak.js'

export const COLUMNS = [
  'shut',
  'permitted',
  'just shut',
  'guard killed',
  'guard stopped',
  'station killed',
] as const
export type Column = (typeof COLUMNS)[number]

interface Cell {
  sent: number
  arrived: number
}

export class LeakTable {
  readonly #rows = new Map<string, Map<Column, Cell>>()

  /** `rows` stand in this order; others come behind them. */
  constructor(rows: readonly string[] = []) {
    for (const row of rows) this.#rows.set(row, new Map())
  }

  add(row: string, column: Column, sent: number, arrived: number): void {
    const cells = this.#rows.get(row) ?? new Map<Column, Cell>()
    const cell = cells.get(column) ?? { sent: 0, arrived: 0 }
    this.#rows.set(row, cells.set(column, { sent: cell.sent + sent, arrived: cell.arrived + arrived }))
  }

  /** Rows that leaked: anything that arrived in a state in which nothing may. */
  leaks(): string[] {
    return [...this.#rows].flatMap(([row, cells]) =>
      [...cells].flatMap(([column, { sent, arrived }]) =>
        column === 'permitted' || arrived === 0 ? [] : [`${row}, ${column}: ${arrived} of ${sent} arrived`],
      ),
    )
  }

  /** Rows of which nothing was sent in a state in which it was tried: they would show nothing. */
  untried(): string[] {
    return [...this.#rows].flatMap(([row, cells]) =>
      [...cells].flatMap(([column, { sent }]) => (sent === 0 ? [`${row}, ${column}`] : [])),
    )
  }

  print(title: string): void {
    const text = (cell: Cell | undefined) => (cell === undefined ? '-' : `${cell.sent} / ${cell.arrived}`)
    const rows = [...this.#rows].map(([row, cells]) => [row, ...COLUMNS.map((each) => text(cells.get(each)))])
    sayTable(`${title}: sent / arrived, - where it was not tried`, ['', ...COLUMNS], rows)
  }
}

/** A row that this machine cannot make is not silently left out of its table. */
export function sayIfNotRun(row: string, reason: string | null): void {
  if (reason !== null) say(`${row}: not run, ${reason}`)
}

/** Percentiles of measured times, for a line to print. */
export function percentiles(timesMs: readonly number[]): string {
  const sorted = [...timesMs].sort((a, b) => a - b)
  if (sorted.length === 0) return 'none'
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(1)
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, p99.9 ${at(0.999)}, most ${sorted.at(-1)!.toFixed(1)} ms of ${sorted.length}`
}
