/** Recording format: what a file is, and what it looks like when it is no recording. */
import { describe, expect, test } from 'vitest'
import { ByteWriter } from '../../src/base/byte-writer.js'
import { FormatGuess, looksLike } from '../../src/storage/import/recording-format.js'
import { timestampAt, writeTimestamp } from '../../src/storage/import/tlog.js'
import { ATTITUDE, HEARTBEAT, KNOWN, bytes, concat, filler, known } from '../support/frames.js'

function guess(file: Uint8Array, partBytes = file.length): { format: string; frames: number } {
  const format = new FormatGuess(KNOWN)
  for (let at = 0; at < file.length; at += partBytes) format.push(file.slice(at, at + partBytes))
  return { format: format.end(), frames: format.frames }
}

const frames = Array.from({ length: 20 }, (_, seq) => known(seq % 3 === 0 ? ATTITUDE : HEARTBEAT, { seq }))
const stamp = (n: number): Uint8Array => bytes(0, 6, 0x0b, 0xfd, 0xfe, n, 3, n)
const raw = concat(frames)
const tlog = concat(frames.flatMap((each, n) => [stamp(n), each]))
const text = new TextEncoder()

describe('a file', () => {
  test('of frames behind each other is a raw stream', () => {
    expect(guess(raw)).toEqual({ format: 'raw', frames: 20 })
    expect(guess(raw, 1)).toEqual({ format: 'raw', frames: 20 })
    expect(guess(frames[0]!)).toEqual({ format: 'raw', frames: 1 })
  })

  test('with eight bytes before each frame is a tlog, from the first record on', () => {
    expect(guess(tlog)).toEqual({ format: 'tlog', frames: 20 })
    expect(guess(tlog, 1)).toEqual({ format: 'tlog', frames: 20 })
    expect(guess(concat([stamp(1), frames[0]!]))).toEqual({ format: 'tlog', frames: 1 })
  })

  test('with text, noise and a cut-off end in it is still what most of it is', () => {
    const junk = text.encode('Mission Planner 1.3.80\n')
    expect(guess(concat([junk, tlog, junk, tlog, filler(3000), tlog.slice(0, -9)])).format).toBe('tlog')
    expect(guess(concat([junk, raw, filler(8), raw, junk, raw.slice(0, -9)])).format).toBe('raw')
    expect(guess(concat([filler(8), raw])).format).toBe('raw')
  })

  test('with noise before each frame, now and then of eight bytes, is a raw stream', () => {
    const noisy = frames.flatMap((each, n) => [filler(1 + ((n * 3) % 25), n + 1), each])
    expect(guess(concat([...noisy, filler(8), frames[0]!]))).toEqual({ format: 'raw', frames: 21 })
  })

  test('with damage before nearly each frame is a tlog where its times can be believed', () => {
    const damaged = (stampOf: (n: number) => Uint8Array): Uint8Array =>
      concat(frames.flatMap((each, n) => [stampOf(n), each, ...(n === 0 ? [] : [stampOf(n), filler(30, n)])]))
    const in2024 = (n: number): Uint8Array => bytes(0, 6, 0x0d, 0xd9, 0x4e, n, 0, n)
    expect(guess(damaged(in2024)).format).toBe('tlog')
    expect(guess(damaged((n) => filler(8, 50 + n))).format).toBe('raw')
  })

  test('without a frame is none', () => {
    expect(guess(filler(5000)).frames).toBe(0)
    expect(guess(bytes()).frames).toBe(0)
  })
})

describe('a tlog’s timestamp', () => {
  test('is written and read big-endian, anywhere in a buffer, up to the last µs', () => {
    const times = [0n, 1n, 1_700_000_000_123_456n, 2n ** 63n, 2n ** 64n - 1n]
    const out = new ByteWriter()
    for (const timeUs of times) {
      out.u8(7)
      writeTimestamp(out, timeUs)
    }
    const written = concat([filler(5), out.copy()]).subarray(5)
    expect(Buffer.from(written.subarray(1 + 2 * 9, 9 + 2 * 9)).readBigUInt64BE()).toBe(times[2])
    expect(times.map((_, i) => timestampAt(written, 1 + i * 9))).toEqual(times)
    expect(timestampAt(concat([written]), 1 + 4 * 9)).toBe(times[4])
  })
})

describe('a file without a frame looks like', () => {
  test.each<[RegExp, ArrayLike<number> | string]>([
    [/^an empty file$/, []],
    [/^nothing but zeros$/, new Uint8Array(4096)],
    [/DataFlash log \(\.bin\)/, [0xa3, 0x95, 0x80, 0x80, 0x59]],
    [/PX4 ULog/, [0x55, 0x4c, 0x6f, 0x67, 0x01, 0x12, 0x35]],
    [/gzip/, [0x1f, 0x8b, 8, 0]],
    [/zip archive/, [0x50, 0x4b, 3, 4, 0]],
    [/7-zip/, [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]],
    [/zstd/, [0x28, 0xb5, 0x2f, 0xfd]],
    [/xz file/, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
    [/pcap capture/, [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]],
    [/pcapng/, [0x0a, 0x0d, 0x0d, 0x0a]],
    [/SQLite.*flight file/, 'SQLite format 3\0'],
    [/PNG/, [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]],
    [/JPEG/, [0xff, 0xd8, 0xff, 0xe0]],
    [/PDF/, '%PDF-1.7\n%âãÏÓ'],
    [/JSON/, '\n {"a": 1}'],
    [/JSON/, '[1, 2]'],
    [/waypoint file/, 'QGC WPL 110\n0\t1\t0\t16\n'],
    [/DataFlash log as text/, 'FMT, 128, 89, FMT, BBnNZ, Type,Length,Name\n'],
    [/parameter file/, 'ACRO_BAL_PITCH,1\nACRO_BAL_ROLL,1\n'],
    [/parameter file/, '# comment\n1 1 ACRO_BAL 1.5\nSYSID 1.0\n'],
    [/^text$/, 'Hello, this is a letter.\n'],
    [/binary data of no kind/, filler(100)],
    [/^nothing but zeros$/, [0]],
  ])('%s', (expected, head) => {
    expect(looksLike(typeof head === 'string' ? text.encode(head) : Uint8Array.from(head))).toMatch(expected)
  })

  test('less than the first bytes of a known kind is no known kind', () => {
    expect(looksLike(bytes(0xa3))).toBe('binary data of no kind that is known here')
    expect(looksLike(bytes(0x50))).toBe('text')
  })
})
