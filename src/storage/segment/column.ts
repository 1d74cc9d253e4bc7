/**
 * Column: one field of many frames, turned into planes of bytes that a compressor likes.
 *
 *     values ──scale──▶ whole numbers ──transform──▶ residuals ──▶ planes: all lowest bytes, all second bytes, …
 *
 * Each plane is named by its liveliness. Specified in docs/flight-file.md, "Column".
 */
import { UNSCALED, scaleDown, scaleFirst, scaleUp } from './column-scale.js'
import type { Scale } from './column-scale.js'
import { DELTA, TRANSFORMS, restoreLanes, transformLanes } from './column-transform.js'
import type { Transform } from './column-transform.js'
import { emptyLanes, gather, isConstant, scatter } from './lanes.js'
import type { Cells, Lanes, Width } from './lanes.js'

/** Scratch, grown to the longest column seen: a segment has thousands of columns. */
let scratch = { values: emptyLanes(0), residuals: emptyLanes(0) }

function scratchFor(count: number): typeof scratch {
  if (scratch.values.lo.length < count) {
    scratch = { values: emptyLanes(count), residuals: emptyLanes(count) }
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

/** How the numbers of a column became planes. */
export interface Coding extends Scale {
  transform: Transform
}

/** A column's numbers less their first, as planes of `count` - 1 bytes, the lowest bytes first. */
export interface CodedColumn extends Coding {
  /** `bytes` is empty where all are zero. */
  planes: { liveliness: Liveliness; bytes: Uint8Array }[]
}

const NOTHING = { liveliness: ZERO, bytes: new Uint8Array(0) } as const

/** Codes the numbers of `cells` (at least one) with the transform that an ideal byte coder would like best. */
export function codeColumn(cells: Cells): CodedColumn {
  const { count, width } = cells
  const { values, residuals } = scratchFor(count)
  gather(cells, values)
  if (isConstant(values, count, width)) {
    return {
      transform: DELTA,
      scale: UNSCALED,
      divisor: 1,
      planes: Array.from({ length: width }, () => NOTHING),
    }
  }
  const scale = scaleDown(values, count, width)
  let best: Transform = DELTA
  let bestBits: readonly number[] = []
  let least = Infinity
  for (const transform of TRANSFORMS) {
    transformLanes(values, residuals, count, width, transform)
    const bits = bitsOfPlanes(residuals, count, width)
    const sum = bits.reduce((a, b) => a + b)
    if (sum >= least) continue
    best = transform
    bestBits = bits
    least = sum
  }
  transformLanes(values, residuals, count, width, best)
  const planes = bestBits.map((bits, k) => planeOf(residuals, k, count, bits / (count - 1)))
  return { ...scale, transform: best, planes }
}

function planeOf(
  r: Lanes,
  k: number,
  count: number,
  bitsPerByte: number,
): { liveliness: Liveliness; bytes: Uint8Array } {
  const lane = k < 4 ? r.lo : r.hi
  const shift = (k & 3) * 8
  const bytes = new Uint8Array(count - 1)
  let any = 0
  for (let i = 1; i < count; i++) any |= bytes[i - 1] = lane[i]! >>> shift
  if ((any & 0xff) === 0) return NOTHING
  if (bitsPerByte < LIVELY_FROM_BITS) return { liveliness: QUIET, bytes }
  return { liveliness: bitsPerByte < NOISY_FROM_BITS ? LIVELY : NOISY, bytes }
}

/**
 * Puts the numbers back into `cells`, of which the first is there.
 * `planes`: of each plane its bytes, or undefined where all are zero.
 */
export function decodeColumn(
  cells: Cells,
  coding: Coding,
  planes: readonly (Uint8Array | undefined)[],
): void {
  const { count, width } = cells
  const { values, residuals } = scratchFor(count)
  gather({ ...cells, count: 1 }, values)
  const firstLo = values.lo[0]!
  const firstHi = values.hi[0]!
  scaleFirst(values, coding)
  gatherPlanes(planes, residuals, count)
  restoreLanes(values, residuals, count, width, coding.transform)
  scaleUp(values, count, width, coding, firstLo, firstHi)
  scatter(values, cells)
}

/** n·log2(n) of counts up to this is looked up (frames of one kind in a segment are seldom more). */
const LOG_TABLE_SIZE = 1 << 15
const N_LOG_N = Float64Array.from({ length: LOG_TABLE_SIZE }, (_, n) => (n === 0 ? 0 : n * Math.log2(n)))
const nLogN = (n: number): number => (n < LOG_TABLE_SIZE ? N_LOG_N[n]! : n * Math.log2(n))

/** How often each byte is in each of four planes. */
const histograms = new Uint32Array(4 * 256)

/** What an ideal coder of single bytes would need for each plane (bits): close enough to choose by. */
function bitsOfPlanes(r: Lanes, count: number, width: Width): number[] {
  if (width < 8) return bitsOfLane(r.lo, count, width)
  return [...bitsOfLane(r.lo, count, 4), ...bitsOfLane(r.hi, count, 4)]
}

function bitsOfLane(lane: Uint32Array, count: number, width: number): number[] {
  const h = histograms.fill(0)
  if (width === 1) for (let i = 1; i < count; i++) h[lane[i]! & 0xff]!++
  else if (width === 2) {
    for (let i = 1; i < count; i++) {
      const word = lane[i]!
      h[word & 0xff]!++
      h[256 + ((word >>> 8) & 0xff)]!++
    }
  } else {
    for (let i = 1; i < count; i++) {
      const word = lane[i]!
      h[word & 0xff]!++
      h[256 + ((word >>> 8) & 0xff)]!++
      h[512 + ((word >>> 16) & 0xff)]!++
      h[768 + (word >>> 24)]!++
    }
  }
  return Array.from({ length: width }, (_, k) => bitsOf(h, 256 * k, count - 1))
}

/** Of the plane whose histogram begins at `from`. */
function bitsOf(h: Uint32Array, from: number, count: number): number {
  if (h[from] === count) return 0
  let bits = nLogN(count)
  for (let at = from; at < from + 256; at++) bits -= nLogN(h[at]!)
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
