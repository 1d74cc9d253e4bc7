/** Recordings: records made of anything that can come in, and what two lots of them are compared by. */
import * as fc from 'fast-check'
import type { RecordKind } from '../../src/storage/segment/records.js'
import { FRAME, NOISE, Records } from '../../src/storage/segment/records.js'
import { frame } from './frames.js'

export interface TestRecord {
  kind: RecordKind
  link: number
  timeUs: bigint
  bytes: Uint8Array
}

export function recordsOf(all: readonly TestRecord[]): Records {
  const records = new Records()
  for (const { kind, link, timeUs, bytes } of all) records.append(kind, link, timeUs, bytes, 0, bytes.length)
  return records
}

/** One line a record: what must come back as it was. */
export function linesOf(records: Records): string[] {
  return Array.from({ length: records.count }, (_, i) => {
    const bytes = records.bytes.subarray(records.startOf(i), records.ends[i])
    const hex = Buffer.from(bytes).toString('hex')
    return `${records.kinds[i] === FRAME ? 'frame' : 'noise'} link ${records.links[i]} at ${records.times[i]}: ${hex}`
  })
}

/** Messages with their CRC_EXTRA: known ones with numbers, arrays and texts, and two that no dialect has. */
const MESSAGES: readonly [msgid: number, crcExtra: number][] = [
  [0, 50],
  [2, 137],
  [30, 39],
  [33, 104],
  [65, 118],
  [110, 84],
  [253, 83],
  [256, 71],
  [12_900, 114],
  [60_000, 9],
  [0xffffff, 200],
]

const byte = fc.integer({ min: 0, max: 255 })
/** Numbers that fields have: zeros above all, so that payloads are cut and cut wrongly. */
const payload = fc.oneof(
  fc.array(fc.oneof(fc.constant(0), fc.constant(0), byte), { maxLength: 60, size: 'max' }),
  fc.uint8Array({ maxLength: 60, size: 'max' }),
  fc.integer({ min: 0, max: 255 }).map((length) => new Uint8Array(length)),
  fc.constant(new Uint8Array(255).fill(0xfd)),
)

const anyFrame = fc
  .record({
    message: fc.constantFrom(...MESSAGES),
    version: fc.constantFrom(1, 2, 2),
    payload,
    seq: byte,
    sysid: fc.constantFrom(1, 1, 1, 51, 255),
    compid: fc.constantFrom(1, 1, 0),
    signed: fc.oneof(
      fc.constant(false),
      fc.constant(false),
      fc.uint8Array({ minLength: 13, maxLength: 13, size: 'max' }),
    ),
    compat: fc.oneof(fc.constant(0), byte),
    // A signing key that was zeroed leaves the checksum as it was on the wire.
    crc: fc.oneof(
      { weight: 9, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constant(0xabcd) },
    ),
  })
  .map(({ message: [msgid, crcExtra], version, crc, signed, ...parts }) => {
    const v1 = version === 1
    const own = {
      version: v1 ? 1 : 2,
      msgid: v1 ? msgid & 0xff : msgid,
      signed: v1 ? false : signed,
    } as const
    return frame({ crcExtra, ...parts, ...own, ...(crc === undefined ? {} : { crc }) })
  })

const TIMES = [0n, 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 2n, 2n ** 64n - 1n]

/** Equal, later, earlier and absurd times, as a clock brings them that was set while it ran. */
const anyTimes = (count: number): fc.Arbitrary<bigint[]> =>
  fc
    .array(
      fc.oneof(
        { weight: 4, arbitrary: fc.constant(0n) },
        { weight: 4, arbitrary: fc.bigInt({ min: 0n, max: 20_000n }) },
        { weight: 1, arbitrary: fc.bigInt({ min: -(10n ** 9n), max: 0n }) },
        { weight: 1, arbitrary: fc.constantFrom(...TIMES).map((to) => to + 2n ** 70n) },
      ),
      { minLength: count, maxLength: count },
    )
    .map((steps) => {
      let timeUs = 1_700_000_000_000_000n
      return steps.map((step) => {
        timeUs = BigInt.asUintN(64, step >= 2n ** 70n ? step : timeUs + step)
        return timeUs
      })
    })

const anyNoise = fc.uint8Array({ minLength: 1, maxLength: 90, size: 'max' })

type Content = Pick<TestRecord, 'kind' | 'bytes'>

const anyRecord = fc.record({
  link: fc.constantFrom(0, 0, 0, 1, 15, 255),
  content: fc.oneof(
    { weight: 5, arbitrary: anyFrame.map((bytes): Content => ({ kind: FRAME, bytes })) },
    { weight: 1, arbitrary: anyNoise.map((bytes): Content => ({ kind: NOISE, bytes })) },
  ),
})

/** Any records, `maxCount` at most: frames of all kinds, noise, several links, any receive times. */
export function anyRecords(maxCount: number): fc.Arbitrary<TestRecord[]> {
  return fc
    .array(anyRecord, { maxLength: maxCount, size: 'max' })
    .chain((all) =>
      anyTimes(all.length).map((times) =>
        all.map(({ link, content }, i) => ({ link, ...content, timeUs: times[i]! })),
      ),
    )
}
