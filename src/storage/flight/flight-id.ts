/**
 * Flight id: `<station>-<first 8 hex of the boot id>-<n>`. It never holds the wall clock: a Pi has none at first.
 */
import { readTail } from '../tail/tail.js'
import type { Vault } from '../vault/vault.js'

/** Digits of the boot id in a flight's id: enough to tell the boots of one station apart. */
const BOOT_DIGITS = 8

/** Numbers the flights of this boot, from the first number that neither a file nor a tail has. */
export class FlightIds {
  readonly #vault: Vault
  readonly #stem: string
  #last: number | undefined

  constructor(vault: Vault, stationId: string, bootId: string) {
    this.#vault = vault
    this.#stem = `${stationId}-${bootId.slice(0, BOOT_DIGITS)}-`
  }

  /**
   * Reads which numbers are taken, once. To be called soon after the ports are open: before, it would delay the first
   * byte; late, a card that hangs by then would stop this thread.
   */
  look(): void {
    this.#last ??= this.#lastTaken()
  }

  next(): string {
    this.#last = (this.#last ?? this.#lastTaken()) + 1
    return `${this.#stem}${this.#last}`
  }

  #lastTaken(): number {
    const vault = this.#vault
    const inTails = [...readTail(vault.tailPath(0)), ...readTail(vault.tailPath(1))].map(
      ({ head }) => head.id,
    )
    const numbers = [...vault.flightIds(), ...inTails]
      .filter((id) => id.startsWith(this.#stem))
      .map((id) => Number(id.slice(this.#stem.length)))
    return Math.max(0, ...numbers.filter(Number.isSafeInteger))
  }
}
