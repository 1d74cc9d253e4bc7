/**
 * Copter: the frames that an ArduCopter and its SiK radio put on a serial line during one short mission.
 * A pure function of its options: the same seed gives the same bytes, at times of the vehicle's own clock.
 */
import type { MavLinkData } from 'node-mavlink'
import { planFlight, poseAt, type FlightPlan } from './flight-plan.js'
import { createRandom } from './random.js'
import { filled, reports, type Mavlink, type Moment } from './telemetry.js'

export interface CopterOptions {
  seed: number
  /** From start to end (s); a short one flies the same mission with shorter parts. */
  durationS: number
  /** Of MAVLink; 2 unless told. */
  version?: 1 | 2
  /** UTC at the vehicle's start (ms since 1970), which it tells once it has a fix; always the same unless told. */
  startUtcMs?: number
}

export interface CopterFrame {
  /** When it is sent, ms since the vehicle's start; never less than the one before. */
  timeMs: number
  bytes: Uint8Array
}

export interface Copter {
  plan: FlightPlan
  /** The whole flight in the order it is sent, made while it is read. */
  frames(): Generator<CopterFrame>
}

const SOME_DAY_UTC_MS = Date.UTC(2026, 4, 17, 9, 30)

/** Frames of different messages begin this much apart (ms), so that they do not all fall on the full second. */
const STAGGER_MS = 7

/** The parameters go out as a ground station that connects at the start would make them (ms). */
const PARAMS_FROM_MS = 1000
const PARAMS_EVERY_MS = 40

/** A few of ArduCopter's parameters. */
const PARAMS = {
  SYSID_THISMAV: 1,
  FRAME_CLASS: 1,
  FRAME_TYPE: 1,
  ARMING_CHECK: 1,
  ATC_RAT_RLL_P: 0.135,
  ATC_RAT_RLL_I: 0.135,
  ATC_RAT_PIT_P: 0.135,
  ATC_RAT_PIT_I: 0.135,
  ATC_RAT_YAW_P: 0.18,
  BATT_CAPACITY: 5200,
  BATT_MONITOR: 4,
  BATT_FS_LOW_ACT: 2,
  COMPASS_USE: 1,
  EK3_ENABLE: 1,
  FENCE_ENABLE: 0,
  FS_GCS_ENABLE: 1,
  FS_THR_ENABLE: 1,
  GPS_TYPE: 1,
  LAND_SPEED: 50,
  LOG_BITMASK: 176126,
  MOT_SPIN_ARM: 0.1,
  MOT_SPIN_MIN: 0.15,
  MOT_THST_HOVER: 0.42,
  RTL_ALT: 1500,
  SERIAL1_BAUD: 57,
  SERIAL1_PROTOCOL: 2,
  SR1_EXTRA1: 25,
  SR1_POSITION: 10,
  SR1_RAW_SENS: 25,
  WPNAV_SPEED: 800,
}

const SENDERS = {
  copter: { sysid: 1, compid: 1 },
  /** As SiK firmware names itself: '3' and 'D' in ASCII. */
  radio: { sysid: 51, compid: 68 },
}

/** What is due next of one message. */
interface Due {
  from: keyof typeof SENDERS
  nextMs: number
  everyMs: number
  say(moment: Moment): MavLinkData
}

/** Loads the MAVLink package, which takes a moment. */
export async function createCopter(options: CopterOptions): Promise<Copter> {
  const mavlink = await import('node-mavlink')
  const plan = planFlight(options.durationS)
  return { plan, frames: () => flight(mavlink, plan, options) }
}

function* flight(mavlink: Mavlink, plan: FlightPlan, options: CopterOptions): Generator<CopterFrame> {
  const { seed, version = 2, startUtcMs = SOME_DAY_UTC_MS } = options
  const random = createRandom(seed)
  const serialise = {
    copter: createSerialiser(mavlink, version, SENDERS.copter),
    radio: createSerialiser(mavlink, version, SENDERS.radio),
  }
  const repeated = reports(mavlink, random).map((report, index) => ({
    ...report,
    nextMs: (index * STAGGER_MS) % report.everyMs,
  }))
  const dues: Due[] = [...repeated, ...texts(mavlink, plan), ...parameters(mavlink)]
  for (;;) {
    const due = dues.reduce((first, other) => (other.nextMs < first.nextMs ? other : first))
    const timeMs = due.nextMs
    if (timeMs >= plan.endAtS * 1000) return
    const timeS = timeMs / 1000
    const message = due.say({
      timeMs,
      pose: poseAt(plan, timeS),
      fixed: timeS >= plan.fixAtS,
      utcMs: startUtcMs + timeMs,
    })
    due.nextMs += due.everyMs
    yield { timeMs, bytes: serialise[due.from](message) }
  }
}

/** Numbers and packs the frames of one sender. */
function createSerialiser(
  mavlink: Mavlink,
  version: 1 | 2,
  { sysid, compid }: { sysid: number; compid: number },
): (message: MavLinkData) => Uint8Array {
  let seq = 0
  if (version === 2) {
    const protocol = new mavlink.MavLinkProtocolV2(sysid, compid)
    return (message) => protocol.serialize(message, seq++ & 0xff)
  }
  const protocol = new mavlink.MavLinkProtocolV1(sysid, compid)
  const shorten = createShortener(mavlink)
  return (message) => shorten(protocol.serialize(message, seq++ & 0xff))
}

/** MAVLink 1 has no extension fields (mavlink.io, define XML element §extensions), but the package sends them there. */
function createShortener({ minimal, common, standard, x25crc }: Mavlink): (frame: Buffer) => Uint8Array {
  const headerBytes = 6
  const definitions = { ...common.REGISTRY, ...standard.REGISTRY, ...minimal.REGISTRY }
  return (frame) => {
    const msgid = frame.readUInt8(5)
    const definition = definitions[msgid]
    if (definition === undefined) throw new Error(`the copter has no message ${msgid}`)
    const extensions = definition.FIELDS.filter((field) => field.extension).map((field) => field.offset)
    const payloadBytes = Math.min(definition.PAYLOAD_LENGTH, ...extensions)
    const short = Buffer.concat([frame.subarray(0, headerBytes + payloadBytes), Buffer.alloc(2)])
    short.writeUInt8(payloadBytes, 1)
    short.writeUInt16LE(x25crc(short, 1, 2, definition.MAGIC_NUMBER), headerBytes + payloadBytes)
    return short
  }
}

function once(atMs: number, say: () => MavLinkData): Due {
  return { from: 'copter', nextMs: atMs, everyMs: Infinity, say }
}

function texts({ common }: Mavlink, plan: FlightPlan): Due[] {
  const said: [atS: number, text: string][] = [
    [0.5, 'ArduCopter V4.5.7 (2a3dc4b7)'],
    [0.6, 'Frame: QUAD/X'],
    [plan.fixAtS, 'EKF3 IMU0 is using GPS'],
    [plan.armAtS, 'Arming motors'],
    [plan.climbAtS, 'Mission: 1 Takeoff'],
    [plan.cruiseAtS, 'Mission: 2 WP'],
    [plan.landAtS, 'Mission: 6 Land'],
    [plan.disarmAtS, 'Disarming motors'],
  ]
  const severity = common.MavSeverity.INFO
  return said.map(([atS, text]) =>
    once(Math.round(atS * 1000), () => filled(new common.StatusText(), { severity, text })),
  )
}

function parameters({ common }: Mavlink): Due[] {
  const entries = Object.entries(PARAMS)
  return entries.map(([paramId, paramValue], paramIndex) =>
    once(PARAMS_FROM_MS + paramIndex * PARAMS_EVERY_MS, () =>
      filled(new common.ParamValue(), {
        paramId,
        paramValue,
        paramType: common.MavParamType.REAL32,
        paramCount: entries.length,
        paramIndex,
      }),
    ),
  )
}
