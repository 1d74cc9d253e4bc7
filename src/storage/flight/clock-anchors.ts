/**
 * Clock anchors: moments known on two clocks, by which receive times become UTC, also those that came before.
 *
 * A message says what time it was when it was sent, and came a little later: UTC − receive time is too small by its
 * delay. Of many the largest difference is the best; it is taken over a window, which ends where the clock is set.
 */
import type { ClockAnchor } from './flight.js'

/** One anchor per source and window (µs): enough to follow a crystal that drifts 50 µs a second. */
const WINDOW_US = 60e6
/**
 * An observation further than this from the best of its window is of a clock that was set (µs). Back only a clock of this
 * machine is set: a vehicle's time that is too small came late over the radio.
 */
const STEP_US = 1e6

interface Window {
  sinceUs: number
  best: ClockAnchor
}

export class ClockAnchors {
  readonly #windows = new Map<ClockAnchor['source'], Window>()

  /** Takes one observation; returns an anchor to keep: the first, also after a step, at once, then each window's best. */
  observe(seen: ClockAnchor): ClockAnchor | undefined {
    const window = this.#windows.get(seen.source)
    if (window === undefined || isStep(seen, window.best)) {
      this.#windows.set(seen.source, { sinceUs: seen.recvTimeUs, best: seen })
      return seen
    }
    if (offsetUs(seen) > offsetUs(window.best)) window.best = seen
    if (seen.recvTimeUs - window.sinceUs < WINDOW_US) return undefined
    this.#windows.set(seen.source, { sinceUs: seen.recvTimeUs, best: seen })
    return window.best
  }

  /** The best of each source's window so far: what a flight that begins now starts with. */
  get bests(): ClockAnchor[] {
    return [...this.#windows.values()].map(({ best }) => best)
  }
}

const offsetUs = (anchor: ClockAnchor): number => anchor.utcUs - anchor.recvTimeUs

function isStep(seen: ClockAnchor, best: ClockAnchor): boolean {
  const movedUs = offsetUs(seen) - offsetUs(best)
  return movedUs > STEP_US || (movedUs < -STEP_US && seen.source !== 'gps')
}

/** Which source is believed first. */
const TRUST: readonly ClockAnchor['source'][] = ['recorded', 'gps', 'ntp', 'system']

/** Turns receive times into UTC (both µs) by the anchors of the best source that has any. */
export class UtcClock {
  readonly #anchors: readonly ClockAnchor[]
  readonly source: ClockAnchor['source'] | undefined

  constructor(anchors: readonly ClockAnchor[]) {
    this.source = TRUST.find((source) => anchors.some((anchor) => anchor.source === source))
    this.#anchors = anchors
      .filter((anchor) => anchor.source === this.source)
      .toSorted((a, b) => a.recvTimeUs - b.recvTimeUs)
  }

  /** UTC − receive time at `recvTimeUs` (µs): of the last anchor before it, or the first there is; 0 without any. */
  offsetUs(recvTimeUs: number): number {
    let low = 0
    let high = this.#anchors.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#anchors[middle]!.recvTimeUs <= recvTimeUs) low = middle + 1
      else high = middle
    }
    const anchor = this.#anchors[Math.max(low - 1, 0)]
    return anchor === undefined ? 0 : offsetUs(anchor)
  }
}
