/**
 * Page image: the pages of a flight file as they lie on the disk, and those of its -wal. SQLite is not asked, so that
 * nothing of what it needs (header, tree) has to be whole; nothing is written.
 * Source: sqlite.org/fileformat2.html, "The WAL File Format"
 */
import { existsSync, readFileSync } from 'node:fs'
import { PAGE_BYTES } from '../flight/schema.js'

const WAL_HEADER_BYTES = 32
/** Before each page of a -wal: its number, the size of the file after a commit, two salts, two checksums. */
const FRAME_HEADER_BYTES = 24

export class PageImage {
  readonly #pages: Uint8Array[]
  readonly #newer: ReadonlyMap<number, Uint8Array>

  /** `newer`: pages by their number (from 1) that a -wal holds. */
  constructor(file: Uint8Array, newer: ReadonlyMap<number, Uint8Array> = new Map()) {
    this.#pages = []
    for (let at = 0; at < file.length; at += PAGE_BYTES) this.#pages.push(file.subarray(at, at + PAGE_BYTES))
    this.#newer = newer
  }

  /** Errors: the system's. */
  static read(path: string): PageImage {
    const wal = `${path}-wal`
    return new PageImage(readFileSync(path), existsSync(wal) ? walPages(readFileSync(wal)) : new Map())
  }

  /** Page `number`, counted from 1, as it is now; undefined where the file has none, or not all of it. */
  page(number: number): Uint8Array | undefined {
    const page = this.#newer.get(number) ?? this.#pages[number - 1]
    return page?.length === PAGE_BYTES ? page : undefined
  }

  /** All pages, old ones before newer ones; the last of a file that was cut off may be short. */
  *all(): Iterable<Uint8Array> {
    yield* this.#pages
    yield* this.#newer.values()
  }

  get byteLength(): number {
    return (this.#pages.length + this.#newer.size) * PAGE_BYTES
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
