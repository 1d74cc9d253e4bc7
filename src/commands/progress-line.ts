/**
 * Progress line: how far long work has come, rewritten in place on a terminal, and not at all elsewhere.
 */

/** Work that is done sooner needs no line (ms). */
const SHOW_AFTER_MS = 1000
/** The line is rewritten this often at most (ms). */
const REWRITE_MS = 200

export interface ProgressLine {
  /** So much is done, of so much. */
  update(done: number, all: number): void
  /** The work is over: the line goes away. */
  end(): void
}

export function createProgressLine(what: string): ProgressLine {
  const startMs = performance.now()
  let writtenMs = 0
  return {
    update(done, all) {
      const nowMs = performance.now()
      if (!process.stderr.isTTY || nowMs - startMs < SHOW_AFTER_MS || nowMs - writtenMs < REWRITE_MS) return
      writtenMs = nowMs
      const percent = all > 0 ? Math.min(100, (100 * done) / all) : 100
      process.stderr.write(`\r${what} ${percent.toFixed(0).padStart(3)} %`)
    },
    end() {
      if (writtenMs > 0) process.stderr.write(`\r${' '.repeat(what.length + 6)}\r`)
    },
  }
}
