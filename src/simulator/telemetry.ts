/**
 * Telemetry: what an ArduCopter and its SiK radio say at a moment of a flight, message by message, and how often.
 * Fields left out are 0; those this vehicle does not know carry the definition's word for it.
 */
import type * as mavlink from 'node-mavlink'
import { MISSION_ITEMS, type Pose } from './flight-plan.js'
import { jitter, type Random } from './random.js'

/** The package, handed in by whoever loaded it: that takes 66 ms, which no other command should pay. */
export type Mavlink = typeof mavlink

export interface Moment {
  /** Since the vehicle's start. */
  timeMs: number
  pose: Pose
  /** UTC (ms since 1970) and a position are known. */
  fixed: boolean
  utcMs: number
}

export interface Report {
  from: 'copter' | 'radio'
  everyMs: number
  say(moment: Moment): mavlink.MavLinkData
}

/** Home: an invented rock in open water, 21.5° south, 30.25° west, 35 m above the sea. */
const HOME = { latDeg: -21.5, lonDeg: -30.25, altM: 35 }
const M_PER_DEG = 111_320
const RAD_PER_DEG = Math.PI / 180

/** ArduPilot's numbers for a copter's modes. */
const STABILIZE = 0
const AUTO = 3

const UNKNOWN_U16 = 0xffff

/** Sensors of MAV_SYS_STATUS_SENSOR that it has, and that are well. */
const SENSORS = 0x1320_0c2f

/** All reports of the vehicle; `random` is the wind and the sensors' noise. */
export function reports(loaded: Mavlink, random: Random): Report[] {
  return [
    ...stateReports(loaded),
    ...motionReports(loaded, random),
    ...sensorReports(loaded, random),
    ...powerReports(loaded, random),
    radioReport(loaded, random),
  ]
}

function stateReports({ minimal, common }: Mavlink): Report[] {
  const { MavModeFlag: flag, MavState: state } = minimal
  const alwaysOn = flag.CUSTOM_MODE_ENABLED | flag.STABILIZE_ENABLED | flag.MANUAL_INPUT_ENABLED
  return [
    report(1000, ({ pose }) =>
      filled(new minimal.Heartbeat(), {
        type: minimal.MavType.QUADROTOR,
        autopilot: minimal.MavAutopilot.ARDUPILOTMEGA,
        baseMode: pose.armed ? alwaysOn | flag.SAFETY_ARMED : alwaysOn,
        customMode: pose.flying ? AUTO : STABILIZE,
        systemStatus: pose.flying ? state.ACTIVE : state.STANDBY,
        mavlinkVersion: 3,
      }),
    ),
    report(500, ({ timeMs, fixed, utcMs }) =>
      filled(new common.SystemTime(), {
        timeUnixUsec: fixed ? BigInt(utcMs) * 1000n : 0n,
        timeBootMs: timeMs,
      }),
    ),
    report(500, ({ pose }) =>
      filled(new common.MissionCurrent(), {
        seq: pose.missionItem,
        total: MISSION_ITEMS,
        missionState: pose.flying ? common.MissionState.ACTIVE : common.MissionState.NOT_STARTED,
      }),
    ),
  ]
}

function motionReports({ common, standard }: Mavlink, random: Random): Report[] {
  return [
    report(40, ({ timeMs, pose }) =>
      filled(new common.Attitude(), {
        timeBootMs: timeMs,
        roll: wobble(random, pose, 2) * RAD_PER_DEG,
        pitch: (wobble(random, pose, 2) - (pose.northMS || pose.eastMS ? 6 : 0)) * RAD_PER_DEG,
        yaw:
          (pose.headingDeg > 180 ? pose.headingDeg - 360 : pose.headingDeg) * RAD_PER_DEG +
          jitter(random, 0.01),
        rollspeed: wobble(random, pose, 0.1),
        pitchspeed: wobble(random, pose, 0.1),
        yawspeed: wobble(random, pose, 0.05),
      }),
    ),
    report(100, (moment) =>
      filled(new standard.GlobalPositionInt(), {
        timeBootMs: moment.timeMs,
        ...placeOf(moment),
        relativeAlt: Math.round(moment.pose.upM * 1000 + jitter(random, 150)),
        vx: Math.round(moment.pose.northMS * 100 + jitter(random, 8)),
        vy: Math.round(moment.pose.eastMS * 100 + jitter(random, 8)),
        vz: Math.round(-moment.pose.upMS * 100 + jitter(random, 8)),
        hdg: moment.pose.headingDeg * 100,
      }),
    ),
    report(100, ({ pose }) =>
      filled(new common.VfrHud(), {
        airspeed: Math.abs(jitter(random, 0.3)),
        groundspeed: Math.hypot(pose.northMS, pose.eastMS) + Math.abs(jitter(random, 0.1)),
        heading: pose.headingDeg,
        throttle: throttleOf(pose),
        alt: HOME.altM + pose.upM + jitter(random, 0.2),
        climb: pose.upMS + jitter(random, 0.1),
      }),
    ),
  ]
}

function sensorReports({ common }: Mavlink, random: Random): Report[] {
  const noise = (amplitude: number) => Math.round(jitter(random, amplitude))
  return [
    report(40, ({ timeMs, pose }) =>
      filled(new common.RawImu(), {
        timeUsec: BigInt(timeMs) * 1000n,
        xacc: noise(pose.flying ? 60 : 4),
        yacc: noise(pose.flying ? 60 : 4),
        zacc: -1000 + noise(pose.flying ? 120 : 4),
        xgyro: noise(pose.flying ? 90 : 3),
        ygyro: noise(pose.flying ? 90 : 3),
        zgyro: noise(pose.flying ? 40 : 3),
        xmag: 210 + noise(6),
        ymag: -95 + noise(6),
        zmag: 402 + noise(6),
        temperature: 4100 + noise(20),
      }),
    ),
    report(200, (moment) =>
      filled(new common.GpsRawInt(), {
        timeUsec: BigInt(moment.timeMs) * 1000n,
        fixType: moment.fixed ? common.GpsFixType.GPS_FIX_TYPE_3D_FIX : common.GpsFixType.NO_FIX,
        ...placeOf(moment),
        eph: moment.fixed ? 80 + noise(10) : UNKNOWN_U16,
        epv: moment.fixed ? 130 + noise(10) : UNKNOWN_U16,
        vel: Math.round(Math.hypot(moment.pose.northMS, moment.pose.eastMS) * 100),
        cog: moment.pose.headingDeg * 100,
        satellitesVisible: moment.fixed ? 14 : 3,
      }),
    ),
    report(200, ({ timeMs, pose }) =>
      filled(new common.RcChannels(), {
        timeBootMs: timeMs,
        chancount: 16,
        chan1Raw: 1500 + noise(3),
        chan2Raw: 1500 + noise(3),
        chan3Raw: pose.flying ? 1500 : 1000,
        chan4Raw: 1500 + noise(3),
        chan5Raw: pose.flying ? 1800 : 1200,
        chan6Raw: 1500,
        chan7Raw: 1000,
        chan8Raw: 1000,
        rssi: 210 + noise(8),
      }),
    ),
  ]
}

function powerReports({ common }: Mavlink, random: Random): Report[] {
  const cellMv = ({ timeMs, pose }: Moment) =>
    Math.round(Math.max(3300, 4150 - timeMs / 5000) - (pose.flying ? 120 : 0) + jitter(random, 10))
  const currentCa = ({ pose }: Moment) => Math.round((pose.flying ? 1400 : 45) + jitter(random, 20))
  const usedMah = ({ timeMs }: Moment) => Math.round(timeMs / 260)
  const leftPercent = (moment: Moment) => Math.max(0, Math.round(100 - usedMah(moment) / 52))
  const motorUs = (pose: Pose) =>
    pose.flying ? 1550 + Math.round(jitter(random, 60)) : pose.armed ? 1150 : 1000
  return [
    report(100, ({ timeMs, pose }) =>
      filled(new common.ServoOutputRaw(), {
        // 32 bits of µs: begins again after 71 min, as on an autopilot.
        timeUsec: (timeMs * 1000) % 2 ** 32,
        servo1Raw: motorUs(pose),
        servo2Raw: motorUs(pose),
        servo3Raw: motorUs(pose),
        servo4Raw: motorUs(pose),
      }),
    ),
    report(500, (moment) =>
      filled(new common.SysStatus(), {
        onboardControlSensorsPresent: SENSORS,
        onboardControlSensorsEnabled: SENSORS,
        onboardControlSensorsHealth: SENSORS,
        load: 280 + Math.round(jitter(random, 30)),
        voltageBattery: cellMv(moment) * 4,
        currentBattery: currentCa(moment),
        batteryRemaining: leftPercent(moment),
        onboardControlSensorsPresentExtended: 0,
        onboardControlSensorsEnabledExtended: 0,
        onboardControlSensorsHealthExtended: 0,
      }),
    ),
    report(500, (moment) =>
      filled(new common.BatteryStatus(), {
        batteryFunction: common.MavBatteryFunction.ALL,
        type: common.MavBatteryType.LIPO,
        temperature: 0x7fff,
        voltages: [
          ...Array.from({ length: 4 }, () => cellMv(moment)),
          ...Array.from({ length: 6 }, () => UNKNOWN_U16),
        ],
        currentBattery: currentCa(moment),
        currentConsumed: usedMah(moment),
        energyConsumed: -1,
        batteryRemaining: leftPercent(moment),
        chargeState: common.MavBatteryChargeState.OK,
        mode: common.MavBatteryMode.UNKNOWN,
        faultBitmask: 0,
      }),
    ),
  ]
}

/** The radio on the ground puts this into the stream itself, with a sequence of its own. */
function radioReport({ common }: Mavlink, random: Random): Report {
  return {
    from: 'radio',
    everyMs: 1000,
    say: () =>
      filled(new common.RadioStatus(), {
        rssi: 190 + Math.round(jitter(random, 10)),
        remrssi: 186 + Math.round(jitter(random, 10)),
        txbuf: 100,
        noise: 42 + Math.round(jitter(random, 6)),
        remnoise: 45 + Math.round(jitter(random, 6)),
      }),
  }
}

function report(everyMs: number, say: Report['say']): Report {
  return { from: 'copter', everyMs, say }
}

/** The package's enums name single flags; a field of flags also holds none and several. */
type Fields<Message> = { [Name in keyof Message]?: Message[Name] extends number ? number : Message[Name] }

/** The package's own defaults of enum fields are their names, which it cannot serialise: give a number to each. */
export function filled<Message extends mavlink.MavLinkData>(
  message: Message,
  fields: Fields<Message>,
): Message {
  return Object.assign(message, fields)
}

function placeOf({ pose, fixed }: Moment): { lat: number; lon: number; alt: number } {
  if (!fixed) return { lat: 0, lon: 0, alt: 0 }
  const lonShrink = Math.cos(HOME.latDeg * RAD_PER_DEG)
  return {
    lat: Math.round((HOME.latDeg + pose.northM / M_PER_DEG) * 1e7),
    lon: Math.round((HOME.lonDeg + pose.eastM / M_PER_DEG / lonShrink) * 1e7),
    alt: Math.round((HOME.altM + pose.upM) * 1000),
  }
}

function wobble(random: Random, pose: Pose, amplitude: number): number {
  return jitter(random, pose.flying ? amplitude : amplitude / 20)
}

function throttleOf({ armed, flying, upMS }: Pose): number {
  if (flying) return Math.round(42 + upMS * 3)
  return armed ? 8 : 0
}
