/**
 * Column shape: into which columns the payload of a message is cut.
 * The shape is written into every group, so that a reader needs no dialect. Specified in docs/flight-file.md, "Shape".
 */
import type { ByteReader } from '../../base/byte-reader.js'
import type { ByteWriter } from '../../base/byte-writer.js'
import type { Width } from './lanes.js'
import type { FieldLayout, MessageLayout, WireType } from '../../mavlink/dialect.js'

/** A column of numbers `bytes` wide, or of byte strings of `bytes` each, which are stored as they are. */
export interface ColumnShape {
  kind: 'number' | 'text'
  bytes: number
}

const WIDTH_OF: Record<WireType, Width> = {
  char: 1,
  int8_t: 1,
  uint8_t: 1,
  int16_t: 2,
  uint16_t: 2,
  int32_t: 4,
  uint32_t: 4,
  float: 4,
  int64_t: 8,
  uint64_t: 8,
  double: 8,
}

function shapesOfField(field: FieldLayout): ColumnShape[] {
  const width = WIDTH_OF[field.type]
  if (field.arrayLength === 0) return [{ kind: 'number', bytes: width }]
  if (width === 1) return [{ kind: 'text', bytes: field.arrayLength }]
  return Array.from({ length: field.arrayLength }, () => ({ kind: 'number', bytes: width }))
}

/**
 * Columns that cover exactly `payloadBytes`: those of the message's fields as far as they go, the rest as text.
 * Of a message that no dialect knows every byte is a column.
 */
export function shapesOf(layout: MessageLayout | undefined, payloadBytes: number): ColumnShape[] {
  if (layout === undefined) return Array.from({ length: payloadBytes }, () => ({ kind: 'number', bytes: 1 }))
  const shapes: ColumnShape[] = []
  let covered = 0
  for (const shape of layout.fields.flatMap(shapesOfField)) {
    if (covered + shape.bytes > payloadBytes) break
    shapes.push(shape)
    covered += shape.bytes
  }
  if (covered < payloadBytes) shapes.push({ kind: 'text', bytes: payloadBytes - covered })
  return shapes
}

/** Runs of equal shapes: how many, whether text, bytes. */
export function writeShapes(out: ByteWriter, shapes: readonly ColumnShape[]): void {
  for (let i = 0; i < shapes.length;) {
    const { kind, bytes } = shapes[i]!
    let run = 1
    while (shapes[i + run]?.kind === kind && shapes[i + run]?.bytes === bytes) run++
    out.varint(run)
    out.u8(kind === 'text' ? 1 : 0)
    out.u8(bytes)
    i += run
  }
  out.varint(0)
}

/** Errors: a RangeError where the shapes are not those of a payload. */
export function readShapes(source: ByteReader): ColumnShape[] {
  const shapes: ColumnShape[] = []
  let covered = 0
  for (let run = source.varint(); run > 0; run = source.varint()) {
    const kind = source.u8() === 1 ? 'text' : 'number'
    const bytes = source.u8()
    covered += run * bytes
    if (bytes === 0 || covered > 255)
      throw new RangeError(`${run} columns of ${bytes} bytes; a payload has at most 255 bytes`)
    for (let i = 0; i < run; i++) shapes.push({ kind, bytes })
  }
  return shapes
}

/** The width of a column of numbers, checked: it may come from a damaged file. */
export function numberWidth(shape: ColumnShape): Width {
  const { bytes } = shape
  if (bytes === 1 || bytes === 2 || bytes === 4 || bytes === 8) return bytes
  throw new RangeError(`a column of numbers ${bytes} bytes wide`)
}
