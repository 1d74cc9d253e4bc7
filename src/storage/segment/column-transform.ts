/**
 * Column transform: how each number of a column is told by those before it, so that small residuals remain.
 * Specified in docs/flight-file.md, "Column".
 */
import type { Lanes, Width } from './lanes.js'

/** How a residual came from a number v[i]. The numbers are part of the format. */
export const RAW = 0
/** zigzag of v[i] - v[i-1] */
export const DELTA = 1
/** zigzag of (v[i] - v[i-1]) - (v[i-1] - v[i-2]) */
export const DELTA2 = 2
/** v[i] XOR v[i-1] */
export const XOR = 3

export type Transform = typeof RAW | typeof DELTA | typeof DELTA2 | typeof XOR
/** In the order in which they are tried: of equally good ones the first is taken. */
export const TRANSFORMS: readonly Transform[] = [DELTA, RAW, DELTA2, XOR]

/** The transform of a number of two bits. */
export function transformOf(bits: number): Transform {
  return TRANSFORMS.find((transform) => transform === bits) ?? RAW
}

/** Residuals of the numbers behind the first: r[i] belongs to v[i], r[0] is not used. */
export function transformLanes(v: Lanes, r: Lanes, count: number, width: Width, transform: Transform): void {
  if (width === 8) transformWide(v, r, count, transform)
  else transformNarrow(v.lo, r.lo, count, 32 - 8 * width, transform)
}

/** `unused`: bits of 32 that the numbers do not have. */
function transformNarrow(
  v: Uint32Array,
  r: Uint32Array,
  count: number,
  unused: number,
  transform: Transform,
): void {
  if (transform === RAW) r.set(v.subarray(0, count))
  else if (transform === XOR) for (let i = 1; i < count; i++) r[i] = v[i]! ^ v[i - 1]!
  else {
    let before = 0
    for (let i = 1; i < count; i++) {
      const delta = v[i]! - v[i - 1]!
      const signed = ((delta - before) << unused) >> unused
      r[i] = (((signed << 1) ^ (signed >> 31)) << unused) >>> unused
      if (transform === DELTA2) before = delta
    }
  }
}

function transformWide(v: Lanes, r: Lanes, count: number, transform: Transform): void {
  if (transform === RAW) {
    r.lo.set(v.lo.subarray(0, count))
    r.hi.set(v.hi.subarray(0, count))
  } else if (transform === XOR) {
    for (let i = 1; i < count; i++) {
      r.lo[i] = v.lo[i]! ^ v.lo[i - 1]!
      r.hi[i] = v.hi[i]! ^ v.hi[i - 1]!
    }
  } else deltaWide(v, r, count, transform === DELTA2)
}

function deltaWide({ lo, hi }: Lanes, r: Lanes, count: number, twice: boolean): void {
  let beforeLo = 0
  let beforeHi = 0
  for (let i = 1; i < count; i++) {
    const deltaLo = (lo[i]! - lo[i - 1]!) >>> 0
    const deltaHi = (hi[i]! - hi[i - 1]! - (lo[i]! < lo[i - 1]! ? 1 : 0)) >>> 0
    const low = deltaLo - beforeLo
    const high = deltaHi - beforeHi - (deltaLo < beforeLo ? 1 : 0)
    const sign = (high | 0) >> 31
    r.lo[i] = (low << 1) ^ sign
    r.hi[i] = ((high << 1) | (low >>> 31)) ^ sign
    if (twice) {
      beforeLo = deltaLo
      beforeHi = deltaHi
    }
  }
}

/** Puts the numbers behind the first one back; `v[0]` is there. */
export function restoreLanes(v: Lanes, r: Lanes, count: number, width: Width, transform: Transform): void {
  if (width === 8) restoreWide(v, r, count, transform)
  else restoreNarrow(v.lo, r.lo, count, transform)
}

/** Bits above the width of the numbers come out as they may: whoever stores the numbers cuts them off. */
function restoreNarrow(v: Uint32Array, r: Uint32Array, count: number, transform: Transform): void {
  if (transform === RAW) for (let i = 1; i < count; i++) v[i] = r[i]!
  else if (transform === XOR) for (let i = 1; i < count; i++) v[i] = r[i]! ^ v[i - 1]!
  else {
    let before = 0
    for (let i = 1; i < count; i++) {
      const delta = ((r[i]! >>> 1) ^ -(r[i]! & 1)) + before
      v[i] = v[i - 1]! + delta
      if (transform === DELTA2) before = delta | 0
    }
  }
}

function restoreWide(v: Lanes, r: Lanes, count: number, transform: Transform): void {
  if (transform === RAW || transform === XOR) {
    const keep = transform === XOR ? 0xffffffff : 0
    for (let i = 1; i < count; i++) {
      v.lo[i] = r.lo[i]! ^ (v.lo[i - 1]! & keep)
      v.hi[i] = r.hi[i]! ^ (v.hi[i - 1]! & keep)
    }
  } else sumWide(v, r, count, transform === DELTA2)
}

function sumWide({ lo, hi }: Lanes, r: Lanes, count: number, twice: boolean): void {
  let beforeLo = 0
  let beforeHi = 0
  for (let i = 1; i < count; i++) {
    const sign = -(r.lo[i]! & 1)
    const deltaLo = ((((r.lo[i]! >>> 1) | (r.hi[i]! << 31)) ^ sign) >>> 0) + beforeLo
    const deltaHi = ((r.hi[i]! >>> 1) ^ sign) + beforeHi + (deltaLo > 0xffffffff ? 1 : 0)
    const sum = lo[i - 1]! + (deltaLo >>> 0)
    lo[i] = sum
    hi[i] = hi[i - 1]! + deltaHi + (sum > 0xffffffff ? 1 : 0)
    if (twice) {
      beforeLo = deltaLo >>> 0
      beforeHi = deltaHi | 0
    }
  }
}
