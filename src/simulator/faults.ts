/**
 * Faults: what a real line does to a stream of bytes, decided by a seed. Pure.
 */
import { createRandom } from './random.js'

/** A time without the cable, in seconds of the vehicle's clock. */
export interface Unplug {
  atS: number
  forS: number
}

export function isUnplugged(unplugs: readonly Unplug[], timeS: number): boolean {
  return unplugs.some(({ atS, forS }) => timeS >= atS && timeS < atS + forS)
}

/** Lets each byte through with the probability 1 − `rate`; the result is a copy, or the bytes themselves if all pass. */
export function createByteLoss(options: { rate: number; seed: number }): (bytes: Uint8Array) => Uint8Array {
  const random = createRandom(options.seed)
  if (options.rate === 0) return (bytes) => bytes
  return (bytes) => bytes.filter(() => random() >= options.rate)
}
