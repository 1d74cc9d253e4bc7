/** Tally: the figures of a flight, whoever counts how much of it. */
import { describe, expect, test } from 'vitest'
import { FRAME, NOISE } from '../../src/storage/segment/records.js'
import type { Records } from '../../src/storage/segment/records.js'
import { Tally } from '../../src/storage/flight/tally.js'
import type { Figures } from '../../src/storage/flight/tally.js'
import type { FrameParts } from '../support/frames.js'
import { ATTITUDE, HEARTBEAT, KNOWN, concat, filler, frame, known } from '../support/frames.js'
import type { TestRecord } from '../support/recordings.js'
import { recordsOf } from '../support/recordings.js'

const beat = (seq: number, parts: FrameParts = {}, link = 0): TestRecord => ({
  kind: FRAME,
  link,
  timeUs: BigInt(seq) * 100_000n,
  bytes: known(HEARTBEAT, { seq: seq & 255, ...parts }),
})
const noise = (bytes: Uint8Array, link = 0): TestRecord => ({ kind: NOISE, link, timeUs: 0n, bytes })
const wrong = known(ATTITUDE, { crc: 0 })

function figuresOf(lots: readonly TestRecord[][], prefixBytes = 0): Figures {
  const tally = new Tally(KNOWN, prefixBytes)
  for (const lot of lots) tally.add(recordsOf(lot))
  tally.end()
  return tally.figures
}

const counted = { lost: 0, duplicates: 0, reordered: 0, restarts: 0 }

describe('the figures of a flight', () => {
  test('are kept by link, vehicle and component', () => {
    const lot = [
      beat(1),
      beat(9, { compid: 2 }),
      beat(2, { version: 1 }),
      beat(3, { signed: true }, 1),
      beat(7),
      beat(10, { compid: 2 }),
      beat(4, { sysid: 2 }),
    ]
    expect(figuresOf([lot]).components).toEqual([
      { link: 0, sysid: 1, compid: 1, frames: 3, ...counted, lost: 4 },
      { link: 0, sysid: 1, compid: 2, frames: 2, ...counted },
      { link: 1, sysid: 1, compid: 1, frames: 1, ...counted },
      { link: 0, sysid: 2, compid: 1, frames: 1, ...counted },
    ])
  })

  test('tell wrong checksums and unknown messages from damage, on each link by itself', () => {
    const unknown = frame({ msgid: 410, payload: [1], crc: 0 })
    const lot = [
      beat(1),
      noise(wrong),
      beat(2),
      noise(unknown),
      beat(3),
      noise(filler(9)),
      noise(filler(4), 1),
      beat(4),
    ]
    expect(figuresOf([lot])).toMatchObject({
      crcMismatches: new Map([
        [30, 1],
        [410, 1],
      ]),
      damagedRuns: 2,
      damagedBytes: 13,
    })
  })

  test('take the bytes before each frame of a tlog into account', () => {
    const lot = [beat(1), noise(concat([filler(8), wrong])), beat(2)]
    expect(figuresOf([lot], 8).crcMismatches).toEqual(new Map([[30, 1]]))
    expect(figuresOf([lot]).crcMismatches).toEqual(new Map())
  })

  test('do not depend on where a segment ends, not even in a run of noise', () => {
    const all = [
      beat(1),
      noise(wrong.slice(0, 7)),
      noise(wrong.slice(7)),
      beat(2),
      beat(5),
      noise(filler(3)),
      beat(6),
    ]
    const whole = figuresOf([all])
    expect(whole.crcMismatches).toEqual(new Map([[30, 1]]))
    for (let at = 0; at <= all.length; at++) {
      expect(figuresOf([all.slice(0, at), all.slice(at)])).toEqual(whole)
    }
  })

  test('go on from those that another process counted', () => {
    const before = figuresOf([[beat(1), beat(3), noise(wrong), beat(4), noise(filler(5)), beat(5)]])
    const tally = new Tally(KNOWN, 0, before)
    tally.add(recordsOf([beat(8), beat(10), noise(wrong), beat(11), noise(filler(6)), beat(1, { sysid: 9 })]))
    tally.end()
    const expected: Figures = {
      components: [
        { link: 0, sysid: 1, compid: 1, frames: 7, ...counted, lost: 2 },
        { link: 0, sysid: 9, compid: 1, frames: 1, ...counted },
      ],
      crcMismatches: new Map([[30, 2]]),
      damagedRuns: 2,
      damagedBytes: 11,
    }
    expect(tally.figures).toEqual(expected)
    expect(tally.figures, 'asked twice').toEqual(expected)
    expect(before.components[0]!.frames, 'untouched').toBe(4)
  })

  test('Bounded: senders that somebody makes up do not fill the memory', () => {
    const tally = new Tally(KNOWN)
    for (let sysid = 0; sysid < 256; sysid++) {
      const lot: Records = recordsOf(Array.from({ length: 256 }, (_, compid) => beat(1, { sysid, compid })))
      tally.add(lot)
    }
    expect(tally.figures.components).toHaveLength(4096)
  })
})
