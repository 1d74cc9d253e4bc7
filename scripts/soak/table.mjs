/** Table: rows of a measurement as text, numbers to the right. */

/** Lines of a table; each row has one cell a heading. */
export function tableLines(headings, rows) {
  const all = [headings, ...rows].map((row) => row.map(String))
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column].length)))
  const isNumber = headings.map((_, column) => rows.every((row) => /^[-\d.]+( |$)/.test(String(row[column]))))
  const line = (row) =>
    row.map((cell, i) => (isNumber[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('  ')
  return all.map((row) => line(row).trimEnd())
}
