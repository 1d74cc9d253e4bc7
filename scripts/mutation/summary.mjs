/** Summary: a group's mutants as a table by file, and each survivor as a line to look at. */

/** What Stryker calls a mutant that a test noticed. */
export const NOTICED = new Set(['Killed', 'Timeout'])

/** Longest part of the source that a survivor's line shows (characters). */
const MAX_SHOWN = 70

/** The text, and the percentage of mutants that were noticed. */
export function summary(name, mutants) {
  const files = [...new Set(mutants.map(({ file }) => file))].toSorted((a, b) => a.localeCompare(b))
  const rows = [
    ...files.map((file) =>
      row(
        file,
        mutants.filter((each) => each.file === file),
      ),
    ),
    row(name, mutants),
  ]
  const survivors = mutants.filter(({ status }) => !NOTICED.has(status)).map((mutant) => survivorText(mutant))
  const table = [['', 'mutants', 'killed', 'survived', 'score'], ...rows].map(([head, ...cells]) =>
    [head.padEnd(34), ...cells.map((cell) => cell.padStart(9))].join(''),
  )
  return { text: ['', ...table, '', ...survivors].join('\n'), percent: Number.parseFloat(rows.at(-1)[4]) }
}

function row(name, mutants) {
  const killed = mutants.filter(({ status }) => NOTICED.has(status)).length
  const survived = mutants.filter(({ status }) => !NOTICED.has(status)).length
  const percent = (100 * killed) / Math.max(1, killed + survived)
  return [name, String(killed + survived), String(killed), String(survived), `${percent.toFixed(1)} %`]
}

function survivorText({ file, location, source, mutatorName, replacement }) {
  const line = source.split('\n')[location.start.line - 1]
  const end = location.end.line === location.start.line ? location.end.column - 1 : undefined
  const was = line.slice(location.start.column - 1, end)
  return `${file}:${location.start.line}  ${mutatorName}: ${shown(was)} → ${shown(replacement)}`
}

function shown(text) {
  const oneLine = text.replaceAll(/\s+/g, ' ')
  return oneLine.length > MAX_SHOWN ? `${oneLine.slice(0, MAX_SHOWN)}…` : oneLine
}
