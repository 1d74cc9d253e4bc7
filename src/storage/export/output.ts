/**
 * Output: the files of an export, seen by others when they are whole and on the disk, or never.
 *
 *     .NAME.partial-PID ──write──▶ fsync ──▶ rename to NAME ──▶ fsync of the folder
 *
 * Errors: Fault GL-EXPORT-01 something is there already, 02 it cannot be written.
 */
import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { Fault, errnoOf, reasonOf } from '../../base/fault.js'
import { isProcessAlive } from '../../base/process-alive.js'
import { syncFolderOf } from '../vault/vault.js'

/** A file that was written. */
export interface Written {
  path: string
  bytes: number
}

/** Takes the bytes of a file; they are borrowed. */
export interface Sink {
  write(bytes: Uint8Array): void
}

/** One file on its way. */
export class OutputFile implements Sink {
  readonly path: string
  bytes = 0
  readonly #aside: string
  readonly #file: number
  #isOpen = true

  constructor(path: string, aside: string) {
    this.path = path
    this.#aside = aside
    this.#file = writing(path, () => openSync(aside, 'w'))
  }

  write(bytes: Uint8Array): void {
    writing(this.path, () => {
      for (let done = 0; done < bytes.length;) done += writeSync(this.#file, bytes, done)
    })
    this.bytes += bytes.length
  }

  finish(): Written {
    writing(this.path, () => {
      fsyncSync(this.#file)
      this.#close()
    })
    return { path: this.path, bytes: this.bytes }
  }

  /** Gives the finished file its name; `published` are the files of the export that have theirs. */
  publish(published: readonly string[]): void {
    writing(this.path, () => renameSync(this.#aside, this.path), published)
  }

  /** Removes what was not published. */
  discard(): void {
    if (this.#isOpen) this.#close()
    rmSync(this.#aside, { force: true })
  }

  #close(): void {
    // First: whatever `close` says, the descriptor is gone.
    this.#isOpen = false
    closeSync(this.#file)
  }
}

/** What an export writes to. Exactly one of `commit` and `discard` is called at its end. */
export interface Output {
  /** Begins a file. */
  create(path: string): Sink
  /** Returns when what was written is out of our memory. Errors: what `signal` aborts with. */
  drained(signal: AbortSignal | undefined): Promise<void>
  /** Makes all files durable under their names. */
  commit(): Written[]
  /** Leaves nothing behind but what a `commit` that failed had published; its fault says so. */
  discard(): void
}

/** Files anywhere, each renamed into place. */
export class OutputFiles implements Output {
  readonly #force: boolean
  readonly #files: OutputFile[] = []

  /** `force`: files that are there are replaced. */
  constructor(force: boolean) {
    this.#force = force
  }

  create(path: string): OutputFile {
    const there = kindOf(path)
    if (there !== undefined && !(there === 'file' && this.#force)) throw thereFault(path, there)
    removeStale(path)
    const file = new OutputFile(path, asideOf(path))
    this.#files.push(file)
    return file
  }

  /** Files are written at once. */
  async drained(): Promise<void> {}

  commit(): Written[] {
    const written = this.#files.map((file) => file.finish())
    const published: string[] = []
    for (const file of this.#files) {
      file.publish(published)
      published.push(file.path)
      writing(file.path, () => syncFolderOf(file.path), published)
    }
    return written
  }

  discard(): void {
    for (const file of this.#files) file.discard()
  }
}

/** A new folder full of files, renamed into place as a whole. */
export class OutputFolder implements Output {
  readonly #path: string
  readonly #aside: string
  readonly #replaces: boolean
  readonly #files: OutputFile[] = []

  /** `force`: an earlier export in its place, a folder of nothing but `.csv` files, is replaced. */
  constructor(path: string, force: boolean) {
    const there = kindOf(path)
    this.#replaces = there === 'folder' && force && isFolderOf(path, '.csv')
    if (there !== undefined && !this.#replaces) throw thereFault(path, there)
    this.#path = path
    this.#aside = asideOf(path)
    removeStale(path)
    writing(path, () => {
      rmSync(this.#aside, { recursive: true, force: true })
      mkdirSync(this.#aside)
    })
  }

  create(name: string): OutputFile {
    const file = new OutputFile(join(this.#path, name), join(this.#aside, name))
    this.#files.push(file)
    return file
  }

  /** Files are written at once. */
  async drained(): Promise<void> {}

  commit(): Written[] {
    const written = this.#files.map((file) => file.finish())
    const old = `${this.#aside}-old`
    writing(this.#path, () => {
      syncFolderOf(join(this.#aside, 'any'))
      if (this.#replaces) renameSync(this.#path, old)
      try {
        renameSync(this.#aside, this.#path)
      } catch (cause) {
        if (this.#replaces) renameSync(old, this.#path)
        throw cause
      }
    })
    const finishing = (): void => {
      syncFolderOf(this.#path)
      rmSync(old, { recursive: true, force: true })
    }
    writing(this.#path, finishing, [this.#path])
    return written
  }

  discard(): void {
    for (const file of this.#files) file.discard()
    rmSync(this.#aside, { recursive: true, force: true })
  }
}

/** `flight.tlog` and `2` → `flight.2.tlog`. */
export function pathWith(path: string, part: string): string {
  const extension = extname(path)
  return `${path.slice(0, path.length - extension.length)}.${part}${extension}`
}

function asideOf(path: string): string {
  return join(dirname(path), `.${basename(path)}${PARTIAL}${process.pid}`)
}

const PARTIAL = '.partial-'

/** Removes what killed exports to the same path left beside it. What cannot be removed is in nobody's way. */
function removeStale(path: string): void {
  const folder = dirname(path)
  const prefix = `.${basename(path)}${PARTIAL}`
  for (const name of namesIn(folder)) {
    const [, pid, old] = (name.startsWith(prefix) && /^(\d+)(-old)?$/.exec(name.slice(prefix.length))) || []
    if (pid === undefined || isProcessAlive(Number(pid))) continue
    // It was killed before the new one had its place: what was there before is nowhere else.
    if (old !== undefined && kindOf(path) === undefined) continue
    const stale = join(folder, name)
    // Whatever bears such a name and is none of ours stays: only what an export makes goes.
    const kind = lstatSync(stale, { throwIfNoEntry: false })
    if (kind?.isFile()) rmSync(stale, { force: true })
    else if (kind?.isDirectory() && isFolderOf(stale, '.csv')) rmSync(stale, { recursive: true, force: true })
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    // Whether it can be written to is told by the one who writes.
    return []
  }
}

type Kind = 'file' | 'folder' | 'device'

/** What is at the path; a device, a pipe or a link is never replaced. */
function kindOf(path: string): Kind | undefined {
  const stat = writing(path, () => lstatSync(path, { throwIfNoEntry: false }))
  if (stat === undefined) return undefined
  if (stat.isDirectory()) return 'folder'
  return stat.isFile() ? 'file' : 'device'
}

function isFolderOf(path: string, extension: string): boolean {
  return readdirSync(path, { withFileTypes: true }).every(
    (entry) => entry.isFile() && entry.name.endsWith(extension),
  )
}

/** Does `work`; what the system refuses is a Fault about `path`, which names what was `published` before. */
function writing<Value>(path: string, work: () => Value, published: readonly string[] = []): Value {
  try {
    return work()
  } catch (cause) {
    const found = FOUND[errnoOf(cause)] ?? reasonOf(cause)
    const left =
      published.length === 0
        ? 'Nothing is left of this export.'
        : `Of this export nothing is left but what is whole already: ${published.join(', ')}.`
    throw new Fault({
      code: 'GL-EXPORT-02',
      op: 'write',
      subject: path,
      found,
      hint: `${left} Free some space or name another place with --out: df ${dirname(path)}`,
      recovery: 'user',
      cause,
    })
  }
}

/** The system's reasons, as people say them. */
const FOUND: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'this user’s share of the disk is full',
  ENOENT: 'there is no such folder',
  ENOTDIR: 'a part of that path is no folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
}

function thereFault(path: string, kind: Kind): Fault {
  return new Fault({
    code: 'GL-EXPORT-01',
    op: 'write',
    subject: path,
    found: `there is a ${kind} of that name`,
    hint: 'Name another with --out, or replace it with --force (a plain file, or a folder of nothing but .csv files).',
    recovery: 'user',
  })
}
