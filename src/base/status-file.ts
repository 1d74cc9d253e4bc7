/**
 * Status file: what a running program says of itself, for whoever wants to look without asking it.
 */
import { closeSync, fchmodSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { reasonOf } from './fault.js'
import type { Log } from './log.js'
import { makeFolder } from './make-folder.js'
import { toldOnce } from './told-once.js'

/** Anybody on the machine may see how it goes, whatever the umask: there is nothing secret in it. */
const STATUS_MODE = 0o644

/** One that cannot be written is told once: nothing that a program is there for depends on it. */
export class StatusFile {
  readonly #path: string
  readonly #tell: (trouble: string) => void

  constructor(path: string, log: Log) {
    this.#path = path
    this.#tell = toldOnce((trouble) => log.warn(trouble))
  }

  /** Replaces the file whole, so that a reader never sees half of one. It is not flushed: after a power cut it means nothing. */
  write(status: object): void {
    this.#try('write', () => {
      makeFolder(dirname(this.#path))
      replaceFile(this.#path, `${JSON.stringify(status, null, 1)}\n`)
    })
  }

  /** Where nothing that it last said holds after a stop. */
  remove(): void {
    this.#try('remove', () => rmSync(this.#path, { force: true }))
  }

  #try(what: string, act: () => void): void {
    try {
      act()
      this.#tell('')
    } catch (error) {
      this.#tell(`cannot ${what} the status file ${this.#path}: ${reasonOf(error)}; all else goes on`)
    }
  }
}

function replaceFile(path: string, text: string): void {
  const file = openSync(`${path}.new`, 'w')
  try {
    writeFileSync(file, text)
    fchmodSync(file, STATUS_MODE)
  } finally {
    closeSync(file)
  }
  renameSync(`${path}.new`, path)
}
