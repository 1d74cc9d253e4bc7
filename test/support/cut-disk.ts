/**
 * Cut disk: a disk as POSIX promises it and not a bit better, driven by system calls, whose power can go at any moment.
 *
 * A write, a new length or a permission is durable once its file was flushed; a name once its folder was. Until then
 * each of them may or may not survive, in any order, and a write may be torn at its sectors. What a journalling file
 * system would leave is one of those outcomes.
 */
import { posix } from 'node:path'
import type { Random } from '../../src/simulator/random.js'
import { pathOf } from './system-calls.js'
import type { SystemCall } from './system-calls.js'

/** What is torn apart: the sector of a card or the page of the kernel's cache (bytes). */
const TEAR_BYTES = [512, 4096]

/**
 * What becomes of that which was not flushed: all is lost; all is there (as if only the process had died); what came
 * first is there, up to a torn last write; each for itself lost, there or torn; that, and in any order.
 */
export const FATES = ['lost', 'kept', 'in order', 'torn', 'shuffled'] as const
export type Fate = (typeof FATES)[number]

/** What a call does to a file. */
type Deed =
  | { kind: 'write'; at: number; bytes: Buffer }
  | { kind: 'length'; length: number }
  | { kind: 'mode'; mode: number }

/** A deed with its place among all. */
type Change = Deed & { number: number }

/** A file's bytes; those behind `length` are zeros. */
class Content {
  bytes = Buffer.alloc(0)
  length = 0
  mode = 0

  static copy({ bytes, length, mode }: Content): Content {
    const copy = new Content()
    Object.assign(copy, { bytes: Buffer.from(bytes.subarray(0, length)), length, mode })
    return copy
  }

  /** Applies the change, of a write only the part `[from, to)`. */
  apply(change: Deed, from = 0, to = Infinity): void {
    if (change.kind === 'mode') this.mode = change.mode
    else if (change.kind === 'length') this.#resize(change.length)
    else {
      const part = change.bytes.subarray(from, to)
      if (change.at + from + part.length > this.length) this.#resize(change.at + from + part.length)
      part.copy(this.bytes, change.at + from)
    }
  }

  #resize(length: number): void {
    if (length > this.bytes.length) {
      const bigger = Buffer.alloc(Math.max(length, this.bytes.length * 2))
      this.bytes.copy(bigger, 0, 0, this.length)
      this.bytes = bigger
    } else if (length < this.length) this.bytes.fill(0, length, this.length)
    this.length = length
  }
}

class File {
  readonly durable = new Content()
  /** As programs see it. */
  readonly seen = new Content()
  pending: Change[] = []
}

type Entry = File | Folder

/** Names that a call gave, took or exchanged at once. */
interface Renaming {
  number: number
  names: Map<string, Entry | undefined>
}

class Folder {
  durable = new Map<string, Entry>()
  readonly seen = new Map<string, Entry>()
  pending: Renaming[] = []
}

/** A file as it is found when the power is back. */
export interface FoundFile {
  path: string
  bytes: Buffer
  mode: number
}

export class CutDisk {
  /** The folder that it is called by. */
  readonly root: string
  readonly #top = new Folder()
  /** Calls so far that changed something. */
  changes = 0
  /** Numbers of the writes that are forgotten when they are flushed, as a card that lies would. */
  readonly #forgotten: ReadonlySet<number>
  /** Of each flushed write: its number, and the file as it was called. */
  readonly flushed: { number: number; path: string }[] = []

  /** An empty disk below the folder `root`. */
  constructor(root: string, forgotten: Iterable<number> = []) {
    this.root = root
    this.#forgotten = new Set(forgotten)
  }

  /** A disk that holds these files and nothing else, all of them durable. */
  static holding(root: string, files: readonly FoundFile[]): CutDisk {
    const disk = new CutDisk(root)
    const folders = files
      .filter(({ path }) => path.endsWith('/'))
      .sort((a, b) => a.path.length - b.path.length)
    for (const { path } of folders) disk.#name(new Map([[posix.join(root, path.slice(0, -1)), new Folder()]]))
    for (const { path, bytes, mode } of files) {
      if (path.endsWith('/')) continue
      const file = new File()
      for (const content of [file.durable, file.seen])
        Object.assign(content, { bytes: Buffer.from(bytes), length: bytes.length, mode })
      disk.#name(new Map([[posix.join(root, path), file]]))
    }
    for (const { path } of folders) disk.#flush(posix.join(root, path.slice(0, -1)), 'fsync')
    disk.#flush(root, 'fsync')
    return disk
  }

  /** Whether the call is about this disk. */
  holds(path: string): boolean {
    return path.startsWith(`${this.root}/`) || path === this.root
  }

  /** Does what the call did. Errors: a call that this disk does not know, so that none is passed over. */
  apply(call: SystemCall): void {
    const { name, words, bytes, result } = call
    const path = pathOf(call)
    if (path.endsWith('(deleted)')) return
    // SQLite's shared memory is made anew at each start.
    if (path.endsWith('-shm')) return
    switch (name) {
      case 'open':
      case 'openat':
        return this.#open(path, words)
      case 'write':
        return this.#change(path, { kind: 'write', at: this.#end(path), bytes: bytes.subarray(0, result) })
      case 'pwrite64':
        return this.#change(path, {
          kind: 'write',
          at: Number(words.at(-1)),
          bytes: bytes.subarray(0, result),
        })
      case 'ftruncate':
        return this.#change(path, { kind: 'length', length: Number(words.at(-1)) })
      case 'chmod':
      case 'fchmod':
        return this.#change(path, { kind: 'mode', mode: Number.parseInt(words.at(-1)!, 8) })
      case 'fsync':
      case 'fdatasync':
        return this.#flush(path, name)
      case 'rename':
        return this.#rename(words[0]!, words[1]!)
      case 'unlink':
        return this.#name(new Map([[path, undefined]]))
      case 'mkdir':
        return this.#name(new Map([[path, new Folder()]]))
      default:
        throw new Error(`the disk does not know the call ${name}(${words.join(', ')})`)
    }
  }

  /** The files as programs see them. */
  seen(): FoundFile[] {
    return this.#files(
      (folder) => folder.seen,
      (file) => file.seen,
    )
  }

  /** What is found when the power goes now and comes back. */
  cut(fate: Fate, random: Random): FoundFile[] {
    const last = Math.floor(random() * (this.changes + 1))
    const oldest = Math.min(this.changes, ...this.#numbers(this.#top))
    const until = fate === 'in order' ? oldest + Math.floor(random() * (this.changes + 1 - oldest)) : last
    const names = (folder: Folder): Map<string, Entry> => namesAfter(folder, fate, until, random)
    return this.#files(names, (file) => contentAfter(file, fate, until, random))
  }

  #numbers(folder: Folder): number[] {
    const below = [...folder.seen.values()].flatMap((entry) =>
      entry instanceof Folder ? this.#numbers(entry) : entry.pending.map(({ number }) => number),
    )
    return [...folder.pending.map(({ number }) => number), ...below]
  }

  #open(path: string, words: readonly string[]): void {
    const flags = words.find((word) => word.startsWith('O_')) ?? ''
    if (this.#find(path) === undefined) {
      if (!flags.includes('O_CREAT')) return
      const file = new File()
      const mode = Number.parseInt(words.at(-1)!, 8) & ~0o022
      this.#name(new Map([[path, file]]))
      // A file has its permissions from the first: they are written with its name.
      file.durable.mode = file.seen.mode = mode
    } else if (flags.includes('O_TRUNC')) this.#change(path, { kind: 'length', length: 0 })
  }

  #change(path: string, deed: Deed): void {
    const file = this.#find(path)
    if (!(file instanceof File)) throw new Error(`a change of ${path}, which is no file`)
    const change: Change = { ...deed, number: ++this.changes }
    file.seen.apply(change)
    file.pending.push(change)
  }

  #end(path: string): number {
    const file = this.#find(path)
    if (file instanceof File) return file.seen.length
    throw new Error(`a write to ${path}, which is no file`)
  }

  #flush(path: string, by: 'fsync' | 'fdatasync'): void {
    const entry = path === this.root ? this.#top : this.#find(path)
    if (entry instanceof Folder) {
      entry.durable = new Map(entry.seen)
      entry.pending = []
    } else if (entry !== undefined) {
      const later = entry.pending.filter(({ kind }) => by === 'fdatasync' && kind === 'mode')
      for (const change of entry.pending) {
        if (later.includes(change) || this.#forgotten.has(change.number)) continue
        entry.durable.apply(change)
      }
      for (const { kind, number } of entry.pending) if (kind === 'write') this.flushed.push({ number, path })
      entry.pending = later
    }
  }

  #rename(from: string, to: string): void {
    this.#name(
      new Map([
        [from, undefined],
        [to, this.#find(from)],
      ]),
    )
  }

  /** Gives and takes names of one folder, all at once. */
  #name(paths: ReadonlyMap<string, Entry | undefined>): void {
    const folders = new Set([...paths.keys()].map((path) => posix.dirname(path)))
    const [dir] = folders
    const folder = dir === this.root ? this.#top : this.#find(dir!)
    if (folders.size !== 1 || !(folder instanceof Folder)) throw new Error('names of several folders at once')
    const names = new Map([...paths].map(([path, entry]) => [posix.basename(path), entry]))
    for (const [name, entry] of names) setName(folder.seen, name, entry)
    folder.pending.push({ number: ++this.changes, names })
  }

  #find(path: string): Entry | undefined {
    let entry: Entry | undefined = this.#top
    for (const name of path.slice(this.root.length + 1).split('/')) {
      entry = entry instanceof Folder ? entry.seen.get(name) : undefined
    }
    return entry
  }

  #files(
    names: (folder: Folder) => ReadonlyMap<string, Entry>,
    content: (file: File) => Content,
    folder = this.#top,
    below = '',
  ): FoundFile[] {
    return [...names(folder)].flatMap(([name, entry]) => {
      const path = posix.join(below, name)
      if (entry instanceof Folder)
        return [
          ...this.#files(names, content, entry, path),
          { path: `${path}/`, bytes: Buffer.alloc(0), mode: 0o750 },
        ]
      const { bytes, length, mode } = content(entry)
      return [{ path, bytes: bytes.subarray(0, length), mode }]
    })
  }
}

function setName(names: Map<string, Entry>, name: string, entry: Entry | undefined): void {
  if (entry === undefined) names.delete(name)
  else names.set(name, entry)
}

/** The names that survive. Those that were ever exchanged for each other survive together up to one moment. */
function namesAfter(
  { durable, pending }: Folder,
  fate: Fate,
  until: number,
  random: Random,
): Map<string, Entry> {
  const names = new Map(durable)
  /** Of each name, the number after which nothing survives. */
  const ends = new Map<string, number>()
  const first = pending[0]?.number ?? 0
  const last = pending.at(-1)?.number ?? 0
  for (const { number, names: some } of pending) {
    const known = [...some.keys()].map((name) => ends.get(name)).find((end) => end !== undefined)
    const end = known ?? first - 1 + Math.floor(random() * (last - first + 2))
    for (const name of some.keys()) ends.set(name, end)
    if (survives(fate, number, until, number <= end))
      for (const [name, entry] of some) setName(names, name, entry)
  }
  return names
}

function survives(fate: Fate, number: number, until: number, otherwise: boolean): boolean {
  if (fate === 'lost' || fate === 'kept') return fate === 'kept'
  return fate === 'in order' ? number <= until : otherwise
}

function contentAfter(file: File, fate: Fate, until: number, random: Random): Content {
  if (file.pending.length === 0) return file.durable
  if (fate === 'kept') return file.seen
  const content = Content.copy(file.durable)
  const pending = fate === 'shuffled' ? shuffled(file.pending, random) : file.pending
  for (const change of pending) {
    const luck = random()
    if (survives(fate, change.number, until - 1, luck < 1 / 3)) content.apply(change)
    else if (survives(fate, change.number, until, luck < 2 / 3)) tear(content, change, random)
  }
  return content
}

/** Applies some of a write's sectors. The file's new length may be there though its bytes are not. */
function tear(content: Content, change: Change, random: Random): void {
  if (change.kind !== 'write') return
  const step = TEAR_BYTES[Math.floor(random() * TEAR_BYTES.length)]!
  const end = change.at + change.bytes.length
  if (random() < 0.3 && content.length < end) content.apply({ kind: 'length', length: end })
  for (let at = change.at; at < end;) {
    const next = Math.min(end, at - (at % step) + step)
    if (random() < 0.5) content.apply(change, at - change.at, next - change.at)
    at = next
  }
}

function shuffled<Each>(all: readonly Each[], random: Random): Each[] {
  return all
    .map((each) => ({ each, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ each }) => each)
}
