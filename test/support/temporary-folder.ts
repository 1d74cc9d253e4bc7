/** Temporary folder: one for a test file, gone when its tests are over. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** Makes a folder for the tests of this file, below the system's own or another one. */
export function temporaryFolder(name: string, below = tmpdir()): string {
  const folder = mkdtempSync(join(below, `groundlock-${name}-`))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
