/**
 * Dialect: what MAVLink's ardupilotmega definitions say of each message, as data: ids, CRC_EXTRA, field layouts, enums.
 * The table is made at build time (scripts/build-dialect.mjs), because loading the package it comes from takes
 * twenty times as long. Source: mavlink.io/en/guide/serialization.html, mavlink.io/en/guide/xml_schema.html
 */
import { readFileSync } from 'node:fs'
import type { CrcExtraTable } from '../link/crc-extra.js'

export type WireType =
  | 'char'
  | 'int8_t'
  | 'uint8_t'
  | 'int16_t'
  | 'uint16_t'
  | 'int32_t'
  | 'uint32_t'
  | 'int64_t'
  | 'uint64_t'
  | 'float'
  | 'double'

/** A field as the wire has it. `name`, `units` and `enum` are the XML's own words: `time_boot_ms`, `degE7`, `MAV_TYPE`. */
export interface FieldLayout {
  readonly name: string
  readonly type: WireType
  /** Of its first byte in the payload (bytes). */
  readonly offset: number
  /** Elements; 0 is a single value, which is not the same as an array of one. */
  readonly arrayLength: number
  /** Added to the message later: absent from MAVLink 1 frames and from what CRC_EXTRA covers. */
  readonly extension: boolean
  readonly units: string | null
  readonly enum: string | null
}

export interface MessageLayout {
  readonly msgid: number
  readonly name: string
  readonly crcExtra: number
  /** Payload without extensions: what every MAVLink 1 frame has (bytes). */
  readonly baseLength: number
  /** Payload with extensions; MAVLink 2 cuts zeros off its end (bytes). */
  readonly length: number
  /** In wire order: by falling size of the type, then extensions as they were added. */
  readonly fields: readonly FieldLayout[]
}

export interface EnumLayout {
  readonly name: string
  /** Whether a value is several entries at once, one a bit. */
  readonly bitmask: boolean
  /** Value → entry by its full name in the XML: 2 → `MAV_TYPE_QUADROTOR`. No value is beyond 2^53. */
  readonly entries: ReadonlyMap<number, string>
}

export interface Dialect {
  readonly byId: ReadonlyMap<number, MessageLayout>
  readonly byName: ReadonlyMap<string, MessageLayout>
  /** Those that a field refers to, by name. */
  readonly enums: ReadonlyMap<string, EnumLayout>
}

/**
 * The form of dialect.json. Fields and entries are text, a line each, cut on first use: as JSON of their own they make
 * loading take five times as long, and a process needs few of them.
 */
interface DialectFile {
  /** msgid, name, CRC_EXTRA, base length, length, and the fields: name type offset arrayLength extension units enum. */
  messages: [number, string, number, number, number, string][]
  /** name, whether it is a bitmask, and the entries: value name. */
  enums: [string, boolean, string][]
}

/** In a line of dialect.json: no units, no enum. */
const NONE = '-'

let loaded: Dialect | undefined

/** The one dialect, read on first use (2 to 3 ms). Throws if the package was not built. */
export function loadDialect(): Dialect {
  loaded ??= readDialect(new URL('./generated/dialect.json', import.meta.url))
  return loaded
}

/** What the frame splitter wants of a dialect. */
export function crcTable(dialect: Dialect): CrcExtraTable {
  return dialect.byId
}

function readDialect(url: URL): Dialect {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- edge: our own build wrote and checked the file
  const file = JSON.parse(readFileSync(url, 'utf8')) as DialectFile
  const messages = file.messages.map((row) => new MessageRow(row))
  return {
    byId: new Map(messages.map((message) => [message.msgid, message])),
    byName: new Map(messages.map((message) => [message.name, message])),
    enums: new Map(file.enums.map((row) => [row[0], new EnumRow(row)])),
  }
}

class MessageRow implements MessageLayout {
  readonly msgid: number
  readonly name: string
  readonly crcExtra: number
  readonly baseLength: number
  readonly length: number
  readonly #lines: string
  #fields: readonly FieldLayout[] | undefined

  constructor([msgid, name, crcExtra, baseLength, length, lines]: DialectFile['messages'][number]) {
    this.msgid = msgid
    this.name = name
    this.crcExtra = crcExtra
    this.baseLength = baseLength
    this.length = length
    this.#lines = lines
  }

  get fields(): readonly FieldLayout[] {
    this.#fields ??= this.#lines.split('\n').map(fieldOf)
    return this.#fields
  }
}

function fieldOf(line: string): FieldLayout {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- edge: our own build wrote and checked the line
  const words = line.split(' ') as [string, WireType, string, string, string, string, string]
  const [name, type, offset, arrayLength, extension, units, enumName] = words
  return {
    name,
    type,
    offset: Number(offset),
    arrayLength: Number(arrayLength),
    extension: extension === '1',
    units: units === NONE ? null : units,
    enum: enumName === NONE ? null : enumName,
  }
}

class EnumRow implements EnumLayout {
  readonly name: string
  readonly bitmask: boolean
  readonly #lines: string
  #entries: ReadonlyMap<number, string> | undefined

  constructor([name, bitmask, lines]: DialectFile['enums'][number]) {
    this.name = name
    this.bitmask = bitmask
    this.#lines = lines
  }

  get entries(): ReadonlyMap<number, string> {
    this.#entries ??= new Map(this.#lines.split('\n').map(entryOf))
    return this.#entries
  }
}

function entryOf(line: string): [number, string] {
  const space = line.indexOf(' ')
  return [Number(line.slice(0, space)), line.slice(space + 1)]
}
