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
  /**
   * An autopilot is alive: every heartbeat of one, not of ground stations, cameras or radios. A vehicle is armed while
   * any of its autopilots is: a companion computer may call itself one, too, and is never armed.
   */
  heartbeat(sysid: number, armed: boolean, recvTimeUs: number): void
  /** Something changed: `armed`, `disarmed` or `reboot`. */
  event(kind: string, detail: string, recvTimeUs: number): void
  /** An autopilot's GPS says that it was `utcUs` (µs since 1970) a moment before the receive time. */
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

/** Autopilots that are remembered: more than any swarm on one link has; the one that was silent longest is forgotten. */
const MAX_AUTOPILOTS = 256

/** What an autopilot said last. */
interface Autopilot {
  armed: boolean
  /** Time since its boot (ms), undefined before it told. */
  bootMs: number | undefined
}

/** What events call a vehicle. */
export const vehicleName = (sysid: number): string => `vehicle ${sysid}`

export class Vehicles {
  readonly #listener: VehicleListener
  readonly #decodeHeartbeat: Decode
  readonly #decodeSystemTime: Decode
  /** By sysid << 8 | compid; the one heard last stands last. */
  readonly #autopilots = new Map<number, Autopilot>()

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
      this.#heartbeat(sysid, compid, (Number(message['base_mode']) & ARMED_FLAG) !== 0, recvTimeUs)
    } else {
      // Whoever is no autopilot, a ground station for one, tells the time of its own clock, not of a GPS.
      const autopilot = this.#autopilots.get((sysid << 8) | compid)
      if (autopilot === undefined) return
      this.#bootTime(sysid, autopilot, Number(message['time_boot_ms']), recvTimeUs)
      const utcUs = Number(message['time_unix_usec'])
      if (utcUs >= PLAUSIBLE_UTC_US.from && utcUs < PLAUSIBLE_UTC_US.to) this.#listener.utc(utcUs, recvTimeUs)
    }
  }

  #heartbeat(sysid: number, compid: number, armed: boolean, recvTimeUs: number): void {
    const before = this.#isArmed(sysid)
    this.#remember((sysid << 8) | compid, armed)
    const after = this.#isArmed(sysid)
    this.#listener.heartbeat(sysid, after, recvTimeUs)
    if (after !== before) this.#listener.event(after ? 'armed' : 'disarmed', vehicleName(sysid), recvTimeUs)
  }

  #isArmed(sysid: number): boolean {
    for (const [component, { armed }] of this.#autopilots) if (armed && component >>> 8 === sysid) return true
    return false
  }

  #remember(component: number, armed: boolean): void {
    const bootMs = this.#autopilots.get(component)?.bootMs
    this.#autopilots.delete(component)
    this.#autopilots.set(component, { armed, bootMs })
    const [oldest] = this.#autopilots.keys()
    if (oldest !== undefined && this.#autopilots.size > MAX_AUTOPILOTS) this.#autopilots.delete(oldest)
  }

  #bootTime(sysid: number, autopilot: Autopilot, bootMs: number, recvTimeUs: number): void {
    const before = autopilot.bootMs
    autopilot.bootMs = bootMs
    if (before === undefined || bootMs >= before - REBOOT_MS) return
    const upS = (before / 1000).toFixed(0)
    this.#listener.event('reboot', `${vehicleName(sysid)}, up for ${upS} s`, recvTimeUs)
  }
}

function decoderOf(dialect: Dialect, msgid: number): Decode {
  const layout = dialect.byId.get(msgid)
  if (layout === undefined) throw new Error(`the dialect lacks message ${msgid}`)
  return decoderFor(layout)
}
