/**
 * Vehicles: what the frames say of the vehicles themselves: alive, armed, rebooted, and what UTC it is.
 * Sources: mavlink.io/en/services/heartbeat.html, mavlink.io/en/messages/common.html#SYSTEM_TIME
 */
import { headerAt, msgidAt } from '../link/frame.js'
import { decoderFor } from './decode.js'
import type { Decode } from './decode.js'
import type { Dialect } from './dialect.js'

/** Takes what is seen, at the receive time of the frame that showed it. */
export interface VehicleListener {
  /** An autopilot is alive: every heartbeat of one, not of ground stations, cameras or radios. */
  heartbeat(sysid: number, armed: boolean, recvTimeUs: number): void
  /** Something changed: `armed`, `disarmed` or `reboot`. */
  event(kind: string, detail: string, recvTimeUs: number): void
  /** The vehicle's GPS says that it was `utcUs` (µs since 1970) a moment before the receive time. */
  utc(utcUs: number, recvTimeUs: number): void
}

const HEARTBEAT = 0
const SYSTEM_TIME = 2
/** MAV_TYPE_GCS: a ground station's heartbeat. */
const TYPE_GCS = 6
/** MAV_AUTOPILOT_INVALID: a camera, a gimbal, a radio. */
const AUTOPILOT_INVALID = 8
/** MAV_MODE_FLAG_SAFETY_ARMED, in base_mode. */
const ARMED_FLAG = 128
/** time_boot_ms that goes back by more than this is a reboot, less is frames out of order (ms). */
const REBOOT_MS = 1000
/** UTC of a GPS outside of this is none: before a fix it counts from 1970 or 1980 (µs; 2015 and 2100). */
const PLAUSIBLE_UTC_US = { from: 1_420_070_400e6, to: 4_102_444_800e6 } as const

export class Vehicles {
  readonly #listener: VehicleListener
  readonly #decodeHeartbeat: Decode
  readonly #decodeSystemTime: Decode
  readonly #armed = new Map<number, boolean>()
  readonly #bootMs = new Map<number, number>()

  constructor(dialect: Dialect, listener: VehicleListener) {
    this.#listener = listener
    this.#decodeHeartbeat = decoderOf(dialect, HEARTBEAT)
    this.#decodeSystemTime = decoderOf(dialect, SYSTEM_TIME)
  }

  /** Looks at the frame that begins at `start`. */
  observe(bytes: Uint8Array, start: number, recvTimeUs: number): void {
    const msgid = msgidAt(bytes, start)
    if (msgid !== HEARTBEAT && msgid !== SYSTEM_TIME) return
    const { sysid, compid, payloadOffset, payloadBytes } = headerAt(bytes, start)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const decode = msgid === HEARTBEAT ? this.#decodeHeartbeat : this.#decodeSystemTime
    const message = decode(view, start + payloadOffset, payloadBytes)
    if (msgid === HEARTBEAT) {
      if (message['type'] === TYPE_GCS || message['autopilot'] === AUTOPILOT_INVALID) return
      this.#heartbeat(sysid, (Number(message['base_mode']) & ARMED_FLAG) !== 0, recvTimeUs)
    } else {
      this.#bootTime((sysid << 8) | compid, Number(message['time_boot_ms']), recvTimeUs)
      const utcUs = Number(message['time_unix_usec'])
      if (utcUs >= PLAUSIBLE_UTC_US.from && utcUs < PLAUSIBLE_UTC_US.to) this.#listener.utc(utcUs, recvTimeUs)
    }
  }

  #heartbeat(sysid: number, armed: boolean, recvTimeUs: number): void {
    this.#listener.heartbeat(sysid, armed, recvTimeUs)
    const before = this.#armed.get(sysid)
    this.#armed.set(sysid, armed)
    if (armed !== (before ?? false)) {
      this.#listener.event(armed ? 'armed' : 'disarmed', `vehicle ${sysid}`, recvTimeUs)
    }
  }

  #bootTime(component: number, bootMs: number, recvTimeUs: number): void {
    const before = this.#bootMs.get(component)
    this.#bootMs.set(component, bootMs)
    if (before !== undefined && bootMs < before - REBOOT_MS) {
      this.#listener.event(
        'reboot',
        `vehicle ${component >>> 8}, up for ${(before / 1000).toFixed(0)} s`,
        recvTimeUs,
      )
    }
  }
}

function decoderOf(dialect: Dialect, msgid: number): Decode {
  const layout = dialect.byId.get(msgid)
  if (layout === undefined) throw new Error(`the dialect lacks message ${msgid}`)
  return decoderFor(layout)
}
