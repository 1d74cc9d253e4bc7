/**
 * Message group: all frames of one kind from one component in a segment, column by column.
 * Specified in docs/flight-file.md, "Group".
 */
import type { ByteReader } from '../../base/byte-reader.js'
import type { ByteWriter } from '../../base/byte-writer.js'
import {
  HEADER_V1_BYTES,
  HEADER_V2_BYTES,
  INCOMPAT_SIGNED,
  SIGNATURE_BYTES,
  STX_V1,
  STX_V2,
} from '../../link/frame.js'
import { X25_START, x25, x25Byte, x25ImpliedByte } from '../../link/x25.js'
import type { Width } from './lanes.js'
import { ColumnsReader, ColumnsWriter } from './columns.js'
import { numberWidth, readShapes, writeShapes } from './column-shape.js'
import type { ColumnShape } from './column-shape.js'
import { MAX_SEGMENT_RECORDS, claimedCount } from './records.js'
import type { Records } from './records.js'

/** What the frames of a group have in common. */
export interface GroupKey {
  link: number
  version: 1 | 2
  signed: boolean
  sysid: number
  compid: number
  msgid: number
}

/** A group as it is in memory: payloads zero-extended to rows of `stride` bytes, in order. */
export interface MessageGroup {
  key: GroupKey
  count: number
  /** Receive times (µs). */
  times: BigUint64Array
  /** Payload bytes each frame had on the wire. */
  payloadBytes: Uint8Array
  /** `count` rows of `stride` bytes, each a payload followed by zeros. */
  payloads: Uint8Array
  stride: number
  compat: Uint8Array
  /** `count` × 13 bytes where the frames are signed. */
  signatures: Uint8Array
  crcExtra: number
  /** Wire checksums, by frame, that CRC_EXTRA does not give: only redaction makes such frames. */
  crcExceptions: Map<number, number>
}

/** The columns of a signature: link id, timestamp (6 bytes), hash. Source: mavlink.io/en/guide/message_signing.html */
const SIGNATURE_COLUMNS: readonly [offset: number, width: Width][] = [
  [0, 1],
  [1, 4],
  [5, 2],
]
const SIGNATURE_HASH = [7, 6] as const

/** Length a MAVLink 2 sender leaves of a payload: without trailing zeros, at least 1; of MAVLink 1 always all. */
function expectedPayloadBytes(version: 1 | 2, rows: Uint8Array, start: number, width: number): number {
  if (version === 1) return width
  let length = width
  while (length > 1 && rows[start + length - 1] === 0) length--
  return length
}

/** Takes the frames `indices` of `records`, which share `key`, out of their bytes. `minStride` as for `readGroup`. */
export function groupOf(records: Records, indices: Uint32Array, key: GroupKey, minStride = 0): MessageGroup {
  const { bytes } = records
  const count = indices.length
  const headerBytes = key.version === 1 ? HEADER_V1_BYTES : HEADER_V2_BYTES
  let stride = minStride
  for (const i of indices) stride = Math.max(stride, bytes[records.startOf(i) + 1]!)
  const group: MessageGroup = {
    key,
    count,
    times: new BigUint64Array(count),
    payloadBytes: new Uint8Array(count),
    payloads: new Uint8Array(count * stride),
    stride,
    compat: new Uint8Array(key.version === 1 ? 0 : count),
    signatures: new Uint8Array(key.signed ? count * SIGNATURE_BYTES : 0),
    crcExtra: -1,
    crcExceptions: new Map(),
  }
  const { times, payloadBytes, payloads } = group
  for (let n = 0; n < count; n++) {
    const i = indices[n]!
    const start = records.startOf(i)
    const length = bytes[start + 1]!
    const crcAt = start + headerBytes + length
    times[n] = records.times[i]!
    payloadBytes[n] = length
    for (let to = n * stride, from = start + headerBytes; from < crcAt; from++) payloads[to++] = bytes[from]!
    if (key.version === 2) group.compat[n] = bytes[start + 3]!
    if (key.signed)
      group.signatures.set(bytes.subarray(crcAt + 2, crcAt + 2 + SIGNATURE_BYTES), n * SIGNATURE_BYTES)
    noteCrc(group, n, x25(bytes, start + 1, crcAt, X25_START), bytes[crcAt]! | (bytes[crcAt + 1]! << 8))
  }
  return group
}

/** `crc` is that of all but CRC_EXTRA; the group's CRC_EXTRA is what its first frame implies. */
function noteCrc(group: MessageGroup, index: number, crc: number, wireCrc: number): void {
  if (group.crcExtra < 0) group.crcExtra = x25ImpliedByte(crc, wireCrc)
  if (group.crcExtra < 0 || x25Byte(crc, group.crcExtra) !== wireCrc) group.crcExceptions.set(index, wireCrc)
}

export function writeGroup(out: ByteWriter, group: MessageGroup, shapes: readonly ColumnShape[]): void {
  const { key, count } = group
  out.u8(key.link)
  out.u8(key.version | (key.signed ? 0x80 : 0))
  out.u8(key.sysid)
  out.u8(key.compid)
  out.varint(key.msgid)
  out.varint(count)
  out.u8(Math.max(group.crcExtra, 0))
  out.varint(group.crcExceptions.size)
  for (const [index, crc] of group.crcExceptions) {
    out.varint(index)
    out.u16(crc)
  }
  writeShapes(out, shapes)
  const columns = new ColumnsWriter()
  nameColumns(columns, { ...group, payloadBytes: cutLengths(group) }, shapes)
  columns.writeTo(out)
}

/** The columns of a group, in their order, for the writer and the reader alike; lengths as they differ from expected. */
function nameColumns(
  columns: Pick<ColumnsWriter, 'number' | 'text'>,
  group: Pick<
    MessageGroup,
    'key' | 'count' | 'times' | 'payloadBytes' | 'payloads' | 'stride' | 'compat' | 'signatures'
  >,
  shapes: readonly ColumnShape[],
): void {
  const { key, count, times, payloads, stride, signatures } = group
  columns.number({
    rows: new Uint8Array(times.buffer, times.byteOffset),
    count,
    stride: 8,
    offset: 0,
    width: 8,
  })
  columns.number({ rows: group.payloadBytes, count, stride: 1, offset: 0, width: 1 })
  if (key.version === 2) columns.number({ rows: group.compat, count, stride: 1, offset: 0, width: 1 })
  if (key.signed) {
    for (const [offset, width] of SIGNATURE_COLUMNS) {
      columns.number({ rows: signatures, count, stride: SIGNATURE_BYTES, offset, width })
    }
    const [offset, bytes] = SIGNATURE_HASH
    columns.text({ rows: signatures, count, stride: SIGNATURE_BYTES, offset, bytes })
  }
  let offset = 0
  for (const shape of shapes) {
    if (shape.kind === 'number')
      columns.number({ rows: payloads, count, stride, offset, width: numberWidth(shape) })
    else columns.text({ rows: payloads, count, stride, offset, bytes: shape.bytes })
    offset += shape.bytes
  }
}

/** How each payload's length differs from the expected one (modulo 256): all zero where senders keep the rules. */
function cutLengths({ key, count, stride, payloads, payloadBytes }: MessageGroup): Uint8Array {
  const cut = new Uint8Array(count)
  for (let n = 0; n < count; n++)
    cut[n] = expectedPayloadBytes(key.version, payloads, n * stride, stride) - payloadBytes[n]!
  return cut
}

/**
 * Reads a group. `minStride`: rows are made at least this wide, so that a decoder of a longer definition
 * finds its zeros in place. `mostCount`: how many frames there can be.
 * Errors: a RangeError where the group is damaged.
 */
export function readGroup(source: ByteReader, minStride = 0, mostCount = MAX_SEGMENT_RECORDS): MessageGroup {
  const key = readKey(source)
  const count = claimedCount(source.varint(), mostCount, 'frames')
  const crcExtra = source.u8()
  const crcExceptions = new Map<number, number>()
  for (let left = source.varint(); left > 0; left--) crcExceptions.set(source.varint(), source.u16())
  const shapes = readShapes(source)
  const width = shapes.reduce((sum, shape) => sum + shape.bytes, 0)
  const stride = Math.max(width, minStride)
  const group: MessageGroup = {
    key,
    count,
    times: new BigUint64Array(count),
    payloadBytes: new Uint8Array(count),
    payloads: new Uint8Array(count * stride),
    stride,
    compat: new Uint8Array(key.version === 1 ? 0 : count),
    signatures: new Uint8Array(key.signed ? count * SIGNATURE_BYTES : 0),
    crcExtra,
    crcExceptions,
  }
  const columns = new ColumnsReader(source)
  nameColumns(columns, group, shapes)
  columns.fill()
  for (let n = 0; n < count; n++) {
    group.payloadBytes[n] =
      expectedPayloadBytes(key.version, group.payloads, n * stride, width) - group.payloadBytes[n]!
    if (group.payloadBytes[n]! > width) throw new RangeError(`a payload longer than ${width} bytes`)
  }
  return group
}

function readKey(source: ByteReader): GroupKey {
  const link = source.u8()
  const version = source.u8()
  return {
    link,
    version: (version & 0x7f) === 1 ? 1 : 2,
    signed: version >= 0x80,
    sysid: source.u8(),
    compid: source.u8(),
    msgid: source.varint(),
  }
}

/**
 * Puts frame `n` of the group back together, byte for byte, at the front of `out`, which holds MAX_FRAME_BYTES.
 * Returns its length.
 */
export function restoreFrame(out: Uint8Array, group: MessageGroup, n: number, seq: number): number {
  const { key, payloads, stride } = group
  const length = group.payloadBytes[n]!
  let at = 0
  if (key.version === 1) out[at++] = STX_V1
  else out[at++] = STX_V2
  out[at++] = length
  if (key.version === 2) {
    out[at++] = key.signed ? INCOMPAT_SIGNED : 0
    out[at++] = group.compat[n]!
  }
  out[at++] = seq
  out[at++] = key.sysid
  out[at++] = key.compid
  out[at++] = key.msgid
  if (key.version === 2) {
    out[at++] = key.msgid >>> 8
    out[at++] = key.msgid >>> 16
  }
  for (let from = n * stride, end = from + length; from < end; from++) out[at++] = payloads[from]!
  const crc = group.crcExceptions.get(n) ?? x25Byte(x25(out, 1, at, X25_START), group.crcExtra)
  out[at++] = crc
  out[at++] = crc >>> 8
  if (key.signed) {
    for (let k = 0; k < SIGNATURE_BYTES; k++) out[at++] = group.signatures[n * SIGNATURE_BYTES + k]!
  }
  return at
}
