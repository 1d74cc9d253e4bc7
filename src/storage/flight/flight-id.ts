/**
 * Flight id: `<station>-<first 8 hex of the boot id>-<n>`. It never holds the wall clock: a Pi has none at first.
 */
import { readTail } from '../tail/tail.js'
import type { Vault } from '../vault/vault.js'

/** Digits of the boot id in a flight's id: enough to tell the boots of one station apart. */
const BOOT_DIGITS = 8

/** Numbers the flights of this boot, from the first number that neither a file nor a tail has. */
export class FlightIds {
  readonly #stem: string
  #last: number

  constructor(vault: Vault, stationId: string, bootId: string) {
    this.#stem = `${stationId}-${bootId.slice(0, BOOT_DIGITS)}-`
    const inTails = [...readTail(vault.tailPath(0)), ...readTail(vault.tailPath(1))].map(
      ({ head }) => head.id,
    )
    const numbers = [...vault.flightIds(), ...inTails]
      .filter((id) => id.startsWith(this.#stem))
      .map((id) => Number(id.slice(this.#stem.length)))
    this.#last = Math.max(0, ...numbers.filter(Number.isSafeInteger))
  }

  next(): string {
    return `${this.#stem}${++this.#last}`
  }
}
