/**
 * Column scale: what all numbers of a column have in common beyond their first: a divisor (timestamps of whole
 * milliseconds in µs), or that they are floats made from decimals (an altitude of 12.34 m was 1234 cm).
 * Specified in docs/flight-file.md, "Column".
 */
import type { Lanes, Width } from './lanes.js'

/** The numbers stand for themselves. */
export const UNSCALED = 0
/** w[i] = (v[i] - v[0]) / divisor */
export const DIVIDED = 1
/** From this on: w[i] is the whole number of which DECIMALS[scale - DECIMAL] makes the float v[i]. */
export const DECIMAL = 2

/**
 * How firmware makes floats of whole numbers: n / 100 and n * 0.01f differ in the last bit.
 * Computed with doubles and rounded to a float once: the product of two floats is exact in a double.
 */
const DECIMALS: readonly { perOne: number; toFloat: (n: number) => number }[] = [
  { perOne: 1, toFloat: (n) => Math.fround(n) },
  { perOne: 10, toFloat: (n) => Math.fround(n * Math.fround(0.1)) },
  { perOne: 10, toFloat: (n) => Math.fround(n / 10) },
  { perOne: 100, toFloat: (n) => Math.fround(n * Math.fround(0.01)) },
  { perOne: 100, toFloat: (n) => Math.fround(n / 100) },
  { perOne: 1000, toFloat: (n) => Math.fround(n * Math.fround(0.001)) },
  { perOne: 1000, toFloat: (n) => Math.fround(n / 1000) },
]

export interface Scale {
  scale: number
  /** Of DIVIDED; else 1. */
  divisor: number
}

const AS_THEY_ARE: Scale = { scale: UNSCALED, divisor: 1 }

/** Finds the scale of the numbers, of which at least two differ, and replaces them by what is left. */
export function scaleDown(values: Lanes, count: number, width: Width): Scale {
  if (width === 1) return AS_THEY_ARE
  if (width === 4) {
    const floats = floatsOf(values, count)
    const found = DECIMALS.findIndex((decimal) => takeDecimals(values.lo, floats, decimal))
    if (found >= 0) return { scale: DECIMAL + found, divisor: 1 }
  }
  const divisor = divisorOf(values, count, width)
  if (divisor < 2) return AS_THEY_ARE
  divide(values, count, width, divisor)
  return { scale: DIVIDED, divisor }
}

/** Gives the first number as `scaleDown` left it, from the one that stands in the file. */
export function scaleFirst(values: Lanes, { scale }: Scale): void {
  if (scale === DIVIDED) values.lo[0] = values.hi[0] = 0
  else if (scale >= DECIMAL) {
    const { perOne } = decimalOf(scale)
    values.lo[0] = Math.round(floatOf(values.lo[0]!) * perOne)
  }
}

/** Undoes `scaleDown`; `firstLo` and `firstHi`: the first number as it stands in the file. */
export function scaleUp(
  values: Lanes,
  count: number,
  width: Width,
  { scale, divisor }: Scale,
  firstLo: number,
  firstHi: number,
): void {
  if (scale === DIVIDED) multiply(values, count, width, divisor, firstLo, firstHi)
  else if (scale >= DECIMAL) {
    const { toFloat } = decimalOf(scale)
    const { lo } = values
    const floats = floatsOf(values, count)
    for (let i = 1; i < count; i++) floats[i] = toFloat(lo[i]! | 0)
    lo[0] = firstLo
  }
}

function decimalOf(scale: number): (typeof DECIMALS)[number] {
  const decimal = DECIMALS[scale - DECIMAL]
  if (decimal === undefined) throw new RangeError(`column scale ${scale} is not one that is known`)
  return decimal
}

const word = new Uint32Array(1)
const float = new Float32Array(word.buffer)

function floatOf(bits: number): number {
  word[0] = bits
  return float[0]!
}

/** The low halves, read as floats. */
function floatsOf({ lo }: Lanes, count: number): Float32Array {
  return new Float32Array(lo.buffer, lo.byteOffset, count)
}

let decimals = new Uint32Array(0)

/** Replaces the floats by whole numbers, if all of them are made so. */
function takeDecimals(
  lo: Uint32Array,
  floats: Float32Array,
  { perOne, toFloat }: (typeof DECIMALS)[number],
): boolean {
  const count = floats.length
  if (decimals.length < count) decimals = new Uint32Array(lo.length)
  for (let i = 0; i < count; i++) {
    const scaled = floats[i]! * perOne
    const n = Math.round(scaled) | 0
    // Also false for NaN; -0 becomes 0, which is another float.
    if (!(Math.abs(scaled) < 0x7fffffff) || !Object.is(toFloat(n), floats[i])) return false
    decimals[i] = n
  }
  lo.set(decimals.subarray(0, count))
  return true
}

/** v[i] - v[0], signed; of numbers of 8 bytes only good up to 2^53. */
function distance({ lo, hi }: Lanes, i: number, width: Width): number {
  if (width === 8) return ((hi[i]! | 0) - (hi[0]! | 0)) * 2 ** 32 + (lo[i]! - lo[0]!)
  const unused = 32 - 8 * width
  return ((lo[i]! << unused) >> unused) - ((lo[0]! << unused) >> unused)
}

/** The greatest common divisor of all distances; 1 where one is beyond 2^53. */
function divisorOf(values: Lanes, count: number, width: Width): number {
  let divisor = 0
  for (let i = 1; i < count && divisor !== 1; i++) {
    const apart = Math.abs(distance(values, i, width))
    if (apart > Number.MAX_SAFE_INTEGER) return 1
    divisor = greatestCommonDivisor(apart, divisor)
  }
  return divisor
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b > 0) {
    const rest = a % b
    a = b
    b = rest
  }
  return a
}

function divide(values: Lanes, count: number, width: Width, divisor: number): void {
  const mask = width === 2 ? 0xffff : 0xffffffff
  for (let i = count - 1; i >= 0; i--) {
    const quotient = distance(values, i, width) / divisor
    values.lo[i] = quotient & mask
    values.hi[i] = Math.floor(quotient / 2 ** 32)
  }
}

function multiply(
  { lo, hi }: Lanes,
  count: number,
  width: Width,
  divisor: number,
  firstLo: number,
  firstHi: number,
): void {
  const unused = 32 - 8 * Math.min(width, 4)
  for (let i = 0; i < count; i++) {
    const low = width === 8 ? lo[i]! : (lo[i]! << unused) >> unused
    const product = (width === 8 ? (hi[i]! | 0) * 2 ** 32 + low : low) * divisor
    const sum = firstLo + (product >>> 0)
    lo[i] = sum
    hi[i] = firstHi + Math.floor(product / 2 ** 32) + (sum > 0xffffffff ? 1 : 0)
  }
}
