/** Damage: what it says of a stream is true, and the tool says the same. */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { damage, intactFrames } from '../../src/simulator/damage.js'
import { ATTITUDE, HEARTBEAT, filler, known } from '../support/frames.js'
import { REPOSITORY } from '../support/groundlock.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tlogRecord } from '../support/tlog.js'

const folder = temporaryFolder('damage')
const rate = fc.constantFrom(0, 0, 0.001, 0.02, 0.3, 1)
const anyOptions = fc.record({
  seed: fc.nat(),
  lossPerByte: rate,
  flipPerByte: rate,
  junkPerByte: rate,
  maxJunkBytes: fc.integer({ min: 1, max: 30 }),
})

const same = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0

test('stretches came through as they were, nothing else did, and every byte is counted', () => {
  const property = fc.property(anyOptions, fc.nat(2000), (options, length) => {
    const source = filler(length, options.seed)
    const { bytes, stretches, lostBytes, flippedBytes, junkBytes } = damage(source, options)
    let [sourceEnd, outputEnd, passed] = [0, 0, 0]
    for (let i = 0; i < stretches.length; i += 3) {
      const [from, to, count] = stretches.subarray(i, i + 3) as unknown as [number, number, number]
      expect(count).toBeGreaterThan(0)
      expect(from).toBeGreaterThanOrEqual(sourceEnd)
      expect(to).toBeGreaterThanOrEqual(outputEnd)
      expect(i > 0 && from === sourceEnd && to === outputEnd).toBe(false)
      expect(same(bytes.subarray(to, to + count), source.subarray(from, from + count))).toBe(true)
      ;[sourceEnd, outputEnd, passed] = [from + count, to + count, passed + count]
    }
    expect(passed + lostBytes + flippedBytes).toBe(length)
    expect(passed + flippedBytes + junkBytes).toBe(bytes.length)
  })
  fc.assert(property, { numRuns: 300 })
})

test('rates are what was asked for, and a seed always does the same', () => {
  const source = new Uint8Array(1_000_000)
  const options = { seed: 5, lossPerByte: 0.01, flipPerByte: 0.002, junkPerByte: 0.001, maxJunkBytes: 9 }
  const damaged = damage(source, options)
  expect(damaged.lostBytes / 10_000).toBeCloseTo(1, 1)
  // A byte that is lost cannot be changed, too.
  expect(damaged.flippedBytes / 1_980).toBeCloseTo(1, 0)
  expect(damaged.junkBytes / 5_000).toBeCloseTo(1, 0)
  expect(same(damage(source, options).bytes, damaged.bytes)).toBe(true)
  expect(same(damage(source, { ...options, seed: 6 }).bytes, damaged.bytes)).toBe(false)
  expect(same(damage(source, { seed: 5 }).bytes, source)).toBe(true)
})

test('a frame is intact where every byte of it came and nothing came between', () => {
  const property = fc.property(anyOptions, fc.array(fc.integer({ min: 1, max: 40 })), (options, sizes) => {
    const frames: number[] = []
    let length = 0
    for (const size of sizes) {
      frames.push(length, length + size)
      length += size + (size % 3 === 0 ? 5 : 0)
    }
    // Bytes that say where they stood, as far as a byte can.
    const source = Uint8Array.from({ length }, (_, i) => i & 0xff)
    const damaged = damage(source, options)
    const whereFrom = new Int32Array(damaged.bytes.length).fill(-1)
    for (let i = 0; i < damaged.stretches.length; i += 3)
      for (let k = 0; k < damaged.stretches[i + 2]!; k++)
        whereFrom[damaged.stretches[i + 1]! + k] = damaged.stretches[i]! + k
    const expected = sizes.map((size, i) => {
      const at = whereFrom.indexOf(frames[2 * i]!)
      return at >= 0 &&
        Array.from({ length: size }, (_, k) => whereFrom[at + k] === frames[2 * i]! + k).every(Boolean)
        ? at
        : -1
    })
    expect(Array.from(intactFrames(Int32Array.from(frames), damaged))).toEqual(expected)
  })
  fc.assert(property, { numRuns: 300 })
})

interface Report {
  frames: number
  lostBytes: number
  intact: { msgid: number; source: number; output: number; bytes: number }[]
}

test.each([
  ['a raw stream', false, []],
  ['a tlog, as it was on the wire', true, []],
  ['a tlog, as a file', true, ['--keep-timestamps']],
])('the tool damages %s and reports each intact frame where it stands', (name, isTlog, more) => {
  const frames = Array.from({ length: 400 }, (_, i) =>
    known(i % 3 === 0 ? HEARTBEAT : ATTITUDE, { seq: i & 255 }),
  )
  const parts = isTlog
    ? frames.map((frame, i) => tlogRecord(BigInt(i) + 1_704_067_200_000_000n, frame))
    : frames
  const source = Buffer.concat(parts)
  const [file, out, reportFile] = ['in', 'out', 'json'].map((end) => join(folder, `${name}.${end}`)) as [
    string,
    string,
    string,
  ]
  writeFileSync(file, source)
  const args = [file, '--seed', '3', '--loss', '0.005', '--junk', '0.001', '--flip', '0.001', ...more]
  const tool = join(REPOSITORY, 'scripts', 'damage.mjs')
  const { status, stderr } = spawnSync(process.execPath, [
    tool,
    ...args,
    '--out',
    out,
    '--report',
    reportFile,
  ])
  expect({ status, stderr: String(stderr) }).toEqual({ status: 0, stderr: '' })
  const damaged = readFileSync(out)
  const report = JSON.parse(readFileSync(reportFile, 'utf8')) as Report
  expect(report.frames).toBe(400)
  expect(report.lostBytes).toBeGreaterThan(0)
  expect(report.intact.length).toBeGreaterThan(200)
  expect(report.intact.length).toBeLessThan(400)
  for (const { msgid, source: from, output, bytes } of report.intact) {
    const frame = source.subarray(from, from + bytes)
    expect(frame[0]).toBe(0xfd)
    expect(frame[7]).toBe(msgid)
    expect(damaged.subarray(output, output + bytes).equals(frame)).toBe(true)
  }
})

test('the tool says what it does not understand', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(REPOSITORY, 'scripts', 'damage.mjs'), ...args], { encoding: 'utf8' })
  expect(run('--help').stdout).toContain('Example: ')
  expect(run('x', '--out', 'y', '--loss', '2').stderr).toContain('it is 0 to 1')
  expect(run(join(folder, 'none'), '--out', 'y').stderr).toContain('cannot read')
})
