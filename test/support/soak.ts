/**
 * Soak: tests that have a short form, which is always run, and a long one (`npm run soak:NAME`), which takes what it takes.
 * The long form prints its figures as a table; both are the same test with other amounts.
 */
import { writeSync } from 'node:fs'
import { createRandom } from '../../src/simulator/random.js'
import type { Random } from '../../src/simulator/random.js'

export const isLong: boolean = process.env['GROUNDLOCK_SOAK'] === 'long'

/** How much of it is done: `GROUNDLOCK_AMOUNT` where it is set, so that any figure can be had between short and long. */
export function amount(short: number, long: number): number {
  const asked = process.env['GROUNDLOCK_AMOUNT']
  if (asked !== undefined) return Number(asked)
  return isLong ? long : short
}

/** A test's limit (ms): the long form ends by itself, and a person who runs it can see how far it is. */
export const SOAK_TIMEOUT_MS: number = isLong ? 4 * 3600_000 : 300_000

/** The seed of everything random in this run; a failing test is run again with `GROUNDLOCK_SEED` set to what it printed. */
export const seed: number = Number(process.env['GROUNDLOCK_SEED'] ?? (isLong ? Date.now() % 2 ** 31 : 1))

/** Numbers for one purpose of a run: another salt gives others, the same seed gives the same. */
export function randomFor(salt: string): Random {
  let hash = seed >>> 0
  for (const char of salt) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0
  return createRandom(hash)
}

/** Prints a line at once, past the test runner's own order of things; the short form prints nothing. */
export function say(line: string): void {
  if (isLong) writeWhole(Buffer.from(`${line}\n`))
}

/** A pipe may be full, and Node leaves it non-blocking: the rest is written once its reader has taken something. */
function writeWhole(text: Uint8Array): void {
  const RETRY_MS = 5
  for (let done = 0; done < text.length;) {
    try {
      done += writeSync(1, text, done)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS)
    }
  }
}

/** Prints rows below their headings; numbers to the right. */
export function sayTable(
  title: string,
  headings: readonly string[],
  rows: readonly (string | number)[][],
): void {
  const all = [headings, ...rows.map((row) => row.map(String))]
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  const isNumber = headings.map((_, column) => rows.every((row) => typeof row[column] === 'number'))
  say(`\n${title} (seed ${seed})`)
  for (const row of all) {
    say(
      row
        .map((cell, column) =>
          isNumber[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
  }
}

/** Says how far long work is, at most once in ten seconds. */
export function createProgress(what: string, all: number): (done: number, more?: string) => void {
  const EVERY_MS = 10_000
  let saidMs = Date.now()
  return (done, more = '') => {
    if (Date.now() - saidMs < EVERY_MS) return
    saidMs = Date.now()
    say(`  ${what}: ${done} of ${all} ${more}`.trimEnd())
  }
}
