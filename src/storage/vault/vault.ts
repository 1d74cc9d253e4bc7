/**
 * Vault: the folder that flights live in.
 *
 *     VAULT/station        this station's name and the four characters that make its flight ids its own
 *     VAULT/flights/ID.glk one file a flight
 *     VAULT/tail-0, tail-1 what is not in a flight file yet
 *     VAULT/lock           held by the station that records into it
 */
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DEFAULT_STATION } from '../../base/defaults.js'
import { makeFolder } from '../../base/make-folder.js'
import { Fault, errnoOf, reasonOf } from '../../base/fault.js'
import { JOIN_STATION_GROUP } from '../../base/station-group.js'

/** Ending of a flight file, and of one that is still being made by an import. */
export const FLIGHT_SUFFIX = '.glk'
export const PARTIAL_SUFFIX = '.partial'

/** What a flight id looks like: nothing that could leave the folder. */
const FLIGHT_ID = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$/

export class Vault {
  readonly dir: string

  private constructor(dir: string) {
    this.dir = dir
  }

  /** Opens a vault that is there. */
  static open(dir: string): Vault {
    const vault = new Vault(dir)
    try {
      readdirSync(vault.flightsDir)
    } catch (cause) {
      throw vaultFault('open', dir, cause)
    }
    return vault
  }

  /** Opens the vault, or makes an empty one, whose name is durable. */
  static openOrCreate(dir: string): Vault {
    const vault = new Vault(dir)
    try {
      const made = makeFolder(vault.flightsDir, 0o750)
      if (made !== undefined) syncNames(made, vault.flightsDir)
      accessSync(vault.dir, constants.W_OK)
      accessSync(vault.flightsDir, constants.W_OK)
    } catch (cause) {
      throw vaultFault('write to', dir, cause)
    }
    return vault
  }

  get flightsDir(): string {
    return join(this.dir, 'flights')
  }

  /**
   * Makes the names of the vault and of what lies in it durable, whoever gave them: a process that was killed behind a
   * `mkdir` or `rename` left names that a power cut takes, with all that is stored below them.
   */
  syncNames(): void {
    syncNames(this.dir, this.flightsDir)
  }

  tailPath(index: 0 | 1): string {
    return join(this.dir, `tail-${index}`)
  }

  /** A database that the recording station holds locked, and that holds nothing. */
  get lockPath(): string {
    return join(this.dir, 'lock')
  }

  flightPath(id: string): string {
    return join(this.flightsDir, id + FLIGHT_SUFFIX)
  }

  /** The ids of all flights, in no order that means anything. */
  flightIds(): string[] {
    return readdirSync(this.flightsDir)
      .filter((name) => name.endsWith(FLIGHT_SUFFIX))
      .map((name) => name.slice(0, -FLIGHT_SUFFIX.length))
      .filter((id) => FLIGHT_ID.test(id))
  }

  /**
   * The station's part of flight ids: `name` and four random characters, made at the first start and kept, so that
   * ids of two stations of one name never meet.
   */
  stationId(name: string): string {
    const kept = this.#keptStation()
    if (kept?.startsWith(`${name}-`)) return kept
    const made = `${name}-${Buffer.from(crypto.getRandomValues(new Uint8Array(2))).toString('hex')}`
    try {
      writeDurably(this.#stationPath, `${made}\n`)
    } catch (cause) {
      throw vaultFault('write the station id of', this.dir, cause)
    }
    return made
  }

  /** The station's part of the ids of imported flights: this vault's own, unless another name is given. */
  importStation(name?: string): string {
    const kept = this.#keptStation() ?? this.stationId(name ?? DEFAULT_STATION)
    return name === undefined ? kept : name + kept.slice(kept.lastIndexOf('-'))
  }

  get #stationPath(): string {
    return join(this.dir, 'station')
  }

  #keptStation(): string | undefined {
    try {
      const kept = readFileSync(this.#stationPath, 'utf8').trim()
      return FLIGHT_ID.test(kept) ? kept : undefined
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return undefined
      throw vaultFault('read the station id of', this.dir, cause)
    }
  }
}

/** Replaces the file at `path` whole: a power cut leaves the old or the new content. */
export function writeDurably(path: string, content: string): void {
  const aside = `${path}.new`
  writeFileSync(aside, content, { flush: true })
  renameSync(aside, path)
  syncFolderOf(path)
}

/** Makes the names in the folder of `path` durable. */
export function syncFolderOf(path: string): void {
  const folder = openSync(join(path, '..'), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** Makes the name of `lowest` durable, and of each folder above it up to `highest`. */
function syncNames(highest: string, lowest: string): void {
  for (let path = resolve(lowest); ; path = dirname(path)) {
    try {
      syncFolderOf(path)
    } catch (error) {
      // A folder that we may not even read: somebody else gave the names in it.
      if (errnoOf(error) !== 'EACCES') throw error
    }
    if (path === resolve(highest)) return
  }
}

function vaultFault(op: string, dir: string, cause: unknown): Fault {
  const missing = op === 'open' && errnoOf(cause) === 'ENOENT'
  return new Fault({
    code: 'GL-VAULT-01',
    op: `${op} the vault`,
    subject: dir,
    found: missing ? 'there is no vault (a folder with flights/ in it)' : reasonOf(cause),
    hint: missing
      ? 'Name the folder with --vault, or record or import a flight first: that makes one.'
      : op === 'open' && errnoOf(cause) === 'EACCES'
        ? `The station's vault is for the group groundlock to read: ${JOIN_STATION_GROUP}.`
        : 'The user that runs this must be able to read and write the folder.',
    recovery: 'user',
    cause,
  })
}
