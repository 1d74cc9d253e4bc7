/**
 * Status file: what a running program says of itself, for whoever wants to look without asking it.
 */
import { closeSync, fchmodSync, openSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { makeFolder } from './make-folder.js'

/** Anybody on the machine may see how it goes, whatever the umask: there is nothing secret in it. */
const STATUS_MODE = 0o644

/** Replaces the file whole, so that a reader never sees half of one. It is not flushed: after a power cut it means nothing. */
export function writeStatusFile(path: string, status: object): void {
  makeFolder(dirname(path))
  const file = openSync(`${path}.new`, 'w')
  try {
    writeFileSync(file, `${JSON.stringify(status, null, 1)}\n`)
    fchmodSync(file, STATUS_MODE)
  } finally {
    closeSync(file)
  }
  renameSync(`${path}.new`, path)
}
