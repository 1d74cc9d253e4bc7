/**
 * Pace: how often somebody may do something: so many at once, and so many a second after that. Pure: the time comes in.
 */
export class Pace {
  readonly #most: number
  readonly #perSecond: number
  #left: number
  #lastMs: number

  constructor({ most, perSecond }: { most: number; perSecond: number }, nowMs: number) {
    this.#most = most
    this.#perSecond = perSecond
    this.#left = most
    this.#lastMs = nowMs
  }

  /** Whether once more is within the pace; if so, it is counted. */
  allows(nowMs: number): boolean {
    const earned = ((nowMs - this.#lastMs) / 1000) * this.#perSecond
    this.#left = Math.min(this.#most, this.#left + earned)
    this.#lastMs = nowMs
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
