/** Vehicles: which frames say that an autopilot is alive, armed or rebooted, and what UTC it is. */
import { describe, expect, test } from 'vitest'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { Vehicles } from '../../src/mavlink/vehicles.js'
import type { FrameParts } from '../support/frames.js'
import { ATTITUDE, concat, filler, frame, known } from '../support/frames.js'

const ARMED = 128
const QUADROTOR = 2
const GCS = 6
const GIMBAL = 26
const ONBOARD = 18
const ARDUPILOT = 3
const PX4 = 12
const GENERIC = 0
const INVALID = 8

type Seen =
  ['heartbeat', number, boolean, number] | ['event', string, string, number] | ['utc', number, number]

function see(...frames: Uint8Array[]): Seen[] {
  const seen: Seen[] = []
  const vehicles = new Vehicles(loadDialect(), {
    heartbeat: (sysid, armed, recvTimeUs) => seen.push(['heartbeat', sysid, armed, recvTimeUs]),
    event: (kind, detail, recvTimeUs) => seen.push(['event', kind, detail, recvTimeUs]),
    utc: (utcUs, recvTimeUs) => seen.push(['utc', utcUs, recvTimeUs]),
  })
  frames.forEach((each, i) => vehicles.observe(concat([filler(11), each, filler(30, 3)]), 11, 1000 + i))
  return seen
}

function heartbeat(type: number, autopilot: number, mode: number, parts: FrameParts = {}): Uint8Array {
  // custom_mode, type, autopilot, base_mode, system_status, mavlink_version
  return frame({ payload: [0, 0, 0, 0, type, autopilot, mode, 4, 3], crcExtra: 50, ...parts })
}

function systemTime(utcUs: bigint, bootMs: number, parts: FrameParts = {}): Uint8Array {
  const payload = Buffer.alloc(12)
  payload.writeBigUInt64LE(utcUs)
  payload.writeUInt32LE(bootMs, 8)
  return frame({ msgid: 2, payload, crcExtra: 137, ...parts })
}

describe('heartbeat', () => {
  test.each([
    ['ArduPilot', ARDUPILOT],
    ['PX4', PX4],
    ['a generic autopilot', GENERIC],
  ])('%s is alive, armed or not, in both versions and signed', (_, autopilot) => {
    for (const parts of [{}, { version: 1 }, { signed: true }] as const) {
      expect(see(heartbeat(QUADROTOR, autopilot, 81, { sysid: 7, ...parts }))).toEqual([
        ['heartbeat', 7, false, 1000],
      ])
      expect(see(heartbeat(QUADROTOR, autopilot, 81 | ARMED, { sysid: 7, ...parts }))[0]).toEqual([
        'heartbeat',
        7,
        true,
        1000,
      ])
    }
  })

  test('of a ground station, a camera, a gimbal or a radio says nothing of a vehicle', () => {
    expect(
      see(
        heartbeat(GCS, INVALID, 192, { sysid: 255, compid: 190 }),
        heartbeat(GCS, ARDUPILOT, 192, { sysid: 255, compid: 190 }),
        heartbeat(GIMBAL, INVALID, ARMED, { compid: 154 }),
        heartbeat(QUADROTOR, INVALID, ARMED),
      ),
    ).toEqual([])
  })

  test('cut off at its trailing zeros is read as zeros', () => {
    const short = frame({ payload: [0, 0, 0, 0, QUADROTOR], crcExtra: 50 })
    expect(see(short)).toEqual([['heartbeat', 1, false, 1000]])
  })

  test('other messages are none, whatever their bytes', () => {
    expect(see(known(ATTITUDE), frame({ msgid: 256 }), frame({ msgid: 0x10000 }))).toEqual([])
  })
})

describe('arming', () => {
  test('is an event when it changes, of each vehicle by itself, after the heartbeat that shows it', () => {
    const beat = (sysid: number, mode: number): Uint8Array => heartbeat(QUADROTOR, PX4, mode, { sysid })
    const seen = see(beat(1, 0), beat(2, ARMED), beat(1, ARMED), beat(1, ARMED), beat(2, 0), beat(1, 0))
    expect(seen.filter(([what]) => what === 'event')).toEqual([
      ['event', 'armed', 'vehicle 2', 1001],
      ['event', 'armed', 'vehicle 1', 1002],
      ['event', 'disarmed', 'vehicle 2', 1004],
      ['event', 'disarmed', 'vehicle 1', 1005],
    ])
    expect(seen.slice(1, 3)).toEqual([
      ['heartbeat', 2, true, 1001],
      ['event', 'armed', 'vehicle 2', 1001],
    ])
  })

  test('is of the vehicle, which is armed while any of its autopilots is', () => {
    const pilot = (mode: number): Uint8Array => heartbeat(QUADROTOR, PX4, mode, { compid: 1 })
    const companion = heartbeat(ONBOARD, GENERIC, 0, { compid: 191 })
    const seen = see(companion, pilot(ARMED), companion, pilot(ARMED), companion, pilot(0), companion)
    expect(seen.flatMap((each) => (each[0] === 'heartbeat' ? [each[2]] : []))).toEqual([
      false,
      true,
      true,
      true,
      true,
      false,
      false,
    ])
    expect(seen.filter(([what]) => what === 'event')).toEqual([
      ['event', 'armed', 'vehicle 1', 1001],
      ['event', 'disarmed', 'vehicle 1', 1005],
    ])
  })

  test('Bounded: however many autopilots there seem to be, of each vehicle that goes on it is known', () => {
    const pilot = heartbeat(QUADROTOR, PX4, ARMED, { sysid: 7 })
    const many = Array.from({ length: 1000 }, (_, i) =>
      heartbeat(QUADROTOR, PX4, 0, { sysid: 10 + (i >>> 7), compid: 1 + (i & 127) }),
    )
    const seen = see(pilot, ...many.flatMap((each, i) => (i % 100 === 0 ? [each, pilot] : [each])))
    expect(seen.filter(([what]) => what === 'event')).toEqual([['event', 'armed', 'vehicle 7', 1000]])
    const systemTimes = many.map((_, i) =>
      systemTime(1_790_000_000_000_000n, 5, { sysid: 10 + (i >>> 7), compid: 1 + (i & 127) }),
    )
    expect(see(...many, ...systemTimes).filter(([what]) => what === 'utc')).toHaveLength(256)
  })
})

describe('time', () => {
  const NOW_US = 1_790_000_000_123_456n
  const beat = (parts: FrameParts = {}): Uint8Array => heartbeat(QUADROTOR, PX4, 0, parts)
  /** What is seen of the frames that come after an autopilot's heartbeat. */
  const seeOfAutopilot = (...frames: Uint8Array[]): Seen[] => see(beat(), ...frames).slice(1)

  test('of the vehicle’s GPS is told at its receive time', () => {
    expect(seeOfAutopilot(systemTime(NOW_US, 5))).toEqual([['utc', Number(NOW_US), 1001]])
  })

  test('of whoever is no autopilot is none, nor is its reboot', () => {
    const station = { sysid: 255, compid: 190 }
    const companion = { compid: 191 }
    expect(
      seeOfAutopilot(
        heartbeat(GCS, INVALID, 0, station),
        systemTime(NOW_US, 60_000, station),
        systemTime(NOW_US, 0, station),
        systemTime(NOW_US, 60_000, companion),
        systemTime(NOW_US, 0, companion),
      ),
    ).toEqual([])
  })

  test('before a fix is none: 0, counted from 1970 or 1980, or absurd', () => {
    const gpsEpochUs = 315_964_800_000_000n
    for (const utcUs of [
      0n,
      1_000_000n,
      gpsEpochUs,
      1_420_070_399_999_999n,
      4_102_444_800_000_000n,
      2n ** 64n - 1n,
    ])
      expect(seeOfAutopilot(systemTime(utcUs, 5))).toEqual([])
  })

  test('since boot that goes back is a reboot, that goes back a little is disorder', () => {
    const at = (bootMs: number, parts: FrameParts = {}): Uint8Array => systemTime(0n, bootMs, parts)
    expect(seeOfAutopilot(at(60_000), at(59_000), beat(), at(60_500), at(300)).slice(1)).toEqual([
      ['event', 'reboot', 'vehicle 1, up for 61 s', 1005],
    ])
    expect(seeOfAutopilot(at(60_000), at(0), at(1000))).toHaveLength(1)
  })

  test('since boot of several components and vehicles is kept apart', () => {
    const at = (bootMs: number, sysid: number, compid: number): Uint8Array =>
      systemTime(0n, bootMs, { sysid, compid })
    const beats = [beat(), beat({ compid: 100 }), beat({ sysid: 2 })]
    const times = [at(60_000, 1, 1), at(5000, 1, 100), at(9000, 2, 1), at(61_000, 1, 1), at(6000, 1, 100)]
    expect(see(...beats, ...times).slice(beats.length)).toEqual([])
  })
})
