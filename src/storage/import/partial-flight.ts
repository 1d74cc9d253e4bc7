/**
 * Partial flight: a flight file that an import is making; others see it under its name when it is whole, or never.
 *
 *     ID.glk.PID-RANDOM.partial ──publish──▶ ID.glk
 */
import { randomBytes } from 'node:crypto'
import { closeSync, linkSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../base/fault.js'
import { isProcessAlive } from '../../base/process-alive.js'
import { FLIGHT_SUFFIX, PARTIAL_SUFFIX, syncFolderOf } from '../vault/vault.js'
import type { Vault } from '../vault/vault.js'
import { isWholeImport, splitPartOf } from './import-id.js'

/** What a partial may be read by while it is made: never by all, whatever the umask. */
const PARTIAL_MODE = 0o640
/** Its name: of two imports of one file at once each has its own, and it says whose it is. */
const PARTIAL_NAME = new RegExp(`^(.+)\\${FLIGHT_SUFFIX}\\.([0-9]+)-[0-9a-f]{8}\\${PARTIAL_SUFFIX}$`)
/** What file systems without hard links (FAT, some network shares) say to one. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** The partials that this process is making: another of its process id is from before a restart. */
const making = new Set<string>()

export class PartialFlight {
  readonly path: string
  readonly #target: string

  /** Makes an empty file, which SQLite takes for a new database. Errors: what the system says. */
  constructor(vault: Vault, id: string) {
    this.#target = vault.flightPath(id)
    this.path = `${this.#target}.${process.pid}-${randomBytes(4).toString('hex')}${PARTIAL_SUFFIX}`
    closeSync(openSync(this.path, 'wx', PARTIAL_MODE))
    making.add(this.path)
  }

  /** Gives the file its name, durably. Returns false where a flight of that name is there: that one stays. */
  publish(): boolean {
    try {
      linkSync(this.path, this.#target)
    } catch (cause) {
      if (errnoOf(cause) === 'EEXIST') return false
      if (!NO_LINKS.has(errnoOf(cause))) throw cause
      renameSync(this.path, this.#target)
    }
    this.discard()
    syncFolderOf(this.#target)
    return true
  }

  /** Gives the file its name, in the place of whatever has it. */
  replace(): void {
    renameSync(this.path, this.#target)
  }

  /** Removes what was not published. */
  discard(): void {
    rmSync(this.path, { force: true })
    making.delete(this.path)
  }
}

/** Removes the partials that killed imports of the recording left. */
export function removeStale(vault: Vault, recording: string): void {
  for (const { name, pid } of partialsOf(vault, recording)) {
    const path = join(vault.flightsDir, name)
    const stale = pid === process.pid ? !making.has(path) : !isProcessAlive(pid)
    if (stale) rmSync(path, { force: true })
  }
}

/** Whether another import than that of `mine` is at work on the recording; stale partials count. */
export function isContested(vault: Vault, recording: string, mine: readonly PartialFlight[]): boolean {
  const paths = new Set(mine.map(({ path }) => path))
  return partialsOf(vault, recording).some(({ name }) => !paths.has(join(vault.flightsDir, name)))
}

function partialsOf(vault: Vault, recording: string): { name: string; pid: number }[] {
  return readdirSync(vault.flightsDir).flatMap((name) => {
    const [, id = '', pid] = PARTIAL_NAME.exec(name) ?? []
    const isOfRecording = isWholeImport(id, recording) || splitPartOf(id, recording) !== undefined
    return isOfRecording ? [{ name, pid: Number(pid) }] : []
  })
}
