/**
 * Guard news: what the station's log says of the guard: each change of the door, and each absence once.
 */
import type { Log } from '../../base/log.js'
import type { DoorWord } from '../protocol/messages.js'

/** A guard that starts together with the station may come so much later before its absence is told (ms). */
const ABSENT_AFTER_MS = 5000

export class GuardNews {
  readonly #log: Log
  /** null: it is there; Infinity: it is absent, and that was told. */
  #absentSinceMs: number | null
  #door: DoorWord | null = null

  constructor(log: Log, nowMs: number) {
    this.#log = log
    this.#absentSinceMs = nowMs
  }

  /** The guard came, went, or said something new. One that goes was there, so it is missed at once. */
  heard(guard: 'absent' | 'present', door: { state: DoorWord; reason: string } | null, nowMs: number): void {
    if (guard === 'present') this.#absentSinceMs = null
    else this.#absentSinceMs ??= nowMs - ABSENT_AFTER_MS
    if (door !== null && door.state !== this.#door) this.#log.info(`the guard: ${door.state}: ${door.reason}`)
    if (door !== null) this.#door = door.state
    this.tellAbsence(nowMs)
  }

  tellAbsence(nowMs: number): void {
    if (this.#absentSinceMs === null || nowMs - this.#absentSinceMs < ABSENT_AFTER_MS) return
    this.#absentSinceMs = Infinity
    this.#door = null
    this.#log.warn('the guard is absent: no uplink is opened, and nothing watches that they stay shut')
  }
}
