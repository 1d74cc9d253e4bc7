/** The stranger's groups: sections "Group", "Shape" and "Noise" of docs/flight-file.md. */
import { readColumns, type Column, type ColumnPlan } from './stranger-columns.js'
import type { Cursor } from './stranger-cursor.js'

/** What a group says by itself: all of its frames but their sequence numbers. */
export interface Group {
  kind: 'frames'
  link: number
  version: number
  signed: boolean
  sysid: number
  compid: number
  msgid: number
  crcExtra: number
  /** Checksums that are not the frame's, by its index in the group. */
  exceptions: Map<number, Uint8Array>
  timesUs: bigint[]
  /** As they were on the wire. */
  payloads: Uint8Array[]
  compatFlags: Uint8Array[]
  signatures: Uint8Array[]
}

export interface Noise {
  kind: 'noise'
  link: number
  timesUs: bigint[]
  bytes: Uint8Array[]
}

export function readGroup(cursor: Cursor): Group {
  const link = cursor.small()
  const version = cursor.small()
  const sysid = cursor.small()
  const compid = cursor.small()
  const msgid = cursor.varint()
  const frames = cursor.varint()
  const crcExtra = cursor.small()
  const exceptions = new Map<number, Uint8Array>()
  for (let left = cursor.varint(); left > 0; left--) exceptions.set(cursor.varint(), cursor.take(2))
  const shape = readShape(cursor, frames)
  const head = { link, version: version & 0x7f, signed: version >= 0x80, sysid, compid, msgid, crcExtra }
  return { kind: 'frames', ...head, exceptions, ...readFrameColumns(cursor, head, frames, shape) }
}

function readFrameColumns(
  cursor: Cursor,
  { version, signed }: { version: number; signed: boolean },
  rows: number,
  shape: readonly ColumnPlan[],
): Pick<Group, 'timesUs' | 'payloads' | 'compatFlags' | 'signatures'> {
  const numbers = (width: number): ColumnPlan => ({ kind: 'numbers', width, rows })
  const compat = version === 2 ? [numbers(1)] : []
  const signature = signed
    ? [numbers(1), numbers(4), numbers(2), { ...numbers(6), kind: 'text' as const }]
    : []
  const columns = readColumns(cursor, [numbers(8), numbers(1), ...compat, ...signature, ...shape])
  const [times, cut] = columns.splice(0, 2)
  const compatFlags = rowsOf(columns.splice(0, compat.length), rows)
  const signatures = rowsOf(columns.splice(0, signature.length), rows)
  const payloads = rowsOf(columns, rows).map((payload, i) =>
    payload.subarray(0, (expectedLength(payload, version) - Number(cut!.numbers[i]) + 256) % 256),
  )
  return { timesUs: times!.numbers, payloads, compatFlags, signatures }
}

function expectedLength(payload: Uint8Array, version: number): number {
  if (version === 1 || payload.length === 0) return payload.length
  return Math.max(1, payload.findLastIndex((byte) => byte !== 0) + 1)
}

/** The bytes of each row: its numbers and texts, column by column. */
function rowsOf(columns: readonly Column[], rows: number): Uint8Array[] {
  const cell = ({ kind, width, numbers, texts }: Column, i: number): Uint8Array => {
    if (kind === 'text') return texts[i]!
    return Uint8Array.from({ length: width }, (_, k) => Number((numbers[i]! >> BigInt(8 * k)) & 0xffn))
  }
  return Array.from({ length: rows }, (_, i) => Buffer.concat(columns.map((column) => cell(column, i))))
}

function readShape(cursor: Cursor, rows: number): ColumnPlan[] {
  const plans: ColumnPlan[] = []
  for (let count = cursor.varint(); count > 0; count = cursor.varint()) {
    const kind = cursor.small() === 0 ? 'numbers' : 'text'
    const width = cursor.small()
    for (let i = 0; i < count; i++) plans.push({ kind, width, rows })
  }
  return plans
}

/** Puts a frame together, as MAVLink says. */
export function buildFrame(group: Group, index: number, sequence: number): Uint8Array {
  const { version, signed, sysid, compid, msgid, crcExtra } = group
  const payload = group.payloads[index]!
  const sender = [sequence, sysid, compid]
  const flags = [signed ? 1 : 0, ...group.compatFlags[index]!]
  const msgidBytes = [msgid & 0xff, (msgid >> 8) & 0xff, msgid >> 16]
  const header =
    version === 1 ? [payload.length, ...sender, msgid] : [payload.length, ...flags, ...sender, ...msgidBytes]
  const stx = version === 1 ? 0xfe : 0xfd
  const checksum = group.exceptions.get(index) ?? checksumOf([...header, ...payload, crcExtra])
  return Uint8Array.from([stx, ...header, ...payload, ...checksum, ...group.signatures[index]!])
}

/** MAVLink's checksum, CRC-16/MCRF4XX, as it stands in a frame. */
function checksumOf(bytes: readonly number[]): Uint8Array {
  let crc = 0xffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0x8408 : crc >> 1
  }
  return Uint8Array.of(crc & 0xff, crc >> 8)
}

export function readNoise(cursor: Cursor): Noise {
  const link = cursor.small()
  const rows = cursor.varint()
  const [lengths, times] = readColumns(cursor, [
    { kind: 'numbers', width: 4, rows },
    { kind: 'numbers', width: 8, rows },
  ])
  const bytes = lengths!.numbers.map((length) => cursor.take(Number(length)))
  return { kind: 'noise', link, timesUs: times!.numbers, bytes }
}
