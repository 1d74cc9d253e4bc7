/**
 * The stranger's reader: reads flight files and tails by docs/flight-file.md alone, with none of the product's code.
 * Its sections are that page's, and so are its words; it is written to be held against the page, not to be fast.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { brotliDecompressSync, crc32 } from 'node:zlib'
import sqlite3 from 'sqlite3'

export interface StrangerRecord {
  kind: 'frame' | 'noise'
  link: number
  timeUs: bigint
  bytes: Uint8Array
}

/** Reads numbers (little-endian), varints and byte strings one behind the other. */
export class Cursor {
  at = 0
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  get atEnd(): boolean {
    return this.at >= this.bytes.length
  }

  take(count: number): Uint8Array {
    if (this.at + count > this.bytes.length) throw new Error(`${count} bytes wanted at ${this.at}: too short`)
    return this.bytes.subarray(this.at, (this.at += count))
  }

  number(width: number): bigint {
    return this.take(width).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  }

  small(width = 1): number {
    return Number(this.number(width))
  }

  varint(): number {
    let value = 0
    for (let unit = 1; ; unit *= 128) {
      const byte = this.small()
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value
    }
  }

  json(): unknown {
    return JSON.parse(Buffer.from(this.take(this.varint())).toString('utf8'))
  }
}

// --- Tables

/** A flight file, opened to be read. */
export class StrangerFlight {
  readonly #db: sqlite3.Database

  private constructor(db: sqlite3.Database) {
    this.#db = db
  }

  static async open(path: string): Promise<StrangerFlight> {
    const db = await new Promise<sqlite3.Database>((resolve, reject) => {
      const opened = new sqlite3.Database(path, sqlite3.OPEN_READONLY, (error) => {
        if (error === null) resolve(opened)
        else reject(error)
      })
    })
    const flight = new StrangerFlight(db)
    const [id] = await flight.rows<{ application_id: number }>('PRAGMA application_id')
    const [version] = await flight.rows<{ user_version: number }>('PRAGMA user_version')
    if (id?.application_id !== 0x474c4b31 || version?.user_version !== 1)
      throw new Error('no flight file of version 1')
    return flight
  }

  rows<Row>(sql: string, ...values: number[]): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      this.#db.all<Row>(sql, values, (error, rows) => {
        if (error === null) resolve(rows)
        else reject(error)
      })
    })
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#db.close((error) => {
        if (error === null) resolve()
        else reject(error)
      })
    })
  }

  /** All records, in the order in which they came. */
  async records(): Promise<StrangerRecord[]> {
    const segments = await this.rows<{ first_piece: number; sha256: Buffer }>(
      'SELECT * FROM segment ORDER BY id',
    )
    const records: StrangerRecord[][] = []
    for (const [i, { first_piece, sha256 }] of segments.entries()) {
      const pieces = await this.rows<Piece>(
        'SELECT * FROM piece WHERE id >= ? AND id < ? ORDER BY id',
        first_piece,
        segments[i + 1]?.first_piece ?? Number.MAX_SAFE_INTEGER,
      )
      const hash = createHash('sha256')
      for (const { body } of pieces) hash.update(body)
      if (!hash.digest().equals(sha256)) throw new Error(`the segment of piece ${first_piece} is damaged`)
      records.push(readSegment(pieces))
    }
    return records.flat()
  }

  /** The frames of one message without the rest of the segments: what a group holds by itself, group after group. */
  async groupsOf(msgid: number): Promise<Group[]> {
    const rows = await this.rows<Piece & { number: number; offset: number }>(
      'SELECT g.number, g.offset, p.* FROM message_group g JOIN piece p ON p.id = g.piece WHERE g.msgid = ? ORDER BY g.segment, g.number',
      msgid,
    )
    return rows.map((row) => {
      const cursor = new Cursor(decompress(row), row.offset)
      if (cursor.varint() !== row.number) throw new Error(`group ${row.number} is not at ${row.offset}`)
      return readGroup(cursor)
    })
  }

  /** UTC of a receive time. */
  async utcUs(recvUs: bigint): Promise<bigint> {
    const all = await this.rows<{ recv_us: number; utc_us: number; source: string }>(
      'SELECT * FROM clock_anchor ORDER BY recv_us',
    )
    const best = ['recorded', 'gps', 'ntp', 'system'].find((name) =>
      all.some(({ source }) => source === name),
    )
    const anchors = all.filter(({ source }) => source === best)
    const anchor = anchors.findLast(({ recv_us }) => BigInt(recv_us) <= recvUs) ?? anchors[0]
    if (anchor === undefined) throw new Error('the flight has no clock anchor')
    return recvUs + BigInt(anchor.utc_us) - BigInt(anchor.recv_us)
  }
}

/** The bytes of a link, as they came. */
export function rawBytes(records: readonly StrangerRecord[], link: number): Uint8Array {
  return Buffer.concat(records.filter((record) => record.link === link).map(({ bytes }) => bytes))
}

interface Piece {
  kind: string
  body: Buffer
  raw_bytes: number
  crc32: number
}

function decompress({ body, raw_bytes, crc32: crc }: Piece): Uint8Array {
  if (crc32(body) !== crc) throw new Error('a piece is damaged')
  const raw = brotliDecompressSync(body)
  if (raw.length !== raw_bytes) throw new Error(`a piece has ${raw.length} bytes, not ${raw_bytes}`)
  return raw
}

// --- Segment

/** By its number, what a group has for each of its records. */
type Numbered = Map<number, Group | Noise>

export function readSegment(pieces: readonly Piece[]): StrangerRecord[] {
  const groups: Numbered = new Map()
  for (const piece of pieces.filter(({ kind }) => kind !== 'order')) {
    const cursor = new Cursor(decompress(piece))
    while (!cursor.atEnd) {
      groups.set(cursor.varint(), piece.kind === 'frames' ? readGroup(cursor) : readNoise(cursor))
    }
  }
  const [orderPiece] = pieces.filter(({ kind }) => kind === 'order')
  if (orderPiece === undefined) throw new Error('a segment without order')
  const cursor = new Cursor(decompress(orderPiece))
  const order = readOrder(cursor, groups)
  const nextSequence = readSequenceNumbers(cursor)
  return order.map(({ group, index }) =>
    'noise' in group
      ? { kind: 'noise', link: group.link, timeUs: group.timesUs[index]!, bytes: group.noise[index]! }
      : {
          kind: 'frame',
          link: group.link,
          timeUs: group.timesUs[index]!,
          bytes: buildFrame(group, index, nextSequence(group)),
        },
  )
}

// --- Order

function readOrder(cursor: Cursor, groups: Numbered): { group: Group | Noise; index: number }[] {
  const records = cursor.varint()
  const groupCount = cursor.varint()
  const width = groupCount < 256 ? 1 : groupCount < 65_536 ? 2 : 4
  const [surprises] = readColumns(cursor, [{ kind: 'numbers', width, rows: records }])
  const queues = Array.from({ length: groupCount }, (_, number) => {
    const group = groups.get(number)
    if (group === undefined) throw new Error(`group ${number} of ${groupCount} is missing`)
    return { group, times: group.timesUs.map(Number), next: 0 }
  })
  const follower = Array.from({ length: groupCount }, () => 0)
  let before = 0
  return numbersOf(surprises).map((surprise) => {
    const number = surprise === 0n ? predict(queues, follower[before]!) : Number(surprise) - 1
    follower[before] = number
    before = number
    const queue = queues[number]!
    return { group: queue.group, index: queue.next++ }
  })
}

function predict(queues: readonly { times: number[]; next: number }[], follower: number): number {
  const nextUs = queues.map(({ times, next }) => times[next] ?? Infinity)
  const smallest = nextUs.reduce((least, us) => Math.min(least, us), Infinity)
  return nextUs[follower] === smallest ? follower : nextUs.indexOf(smallest)
}

// --- Sequence numbers

type Sender = Pick<Group, 'link' | 'sysid' | 'compid'>

/** Gives the sequence numbers of a sender's frames one after the other. */
function readSequenceNumbers(cursor: Cursor): (sender: Sender) => number {
  const key = ({ link, sysid, compid }: Sender) => `${link} ${sysid} ${compid}`
  const senders = Array.from({ length: cursor.varint() }, () => ({
    key: key({ link: cursor.small(), sysid: cursor.small(), compid: cursor.small() }),
    frames: cursor.varint(),
  }))
  const columns = readColumns(
    cursor,
    senders.map(({ frames }) => ({ kind: 'numbers', width: 1, rows: frames })),
  )
  const left = new Map(senders.map((sender, i) => [sender.key, numbersOf(columns[i]).values()]))
  const expected = new Map<string, number>()
  return (sender) => {
    const added = left.get(key(sender))!.next().value!
    const sequence = ((expected.get(key(sender)) ?? 0) + Number(added)) % 256
    expected.set(key(sender), sequence + 1)
    return sequence
  }
}

// --- Group

export interface Group {
  link: number
  version: number
  signed: boolean
  sysid: number
  compid: number
  msgid: number
  crcExtra: number
  /** By the frame's index in the group. */
  exceptions: Map<number, Uint8Array>
  timesUs: bigint[]
  /** Of each frame the payload as it was on the wire. */
  payloads: Uint8Array[]
  compatFlags: bigint[]
  signatures: Uint8Array[]
}

export function readGroup(cursor: Cursor): Group {
  const link = cursor.small()
  const versionByte = cursor.small()
  const [version, signed] = [versionByte & 0x7f, versionByte >= 0x80]
  const sysid = cursor.small()
  const compid = cursor.small()
  const msgid = cursor.varint()
  const rows = cursor.varint()
  const crcExtra = cursor.small()
  const exceptions = new Map(
    Array.from({ length: cursor.varint() }, () => [cursor.varint(), cursor.take(2)] as const),
  )
  const shape = readShape(cursor).map((field): ColumnPlan => ({ ...field, rows }))
  const numbers = (width: number): ColumnPlan => ({ kind: 'numbers', width, rows })
  const v2 = version === 2 ? [numbers(1)] : []
  const signature = signed
    ? [numbers(1), numbers(4), numbers(2), { kind: 'text', width: 6, rows } as const]
    : []
  const columns = readColumns(cursor, [numbers(8), numbers(1), ...v2, ...signature, ...shape])
  const [times, cut, ...others] = columns
  const compatFlags = numbersOf(v2.length > 0 ? others.shift() : undefined)
  const signatureColumns = others.splice(0, signature.length)
  const payloads = rowsOf(others, rows).map((payload, i) => {
    const length = (expectedLength(payload, version) - Number(numbersOf(cut)[i]) + 256) % 256
    return payload.subarray(0, length)
  })
  const signatures = signed ? rowsOf(signatureColumns, rows) : []
  const timesUs = numbersOf(times)
  return {
    link,
    version,
    signed,
    sysid,
    compid,
    msgid,
    crcExtra,
    exceptions,
    timesUs,
    payloads,
    compatFlags,
    signatures,
  }
}

function expectedLength(payload: Uint8Array, version: number): number {
  if (version === 1) return payload.length
  return Math.max(payload.findLastIndex((byte) => byte !== 0) + 1, Math.min(1, payload.length))
}

function buildFrame(group: Group, index: number, sequence: number): Uint8Array {
  const { version, signed, sysid, compid, msgid } = group
  const payload = group.payloads[index]!
  const header =
    version === 1
      ? [payload.length, sequence, sysid, compid, msgid]
      : [payload.length, signed ? 1 : 0, Number(group.compatFlags[index]), sequence, sysid, compid]
  const msgidBytes = version === 1 ? [] : [msgid & 0xff, (msgid >> 8) & 0xff, msgid >> 16]
  const covered = Buffer.from([...header, ...msgidBytes, ...payload])
  const checksum = group.exceptions.get(index) ?? mavlinkChecksum([...covered, group.crcExtra])
  return Buffer.concat([
    Buffer.from([version === 1 ? 0xfe : 0xfd]),
    covered,
    checksum,
    group.signatures[index] ?? Buffer.alloc(0),
  ])
}

/** CRC-16/MCRF4XX, low byte first. */
function mavlinkChecksum(bytes: Iterable<number>): Uint8Array {
  let crc = 0xffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0x8408 : crc >> 1
  }
  return Uint8Array.of(crc & 0xff, crc >> 8)
}

// --- Shape

function readShape(cursor: Cursor): { kind: 'numbers' | 'text'; width: number }[] {
  const fields: { kind: 'numbers' | 'text'; width: number }[] = []
  for (let count = cursor.varint(); count > 0; count = cursor.varint()) {
    const kind = cursor.small() === 0 ? 'numbers' : 'text'
    const width = cursor.small()
    for (let i = 0; i < count; i++) fields.push({ kind, width })
  }
  return fields
}

// --- Noise

interface Noise {
  link: number
  timesUs: bigint[]
  noise: Uint8Array[]
}

function readNoise(cursor: Cursor): Noise {
  const link = cursor.small()
  const rows = cursor.varint()
  const [lengths, times] = readColumns(cursor, [
    { kind: 'numbers', width: 4, rows },
    { kind: 'numbers', width: 8, rows },
  ])
  return {
    link,
    timesUs: numbersOf(times),
    noise: numbersOf(lengths).map((length) => cursor.take(Number(length))),
  }
}

// --- Columns

interface ColumnPlan {
  kind: 'numbers' | 'text'
  width: number
  rows: number
}

type Column =
  { kind: 'numbers'; width: number; numbers: bigint[] } | { kind: 'text'; width: number; texts: Uint8Array[] }

export function readColumns(cursor: Cursor, plans: readonly ColumnPlan[]): Column[] {
  const heads = plans.map((plan) =>
    plan.kind === 'numbers' && plan.rows > 0 ? readHead(cursor, plan) : undefined,
  )
  const texts = plans.map(({ kind, width, rows }) =>
    kind === 'text' ? Array.from({ length: rows }, () => cursor.take(width)) : [],
  )
  for (const liveliness of [1, 2, 3]) {
    for (const head of heads) {
      for (const [k, plane] of head?.planes.entries() ?? []) {
        if (plane.liveliness === liveliness) head!.planes[k]!.bytes = cursor.take(head!.rows - 1)
      }
    }
  }
  return plans.map(({ kind, width }, i) =>
    kind === 'text'
      ? { kind, width, texts: texts[i]! }
      : { kind, width, numbers: heads[i] === undefined ? [] : readColumn(heads[i]) },
  )
}

interface Head {
  width: number
  rows: number
  transform: number
  scale: number
  divisor: bigint
  first: bigint
  planes: { liveliness: number; bytes: Uint8Array }[]
}

function readHead(cursor: Cursor, { width, rows }: ColumnPlan): Head {
  const how = cursor.small()
  const scale = how >> 2
  const divisor = scale === 1 ? BigInt(cursor.varint()) : 1n
  const liveliness = cursor.small(width === 8 ? 2 : 1)
  const planes = Array.from({ length: width }, (_, k) => ({
    liveliness: (liveliness >> (2 * k)) & 3,
    bytes: new Uint8Array(rows - 1),
  }))
  return { width, rows, transform: how & 3, scale, divisor, first: cursor.number(width), planes }
}

/** The bytes of each row: its numbers and texts, column by column. */
function rowsOf(columns: readonly Column[], rows: number): Uint8Array[] {
  return Array.from({ length: rows }, (_, i) =>
    Buffer.concat(
      columns.map((column) =>
        column.kind === 'text' ? column.texts[i]! : bytesOf(column.numbers[i]!, column.width),
      ),
    ),
  )
}

function bytesOf(number: bigint, width: number): Uint8Array {
  return Uint8Array.from({ length: width }, (_, k) => Number((number >> BigInt(8 * k)) & 0xffn))
}

function numbersOf(column: Column | undefined): bigint[] {
  return column?.kind === 'numbers' ? column.numbers : []
}

// --- Column

function readColumn({ width, rows, transform, scale, divisor, first, planes }: Head): bigint[] {
  const modulo = (sum: bigint) => BigInt.asUintN(8 * width, sum)
  const unscale = (w: bigint): bigint => {
    if (scale === 0) return w
    const signed = BigInt.asIntN(8 * width, w)
    return scale === 1 ? modulo(first + divisor * signed) : floatBits(SCALES[scale]!.float(Number(signed)))
  }
  let w = scale === 0 ? first : scale === 1 ? 0n : modulo(nearestInteger(floatOf(first) * SCALES[scale]!.d))
  let d = 0n
  const numbers = [first]
  for (let i = 0; i < rows - 1; i++) {
    const r = planes.reduceRight((sum, { bytes }) => (sum << 8n) | BigInt(bytes[i]!), 0n)
    if (transform === 0) w = r
    else if (transform === 1) w = modulo(w + unzigzag(r))
    else if (transform === 2) w = modulo(w + (d = modulo(d + unzigzag(r))))
    else w ^= r
    numbers.push(unscale(w))
  }
  return numbers
}

const f = Math.fround

const SCALES: Record<number, { d: number; float: (n: number) => number }> = {
  2: { d: 1, float: (n) => n },
  3: { d: 10, float: (n) => n * f(0.1) },
  4: { d: 10, float: (n) => n / 10 },
  5: { d: 100, float: (n) => n * f(0.01) },
  6: { d: 100, float: (n) => n / 100 },
  7: { d: 1000, float: (n) => n * f(0.001) },
  8: { d: 1000, float: (n) => n / 1000 },
}

function unzigzag(r: bigint): bigint {
  return (r & 1n) === 0n ? r >> 1n : -((r + 1n) >> 1n)
}

function nearestInteger(value: number): bigint {
  return BigInt(Math.round(value))
}

function floatOf(bits: bigint): number {
  return Buffer.from(bytesOf(bits, 4)).readFloatLE()
}

function floatBits(value: number): bigint {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return BigInt(bytes.readUInt32LE())
}

// --- Tail

export interface Chunk {
  sequence: bigint
  head: { id: string; links: string[] }
  items: Item[]
}

export type Item = StrangerRecord | { kind: 'json'; tag: number; timeUs: bigint; value: unknown }

const PAGE_BYTES = 4096

/** The chunks of a tail that were written last, in order. */
export function readTail(path: string): Chunk[] {
  const file = readFileSync(path)
  const chunks: Chunk[] = []
  let generation: number | undefined
  for (let at = 0; at + 24 <= file.length;) {
    const cursor = new Cursor(file, at)
    const magic = Buffer.from(cursor.take(4)).toString('latin1')
    const crc = cursor.small(4)
    const length = cursor.small(4)
    if (magic !== 'GLT1' || length < 24 || at + length > file.length) break
    if (crc32(file.subarray(at + 8, at + length)) !== crc) break
    const chunkGeneration = cursor.small(4)
    const sequence = cursor.number(8)
    generation ??= chunkGeneration
    const previous = chunks.at(-1)
    if (chunkGeneration !== generation || (previous && sequence !== previous.sequence + 1n)) break
    chunks.push({ sequence, ...readChunk(new Cursor(file.subarray(0, at + length), cursor.at)) })
    at += Math.ceil(length / PAGE_BYTES) * PAGE_BYTES
  }
  return chunks
}

function readChunk(cursor: Cursor): Pick<Chunk, 'head' | 'items'> {
  const head = cursor.json() as Chunk['head']
  const items: Item[] = []
  let timeUs = 0n
  while (!cursor.atEnd) {
    const tag = cursor.small()
    const [kind, link] = [tag & 0x0f, tag >> 4]
    timeUs += unzigzag(BigInt(cursor.varint()))
    if (kind === 0) items.push({ kind: 'frame', link, timeUs, bytes: cursor.take(frameLength(cursor)) })
    else if (kind === 1) items.push({ kind: 'noise', link, timeUs, bytes: cursor.take(cursor.varint()) })
    else items.push({ kind: 'json', tag, timeUs, value: cursor.json() })
  }
  return { head, items }
}

/** Length of the frame that begins here. */
function frameLength({ bytes, at }: Cursor): number {
  const payload = bytes[at + 1]!
  if (bytes[at] === 0xfe) return 6 + payload + 2
  return 10 + payload + 2 + (bytes[at + 2]! & 1 ? 13 : 0)
}
