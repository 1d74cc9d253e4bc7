/**
 * Vehicle state: what the interlock may know of the vehicles: none, disarmed, armed or lost. Pure: heartbeats and time come in.
 * The worst one counts: lost if any that is armed is silent, armed if any is.
 */
import { SILENT_ARMED_US, SILENT_DISARMED_US } from './flight-rules.js'

export type VehicleWord = 'none' | 'disarmed' | 'armed' | 'lost'

/**
 * An armed vehicle without a heartbeat for so long is lost (µs). It sends one a second; a radio that fades, a vehicle that is
 * banked away, or two of three frames damaged, leave several missing in a row. A person at the switch waits that long.
 */
export const LOST_AFTER_US = 10e6

/** What a vehicle said last; there are at most 256, by sysid. */
interface Heard {
  armed: boolean
  atUs: number
}

export class VehicleState {
  readonly #heard = new Map<number, Heard>()
  #lastUs = 0

  heartbeat(sysid: number, armed: boolean, recvTimeUs: number): void {
    this.#heard.set(sysid, { armed, atUs: recvTimeUs })
    this.#lastUs = recvTimeUs
  }

  /**
   * Silence of all of them ends it by the rule that ends their flight. A flight that a person closed while the vehicle flies
   * ends nothing here: it is as armed as before.
   */
  at(nowUs: number): VehicleWord {
    const all = [...this.#heard.values()]
    const isArmed = all.some(({ armed }) => armed)
    if (nowUs - this.#lastUs >= (isArmed ? SILENT_ARMED_US : SILENT_DISARMED_US)) this.forget()
    if (this.#heard.size === 0) return 'none'
    if (all.some(({ armed, atUs }) => armed && nowUs - atUs >= LOST_AFTER_US)) return 'lost'
    return isArmed ? 'armed' : 'disarmed'
  }

  /** The station gives way: what it will hear when it is back, it does not know now. */
  forget(): void {
    this.#heard.clear()
  }
}
