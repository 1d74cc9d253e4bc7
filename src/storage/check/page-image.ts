/**
 * Page image: the pages of a flight file as they lie on the disk, and those of its -wal. SQLite is not asked, so that
 * nothing of what it needs (header, tree) has to be whole; nothing is written.
 * Source: sqlite.org/fileformat2.html, "The WAL File Format"
 */
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs'
import { Fault, errnoOf } from '../../base/fault.js'
import { PAGE_BYTES } from '../flight/schema.js'

/** Code of the fault that a file is too large to be looked through. */
export const TOO_LARGE_CODE = 'GL-SALVAGE-03'

const WAL_HEADER_BYTES = 32
/** Before each page of a -wal: its number, the size of the file after a commit, two salts, two checksums. */
const FRAME_HEADER_BYTES = 24

export class PageImage {
  readonly #file: Uint8Array
  readonly #newer: ReadonlyMap<number, Uint8Array>

  /** `newer`: pages by their number (from 1) that a -wal holds. */
  constructor(file: Uint8Array, newer: ReadonlyMap<number, Uint8Array> = new Map()) {
    this.#file = file
    this.#newer = newer
  }

  /** Errors: the system's; Fault GL-SALVAGE-03 the file is too large. */
  static read(path: string): PageImage {
    return new PageImage(wholeFile(path), newerPages(path))
  }

  /** The file's first page as it is now; shorter where the file is. Errors: as of `read`, for the -wal. */
  static firstPage(path: string): Uint8Array {
    return newerPages(path).get(1) ?? firstBytes(path, PAGE_BYTES)
  }

  /** Page `number`, counted from 1, as it is now; undefined where the file has none, or not all of it. */
  page(number: number): Uint8Array | undefined {
    const page = this.#newer.get(number) ?? this.#pageAt((number - 1) * PAGE_BYTES)
    return page.length === PAGE_BYTES ? page : undefined
  }

  /** All pages, old ones before newer ones; the last of a file that was cut off may be short. */
  *all(): Iterable<Uint8Array> {
    for (let at = 0; at < this.#file.length; at += PAGE_BYTES) yield this.#pageAt(at)
    yield* this.#newer.values()
  }

  get byteLength(): number {
    return this.#file.length + this.#newer.size * PAGE_BYTES
  }

  #pageAt(at: number): Uint8Array {
    // Page 0 is what ends a chain of pages; a negative begin would count from the file's end.
    return at < 0 ? this.#file.subarray(0, 0) : this.#file.subarray(at, at + PAGE_BYTES)
  }
}

function newerPages(path: string): ReadonlyMap<number, Uint8Array> {
  const wal = `${path}-wal`
  return existsSync(wal) ? walPages(wholeFile(wal)) : new Map()
}

/** Errors: the system's; Fault GL-SALVAGE-03 where it is larger than Node reads at once (2 GiB). */
function wholeFile(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (cause) {
    if (errnoOf(cause) !== 'ERR_FS_FILE_TOO_LARGE') throw cause
    throw new Fault({
      code: TOO_LARGE_CODE,
      op: 'look through',
      subject: path,
      found: 'it has more than 2 GiB',
      hint: 'What can be read of so large a file cannot be looked for. Nothing of it was changed.',
      recovery: 'user',
      cause,
    })
  }
}

function firstBytes(path: string, count: number): Uint8Array {
  const bytes = new Uint8Array(count)
  const file = openSync(path, 'r')
  try {
    return bytes.subarray(0, readSync(file, bytes, 0, count, 0))
  } finally {
    closeSync(file)
  }
}

/**
 * The newest of each page up to the last commit. Who looks for rows checks those, so checksums of pages do not matter here:
 * a damaged one must not cost all that were written after it.
 */
function walPages(wal: Uint8Array): Map<number, Uint8Array> {
  const view = new DataView(wal.buffer, wal.byteOffset, wal.length)
  const frameBytes = FRAME_HEADER_BYTES + PAGE_BYTES
  const salts = (at: number): string => `${view.getUint32(at + 8)} ${view.getUint32(at + 12)}`
  const committed = new Map<number, Uint8Array>()
  let open: [number, Uint8Array][] = []
  for (let at = WAL_HEADER_BYTES; at + frameBytes <= wal.length; at += frameBytes) {
    // Frames of another salt are of an earlier round of use.
    if (salts(at) !== salts(WAL_HEADER_BYTES)) break
    open.push([view.getUint32(at), wal.subarray(at + FRAME_HEADER_BYTES, at + frameBytes)])
    if (view.getUint32(at + 4) === 0) continue
    for (const [number, page] of open) committed.set(number, page)
    open = []
  }
  return committed
}
