/**
 * Blink code: what the lamp shows, as data. One flash, two, three, or flashes without end: it is read by counting, so it needs
 * no colour, and no brightness to compare. A flash lasts 250 ms, long enough to be fully bright to the eye in sunlight and slow
 * enough to count. Every code moves, since it is this process that moves it: a lamp that stands still, lit or dark, says that
 * nobody is at work.
 */

export type Signal = 'recording' | 'shut' | 'permitted' | 'fault'

/** One character of a code (ms). */
export const TICK_MS = 250

/** What the lamp does in each state, tick by tick, over and over: `#` lit, `.` dark. More flashes ask for more attention. */
export const BLINK_CODES: Readonly<Record<Signal, string>> = {
  shut: '#...........',
  recording: '#.#.........',
  permitted: '#.#.#.......',
  fault: '#.',
}

/** Whether the lamp is lit in a tick of its code. */
export function isLit(signal: Signal, tick: number): boolean {
  const code = BLINK_CODES[signal]
  return code[tick % code.length] === '#'
}

/** A flight is recorded while the station knows of a vehicle and has its link open. */
export function signalOf(
  door: 'blocked' | 'permitted' | 'fault',
  station: { link: 'open' | 'closed'; vehicle: 'none' | 'disarmed' | 'armed' | 'lost' },
): Signal {
  if (door !== 'blocked') return door
  return station.link === 'closed' || station.vehicle === 'none' ? 'shut' : 'recording'
}
