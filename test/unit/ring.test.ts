/** Ring: entries go from one thread to another in order and byte for byte, and a full ring says so at once. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { crc32 } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  CONTROL_RESERVE_BYTES,
  RING_BYTES,
  RingReader,
  RingWriter,
  createSharedRing,
} from '../../src/storage/recorder/ring.js'
import { concat, filler } from '../support/frames.js'
import { REPOSITORY } from '../support/groundlock.js'

const HEADER_BYTES = 16
const padded = (length: number): number => HEADER_BYTES + Math.ceil(length / 8) * 8

/** Length and checksum: the bytes themselves would be slow to compare by the megabyte. */
const printOf = (of: Uint8Array): string => `${of.length} bytes, ${crc32(of)}`

interface Entry {
  kind: number
  link: number
  timeUs: number
  content: string
}

class Pair {
  readonly writer: RingWriter
  readonly reader: RingReader

  constructor() {
    const ring = createSharedRing()
    this.writer = new RingWriter(ring)
    this.reader = new RingReader(ring)
  }

  write(content: Uint8Array, control = false, kind = 1, link = 2, timeUs = 3): boolean {
    const around = concat([filler(3), content, filler(5)])
    return this.writer.write(kind, link, timeUs, around, 3, 3 + content.length, control)
  }

  /** Takes `most` entries. */
  read(most = Infinity): Entry[] {
    const entries: Entry[] = []
    this.reader.drain((kind, link, timeUs, bytes, start, end) => {
      if (entries.length >= most) return false
      entries.push({ kind, link, timeUs, content: printOf(bytes.subarray(start, end)) })
      return true
    })
    return entries
  }
}

describe('a ring', () => {
  test('gives entries in order with all that was written of them', () => {
    const pair = new Pair()
    expect(pair.read()).toEqual([])
    expect(pair.write(filler(0), false, 0, 0, 0)).toBe(true)
    expect(pair.write(filler(21), false, 6, 15, 2 ** 52 + 1)).toBe(true)
    expect(pair.write(filler(8, 2), true, 254, 255, 1.5)).toBe(true)
    expect(pair.read()).toEqual([
      { kind: 0, link: 0, timeUs: 0, content: printOf(filler(0)) },
      { kind: 6, link: 15, timeUs: 2 ** 52 + 1, content: printOf(filler(21)) },
      { kind: 254, link: 255, timeUs: 1.5, content: printOf(filler(8, 2)) },
    ])
    expect(pair.writer.used).toBe(0)
    expect(pair.read()).toEqual([])
  })

  test('keeps an entry that was declined, and gives it first the next time', () => {
    const pair = new Pair()
    for (let i = 0; i < 4; i++) pair.write(filler(10, i))
    expect(pair.read(1)).toHaveLength(1)
    expect(pair.writer.used).toBe(3 * padded(10))
    expect(pair.read(0)).toEqual([])
    expect(pair.read().map((entry) => entry.content)).toEqual([1, 2, 3].map((i) => printOf(filler(10, i))))
  })

  test('that is full says so and takes nothing, until something was read', () => {
    const pair = new Pair()
    const content = filler(1000)
    let count = 0
    while (pair.write(content)) count++
    expect(count).toBe(Math.floor((RING_BYTES - CONTROL_RESERVE_BYTES) / padded(1000)))
    expect(pair.writer.used).toBe(count * padded(1000))
    expect(pair.write(content)).toBe(false)
    pair.read(1)
    expect(pair.write(content)).toBe(true)
    expect(pair.write(content)).toBe(false)
    const entries = pair.read()
    expect(entries).toHaveLength(count)
    expect(new Set(entries.map((entry) => entry.content))).toEqual(new Set([printOf(content)]))
  })

  test('that is full of records still takes the end of a flight, and is bounded for that, too', () => {
    const pair = new Pair()
    while (pair.write(filler(10_000)));
    let controls = 0
    while (pair.write(filler(100), true, 5)) controls++
    expect(controls).toBeGreaterThanOrEqual(Math.floor(CONTROL_RESERVE_BYTES / padded(100)))
    expect(pair.writer.used).toBeLessThanOrEqual(RING_BYTES)
    expect(pair.read().filter(({ kind }) => kind === 5)).toHaveLength(controls)
  })

  test('never takes an entry that is larger than it is', () => {
    const pair = new Pair()
    expect(pair.write(new Uint8Array(RING_BYTES), true)).toBe(false)
    expect(pair.write(new Uint8Array(RING_BYTES - HEADER_BYTES + 1), true)).toBe(false)
    expect(pair.write(new Uint8Array(RING_BYTES - HEADER_BYTES), true)).toBe(true)
    expect(pair.read()).toHaveLength(1)
  })

  test('at its end takes only what fits before the unread bytes: the room that is left over there counts', () => {
    const pair = new Pair()
    const megabytes = (count: number): Uint8Array =>
      new Uint8Array(count * 1024 * 1024 - HEADER_BYTES).fill(count)
    expect(pair.write(megabytes(5))).toBe(true)
    expect(pair.write(megabytes(2))).toBe(true)
    expect(pair.read(1)).toHaveLength(1)
    // One megabyte is left at the end, and five are free at the front.
    expect(pair.write(megabytes(5.5))).toBe(false)
    expect(pair.write(megabytes(4))).toBe(true)
    expect(pair.read().map((entry) => entry.content)).toEqual([printOf(megabytes(2)), printOf(megabytes(4))])
  })

  test('at its end has room for no part of an entry, wherever that would end', () => {
    for (let shift = 0; shift < 12; shift++) {
      const pair = new Pair()
      const contents = Array.from({ length: 300 }, (_, i) => filler(i < shift ? 0 : 8 + (shift % 3) * 8, i))
      expect(pair.write(new Uint8Array(RING_BYTES - 4096), true)).toBe(true)
      expect(pair.write(contents[0]!, true)).toBe(true)
      // With an entry left in it: a ring that is empty begins again at its front.
      expect(pair.read(1)).toHaveLength(1)
      expect(contents.slice(1).every((content) => pair.write(content))).toBe(true)
      expect(pair.read().map(({ content }) => content)).toEqual(contents.map(printOf))
    }
  })

  test('goes round and round, and past the end of its counters, with entries of every size', () => {
    const pair = new Pair()
    const big = new Uint8Array(1_300_000)
    const lengthOf = (i: number): number => big.length - (i % 9000)
    // 5 GB: the counters are of 32 bits. One entry always waits, so that the ring is never empty.
    for (let i = 0; i < 3800; i++) {
      big[0] = i
      expect(pair.writer.write(1, 1, i, big, 0, lengthOf(i))).toBe(true)
      const read: number[] = []
      pair.reader.drain((_kind, _link, timeUs, bytes, start, end) => {
        if (timeUs === i) return false
        read.push(timeUs, bytes[start]!, end - start)
        return true
      })
      expect(read).toEqual(i === 0 ? [] : [i - 1, (i - 1) & 255, lengthOf(i - 1)])
    }
    expect(pair.read()).toHaveLength(1)
    expect(pair.writer.used).toBe(0)
  })

  test('whose reader keeps up touches no more memory than what waits at once, past the end of its counters', () => {
    const ring = createSharedRing()
    const [writer, reader] = [new RingWriter(ring), new RingReader(ring)]
    const written = filler(50_000)
    const lengths: number[] = []
    // Each time it begins again its counters go on by the ring's whole size: 2^32 is passed twice.
    const rounds = (2 * 2 ** 32) / RING_BYTES + 2
    for (let i = 0; i < rounds; i++) {
      for (const length of [30, 50_000, 30]) expect(writer.write(1, 1, i, written, 0, length)).toBe(true)
      reader.drain((_kind, _link, _timeUs, _bytes, start, end) => lengths.push(end - start) > 0)
      expect([writer.used, reader.used]).toEqual([0, 0])
    }
    expect(lengths).toEqual(Array.from({ length: rounds }, () => [30, 50_000, 30]).flat())
    expect(new Uint8Array(ring.bytes).findLastIndex((byte) => byte !== 0)).toBeLessThan(51_000)
  })

  test('Bounded: whatever is written and read, it holds what was taken and not yet read, never more than its size', () => {
    const step = fc.record({
      length: fc.oneof(fc.nat(300), fc.nat(70_000), fc.nat(2_000_000)),
      control: fc.boolean(),
      reads: fc.nat(3),
    })
    const property = fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const pair = new Pair()
      const waiting: Entry[] = []
      steps.forEach(({ length, control, reads }, i) => {
        const content = filler(Math.min(length, 40), i)
        const entry = concat([content, new Uint8Array(length - content.length)])
        if (pair.write(entry, control, i, 1, i))
          waiting.push({ kind: i, link: 1, timeUs: i, content: printOf(entry) })
        expect(pair.writer.used).toBeLessThanOrEqual(RING_BYTES)
        expect(pair.read(reads)).toEqual(waiting.splice(0, reads))
      })
      expect(pair.read()).toEqual(waiting)
    })
    fc.assert(property, { numRuns: 20 })
  })
})

/** Reads until an entry of kind 9 comes; now and then it declines one, as a chunk that is full does. */
const READER = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { createHash } = require('node:crypto')
  import(workerData.module).then(({ RingReader }) => {
    const reader = new RingReader(workerData.ring)
    const counters = new Int32Array(workerData.ring.counters)
    const hash = createHash('sha256')
    let entries = 0
    let calls = 0
    for (let done = false; !done;) {
      reader.drain((kind, link, timeUs, bytes, start, end) => {
        if (++calls % 97 === 0) return false
        done = kind === 9
        if (timeUs !== entries) throw new Error('entry ' + timeUs + ' came as number ' + entries)
        hash.update(Uint8Array.of(kind, link)).update(bytes.subarray(start, end))
        entries++
        return true
      })
      if (!done && workerData.waits) Atomics.wait(counters, 0, Atomics.load(counters, 0), 1)
    }
    parentPort.postMessage({ entries, sha256: hash.digest('hex') })
  })
`

test.each(['full', 'empty'])(
  'Byte-exact: two threads, entries of random sizes, and a ring that is often %s',
  async (often) => {
    const module = join(REPOSITORY, 'dist', 'storage', 'recorder', 'ring.js')
    if (!existsSync(module)) throw new Error('dist/storage/recorder/ring.js is missing: npm run build')
    const ring = createSharedRing()
    const workerData = { ring, module: pathToFileURL(module).href, waits: often === 'full' }
    const worker = new Worker(READER, { eval: true, workerData })
    onTestFinished(async () => void (await worker.terminate()))
    const result = new Promise((resolve, reject) => {
      worker.on('message', resolve)
      worker.on('error', reject)
    })
    const writer = new RingWriter(ring)
    const source = filler(200_000, 77)
    const hash = createHash('sha256')
    const pause = new Int32Array(new SharedArrayBuffer(4))
    let entries = 0
    let fullTimes = 0
    let emptyTimes = 0
    const write = (kind: number, start: number, end: number): void => {
      if (writer.used === 0) emptyTimes++
      while (!writer.write(kind, entries & 255, entries, source, start, end)) {
        fullTimes++
        Atomics.wait(pause, 0, 0, 1)
      }
      hash.update(Uint8Array.of(kind, entries & 255)).update(source.subarray(start, end))
      entries++
    }
    let state = 12345
    for (let bytes = 0; bytes < (often === 'full' ? 100e6 : 20e6);) {
      // Seldom by waiting, which wakes too late, but by looking: so that it is found empty just as the reader looks, too.
      for (let looks = often === 'empty' ? 10_000 : 0; writer.used > 0 && looks > 0; looks--);
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      // Mostly frames, sometimes a long noise, one in a thousand as long as it gets.
      const length = state % 1000 === 0 ? 65_536 : (state >>> 10) % ((state & 15) === 0 ? 9000 : 400)
      write(state & 1, state % 100_000, (state % 100_000) + length)
      bytes += length
    }
    write(9, 0, 0)
    expect(await result).toEqual({ entries, sha256: hash.digest('hex') })
    expect(entries).toBeGreaterThan(20_000)
    expect(often === 'full' ? fullTimes : emptyTimes).toBeGreaterThan(often === 'full' ? 0 : 1000)
  },
)
