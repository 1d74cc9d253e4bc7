/**
 * JSON fields: how the fields of a message are written as JSON from a payload. One rule per kind of value, so that a
 * field has one type in all lines: 64-bit integers are always strings; so are NaN and the infinities, which JSON lacks.
 */
import { charText } from '../../mavlink/char-text.js'
import type { FieldLayout, MessageLayout } from '../../mavlink/dialect.js'
import { NUMBER_CELLS, visibleText } from './cells.js'
import type { Cell, NumberCells } from './cells.js'

/** A piece of the JSON of a message that is always the same, and what is written behind it. */
export interface JsonField {
  label: Uint8Array
  cell: Cell
}

const QUOTE = '"'

const JSON_CELLS: NumberCells = {
  ...NUMBER_CELLS,
  int64_t: quotedCells('int64_t'),
  uint64_t: quotedCells('uint64_t'),
  float: {
    bytes: 4,
    cellAt: (at) => (out, view, start) => {
      const value = view.getFloat32(start + at, true)
      if (Number.isFinite(value)) out.float(value)
      else out.ascii(`"${value}"`)
    },
  },
  double: {
    bytes: 8,
    cellAt: (at) => (out, view, start) => {
      const value = view.getFloat64(start + at, true)
      if (Number.isFinite(value)) out.double(value)
      else out.ascii(`"${value}"`)
    },
  },
}

function quotedCells(type: 'int64_t' | 'uint64_t'): NumberCells['int64_t'] {
  const { bytes, cellAt } = NUMBER_CELLS[type]
  return {
    bytes,
    cellAt: (at) => {
      const cell = cellAt(at)
      return (out, view, start) => {
        out.ascii(QUOTE)
        cell(out, view, start)
        out.ascii(QUOTE)
      }
    },
  }
}

/** The fields in wire order: `"roll":` and its number, `,"pitch":` and its number …; arrays are arrays. */
export function jsonFieldsOf({ fields }: MessageLayout): JsonField[] {
  return fields.map((field, i) => ({
    label: Buffer.from(`${i === 0 ? '' : ','}${JSON.stringify(field.name)}:`),
    cell: cellOf(field),
  }))
}

function cellOf({ type, offset, arrayLength }: FieldLayout): Cell {
  if (type === 'char') {
    const size = arrayLength || 1
    return (out, view, start) => out.jsonText(visibleText(charText(view, start + offset, size)))
  }
  const { bytes, cellAt } = JSON_CELLS[type]
  if (arrayLength === 0) return cellAt(offset)
  const cells = Array.from({ length: arrayLength }, (_, i) => cellAt(offset + i * bytes))
  return (out, view, start) => {
    out.ascii('[')
    for (let i = 0; i < cells.length; i++) {
      if (i > 0) out.comma()
      cells[i]!(out, view, start)
    }
    out.ascii(']')
  }
}
