/**
 * Cells: how the values of a payload are written as text, for all exports that write values.
 */
import type { WireType } from '../../mavlink/dialect.js'
import type { TextBytes } from './text-bytes.js'

/** Writes one value; the payload begins at `start` and has the whole message's length. */
export type Cell = (out: TextBytes, view: DataView, start: number) => void

/** How the number at a place of the payload is written, and how many bytes it has. */
export type NumberCells = Readonly<Record<WireType, { bytes: number; cellAt: (at: number) => Cell }>>

/** Whole numbers are exact, 64-bit ones too; floats have the shortest text that reads back to the same float. */
export const NUMBER_CELLS: NumberCells = {
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

/** The text of a char[] as valid UTF-8: a byte that is none is written as `\xe4`; the raw export has the byte itself. */
export function visibleText(text: string): string {
  return text.replace(/[\udc80-\udcff]/gu, (byte) => `\\x${(byte.charCodeAt(0) - 0xdc00).toString(16)}`)
}
