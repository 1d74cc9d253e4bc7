/**
 * Random: numbers that look random and are the same for the same seed, on every machine.
 * Source: mulberry32 by Tommy Ettinger (public domain); good enough for noise, for nothing secret.
 */

/** The next number of a sequence, 0 ≤ n < 1. */
export type Random = () => number

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A number around 0, within ± `amplitude`, mostly near the middle. */
export function jitter(random: Random, amplitude: number): number {
  return (random() - random()) * amplitude
}
