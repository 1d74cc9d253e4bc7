/**
 * Decode: the payload of a frame as a plain object.
 *
 * Each message has one decoder, generated on first use as straight-line reads of a DataView, a dozen times as fast
 * as a loop over fields:
 *
 *     (view, start, length) => {
 *       if (length < 28) { view = zeroExtended(view, start, length, 28); start = 0 }
 *       return { "time_boot_ms": view.getUint32(start, true), "roll": view.getFloat32(start + 4, true), … }
 *     }
 */
import { charText } from './char-text.js'
import type { FieldLayout, MessageLayout, WireType } from './dialect.js'

/** 64-bit integers are bigint, char[] is string (see char-text), other arrays are arrays, the rest is number. */
export type FieldValue = number | bigint | string | readonly (number | bigint)[]

/** Fields by their MAVLink names, in wire order; all of them, always. */
export type Message = Record<string, FieldValue>

/**
 * Decodes the payload of `length` bytes at `start` of `view`.
 * A payload shorter than the message (MAVLink 2 cuts zeros off, MAVLink 1 has no extensions) reads as if zeros
 * followed; the tail of a longer one (newer definition) is ignored. NaN stays NaN. The message keeps no hold of `view`.
 * Never throws for what the bytes are; a RangeError means that the payload lies outside of `view`.
 * Source: mavlink.io/en/guide/serialization.html#payload_truncation
 */
export type Decode = (view: DataView, start: number, length: number) => Message

/** Longest payload of a MAVLink frame: its length is one byte (bytes). */
const MAX_PAYLOAD_BYTES = 255

/** How DataView reads an element of a type. */
interface Reading {
  method: string
  bytes: number
}

const READING: Record<Exclude<WireType, 'char'>, Reading> = {
  int8_t: { method: 'getInt8', bytes: 1 },
  uint8_t: { method: 'getUint8', bytes: 1 },
  int16_t: { method: 'getInt16', bytes: 2 },
  uint16_t: { method: 'getUint16', bytes: 2 },
  int32_t: { method: 'getInt32', bytes: 4 },
  uint32_t: { method: 'getUint32', bytes: 4 },
  int64_t: { method: 'getBigInt64', bytes: 8 },
  uint64_t: { method: 'getBigUint64', bytes: 8 },
  float: { method: 'getFloat32', bytes: 4 },
  double: { method: 'getFloat64', bytes: 8 },
}

const decoders = new WeakMap<MessageLayout, Decode>()

export function decoderFor(layout: MessageLayout): Decode {
  const known = decoders.get(layout)
  if (known !== undefined) return known
  const made = generate(layout)
  decoders.set(layout, made)
  return made
}

/** Throws for a name or a number that has no place in code: a layout may be made by hand or by another generator. */
function generate(layout: MessageLayout): Decode {
  const fields = layout.fields.map((field) => `${JSON.stringify(safeName(field.name))}: ${readOf(field)}`)
  const whole = safeInteger(layout.length)
  const code = `return (view, start, length) => {
    if (length < ${whole}) { view = zeroExtended(view, start, length, ${whole}); start = 0 }
    return { ${fields.join(', ')} }
  }`
  // oxlint-disable-next-line typescript/no-implied-eval, typescript/no-unsafe-type-assertion -- edge: generated code
  const make = new Function('zeroExtended', 'charText', code) as (...tools: unknown[]) => Decode
  return make(zeroExtended, charText)
}

function readOf(field: FieldLayout): string {
  const offset = safeInteger(field.offset)
  const count = safeInteger(field.arrayLength)
  if (field.type === 'char') return `charText(view, start + ${offset}, ${count || 1})`
  const { method, bytes } = READING[field.type]
  const read = (at: number): string => `view.${method}(start + ${at}${bytes === 1 ? '' : ', true'})`
  if (count === 0) return read(offset)
  return `[${Array.from({ length: count }, (_, i) => read(offset + i * bytes)).join(', ')}]`
}

function safeName(name: string): string {
  if (!/^[a-z_][a-z0-9_]*$/i.test(name) || name === '__proto__')
    throw new Error(`not a field's name: ${name}`)
  return name
}

function safeInteger(value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > MAX_PAYLOAD_BYTES)
    throw new Error(`no offset: ${value}`)
  return value
}

/** One for all decoders: each reads it to its end before the next writes to it. */
const scratch = new DataView(new ArrayBuffer(MAX_PAYLOAD_BYTES))

/** The payload with zeros behind it up to `whole` bytes, at 0 of a view that lasts until the next call. */
function zeroExtended(view: DataView, start: number, length: number, whole: number): DataView {
  let at = 0
  for (; at + 4 <= length; at += 4) scratch.setInt32(at, view.getInt32(start + at))
  for (; at < length; at++) scratch.setUint8(at, view.getUint8(start + at))
  for (; at < whole; at++) scratch.setUint8(at, 0)
  return scratch
}
