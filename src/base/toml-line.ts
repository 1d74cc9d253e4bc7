/**
 * TOML line: where in a text a key stands. The parser gives lines for broken syntax only, and a person who is
 * told of a wrong value wants one too. Reads headers and `key =` at line starts; keys inside inline tables and
 * look-alikes inside multi-line strings are beyond it, so what it gives is for a message, never for a decision.
 */

const HEADER = /^\s*\[{1,2}([^\]]+)\]/
const ASSIGNMENT = /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/

/** The line (1-based) that gives `path` or begins its section, else that of the nearest section around it, else null. */
export function lineOf(text: string, path: readonly string[]): number | null {
  let section: string[] = []
  let best: { line: number; depth: number } | null = null
  for (const [index, line] of text.split('\n').entries()) {
    const header = HEADER.exec(line)?.[1]
    const key = ASSIGNMENT.exec(line)?.[1]
    if (header !== undefined) section = keyParts(header)
    else if (key === undefined) continue
    const here = key === undefined ? section : [...section, ...keyParts(key)]
    const depth = sharedDepth(here, path)
    const within = depth === path.length || depth === here.length
    if (within && depth > (best?.depth ?? 0)) best = { line: index + 1, depth }
  }
  return best?.line ?? null
}

function keyParts(dotted: string): string[] {
  return dotted.split('.').map((part) => part.trim().replace(/^(["'])(.*)\1$/, '$2'))
}

function sharedDepth(a: readonly string[], b: readonly string[]): number {
  const limit = Math.min(a.length, b.length)
  const different = a.slice(0, limit).findIndex((part, index) => part !== b[index])
  return different === -1 ? limit : different
}
