/**
 * Page kinds: what each byte of a small SQLite file of 512-byte pages is for, as far as it has no meaning.
 * Written from sqlite.org/fileformat2.html, by other code than the product's.
 */

export const PAGE_BYTES = 512

/** Fields of the file's header that say nothing of what is in it. */
const COUNTERS: readonly (readonly [from: number, to: number, kind: string])[] = [
  [40, 44, 'counter of schema changes'],
  [96, 100, 'version of the SQLite that wrote it'],
]

/** Of each byte that has no meaning, what it is. */
export function meaninglessBytes(file: Buffer): Map<number, string> {
  const kinds = new Map<number, string>()
  const mark = (from: number, to: number, kind: string): void => {
    for (let at = from; at < to; at++) kinds.set(at, kind)
  }
  for (const [from, to, kind] of COUNTERS) mark(from, to, kind)
  const walk = (page: number): void => {
    const start = (page - 1) * PAGE_BYTES
    const head = start + (page === 1 ? 100 : 0)
    const type = file[head]!
    const isLeaf = type === 0x0d || type === 0x0a
    const cells = file.readUInt16BE(head + 3)
    const pointers = head + (isLeaf ? 8 : 12)
    mark(pointers + 2 * cells, start + file.readUInt16BE(head + 5), 'free space of a page')
    if (isLeaf) for (const at of fragments(file, head, start)) mark(at, at + 1, 'free space of a page')
    for (let free = file.readUInt16BE(head + 1); free !== 0; free = file.readUInt16BE(start + free))
      mark(start + free + 4, start + free + file.readUInt16BE(start + free + 2), 'free space of a page')
    for (let cell = 0; cell < cells; cell++) {
      const at = start + file.readUInt16BE(pointers + 2 * cell)
      if (!isLeaf) walk(file.readUInt32BE(at))
      if (type === 0x0d) leafCell(at)
    }
    if (!isLeaf) walk(file.readUInt32BE(head + 8))
  }
  const leafCell = (at: number): void => {
    const [length, idAt] = varint(file, at)
    const [, headerAt] = varint(file, idAt)
    const id = idPlace(file, headerAt)
    if (id !== undefined) mark(id, id + 1, 'type of an id, which SQLite does not store in its row')
    if (length <= PAGE_BYTES - 35) return
    const local = localBytes(length, PAGE_BYTES - 35)
    let left = length - local
    for (let page = file.readUInt32BE(headerAt + local); page !== 0;) {
      const start = (page - 1) * PAGE_BYTES
      const used = Math.min(left, PAGE_BYTES - 4)
      mark(start + 4 + used, start + PAGE_BYTES, 'rest of the last page of a piece')
      left -= used
      page = file.readUInt32BE(start)
    }
  }
  for (const root of [1, ...rootPages(file)]) walk(root)
  return kinds
}

/**
 * Bytes between a leaf's cells and free blocks that are too few to be a block: as many as the page's header says
 * ("fragmented free bytes"), else none is known to be one.
 */
function fragments(file: Buffer, head: number, start: number): number[] {
  const used = new Set<number>()
  const use = (from: number, to: number): void => {
    for (let at = from; at < to; at++) used.add(at)
  }
  for (let cell = 0; cell < file.readUInt16BE(head + 3); cell++) {
    const at = start + file.readUInt16BE(head + 8 + 2 * cell)
    use(at, Math.max(at + 4, cellEnd(file, at, file[head] === 0x0d)))
  }
  for (let free = file.readUInt16BE(head + 1); free !== 0; free = file.readUInt16BE(start + free))
    use(start + free, start + free + file.readUInt16BE(start + free + 2))
  const first = start + file.readUInt16BE(head + 5)
  const unused = Array.from({ length: start + PAGE_BYTES - first }, (_, i) => first + i).filter(
    (at) => !used.has(at),
  )
  return unused.length === file[head + 7] ? unused : []
}

/** Where a leaf's cell ends: of a table, with an id, or of an index. */
function cellEnd(file: Buffer, at: number, isTable: boolean): number {
  const [length, behind] = varint(file, at)
  const payload = isTable ? varint(file, behind)[1] : behind
  const most = isTable ? PAGE_BYTES - 35 : Math.floor(((PAGE_BYTES - 12) * 64) / 255) - 23
  return length <= most ? payload + length : payload + localBytes(length, most) + 4
}

/** Bytes of a payload that stand in the cell of a page where the rest does not fit. */
function localBytes(length: number, most: number): number {
  const least = Math.floor(((PAGE_BYTES - 12) * 32) / 255) - 23
  const more = least + ((length - least) % (PAGE_BYTES - 4))
  return more <= most ? more : least
}

/** Where the type of a row's first column stands, if it is NULL: an id, which stands before the row. */
function idPlace(file: Buffer, headerAt: number): number | undefined {
  const [, typeAt] = varint(file, headerAt)
  return file[typeAt] === 0 ? typeAt : undefined
}

/** The tables' first pages: all that `sqlite_schema`, whose tree begins on page 1, says of them. */
function rootPages(file: Buffer): number[] {
  const roots: number[] = []
  const read = (page: number): void => {
    const start = (page - 1) * PAGE_BYTES
    const head = start + (page === 1 ? 100 : 0)
    const isLeaf = file[head] === 0x0d
    for (let cell = 0; cell < file.readUInt16BE(head + 3); cell++) {
      const at = start + file.readUInt16BE(head + (isLeaf ? 8 : 12) + 2 * cell)
      if (isLeaf) roots.push(rootOf(file, at))
      else read(file.readUInt32BE(at))
    }
    if (!isLeaf) read(file.readUInt32BE(head + 8))
  }
  read(1)
  return roots
}

/** The fourth column of the row: type, name, table, page. */
function rootOf(file: Buffer, cell: number): number {
  const [, idAt] = varint(file, cell)
  const [, recordAt] = varint(file, idAt)
  const [headerBytes, typesAt] = varint(file, recordAt)
  let at = recordAt + headerBytes
  let typeAt = typesAt
  for (let column = 0; ; column++) {
    const [type, next] = varint(file, typeAt)
    if (column === 3) return file.readUIntBE(at, type)
    at += (type - 13) / 2
    typeAt = next
  }
}

function varint(file: Buffer, at: number): [value: number, next: number] {
  let value = 0
  for (let next = at; ;) {
    const byte = file[next++]!
    value = value * 128 + (byte & 0x7f)
    if (byte < 0x80) return [value, next]
  }
}
