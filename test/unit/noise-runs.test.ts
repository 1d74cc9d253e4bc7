/** Noise runs: what stands between two frames is a frame with a wrong checksum, one of an unknown message, or damage. */
import { expect, test } from 'vitest'
import { NoiseRuns } from '../../src/link/noise-runs.js'
import { ATTITUDE, HEARTBEAT, KNOWN, bytes, concat, filler, frame, known } from '../support/frames.js'

const good = 'a frame'

function judge(pieces: readonly (typeof good | Uint8Array)[], prefixBytes = 0): NoiseRuns['counts'] {
  const runs = new NoiseRuns(KNOWN, prefixBytes)
  for (const piece of pieces) {
    if (piece === good) runs.frame()
    else runs.noise(concat([bytes(0xfd), piece, bytes(0xfd)]), 1, 1 + piece.length)
  }
  runs.end()
  return runs.counts
}

const nothing = { crcMismatches: new Map(), unknownFrames: new Map(), damagedRuns: 0, damagedBytes: 0 }
const wrong = known(ATTITUDE, { crc: 0 })
const stranger = frame({ msgid: 410, payload: [1, 2, 3], crc: 0 })

test('frames alone leave nothing to judge', () => {
  expect(judge([good, good, good])).toEqual(nothing)
})

test('a whole frame with a wrong checksum counts by its message', () => {
  const v1 = known(HEARTBEAT, { version: 1, crc: 0 })
  const signed = known(HEARTBEAT, { signed: true, crc: 0 })
  expect(judge([good, wrong, good, v1, good, signed, good, wrong, good])).toEqual({
    ...nothing,
    crcMismatches: new Map([
      [30, 2],
      [0, 2],
    ]),
  })
})

test('a whole frame of an id that no definition knows counts by its id', () => {
  expect(judge([good, stranger, good])).toEqual({ ...nothing, unknownFrames: new Map([[410, 1]]) })
})

test('a run of any other length than its header claims is damage', () => {
  const runs = [
    wrong.slice(0, -1),
    concat([wrong, bytes(0)]),
    concat([wrong, wrong]),
    filler(30),
    bytes(0xfd),
  ]
  for (const run of runs) {
    expect(judge([good, run, good])).toEqual({ ...nothing, damagedRuns: 1, damagedBytes: run.length })
  }
})

test('what no frame follows is damage, whole as it may look', () => {
  expect(judge([good, wrong])).toEqual({ ...nothing, damagedRuns: 1, damagedBytes: wrong.length })
})

test('a run that comes in pieces is one run', () => {
  for (let at = 0; at <= wrong.length; at++) {
    expect(judge([good, wrong.slice(0, at), wrong.slice(at), good]).crcMismatches).toEqual(new Map([[30, 1]]))
  }
  const bits = Array.from(filler(50), (byte) => bytes(byte))
  expect(judge([good, ...bits, good])).toEqual({ ...nothing, damagedRuns: 1, damagedBytes: 50 })
})

test('in a container the bytes before a frame stand before one with a wrong checksum, too', () => {
  const stamp = filler(8, 5)
  expect(judge([good, concat([stamp, wrong]), good], 8).crcMismatches).toEqual(new Map([[30, 1]]))
  expect(judge([good, wrong, good], 8)).toEqual({ ...nothing, damagedRuns: 1, damagedBytes: wrong.length })
  expect(judge([good, stamp, good], 8)).toEqual({ ...nothing, damagedRuns: 1, damagedBytes: 8 })
})

test('Bounded: ids that noise makes up do not fill the memory; they count as damage', () => {
  const runs = new NoiseRuns(KNOWN)
  for (let msgid = 1000; msgid < 21_000; msgid++) {
    const run = frame({ msgid, crc: 0 })
    runs.noise(run, 0, run.length)
    runs.frame()
  }
  expect(runs.counts.unknownFrames.size).toBe(1024)
  const { damagedRuns, damagedBytes } = runs.counts
  expect(damagedRuns + [...runs.counts.unknownFrames.values()].reduce((sum, count) => sum + count)).toBe(
    19_999,
  )
  expect(damagedBytes).toBe(12 * damagedRuns)
})
