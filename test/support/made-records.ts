/** Made records: recordings for tests of storage, the same on every run, of what recordings of real vehicles lack. */
import { ATTITUDE, HEARTBEAT, filler, frame } from './frames.js'
import type { StrangerRecord } from './stranger-segment.js'

/** 2024-01-01, µs. */
const START_US = 1_704_067_200_000_000n

/** A frame of a steady stream, by its place in it. */
export function framed(index: number, bytes: Uint8Array): StrangerRecord {
  return { kind: 'frame', link: 0, timeUs: START_US + BigInt(index) * 20_000n, bytes }
}

/** Frames of both versions, signed and cut, with times that stand still, go back and are absurd, and noise. */
export function mixture(): StrangerRecord[] {
  return Array.from({ length: 800 }, (_, i): StrangerRecord[] => {
    const steps = BigInt(i - (i % 3) - (i % 50 === 0 ? 40 : 0))
    const timeUs = i % 97 === 96 ? 2n ** 64n - BigInt(i) : START_US + steps * 10_000n
    const records: StrangerRecord[] = [{ kind: 'frame', link: 0, timeUs, bytes: mixedFrame(i) }]
    if (i % 13 === 0) records.push({ kind: 'noise', link: 0, timeUs, bytes: filler(1 + ((i * 7) % 61), i) })
    return records
  }).flat()
}

function mixedFrame(i: number): Uint8Array {
  const seq = (i + (i > 500 ? 3 : 0)) & 0xff
  const payload = [i & 0xff, i >> 8, 0, 0, 2, 3, 81, 4, 3]
  const heartbeat = { msgid: HEARTBEAT.msgid, crcExtra: HEARTBEAT.crcExtra, seq, payload }
  switch (i % 8) {
    case 0:
      return frame({ ...heartbeat, version: 1 })
    case 1:
      return frame({ ...heartbeat, signed: filler(13, i) })
    case 2:
      return frame({ ...heartbeat, compat: i & 0xff, sysid: 255, compid: 190 })
    case 3:
      return attitude(seq, [i / 7, -i, 0, 0, 0, 0])
    case 4:
      return frame({ ...ATTITUDE, seq, payload: [i & 0xff, 1, 2, 3] })
    case 5:
      return frame({ ...ATTITUDE, seq, payload: [i & 0xff, 0, 0, 0, 0, 0, 0] })
    case 6:
      return frame({ ...ATTITUDE, seq, payload: i % 16 === 6 ? [0] : [], sysid: 51, compid: 68 })
    default:
      return frame({ ...heartbeat, compid: 100 })
  }
}

/** An ATTITUDE of these floats, with its zeros at the end. */
export function attitude(seq: number, floats: readonly number[], sysid = 1): Uint8Array {
  const payload = Buffer.alloc(ATTITUDE.baseLength)
  payload.writeUInt32LE(seq * 20)
  floats.forEach((float, k) => payload.writeFloatLE(float, 4 + 4 * k))
  return frame({ ...ATTITUDE, seq: seq & 0xff, payload, sysid })
}

/** Floats made of whole numbers in each way that firmware has, and some that look like it but for one. */
export function decimals(): StrangerRecord[] {
  const [tenth, hundredth, thousandth] = [Math.fround(0.1), Math.fround(0.01), Math.fround(0.001)]
  return Array.from({ length: 300 }, (_, i) => {
    const n = (i * 37) % 1000
    const all = [n - 500, n * tenth, n / 10, n * hundredth, n / 100, n * thousandth, n / 1000]
    const almost = [i === 40 ? Number.NaN : n, i === 41 ? -0 : n + 1, -Infinity, n + 0.5, n / 3]
    return [framed(i, attitude(i, all.slice(0, 6))), framed(i, attitude(i, [all[6]!, ...almost], 2))]
  }).flat()
}
