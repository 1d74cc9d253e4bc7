/** Temporary folder: one for a test file, gone when its tests are over; asked for in a test, gone when that one is over. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TestRunner, afterAll, onTestFinished } from 'vitest'

/** Where files are memory, as `/run` is on a board; the system's own place where there is none. */
export const IN_MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** Makes a folder below the system's own or another one. */
export function temporaryFolder(name: string, below = tmpdir()): string {
  const folder = mkdtempSync(join(below, `groundlock-${name}-`))
  // vitest runs no `afterAll` that a running test asks for.
  const atItsEnd = TestRunner.getCurrentTest() === undefined ? afterAll : onTestFinished
  atItsEnd(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
