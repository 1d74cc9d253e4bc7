/**
 * Hard cases: small streams and recordings of what is hard to split and what no recording at hand has, all made here.
 * test/fixtures holds them as files for other programs, too. What each holds is counted while it is put together, not
 * by a splitter.
 */
import { ATTITUDE, HEARTBEAT, SETUP_SIGNING, bytes, concat, crc16, filler, frame, known } from './frames.js'
import type { FrameParts } from './frames.js'
import { tlogRecord } from './tlog.js'

export interface HardCase {
  /** The file's name; one that is `.gz` holds the bytes compressed. */
  file: string
  about: string
  format: 'raw' | 'tlog'
  bytes: Uint8Array
  /** Frames by msgid. */
  frames: Record<string, number>
  noiseBytes: number
  /** Signing keys, offset and length of each: these bytes are zeroed before they are stored. */
  keys: [offset: number, bytes: number][]
}

const PARAM_VALUE = { msgid: 22, crcExtra: 220, baseLength: 25 } as const
/** The longest payload of any message. */
const LOGGING_DATA = { msgid: 266, crcExtra: 193, baseLength: 255 } as const

/** 2024-01-01, µs. */
const START_US = 1_704_067_200_000_000n

/** A part of a case: a frame, or bytes that are none. */
type Part = { msgid: number; bytes: Uint8Array; keyAt?: number } | { noise: Uint8Array; keyAt?: number }

const is = (whole: Uint8Array): Part => ({
  msgid: whole[0] === 0xfe ? whole[5]! : whole[7]! + 256 * whole[8]! + 65_536 * whole[9]!,
  bytes: whole,
})
const noise = (...parts: Uint8Array[]): Part => ({ noise: concat(parts) })
const beat = (seq: number, parts: FrameParts = {}): Part => is(known(HEARTBEAT, { seq, ...parts }))
const attitude = (seq: number, parts: FrameParts = {}): Part => is(known(ATTITUDE, { seq, ...parts }))
const times = (count: number, make: (i: number) => Part | Part[]): Part[] =>
  Array.from({ length: count }, (_, i) => make(i)).flat()
const bytesOf = (part: Part): Uint8Array => ('noise' in part ? part.noise : part.bytes)

const KEY_OFFSET = 20
const KEY_BYTES = 32

function raw(file: string, about: string, parts: readonly Part[]): HardCase {
  const frames: Record<string, number> = {}
  const keys: HardCase['keys'] = []
  let noiseBytes = 0
  let at = 0
  for (const part of parts) {
    const own = bytesOf(part)
    if ('noise' in part) noiseBytes += own.length
    else frames[part.msgid] = (frames[part.msgid] ?? 0) + 1
    if (part.keyAt !== undefined) keys.push([at + part.keyAt, Math.min(KEY_BYTES, own.length - part.keyAt)])
    at += own.length
  }
  return { file, about, format: 'raw', bytes: concat(parts.map(bytesOf)), frames, noiseBytes, keys }
}

/** The same with a timestamp before each frame, a second apart. */
function tlog(file: string, about: string, parts: readonly Part[]): HardCase {
  const stamped = parts.map((part, i): Part =>
    'noise' in part ? part : { ...part, bytes: tlogRecord(START_US + BigInt(i) * 1_000_000n, part.bytes) },
  )
  return { ...raw(file, about, stamped), format: 'tlog' }
}

/** A frame of an id that no dialect has, with always the same CRC_EXTRA. */
const stranger = (seq: number, parts: FrameParts = {}): Part =>
  is(frame({ msgid: 13_500, crcExtra: 160, payload: [seq & 255, 2, 3, 4, 5], seq: seq & 255, ...parts }))

const signed = (seq: number): Part => attitude(seq, { signed: filler(13, 100 + seq) })
/** The same with `count` bytes of the signature missing. */
function cutSignature(seq: number, at: number, count: number): Part {
  const whole = bytesOf(signed(seq))
  const from = whole.length - 13 + at
  return noise(whole.subarray(0, from), whole.subarray(from + count))
}

const keyPayload = Uint8Array.from({ length: 42 }, (_, i) => i + 100)
const setup = (parts: FrameParts = {}): Uint8Array => known(SETUP_SIGNING, { payload: keyPayload, ...parts })

export function hardCases(): HardCase[] {
  return [...signatureCases(), ...unknownCases(), ...headerCases(), ...keyCases(), ...recordingCases()]
}

function signatureCases(): HardCase[] {
  const stx = Uint8Array.of(0xfe, 9, 0xfd, 9, 0, 0, 0xfe, 28, 1, 1, 1, 30, 0xfd)
  return [
    raw('signed.raw', 'signed frames of all sorts, their signatures full of what may begin a frame', [
      ...times(20, (i) => [signed(i), beat(i, { signed: stx }), attitude(i)]),
      is(known(LOGGING_DATA, { signed: true })),
      beat(0),
    ]),
    raw('signed-cut.raw', 'signatures of which 1 to 13 bytes were lost, each with whole frames behind it', [
      beat(0),
      ...times(13, (i) => [cutSignature(i, 13 - i - 1, i + 1), signed(i), beat(i)]),
      ...times(12, (i) => [cutSignature(i, i, 1), beat(i, { version: 1 })]),
    ]),
    raw('longest.raw', 'frames of 280 bytes, the longest there are, and of 255 bytes of payload unsigned', [
      ...times(6, (i) => [
        is(known(LOGGING_DATA, { seq: i, signed: filler(13, i) })),
        is(known(LOGGING_DATA, { seq: i })),
      ]),
      beat(1),
    ]),
  ]
}

function unknownCases(): HardCase[] {
  const wrong = bytesOf(stranger(9))
  const crc = crc16([...wrong.slice(1, -2), 160]) ^ 0x0100
  return [
    raw('unknown.raw', 'an id that no dialect has, always with the same CRC_EXTRA, between known frames', [
      ...times(30, (i) => [beat(i), stranger(i), attitude(i)]),
      noise(filler(40, 3)),
      stranger(30),
      noise(filler(7, 4)),
    ]),
    raw('unknown-v1.raw', 'the same in MAVLink 1, with a payload and without', [
      ...times(10, (i) => [
        beat(i, { version: 1 }),
        is(frame({ version: 1, msgid: 199, crcExtra: 12, payload: [i], seq: i })),
        beat(i, { version: 1 }),
        is(frame({ version: 1, msgid: 188, crcExtra: 77, seq: i })),
      ]),
      beat(0, { version: 1 }),
    ]),
    raw('unknown-row.raw', 'forty of them in a row behind noise, as parameters come', [
      noise(filler(25, 5)),
      ...times(40, (i) => stranger(i)),
      noise(filler(25, 6)),
      beat(0),
    ]),
    raw('unknown-damaged-neighbour.raw', 'each of them before a frame that comes damaged: two must be lost', [
      ...times(12, (i) => [
        beat(i),
        i < 2 ? noise(bytesOf(stranger(i))) : stranger(i),
        noise(known(ATTITUDE, { seq: i, crc: 0x1234 })),
      ]),
      beat(12),
    ]),
    raw('unknown-wrong.raw', 'an unknown id of which no CRC_EXTRA makes the checksum right: no frames', [
      ...times(20, (i) => [beat(i), noise(bytesOf(stranger(9, { crc })))]),
      beat(20),
    ]),
  ]
}

function headerCases(): HardCase[] {
  const inner = known(HEARTBEAT, { seq: 77 })
  return [
    raw('false-headers.raw', 'headers that claim 255 bytes before frames that are shorter', [
      ...times(15, (i) => [
        noise(bytes(0xfd, 255, i & 1)),
        beat(i),
        noise(bytes(0xfe, 255, 1, 1, 1, 199)),
        attitude(i),
      ]),
      beat(1),
      noise(bytes(0xfd, 255, 0)),
    ]),
    raw(
      'stx-inside.raw',
      'payloads full of 0xFD and 0xFE, and whole frames inside payloads, which are no frames',
      [
        ...times(10, (i) => [
          attitude(i, { payload: new Uint8Array(28).fill(0xfd) }),
          attitude(i, { payload: new Uint8Array(28).fill(0xfe), version: 1 }),
          is(known(LOGGING_DATA, { seq: i, payload: concat([filler(9, i), inner, inner, filler(30, i)]) })),
        ]),
      ],
    ),
    raw('frame-in-damaged-frame.raw', 'a whole frame inside one with a wrong checksum: it is one', [
      beat(0),
      ...times(5, (i) => {
        const outer = known(LOGGING_DATA, {
          seq: i,
          payload: concat([bytes(1, 2, 3), inner, bytes(4, 5)]),
          crc: 1,
        })
        return [noise(outer.subarray(0, 13)), is(inner), noise(outer.subarray(13 + inner.length)), beat(i)]
      }),
    ]),
    raw('incompat-flags.raw', 'incompatibility flags that nobody knows: not to be understood, so no frames', [
      ...times(8, (i) => [beat(i), noise(known(ATTITUDE, { seq: i, incompat: 1 << Math.max(1, i) }))]),
      beat(8),
    ]),
    raw(
      'v1-wrong-length.raw',
      'MAVLink 1 frames of another length than their message, empty ones too: no frames',
      [
        ...[0, 1, 27, 29, 255].flatMap((length, i) => [
          beat(i, { version: 1 }),
          noise(known(ATTITUDE, { version: 1, payload: filler(length, 9) })),
        ]),
        beat(9, { version: 1 }),
      ],
    ),
    raw(
      'v2-any-length.raw',
      'MAVLink 2 frames cut to nothing and longer than their message: all are frames',
      [...times(12, (i) => [attitude(i, { payload: filler(i * 5, 2) }), beat(i, { payload: [] })])],
    ),
    raw('wrong-checksum.raw', 'frames with a wrong checksum between good ones', [
      ...times(20, (i) => [beat(i), noise(known(ATTITUDE, { seq: i, crc: 0x55aa }))]),
      beat(20),
    ]),
  ]
}

function keyCases(): HardCase[] {
  const damaged = (own: Uint8Array): Part => ({ noise: own, keyAt: KEY_OFFSET })
  const flipped = setup()
  flipped[30]! ^= 0x40
  const shorter = concat([setup().subarray(0, 35), setup().subarray(36)])
  const whole = (parts: FrameParts = {}): Part => ({ ...is(setup(parts)), keyAt: KEY_OFFSET })
  return [
    raw('setup-signing.raw', 'SETUP_SIGNING whole: plain and signed; the key is zeroed before it is stored', [
      ...times(3, (i) => [beat(i), whole({ seq: i }), attitude(i), whole({ seq: i, signed: true })]),
      beat(3),
    ]),
    raw(
      'setup-signing-damaged.raw',
      'SETUP_SIGNING with a wrong checksum, a changed byte, a lost byte, cut off',
      [
        beat(0),
        damaged(setup({ crc: 1 })),
        beat(1),
        damaged(flipped),
        beat(2),
        damaged(shorter),
        beat(3),
        damaged(setup().subarray(0, 40)),
      ],
    ),
  ]
}

function recordingCases(): HardCase[] {
  const text = new TextEncoder().encode('Connected to COM3 at 57600\r\n')
  const cutOff = bytesOf(attitude(1)).subarray(0, 19)
  return [
    tlog('cut-tail.tlog', 'a recording of which the last record is cut off', [
      ...times(20, (i) => [beat(i), attitude(i)]),
      noise(tlogRecord(START_US, cutOff)),
    ]),
    raw('cut-tail.raw', 'a stream that ends within a frame', [
      ...times(20, (i) => [beat(i), attitude(i)]),
      noise(cutOff),
    ]),
    tlog('text-before.tlog', 'text before the records and between them', [
      noise(text),
      ...times(10, (i) => beat(i)),
      noise(text),
      ...times(10, (i) => attitude(i)),
    ]),
    crlf(),
    raw('zeros-first.raw.gz', '3 MB of zeros before the first frame, compressed', [
      noise(new Uint8Array(3_000_000)),
      ...times(20, (i) => [beat(i), is(known(PARAM_VALUE, { seq: i }))]),
    ]),
    raw('junk-between.raw', 'random bytes between all frames', [
      ...times(40, (i) => [noise(filler(1 + ((i * 13) % 50), i + 1)), i % 2 === 0 ? beat(i) : attitude(i)]),
    ]),
  ]
}

/** A tlog of which a program turned line feeds into carriage return and line feed, in frames and timestamps alike. */
function crlf(): HardCase {
  const parts: Part[] = []
  for (let i = 0; i < 200; i++) {
    const own = bytesOf(i % 3 === 0 ? beat(i) : attitude(i, { payload: filler(28, i + 1) }))
    const stamp = translated(tlogRecord(START_US + BigInt(i) * 10_000n, new Uint8Array(0)))
    // Of a stamp that grew the last eight bytes stand before the frame; the first one or more are left over.
    const extra = stamp.length - 8
    if (own.includes(0x0a)) parts.push(noise(stamp, translated(own)))
    else
      parts.push(noise(stamp.subarray(0, extra)), { ...is(own), bytes: concat([stamp.subarray(extra), own]) })
  }
  const about =
    'a recording that went through a translation of line ends: frames with a 0x0A in them are damaged'
  return { ...raw('crlf.tlog', about, parts), format: 'tlog' }
}

const translated = (of: Uint8Array): Uint8Array =>
  Uint8Array.from(Array.from(of).flatMap((byte) => (byte === 0x0a ? [0x0d, 0x0a] : [byte])))
