/**
 * Columns: those of one group, laid out behind one another.
 *
 *     heads │ texts │ quiet planes │ lively planes │ noisy planes
 *
 * Specified in docs/flight-file.md, "Columns".
 */
import type { ByteReader } from '../../base/byte-reader.js'
import { ByteWriter } from '../../base/byte-writer.js'
import { LIVELY, NOISY, QUIET, ZERO, codeColumn, decodeColumn } from './column.js'
import type { Coding } from './column.js'
import { DIVIDED } from './column-scale.js'
import { transformOf } from './column-transform.js'
import type { Cells } from './lanes.js'

/** Cells that hold byte strings of `bytes` each instead of numbers; they are stored as they are. */
export interface TextCells {
  rows: Uint8Array
  count: number
  stride: number
  offset: number
  bytes: number
}

const AREAS = [QUIET, LIVELY, NOISY] as const

/** Collects columns; `writeTo` lays them out. */
export class ColumnsWriter {
  readonly #heads = new ByteWriter()
  readonly #texts = new ByteWriter()
  readonly #areas = AREAS.map(() => new ByteWriter())

  /** Head: transform and scale, divisor if there is one, two bits of liveliness a plane, the first number. */
  number(cells: Cells): void {
    if (cells.count === 0) return
    const { transform, scale, divisor, planes } = codeColumn(cells)
    this.#heads.u8(transform | (scale << 2))
    if (scale === DIVIDED) this.#heads.varint(divisor)
    const liveliness = planes.reduce((bits, plane, k) => bits | (plane.liveliness << (2 * k)), 0)
    if (cells.width === 8) this.#heads.u16(liveliness)
    else this.#heads.u8(liveliness)
    this.#heads.bytes(cells.rows, cells.offset, cells.offset + cells.width)
    for (const plane of planes)
      if (plane.liveliness !== ZERO) this.#areas[plane.liveliness - 1]!.bytes(plane.bytes)
  }

  text({ rows, count, stride, offset, bytes }: TextCells): void {
    for (let i = 0, at = offset; i < count; i++, at += stride) this.#texts.bytes(rows, at, at + bytes)
  }

  writeTo(out: ByteWriter): void {
    for (const part of [this.#heads, this.#texts, ...this.#areas]) out.bytes(part.written())
  }
}

interface PendingColumn {
  cells: Cells
  coding: Coding
  liveliness: number
}

/** Reads what a `ColumnsWriter` wrote. Name all columns in the same order, then call `fill`. */
export class ColumnsReader {
  readonly #source: ByteReader
  readonly #columns: PendingColumn[] = []
  readonly #texts: TextCells[] = []

  constructor(source: ByteReader) {
    this.#source = source
  }

  /** Reads the head of a column of numbers; its cells are filled later. */
  number(cells: Cells): void {
    if (cells.count === 0) return
    const how = this.#source.u8()
    const scale = how >>> 2
    const divisor = scale === DIVIDED ? this.#source.varint() : 1
    const liveliness = cells.width === 8 ? this.#source.u16() : this.#source.u8()
    cells.rows.set(this.#source.take(cells.width), cells.offset)
    this.#columns.push({ cells, coding: { transform: transformOf(how & 3), scale, divisor }, liveliness })
  }

  text(cells: TextCells): void {
    this.#texts.push(cells)
  }

  fill(): void {
    for (const { rows, count, stride, offset, bytes } of this.#texts) {
      for (let i = 0, at = offset; i < count; i++, at += stride) rows.set(this.#source.take(bytes), at)
    }
    const planes = this.#columns.map((): (Uint8Array | undefined)[] => [])
    for (const area of AREAS) {
      this.#columns.forEach(({ cells, liveliness }, c) => {
        for (let k = 0; k < cells.width; k++) {
          if (((liveliness >>> (2 * k)) & 3) === area) planes[c]![k] = this.#source.take(cells.count - 1)
        }
      })
    }
    this.#columns.forEach(({ cells, coding }, c) => decodeColumn(cells, coding, planes[c]!))
  }
}
