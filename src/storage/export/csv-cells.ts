/**
 * CSV cells: the columns of a message: their headers, and how each cell is written from a payload.
 */
import { charText } from '../../mavlink/char-text.js'
import type { FieldLayout, MessageLayout, WireType } from '../../mavlink/dialect.js'
import type { CsvText } from './csv-text.js'

/** Writes the cell of one column; the payload begins at `start` and has the whole message's length. */
export type Cell = (out: CsvText, view: DataView, start: number) => void

export interface Column {
  header: string
  cell: Cell
}

/** The fields in wire order, `name [unit]`; elements of an array are columns `name[0]`, `name[1]` … */
export function columnsOf(layout: MessageLayout): Column[] {
  return layout.fields.flatMap((field) => {
    const { name, arrayLength, units, type } = field
    const unit = units === null ? '' : ` [${units}]`
    if (type === 'char') return [{ header: name + unit, cell: textCell(field) }]
    if (arrayLength === 0) return [{ header: name + unit, cell: numberCell(field, 0) }]
    return Array.from({ length: arrayLength }, (_, i) => ({
      header: `${name}[${i}]${unit}`,
      cell: numberCell(field, i),
    }))
  })
}

/**
 * Text of a char[]: always valid UTF-8. A byte that is no UTF-8 is written as `\xe4`; the flight and its raw export have
 * the byte itself.
 */
function textCell({ offset, arrayLength }: FieldLayout): Cell {
  const size = arrayLength || 1
  return (out, view, start) => out.quoted(visible(charText(view, start + offset, size)))
}

function visible(text: string): string {
  return text.replace(/[\udc80-\udcff]/gu, (byte) => `\\x${(byte.charCodeAt(0) - 0xdc00).toString(16)}`)
}

/** How the number at a place of the payload is written, and how many bytes it has. */
const CELLS: Record<WireType, { bytes: number; cellAt: (at: number) => Cell }> = {
  char: { bytes: 1, cellAt: (at) => (out, view, start) => out.integer(view.getUint8(start + at)) },
  int8_t: { bytes: 1, cellAt: (at) => (out, view, start) => out.integer(view.getInt8(start + at)) },
  uint8_t: { bytes: 1, cellAt: (at) => (out, view, start) => out.integer(view.getUint8(start + at)) },
  int16_t: { bytes: 2, cellAt: (at) => (out, view, start) => out.integer(view.getInt16(start + at, true)) },
  uint16_t: { bytes: 2, cellAt: (at) => (out, view, start) => out.integer(view.getUint16(start + at, true)) },
  int32_t: { bytes: 4, cellAt: (at) => (out, view, start) => out.integer(view.getInt32(start + at, true)) },
  uint32_t: { bytes: 4, cellAt: (at) => (out, view, start) => out.integer(view.getUint32(start + at, true)) },
  int64_t: { bytes: 8, cellAt: (at) => (out, view, start) => out.bigint(view.getBigInt64(start + at, true)) },
  uint64_t: {
    bytes: 8,
    cellAt: (at) => (out, view, start) => out.bigint(view.getBigUint64(start + at, true)),
  },
  float: { bytes: 4, cellAt: (at) => (out, view, start) => out.float(view.getFloat32(start + at, true)) },
  double: { bytes: 8, cellAt: (at) => (out, view, start) => out.double(view.getFloat64(start + at, true)) },
}

function numberCell({ type, offset }: FieldLayout, index: number): Cell {
  const { bytes, cellAt } = CELLS[type]
  return cellAt(offset + index * bytes)
}
