/**
 * Progress line: how far long work has come, rewritten in place on a terminal, and not at all elsewhere.
 */
import { durationText } from './quantity-text.js'

/** Work that is done sooner needs no line (ms). */
const SHOW_AFTER_MS = 1000
/** The line is rewritten this often at most (ms). */
const REWRITE_MS = 200
/** How long the rest takes is not guessed at sooner (ms). */
const GUESS_AFTER_MS = 3000
/** Width of a terminal that does not tell its own (characters). */
const USUAL_COLUMNS = 80

export interface ProgressLine {
  /** So much is done, of so much; `what` is done now, where that changes. */
  update(done: number, all: number, what?: string): void
  /** The work is over: the line goes away. */
  end(): void
}

export function createProgressLine(what: string): ProgressLine {
  const startMs = performance.now()
  let writtenMs = 0
  let width = 0
  return {
    update(done, all, now = what) {
      const nowMs = performance.now()
      if (!process.stderr.isTTY || nowMs - startMs < SHOW_AFTER_MS || nowMs - writtenMs < REWRITE_MS) return
      writtenMs = nowMs
      // A line that wraps would be written below itself, again and again.
      const text = progressText(now, done, all, nowMs - startMs)
      const line = text.slice(0, (process.stderr.columns || USUAL_COLUMNS) - 1)
      process.stderr.write(`\r${line.padEnd(width)}`)
      width = line.length
    },
    end() {
      if (width > 0) process.stderr.write(`\r${' '.repeat(width)}\r`)
      width = 0
    },
  }
}

/** `exporting out  45 %, 1:05 left` */
export function progressText(what: string, done: number, all: number, elapsedMs: number): string {
  const share = all > 0 ? Math.min(1, done / all) : 1
  const percent = `${what} ${(100 * share).toFixed(0).padStart(3)} %`
  if (elapsedMs < GUESS_AFTER_MS || share === 0) return percent
  return `${percent}, ${durationText((elapsedMs * 1000 * (1 - share)) / share)} left`
}
