/**
 * Airlock vehicle: heartbeats on a pseudo-terminal, armed or not, each with a number of its own, so that of every one it can
 * be said whether it was recorded.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Cable } from '../../src/simulator/cable.js'
import { frame } from './frames.js'

/** Twenty a second: the radio's pace of position and attitude (ms). */
const EVERY_MS = 50
const HEARTBEAT_BYTES = 21
const ARMED = 0x80

export interface SentHeartbeat {
  number: number
  atMs: number
  /** Counts those who had the device open, one after the other. */
  reader: number
}

export class AirlockVehicle {
  isArmed = false
  isSilent = false
  /** What went to a reader; of each reader the last few may have gone down with its port. */
  readonly sent: SentHeartbeat[] = []
  readonly #cable: Cable
  #number = 0
  #isGone = false
  #life: Promise<void> = Promise.resolve()

  constructor(link: string) {
    this.#cable = new Cable(link)
  }

  /** Resolves when the device is plugged in, whether anybody opens it or not. */
  start(): void {
    void this.#cable.plugIn()
    this.#life = this.#fly()
  }

  async stop(): Promise<void> {
    this.#isGone = true
    await this.#life
    await this.#cable.pullOut()
  }

  async #fly(): Promise<void> {
    while (!this.#isGone) {
      await pause(EVERY_MS)
      if (this.isSilent) continue
      const number = ++this.#number
      const heartbeat = { number, atMs: performance.now(), reader: this.#cable.readerCount }
      if (await this.#cable.send(heartbeatFrame(number, this.isArmed))) this.sent.push(heartbeat)
    }
  }
}

/** mavlink.io/en/messages/common.html#HEARTBEAT: custom_mode holds the number. */
function heartbeatFrame(number: number, isArmed: boolean): Uint8Array {
  const payload = new Uint8Array(9)
  new DataView(payload.buffer).setUint32(0, number, true)
  const [quadrotor, ardupilot, active, version] = [2, 3, 4, 3]
  payload.set([quadrotor, ardupilot, isArmed ? ARMED : 0, active, version], 4)
  return frame({ msgid: 0, crcExtra: 50, payload, seq: number & 255 })
}

/** The numbers in a raw export. Errors: where it is not heartbeats, one behind the other. */
export function heartbeatNumbers(raw: Uint8Array): number[] {
  if (raw.length % HEARTBEAT_BYTES !== 0) throw new Error(`${raw.length} bytes are no whole heartbeats`)
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length)
  return Array.from({ length: raw.length / HEARTBEAT_BYTES }, (_, at) => {
    const number = view.getUint32(at * HEARTBEAT_BYTES + 10, true)
    const wanted = frame({
      msgid: 0,
      crcExtra: 50,
      payload: raw.subarray(at * HEARTBEAT_BYTES + 10, at * HEARTBEAT_BYTES + 19),
      seq: number & 255,
    })
    if (!Buffer.from(wanted).equals(raw.subarray(at * HEARTBEAT_BYTES, (at + 1) * HEARTBEAT_BYTES)))
      throw new Error(`the frame at ${at * HEARTBEAT_BYTES} is not as it was sent`)
    return number
  })
}
