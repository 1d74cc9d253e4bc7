/**
 * CSV cells: the columns of a message: their headers, and how each cell is written from a payload.
 */
import { charText } from '../../mavlink/char-text.js'
import type { FieldLayout, MessageLayout } from '../../mavlink/dialect.js'
import { NUMBER_CELLS, visibleText } from './cells.js'
import type { Cell } from './cells.js'

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

function textCell({ offset, arrayLength }: FieldLayout): Cell {
  const size = arrayLength || 1
  return (out, view, start) => out.csvText(visibleText(charText(view, start + offset, size)))
}

function numberCell({ type, offset }: FieldLayout, index: number): Cell {
  const { bytes, cellAt } = NUMBER_CELLS[type]
  return cellAt(offset + index * bytes)
}
