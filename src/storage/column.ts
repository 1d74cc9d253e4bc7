/**
 * Column: one field of many frames, turned into planes of bytes that a compressor likes.
 *
 *     values ──transform──▶ residuals ──▶ planes: all lowest bytes, all second bytes, …, each named by its liveliness
 *
 * Specified in docs/flight-file.md, "Column".
 */

/** How a residual came from a value v[i]. The numbers are part of the format. */
const RAW = 0
/** zigzag of v[i] - v[i-1] */
const DELTA = 1
/** zigzag of (v[i] - v[i-1]) - (v[i-1] - v[i-2]) */
const DELTA2 = 2
/** v[i] XOR v[i-1] */
const XOR = 3

type Transform = typeof RAW | typeof DELTA | typeof DELTA2 | typeof XOR
const TRANSFORMS: readonly Transform[] = [DELTA, RAW, DELTA2, XOR]

/** Width of the numbers of a column (bytes). */
export type Width = 1 | 2 | 4 | 8

/** Where the numbers of a column stand: `count` of them, `stride` bytes apart, the first at `offset`. */
export interface Cells {
  rows: Uint8Array
  count: number
  stride: number
  offset: number
  width: Width
}

/** Numbers of up to 64 bits, low and high half apart: JavaScript's bitwise operators end at 32. */
interface Lanes {
  lo: Uint32Array
  hi: Uint32Array
}

const emptyLanes = (count: number): Lanes => ({ lo: new Uint32Array(count), hi: new Uint32Array(count) })

/** Scratch, grown to the longest column seen: a segment has thousands of columns. */
let scratch = { values: emptyLanes(0), deltas: emptyLanes(0), residuals: emptyLanes(0) }

function scratchFor(count: number): typeof scratch {
  if (scratch.values.lo.length < count) {
    scratch = { values: emptyLanes(count), deltas: emptyLanes(count), residuals: emptyLanes(count) }
  }
  return scratch
}

/** How random a plane is. Planes of one kind are stored side by side: the compressor finds like beside like. */
export const ZERO = 0
export const QUIET = 1
export const LIVELY = 2
export const NOISY = 3
export type Liveliness = typeof ZERO | typeof QUIET | typeof LIVELY | typeof NOISY

/** Bits a byte from which a plane counts as lively; tried 2 to 6 on real flights, the files differ by 1 %. */
const LIVELY_FROM_BITS = 3
/** Bits a byte from which a plane counts as noisy: nothing is to be had there, but it spoils the rest. */
const NOISY_FROM_BITS = 7.5

/** A column's numbers less their first, as planes of `count` - 1 bytes, the lowest bytes first. */
export interface CodedColumn {
  transform: number
  planes: { liveliness: Liveliness; bytes: Uint8Array }[]
}

/** Codes the numbers of `cells` (at least one) with the transform that an ideal byte coder would like best. */
export function codeColumn(cells: Cells): CodedColumn {
  const { count, width } = cells
  const { values, residuals } = scratchFor(count)
  gather(cells, values)
  let best: Transform = DELTA
  let bestBits = Infinity
  for (const transform of TRANSFORMS) {
    transformLanes(values, residuals, count, width, transform)
    let bits = 0
    for (let k = 0; k < width; k++) bits += planeBits(residuals, k, count)
    if (bits < bestBits) {
      best = transform
      bestBits = bits
    }
    if (bits === 0) break
  }
  transformLanes(values, residuals, count, width, best)
  return { transform: best, planes: Array.from({ length: width }, (_, k) => planeOf(residuals, k, count)) }
}

function planeOf(r: Lanes, k: number, count: number): { liveliness: Liveliness; bytes: Uint8Array } {
  const lane = k < 4 ? r.lo : r.hi
  const shift = (k & 3) * 8
  const bytes = new Uint8Array(count - 1)
  let any = 0
  for (let i = 1; i < count; i++) any |= bytes[i - 1] = lane[i]! >>> shift
  if ((any & 0xff) === 0) return { liveliness: ZERO, bytes }
  const bitsPerByte = planeBits(r, k, count) / (count - 1)
  if (bitsPerByte < LIVELY_FROM_BITS) return { liveliness: QUIET, bytes }
  return { liveliness: bitsPerByte < NOISY_FROM_BITS ? LIVELY : NOISY, bytes }
}

/**
 * Puts the numbers back into `cells`, of which the first is there.
 * `planes`: of each plane its bytes, or undefined where all are zero.
 */
export function decodeColumn(
  cells: Cells,
  transform: number,
  planes: readonly (Uint8Array | undefined)[],
): void {
  const { rows, count, stride, offset, width } = cells
  const { values, residuals } = scratchFor(count)
  gather({ ...cells, count: 1 }, values)
  gatherPlanes(planes, residuals, count)
  restoreLanes(values, residuals, count, width, transform)
  for (let k = 0; k < width; k++) {
    const lane = k < 4 ? values.lo : values.hi
    const shift = (k & 3) * 8
    for (let i = 0, at = offset + k; i < count; i++, at += stride) rows[at] = lane[i]! >>> shift
  }
}

function gather(cells: Cells, into: Lanes): void {
  const { rows, count, stride, offset, width } = cells
  const low = Math.min(width, 4)
  gatherLane(rows, count, stride, offset, low, into.lo)
  if (width === 8) gatherLane(rows, count, stride, offset + 4, 4, into.hi)
}

function gatherLane(
  rows: Uint8Array,
  count: number,
  stride: number,
  offset: number,
  bytes: number,
  into: Uint32Array,
): void {
  if (bytes === 1) for (let i = 0, at = offset; i < count; i++, at += stride) into[i] = rows[at]!
  else if (bytes === 2)
    for (let i = 0, at = offset; i < count; i++, at += stride) into[i] = rows[at]! | (rows[at + 1]! << 8)
  else {
    for (let i = 0, at = offset; i < count; i++, at += stride) {
      into[i] = rows[at]! | (rows[at + 1]! << 8) | (rows[at + 2]! << 16) | (rows[at + 3]! << 24)
    }
  }
}

/** Residuals of the values behind the first: r[i] belongs to v[i], r[0] is not used. */
function transformLanes(v: Lanes, r: Lanes, count: number, width: Width, transform: Transform): void {
  if (transform === RAW) copyLanes(v, r, count)
  else if (transform === XOR) {
    for (let i = 1; i < count; i++) {
      r.lo[i] = v.lo[i]! ^ v.lo[i - 1]!
      if (width === 8) r.hi[i] = v.hi[i]! ^ v.hi[i - 1]!
    }
  } else if (transform === DELTA) {
    subtractPrevious(v, r, count, width, 1)
    zigzag(r, count, width)
  } else {
    const { deltas } = scratch
    subtractPrevious(v, deltas, count, width, 1)
    r.lo[1] = deltas.lo[1]!
    r.hi[1] = deltas.hi[1]!
    subtractPrevious(deltas, r, count, width, 2)
    zigzag(r, count, width)
  }
}

function copyLanes(from: Lanes, to: Lanes, count: number): void {
  to.lo.set(from.lo.subarray(0, count))
  to.hi.set(from.hi.subarray(0, count))
}

function subtractPrevious(v: Lanes, r: Lanes, count: number, width: Width, from: number): void {
  for (let i = from; i < count; i++) {
    const lo = v.lo[i]!
    const before = v.lo[i - 1]!
    r.lo[i] = lo - before
    if (width === 8) r.hi[i] = v.hi[i]! - v.hi[i - 1]! - (lo < before ? 1 : 0)
  }
}

/** Maps 0, -1, 1, -2 … (two's complement of `width` bytes) to 0, 1, 2, 3 …: small residuals have zero high planes. */
function zigzag(r: Lanes, count: number, width: Width): void {
  const { lo, hi } = r
  if (width === 8) {
    for (let i = 1; i < count; i++) {
      const sign = (hi[i]! | 0) >> 31
      hi[i] = ((hi[i]! << 1) | (lo[i]! >>> 31)) ^ sign
      lo[i] = (lo[i]! << 1) ^ sign
    }
    return
  }
  const unused = 32 - 8 * width
  for (let i = 1; i < count; i++) {
    const signed = (lo[i]! << unused) >> unused
    lo[i] = (((signed << 1) ^ (signed >> 31)) << unused) >>> unused
  }
}

function unzigzag(r: Lanes, count: number, width: Width): void {
  const { lo, hi } = r
  for (let i = 1; i < count; i++) {
    const sign = -(lo[i]! & 1)
    if (width === 8) {
      lo[i] = ((lo[i]! >>> 1) | (hi[i]! << 31)) ^ sign
      hi[i] = (hi[i]! >>> 1) ^ sign
    } else lo[i] = (lo[i]! >>> 1) ^ sign
  }
}

/** Puts the values behind the first one back; `v[0]` is there. */
function restoreLanes(v: Lanes, r: Lanes, count: number, width: Width, transform: number): void {
  if (transform === RAW) {
    for (let i = 1; i < count; i++) {
      v.lo[i] = r.lo[i]!
      v.hi[i] = r.hi[i]!
    }
  } else if (transform === XOR) {
    for (let i = 1; i < count; i++) {
      v.lo[i] = r.lo[i]! ^ v.lo[i - 1]!
      v.hi[i] = r.hi[i]! ^ v.hi[i - 1]!
    }
  } else if (transform === DELTA || transform === DELTA2) {
    unzigzag(r, count, width)
    if (transform === DELTA2) addPrevious(r, r, count, 2)
    addPrevious(r, v, count, 1)
  } else throw new RangeError(`column transform ${transform} is not one of 0 to 3`)
}

/** sums[i] = sums[i-1] + r[i], 64 bits wide. */
function addPrevious(r: Lanes, sums: Lanes, count: number, from: number): void {
  for (let i = from; i < count; i++) {
    const lo = r.lo[i]! + sums.lo[i - 1]!
    sums.hi[i] = r.hi[i]! + sums.hi[i - 1]! + (lo > 0xffffffff ? 1 : 0)
    sums.lo[i] = lo
  }
}

/** n·log2(n) of counts up to this is looked up (frames of one kind in a segment are seldom more). */
const LOG_TABLE_SIZE = 1 << 15
const N_LOG_N = Float64Array.from({ length: LOG_TABLE_SIZE }, (_, n) => (n === 0 ? 0 : n * Math.log2(n)))
const nLogN = (n: number): number => (n < LOG_TABLE_SIZE ? N_LOG_N[n]! : n * Math.log2(n))

const histogram = new Uint32Array(256)

/** What an ideal coder of single bytes would need for plane `k` of the residuals (bits): close enough to choose by. */
function planeBits(r: Lanes, k: number, count: number): number {
  const lane = k < 4 ? r.lo : r.hi
  const shift = (k & 3) * 8
  histogram.fill(0)
  for (let i = 1; i < count; i++) histogram[(lane[i]! >>> shift) & 0xff]!++
  let bits = nLogN(count - 1)
  for (let i = 0; i < 256; i++) bits -= nLogN(histogram[i]!)
  return bits
}

function gatherPlanes(planes: readonly (Uint8Array | undefined)[], r: Lanes, count: number): void {
  r.lo.fill(0, 0, count)
  r.hi.fill(0, 0, count)
  planes.forEach((plane, k) => {
    if (plane === undefined) return
    const lane = k < 4 ? r.lo : r.hi
    const shift = (k & 3) * 8
    for (let i = 1; i < count; i++) lane[i]! |= plane[i - 1]! << shift
  })
}
