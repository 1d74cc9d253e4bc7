/**
 * UTC text: ISO 8601 with microseconds, `2023-04-18T11:03:34.123456Z`.
 */
import { isBelievable } from '../import/tlog.js'
import type { TextBytes } from './text-bytes.js'

/** Writes times that mostly follow each other: the part up to the second is kept for the next. */
export class UtcText {
  #second = NaN
  #text = ''

  /** Writes `utcUs`, or nothing where it is no time that can be. */
  write(out: TextBytes, utcUs: number): void {
    if (!isBelievable(utcUs)) return
    const second = Math.floor(utcUs / 1e6)
    if (second !== this.#second) {
      this.#second = second
      this.#text = new Date(second * 1000).toISOString().slice(0, 20)
    }
    out.ascii(this.#text)
    out.padded(utcUs - second * 1e6, 6)
    out.ascii('Z')
  }
}

export function utcText(utcUs: number): string {
  const second = Math.floor(utcUs / 1e6)
  const micros = String(Math.floor(utcUs - second * 1e6)).padStart(6, '0')
  return `${new Date(second * 1000).toISOString().slice(0, 20)}${micros}Z`
}
