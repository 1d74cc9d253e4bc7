/**
 * Log: one readable line per event, on stderr.
 * Under journald each line carries its priority as sd-daemon(3) wants it; on a terminal it carries the time.
 */

export interface Log {
  info(text: string): void
  warn(text: string): void
  error(text: string): void
}

/** sd-daemon(3) priorities: 3 error, 4 warning, 6 information. */
const PRIORITY = { info: 6, warn: 4, error: 3 } as const

export function createLog(write: (text: string) => void = (text) => void process.stderr.write(text)): Log {
  const journald = process.env['JOURNAL_STREAM'] !== undefined
  const line = (level: keyof typeof PRIORITY) => (text: string) => {
    const head = journald
      ? `<${PRIORITY[level]}>`
      : `${new Date().toISOString().slice(11, 23)} ${level.padEnd(5)} `
    write(
      text
        .split('\n')
        .map((part) => head + part + '\n')
        .join(''),
    )
  }
  return { info: line('info'), warn: line('warn'), error: line('error') }
}
