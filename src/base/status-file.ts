/**
 * Status file: what a running program says of itself, for whoever wants to look without asking it.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { makeFolder } from './make-folder.js'

/** Replaces the file whole, so that a reader never sees half of one. It is not flushed: after a power cut it means nothing. */
export function writeStatusFile(path: string, status: object, mode: number): void {
  makeFolder(dirname(path))
  writeFileSync(`${path}.new`, `${JSON.stringify(status, null, 1)}\n`, { mode })
  renameSync(`${path}.new`, path)
}
