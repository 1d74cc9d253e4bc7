/** CSV: read by other code than the product's, so that one can be held against the other. RFC 4180. */

/** The rows, each by its column's title. Titles are without their units, which stand in `units`. */
export interface CsvFile {
  units: Record<string, string | null>
  rows: Record<string, string>[]
}

export function readCsv(text: string): CsvFile {
  const [head, ...lines] = linesOf(text)
  const titles = head!.map((title) => /^(.*?)(?: \[([^\]]*)\])?$/.exec(title)!)
  return {
    units: Object.fromEntries(titles.map(([, name, unit]) => [name!, unit ?? null])),
    rows: lines.map((cells) => {
      if (cells.length !== titles.length) throw new Error(`${cells.length} cells in ${titles.length} columns`)
      return Object.fromEntries(cells.map((cell, i) => [titles[i]![1]!, cell]))
    }),
  }
}

function linesOf(text: string): string[][] {
  const lines: string[][] = []
  let cells: string[] = []
  let cell = ''
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (quoted && char === '"' && text[i + 1] === '"') cell += text[i++]
    else if (char === '"') quoted = !quoted
    else if (quoted || (char !== ',' && char !== '\n')) cell += char
    else {
      cells.push(cell)
      cell = ''
      if (char === ',') continue
      lines.push(cells)
      cells = []
    }
  }
  if (quoted || cell !== '' || cells.length > 0) throw new Error('the file does not end with a whole line')
  return lines
}
