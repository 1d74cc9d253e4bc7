/**
 * Make folder: a folder with those above it that are missing, one by one. Node's own `recursive` tries for ever where a file
 * system takes no folders and says that there is none (/proc).
 */
import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** Makes `path`; returns the highest folder that was made, undefined where all were there. Errors: the system's. */
export function makeFolder(path: string, mode?: number): string | undefined {
  const full = resolve(path)
  if (statSync(full, { throwIfNoEntry: false })?.isDirectory() === true) return undefined
  const above = dirname(full)
  const highest = above === full ? undefined : makeFolder(above, mode)
  try {
    mkdirSync(full, mode)
  } catch (error) {
    // Somebody else was quicker.
    if (statSync(full, { throwIfNoEntry: false })?.isDirectory() !== true) throw error
  }
  return highest ?? full
}
