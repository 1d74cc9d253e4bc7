/**
 * TOML line: where in a text a key stands. The parser gives lines for broken syntax only, and a person who is
 * told of a wrong value wants one too. Reads headers, `key =` at line starts and where an entry of a list begins; keys inside
 * inline tables and look-alikes inside multi-line strings are beyond it, so what it gives is for a message, never for a decision.
 */

const HEADER = /^\s*(\[{1,2})([^\]]+)\]/
const ASSIGNMENT = /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/

/** What may hold a brace without meaning one, then the brace that begins an entry. */
const ENTRY = /"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*|(\{)/g

/** The line (1-based) that gives `path` or begins its section, else that of the nearest section around it, else null. */
export function lineOf(text: string, path: readonly string[]): number | null {
  let section: string[] = []
  let best: { line: number; depth: number } | null = null
  const entries = new Map<string, number>()
  const lines = text.split('\n')
  for (const [index, line] of lines.entries()) {
    const header = HEADER.exec(line)
    const key = ASSIGNMENT.exec(line)?.[1]
    if (header !== null) section = headerParts(header[1]!, header[2]!, entries)
    else if (key === undefined) continue
    const here = key === undefined ? section : [...section, ...keyParts(key)]
    const depth = sharedDepth(here, path)
    const within = depth === path.length || depth === here.length
    if (within && depth > (best?.depth ?? 0)) best = { line: index + 1, depth }
  }
  if (best === null) return null
  const entry = path[best.depth]
  return /^\d+$/.test(entry ?? '') ? entryLine(lines, best.line, Number(entry)) : best.line
}

/** The line of the entry `{ … }` of that number in the list that begins at `first`; `first` where there is none. */
function entryLine(lines: readonly string[], first: number, entry: number): number {
  const text = lines.slice(first - 1).join('\n')
  const braces = [...text.matchAll(ENTRY)].filter((match) => match[1] !== undefined)
  const at = braces[entry]?.index
  return at === undefined ? first : first + text.slice(0, at).split('\n').length - 1
}

/** `[[a.b]]` for the third time begins the section a.b.2. */
function headerParts(brackets: string, dotted: string, entries: Map<string, number>): string[] {
  const parts = keyParts(dotted)
  if (brackets.length === 1) return parts
  const name = parts.join('.')
  const entry = entries.get(name) ?? 0
  entries.set(name, entry + 1)
  return [...parts, String(entry)]
}

function keyParts(dotted: string): string[] {
  return dotted.split('.').map((part) => part.trim().replace(/^(["'])(.*)\1$/, '$2'))
}

function sharedDepth(a: readonly string[], b: readonly string[]): number {
  const limit = Math.min(a.length, b.length)
  const different = a.slice(0, limit).findIndex((part, index) => part !== b[index])
  return different === -1 ? limit : different
}
