/** What a person may rely on of the simulated vehicle, read back with the MAVLink package's own splitter. */
import { Readable } from 'node:stream'
import * as nodeMavlink from 'node-mavlink'
import {
  MavLinkProtocolV2,
  common,
  createMavLinkStream,
  minimal,
  standard,
  type MavLinkData,
  type MavLinkDataConstructor,
  type MavLinkPacket,
} from 'node-mavlink'
import { describe, expect, test } from 'vitest'
import { createCopter, type CopterOptions } from '../../src/simulator/copter.js'
import { createByteLoss, isUnplugged } from '../../src/simulator/faults.js'
import { planFlight, poseAt } from '../../src/simulator/flight-plan.js'
import { createRandom } from '../../src/simulator/random.js'
import { reports } from '../../src/simulator/telemetry.js'

const REGISTRY = { ...common.REGISTRY, ...standard.REGISTRY, ...minimal.REGISTRY }
const SHORT = { seed: 7, durationS: 30 }

describe('the copter', () => {
  test('the same seed flies the same bytes, another seed others', async () => {
    const first = await bytesOf(SHORT)
    expect(first.equals(await bytesOf(SHORT))).toBe(true)
    expect(first.equals(await bytesOf({ ...SHORT, seed: 8 }))).toBe(false)
  })

  test.each([1, 2] as const)('every frame of MAVLink %i is good and complete', async (version) => {
    const frames = await framesOf({ ...SHORT, version })
    const { packets, crcErrors } = await split(Buffer.concat(frames.map((frame) => frame.bytes)))
    expect(crcErrors).toBe(0)
    expect(packets.map((packet) => packet.buffer.toString('hex'))).toEqual(
      frames.map((frame) => Buffer.from(frame.bytes).toString('hex')),
    )
    const stx = { 1: 0xfe, 2: 0xfd }
    expect(new Set(frames.map((frame) => frame.bytes[0]))).toEqual(new Set([stx[version]]))
  })

  test('MAVLink 1 frames have exactly the length of the message without extensions', async () => {
    for (const { header } of (await split(await bytesOf({ ...SHORT, version: 1 }))).packets) {
      const { FIELDS, PAYLOAD_LENGTH } = REGISTRY[header.msgid]!
      const extensions = FIELDS.filter((field) => field.extension).map((field) => field.offset)
      expect(header.payloadLength).toBe(Math.min(PAYLOAD_LENGTH, ...extensions))
    }
  })

  test('after days in the air nothing that it says outgrows its field', () => {
    const protocol = new MavLinkProtocolV2(1, 1)
    const plan = planFlight(60)
    const moment = { pose: poseAt(plan, 30), fixed: true, utcMs: 1.8e12 }
    for (const timeMs of [71 * 60_000, 72 * 60_000, 6 * 3600_000, 49 * 24 * 3600_000]) {
      const all = reports(nodeMavlink, createRandom(1)).map((report) => report.say({ ...moment, timeMs }))
      for (const message of all) expect(() => protocol.serialize(message, 0)).not.toThrow()
    }
  })

  test('it says what a copter says, as often', async () => {
    const { packets } = await split(await bytesOf({ seed: 1, durationS: 100 }))
    const counts: Record<string, number> = {}
    for (const { header } of packets) {
      const name = REGISTRY[header.msgid]!.MSG_NAME
      counts[name] = (counts[name] ?? 0) + 1
    }
    expect(counts).toEqual({
      HEARTBEAT: 100,
      SYSTEM_TIME: 200,
      MISSION_CURRENT: 200,
      ATTITUDE: 2500,
      GLOBAL_POSITION_INT: 1000,
      VFR_HUD: 1000,
      RAW_IMU: 2500,
      GPS_RAW_INT: 500,
      RC_CHANNELS: 500,
      SERVO_OUTPUT_RAW: 1000,
      SYS_STATUS: 200,
      BATTERY_STATUS: 200,
      RADIO_STATUS: 100,
      STATUSTEXT: 8,
      PARAM_VALUE: 30,
    })
  })

  test('the radio and the autopilot each number their own frames', async () => {
    const { packets } = await split(await bytesOf(SHORT))
    const seqs = new Map<string, number[]>()
    for (const { header } of packets) {
      const sender = `${header.sysid}/${header.compid}`
      seqs.set(sender, [...(seqs.get(sender) ?? []), header.seq])
    }
    expect([...seqs.keys()].toSorted((a, b) => a.localeCompare(b))).toEqual(['1/1', '51/68'])
    for (const seen of seqs.values()) expect(seen).toEqual(seen.map((_, index) => index & 0xff))
    const radio = packets.filter(({ header }) => header.sysid === 51)
    expect(new Set(radio.map(({ header }) => header.msgid))).toEqual(new Set([common.RadioStatus.MSG_ID]))
  })

  test('times never run back', async () => {
    const times = (await framesOf(SHORT)).map((frame) => frame.timeMs)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(times.at(-1)).toBeLessThan(30_000)
  })

  test('it is armed from its plan’s arming to its disarming, and flies only then', async () => {
    const { armAtS, disarmAtS } = planFlight(SHORT.durationS)
    const beats = await messagesOf(SHORT, minimal.Heartbeat)
    const armed = beats.map(({ baseMode }) => (baseMode & minimal.MavModeFlag.SAFETY_ARMED) !== 0)
    expect(armed).toEqual(beats.map((_, second) => second >= armAtS && second < disarmAtS))
    expect(armed).toContain(false)
    expect(armed.filter(Boolean).length).toBeGreaterThan(10)
    const places = await messagesOf(SHORT, standard.GlobalPositionInt)
    const inTheAir = places.filter(({ relativeAlt }) => relativeAlt > 1000)
    expect(inTheAir.length).toBeGreaterThan(100)
    expect(inTheAir[0]!.timeBootMs).toBeGreaterThan(armAtS * 1000)
    expect(inTheAir.at(-1)!.timeBootMs).toBeLessThan(disarmAtS * 1000)
  })

  test('it knows place and UTC from its fix on, not before', async () => {
    const { fixAtS } = planFlight(SHORT.durationS)
    const startUtcMs = Date.UTC(2031, 0, 1)
    const times = await messagesOf({ ...SHORT, startUtcMs }, common.SystemTime)
    for (const { timeUnixUsec, timeBootMs } of times) {
      const known = timeBootMs >= fixAtS * 1000
      expect(timeUnixUsec).toBe(known ? BigInt(startUtcMs + timeBootMs) * 1000n : 0n)
    }
    expect(times[0]!.timeUnixUsec).toBe(0n)
    const places = await messagesOf(SHORT, standard.GlobalPositionInt)
    expect(places.every(({ lat, timeBootMs }) => (lat !== 0) === timeBootMs >= fixAtS * 1000)).toBe(true)
  })
})

describe('the flight plan', () => {
  test.each([5, 30, 60, 600])(
    '%i s: parts in order, from home and back to it, without a jump',
    (durationS) => {
      const plan = planFlight(durationS)
      const times = Object.values(plan)
      expect(times).toEqual(times.toSorted((a, b) => a - b))
      const stepS = 0.01
      let before = poseAt(plan, 0)
      for (let timeS = stepS; timeS < durationS; timeS += stepS) {
        const pose = poseAt(plan, timeS)
        const movedM = Math.hypot(
          pose.northM - before.northM,
          pose.eastM - before.eastM,
          pose.upM - before.upM,
        )
        const fastestMS = 200 / (plan.landAtS - plan.cruiseAtS) + 20 / (plan.cruiseAtS - plan.climbAtS) + 20
        expect(movedM).toBeLessThan(fastestMS * stepS)
        before = pose
      }
      expect(before).toMatchObject({
        northM: 0,
        eastM: 0,
        upM: 0,
        armed: false,
        flying: false,
        missionItem: 6,
      })
    },
  )
})

describe('the faults', () => {
  test('byte loss drops its share of bytes, the same ones for the same seed', () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index & 0xff))
    const kept = createByteLoss({ rate: 0.01, seed: 3 })(bytes)
    expect(kept.length / bytes.length).toBeGreaterThan(0.988)
    expect(kept.length / bytes.length).toBeLessThan(0.992)
    expect(Buffer.from(createByteLoss({ rate: 0.01, seed: 3 })(bytes)).equals(kept)).toBe(true)
    expect(createByteLoss({ rate: 0, seed: 3 })(bytes)).toBe(bytes)
  })

  test('the cable is off for its times, the end excluded', () => {
    const unplugs = [
      { atS: 10, forS: 2 },
      { atS: 20, forS: 1 },
    ]
    const off = [9.99, 10, 11.99, 12, 20.5, 21].map((timeS) => isUnplugged(unplugs, timeS))
    expect(off).toEqual([false, true, true, false, true, false])
  })
})

async function framesOf(options: CopterOptions) {
  return [...(await createCopter(options)).frames()]
}

async function bytesOf(options: CopterOptions): Promise<Buffer> {
  return Buffer.concat((await framesOf(options)).map((frame) => frame.bytes))
}

async function split(bytes: Buffer): Promise<{ packets: MavLinkPacket[]; crcErrors: number }> {
  let crcErrors = 0
  const packets: MavLinkPacket[] = []
  const stream = createMavLinkStream(Readable.from([bytes]), { onCrcError: () => void crcErrors++ })
  for await (const packet of stream) packets.push(packet as MavLinkPacket)
  return { packets, crcErrors }
}

/** All messages of one kind, decoded. */
async function messagesOf<Message extends MavLinkData>(
  options: CopterOptions,
  kind: MavLinkDataConstructor<Message>,
): Promise<Message[]> {
  const { packets } = await split(await bytesOf(options))
  return packets
    .filter(({ header }) => header.msgid === kind.MSG_ID)
    .map(({ protocol, payload }) => protocol.data(payload, kind))
}
