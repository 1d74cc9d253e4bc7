/**
 * Lanes: numbers of up to 64 bits with their low and high halves apart, because JavaScript's bitwise operators end at 32.
 */

/** Width of the numbers of a column (bytes). */
export type Width = 1 | 2 | 4 | 8

/** The high halves mean nothing where the numbers are narrower than 8 bytes. */
export interface Lanes {
  lo: Uint32Array
  hi: Uint32Array
}

export function emptyLanes(count: number): Lanes {
  return { lo: new Uint32Array(count), hi: new Uint32Array(count) }
}

/** Where the numbers of a column stand: `count` of them, `stride` bytes apart, the first at `offset`. */
export interface Cells {
  rows: Uint8Array
  count: number
  stride: number
  offset: number
  width: Width
}

/** Takes the numbers of `cells` (little-endian) into lanes. */
export function gather({ rows, count, stride, offset, width }: Cells, { lo, hi }: Lanes): void {
  if (width === 1) for (let i = 0, at = offset; i < count; i++, at += stride) lo[i] = rows[at]!
  else if (width === 2)
    for (let i = 0, at = offset; i < count; i++, at += stride) lo[i] = rows[at]! | (rows[at + 1]! << 8)
  else gatherWords(rows, count, stride, offset, lo)
  if (width === 8) gatherWords(rows, count, stride, offset + 4, hi)
}

function gatherWords(
  rows: Uint8Array,
  count: number,
  stride: number,
  offset: number,
  into: Uint32Array,
): void {
  for (let i = 0, at = offset; i < count; i++, at += stride)
    into[i] = rows[at]! | (rows[at + 1]! << 8) | (rows[at + 2]! << 16) | (rows[at + 3]! << 24)
}

/** Puts lanes back into `cells`. */
export function scatter({ lo, hi }: Lanes, { rows, count, stride, offset, width }: Cells): void {
  if (width === 1) for (let i = 0, at = offset; i < count; i++, at += stride) rows[at] = lo[i]!
  else if (width === 2) {
    for (let i = 0, at = offset; i < count; i++, at += stride) {
      rows[at] = lo[i]!
      rows[at + 1] = lo[i]! >>> 8
    }
  } else scatterWords(lo, rows, count, stride, offset)
  if (width === 8) scatterWords(hi, rows, count, stride, offset + 4)
}

function scatterWords(
  from: Uint32Array,
  rows: Uint8Array,
  count: number,
  stride: number,
  offset: number,
): void {
  for (let i = 0, at = offset; i < count; i++, at += stride) {
    const word = from[i]!
    rows[at] = word
    rows[at + 1] = word >>> 8
    rows[at + 2] = word >>> 16
    rows[at + 3] = word >>> 24
  }
}

/** Whether all numbers are the same. */
export function isConstant({ lo, hi }: Lanes, count: number, width: Width): boolean {
  for (let i = 1; i < count; i++) if (lo[i] !== lo[0] || (width === 8 && hi[i] !== hi[0])) return false
  return true
}
