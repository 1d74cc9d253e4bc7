/**
 * Fault: the world failed (a port is gone, a disk is full, a file is not what it should be).
 * Noise on the wire is never one (it is a counted value), nor is a mistake of ours (that is an assert).
 */

/** Who acts next: the program by trying again, nobody (the program ends), or a person. */
export type Recovery = 'retry' | 'stop' | 'user'

export interface FaultParts {
  /** Stable name, `GL-<ROOM>-<number>`, listed in docs/faults.md. */
  code: string
  /** What was tried, as a verb phrase: `open`, `write the tail`. */
  op: string
  /** On what: a path, a flight, a setting. */
  subject: string
  /** What happened, or what was found where something else was expected. */
  found: string
  /** What to do now; whole sentences. */
  hint: string
  recovery: Recovery
  cause?: unknown
}

export class Fault extends Error {
  readonly code: string
  readonly op: string
  readonly subject: string
  readonly found: string
  readonly hint: string
  readonly recovery: Recovery

  constructor(parts: FaultParts) {
    super(`cannot ${parts.op} ${parts.subject}: ${parts.found}`, { cause: parts.cause })
    this.name = 'Fault'
    this.code = parts.code
    this.op = parts.op
    this.subject = parts.subject
    this.found = parts.found
    this.hint = parts.hint
    this.recovery = parts.recovery
  }
}

/** The fault as a person reads it: one line of what happened, then the hint below it, indented. */
export function faultLines(fault: Fault): string {
  const head = `${fault.code}  ${fault.message}.`
  const indent = ' '.repeat(fault.code.length + 2)
  return [head, ...fault.hint.split('\n').map((line) => indent + line)].join('\n')
}

/** Whatever was thrown, for a log: a fault with what to do, of anything else the reason. */
export function troubleText(error: unknown): string {
  return error instanceof Fault ? faultLines(error) : reasonOf(error)
}

/** The text of whatever was thrown; of the system's errors (`EISDIR: illegal …, read 'x'`) only the words in the middle. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const words = /^E[A-Z0-9]+: (.*?), \w+(?: '.*')?$/.exec(error.message)
  return words?.[1] ?? error.message
}

/** The system's error code (`ENOENT`, `EACCES`) of whatever was thrown, or '' where it has none. */
export function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
