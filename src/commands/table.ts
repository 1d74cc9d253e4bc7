/**
 * Table: rows of text in columns, as wide as what is in them.
 */

export interface TableColumn {
  header: string
  /** Numbers stand right, words left. */
  align: 'left' | 'right'
}

/** Between two columns (characters). */
const GAP = '  '

/** The lines of a table; a row may have fewer cells than there are columns. */
export function tableLines(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ header }, c) =>
    Math.max(header.length, ...rows.map((row) => row[c]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, c) => {
        const cell = cells[c] ?? ''
        return align === 'right' ? cell.padStart(widths[c]!) : cell.padEnd(widths[c]!)
      })
      .join(GAP)
      .trimEnd()
  return [line(columns.map(({ header }) => header)), ...rows.map(line)]
}

export const left = (header: string): TableColumn => ({ header, align: 'left' })
export const right = (header: string): TableColumn => ({ header, align: 'right' })
