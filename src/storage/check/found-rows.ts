/**
 * Found rows: every row of a flight file that can be found in its pages and is as it was written, whatever has become of
 * the trees that they hung in. A row proves itself by its checksum, so it can be looked for at every byte.
 * Source: sqlite.org/fileformat2.html, "B-tree Pages", "Record Format"
 */
import { COLUMNS, PAGE_BYTES } from '../flight/schema.js'
import { isIntact, valuesCrc32 } from '../flight/row-checksum.js'
import type { SqlRow, SqlValue } from '../flight/sqlite.js'
import type { PageImage } from './page-image.js'

/** A table leaf holds a row up to here whole (bytes): usable size less 35. */
const MAX_LOCAL_BYTES = PAGE_BYTES - 35
/** Of a longer one it holds at least this (bytes). */
const MIN_LOCAL_BYTES = Math.floor(((PAGE_BYTES - 12) * 32) / 255) - 23
/** What an overflow page holds behind the number of the next. */
const OVERFLOW_BYTES = PAGE_BYTES - 4

/** Tables that are searched, and those of them whose first column is the row's id, which stands outside of the record. */
const TABLES = ['flight', 'segment', 'piece', 'gap', 'event', 'clock_anchor'] as const
type Table = (typeof TABLES)[number]

/** Columns of `message_group`, which has no checksum a row; all are integers. */
const GROUP_COLUMNS = COLUMNS.get('message_group')!.map(({ name }) => name)

export interface FoundRows {
  flight: SqlRow | undefined
  /** By id. */
  segment: ReadonlyMap<number, SqlRow>
  piece: ReadonlyMap<number, SqlRow>
  gap: ReadonlyMap<number, SqlRow>
  event: ReadonlyMap<number, SqlRow>
  clock_anchor: ReadonlyMap<number, SqlRow>
  /** Rows of `message_group` by segment, where all of them are there. */
  groups: ReadonlyMap<number, SqlRow[]>
}

/** Looks through all pages. Never throws: what is damaged is not found. */
export function findRows(image: PageImage): FoundRows {
  const finder = new Finder(image)
  for (const page of image.all()) finder.search(page)
  return finder.found()
}

class Finder {
  readonly #image: PageImage
  readonly #rows = new Map<Table, Map<number, SqlRow>>(TABLES.map((table) => [table, new Map()]))
  readonly #groups = new Map<number, Map<number, SqlValue[]>>()
  #flight: SqlRow | undefined

  constructor(image: PageImage) {
    this.#image = image
  }

  search(page: Uint8Array): void {
    // An overflow page begins with the number of the next one, below 2^24; what a radio sent is no place to look for rows.
    if (page[0] === 0) return
    for (let at = 0; at < page.length; at++) {
      this.#tryCell(page, at)
      this.#tryGroup(page, at)
    }
  }

  found(): FoundRows {
    const of = (table: Table): Map<number, SqlRow> => this.#rows.get(table)!
    const segment = of('segment')
    const groups = new Map<number, SqlRow[]>()
    for (const [id, row] of segment) {
      const own = [...(this.#groups.get(id) ?? [])].toSorted(([a], [b]) => a - b).map(([, values]) => values)
      if (valuesCrc32(own.flat()) !== row['groups_crc32']) continue
      groups.set(
        id,
        own.map((values) => Object.fromEntries(GROUP_COLUMNS.map((name, i) => [name, values[i]!]))),
      )
    }
    return {
      flight: this.#flight,
      segment,
      piece: of('piece'),
      gap: of('gap'),
      event: of('event'),
      clock_anchor: of('clock_anchor'),
      groups,
    }
  }

  /** A cell of a table's leaf: length of the record, row id, record. */
  #tryCell(page: Uint8Array, at: number): void {
    const length = varintAt(page, at)
    if (length === undefined || length.value > this.#image.byteLength) return
    const id = varintAt(page, length.next)
    if (id === undefined) return
    const header = headerAt(page, id.next, length.value)
    const tables = header === undefined ? [] : TABLES.filter((name) => fits(name, header.types))
    if (header === undefined || tables.length === 0) return
    const record = this.#record(page, id.next, length.value)
    if (record === undefined) return
    const values = valuesOf(record, header)
    for (const table of tables) {
      const row = rowOf(table, id.value, values)
      if (isIntact(row)) this.#keep(table, row)
    }
  }

  #keep(table: Table, row: SqlRow): void {
    if (table !== 'flight') {
      this.#rows.get(table)!.set(Number(row['id']), row)
      return
    }
    // Its one row is replaced with each commit; an older one may still lie in what is free of a page.
    const isNewer = (before: SqlRow): boolean =>
      Number(row['segments']) > Number(before['segments']) ||
      (row['segments'] === before['segments'] &&
        (Number(row['bytes_in']) > Number(before['bytes_in']) || before['close_reason'] === null))
    if (this.#flight === undefined || isNewer(this.#flight)) this.#flight = row
  }

  /** A row of `message_group`, which is a cell of an index: length of the record, record. */
  #tryGroup(page: Uint8Array, at: number): void {
    const length = varintAt(page, at)
    if (length === undefined || at + length.value > page.length) return
    const header = headerAt(page, length.next, length.value)
    if (header?.types.length !== GROUP_COLUMNS.length || !header.types.every(isInteger)) return
    const values = valuesOf(page.subarray(length.next, length.next + length.value), header)
    const [, segment, number] = values.map(Number)
    // The rows of `component` look alike, but have a checksum.
    if (valuesCrc32(values.slice(0, -1)) === values.at(-1)) return
    const own = this.#groups.get(segment!) ?? new Map<number, SqlValue[]>()
    this.#groups.set(segment!, own.set(number!, values))
  }

  /** The bytes of a record, with those on overflow pages. */
  #record(page: Uint8Array, at: number, length: number): Uint8Array | undefined {
    const local = localBytes(length)
    if (at + local > page.length) return undefined
    if (local === length) return page.subarray(at, at + length)
    const record = new Uint8Array(length)
    record.set(page.subarray(at, at + local))
    let next = u32(page, at + local)
    for (let done = local; done < length;) {
      const overflow = this.#image.page(next)
      if (overflow === undefined) return undefined
      const some = overflow.subarray(4, 4 + Math.min(OVERFLOW_BYTES, length - done))
      record.set(some, done)
      done += some.length
      next = u32(overflow, 0)
    }
    return record
  }
}

interface Header {
  /** Serial types of the record's values. */
  types: number[]
  /** Where the values begin in the record. */
  bytes: number
}

/** The header of a record of `length` bytes; undefined where the lengths of its values do not add up. */
function headerAt(page: Uint8Array, at: number, length: number): Header | undefined {
  const bytes = page[at]
  // All of our rows have 3 to 25 values and a header of one byte's length that is not cut.
  if (bytes === undefined || bytes < 4 || bytes > MIN_LOCAL_BYTES + 40 || bytes > length) return undefined
  const types: number[] = []
  let left = length - bytes
  let next = at + 1
  while (next < at + bytes) {
    const type = varintAt(page, next)
    if (type === undefined) return undefined
    types.push(type.value)
    left -= bytesOf(type.value)
    next = type.next
  }
  return left === 0 && next === at + bytes ? { types, bytes } : undefined
}

function fits(table: Table, types: readonly number[]): boolean {
  const columns = COLUMNS.get(table)!
  return (
    columns.length === types.length &&
    columns.every(({ type }, i) => {
      const found = types[i]!
      if (found === 0) return true
      if (type === 'INTEGER') return isInteger(found)
      return found >= 12 && (found % 2 === 0) === (type === 'BLOB')
    })
  )
}

function rowOf(table: Table, id: number, values: readonly SqlValue[]): SqlRow {
  const columns = COLUMNS.get(table)!
  const row: SqlRow = Object.fromEntries(columns.map(({ name }, i) => [name, values[i]!]))
  if (table !== 'flight') row['id'] = id
  return row
}

const isInteger = (type: number): boolean => (type >= 1 && type <= 6) || type === 8 || type === 9

function bytesOf(type: number): number {
  if (type >= 12) return (type - (type % 2 === 0 ? 12 : 13)) / 2
  return [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0][type]!
}

function valuesOf(record: Uint8Array, { types, bytes }: Header): SqlValue[] {
  let at = bytes
  return types.map((type) => {
    const value = record.subarray(at, at + bytesOf(type))
    at += value.length
    if (type === 0) return null
    if (type >= 12) return type % 2 === 0 ? value : Buffer.from(value).toString('utf8')
    if (type === 8 || type === 9) return type - 8
    return integerOf(value)
  })
}

/** Big-endian and signed. */
function integerOf(bytes: Uint8Array): number {
  return bytes.reduce((value, byte, i) => (i === 0 ? (byte << 24) >> 24 : value * 256 + byte), 0)
}

function localBytes(length: number): number {
  if (length <= MAX_LOCAL_BYTES) return length
  const local = MIN_LOCAL_BYTES + ((length - MIN_LOCAL_BYTES) % OVERFLOW_BYTES)
  return local <= MAX_LOCAL_BYTES ? local : MIN_LOCAL_BYTES
}

/** A number of SQLite's, of up to 49 bits: seven bits a byte, the highest first. */
function varintAt(bytes: Uint8Array, at: number): { value: number; next: number } | undefined {
  let value = 0
  for (let next = at; next < at + 7;) {
    const byte = bytes[next++]
    if (byte === undefined) return undefined
    value = value * 128 + (byte & 0x7f)
    if (byte < 0x80) return { value, next }
  }
  return undefined
}

function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}
