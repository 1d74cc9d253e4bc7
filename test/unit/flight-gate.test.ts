/** Flight gate: which records are of which flight, and where every byte of a link went. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FlightGate } from '../../src/storage/intake/flight-gate.js'
import type { FlightOutput } from '../../src/storage/intake/flight-gate.js'
import { FRAME, NOISE } from '../../src/storage/segment/records.js'
import type { RecordKind } from '../../src/storage/segment/records.js'
import { bytes, concat, filler } from '../support/frames.js'
// long because every history is told to the same gate, by the same few helpers below

const S = 1e6
const MIN = 60 * S
const H = 60 * MIN

interface Flight {
  openedUs: number
  isNextPart: boolean
  records: string[]
  events: string[]
  closed: string | null
}

/** Keeps what it is given; refuses what it is told to. */
class Flights implements FlightOutput {
  readonly all: Flight[] = []
  refuses: { open?: boolean; record?: boolean; close?: boolean } = {}
  storedBytes = 0
  refusedBytes = 0

  get last(): Flight {
    const last = this.all.at(-1)
    if (last === undefined || last.closed !== null) throw new Error('no flight is on')
    return last
  }

  open(openedUs: number, isNextPart: boolean): boolean {
    if (this.all.at(-1)?.closed === null) throw new Error('a flight is on')
    if (this.refuses.open === true) return false
    this.all.push({ openedUs, isNextPart, records: [], events: [], closed: null })
    return true
  }

  record(
    kind: RecordKind,
    link: number,
    timeUs: bigint,
    from: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const { last } = this
    if (this.refuses.record === true) {
      this.refusedBytes += end - start
      return false
    }
    this.storedBytes += end - start
    const hex = Buffer.from(from.subarray(start, end)).toString('hex')
    last.records.push(`${kind === FRAME ? 'frame' : 'noise'} ${link} ${timeUs} ${hex}`)
    return true
  }

  event({ kind, detail, recvTimeUs }: { kind: string; detail: string; recvTimeUs: number }): void {
    this.last.events.push(`${kind} ${detail} ${recvTimeUs}`)
  }

  close({ reason, closedUs }: { reason: string; closedUs: number }): boolean {
    const { last } = this
    if (this.refuses.close === true) return false
    last.closed = `${reason} ${closedUs}`
    return true
  }
}

function setUp(): { gate: FlightGate; flights: Flights; put: (atUs: number, ...content: number[]) => void } {
  const flights = new Flights()
  const gate = new FlightGate(flights)
  const put = (atUs: number, ...content: number[]): void => {
    const around = concat([filler(2), bytes(...content), filler(2)])
    gate.record(NOISE, 0, BigInt(atUs), around, 2, 2 + content.length)
  }
  return { gate, flights, put }
}

/** A heartbeat as Vehicles brings it, with the event that it brings along where it is a change. */
function beat(gate: FlightGate, sysid: number, armed: boolean, change?: string): void {
  gate.heartbeat(sysid, armed, 5)
  if (change !== undefined) gate.event(change, `vehicle ${sysid}`, 5)
}

/** Ends the flight that began at 5 µs for its length. */
function nextPart(gate: FlightGate): void {
  gate.heartbeat(1, true, 24 * H)
  gate.tick(24 * H + 5)
}

const ledger = { framedBytes: 0, noiseBytes: 0, lostBytes: 0, outsideBytes: 0 }

describe('a flight begins', () => {
  test('with the first heartbeat; without one everything is outside', () => {
    const { gate, flights, put } = setUp()
    put(1 * S, 1, 2, 3)
    gate.tick(2 * S)
    expect([gate.isOpen, flights.all]).toEqual([false, []])
    expect(gate.ledger(0)).toEqual({ ...ledger, outsideBytes: 3 })
    gate.heartbeat(1, false, 3 * S)
    expect(gate.isOpen).toBe(true)
    put(3 * S, 4)
    expect(flights.last).toMatchObject({
      openedUs: 1 * S,
      isNextPart: false,
      records: [`noise 0 ${1 * S} 010203`, `noise 0 ${3 * S} 04`],
    })
    expect(gate.ledger(0)).toEqual({ ...ledger, noiseBytes: 4 })
  })

  test('with the 30 s before it, and nothing older', () => {
    const { gate, flights, put } = setUp()
    put(69.9 * S, 1)
    put(70 * S, 2)
    put(99 * S, 3)
    gate.heartbeat(1, true, 100 * S)
    expect(flights.last.openedUs).toBe(70 * S)
    expect(flights.last.records).toEqual([`noise 0 ${70 * S} 02`, `noise 0 ${99 * S} 03`])
    expect(gate.ledger(0)).toEqual({ ...ledger, noiseBytes: 2, outsideBytes: 1 })
  })

  test('at the heartbeat itself where nothing came before', () => {
    const { gate, flights } = setUp()
    gate.heartbeat(1, true, 100 * S)
    expect(flights.last).toMatchObject({ openedUs: 100 * S, records: [] })
  })

  test('with 30 s of a full 921600-baud line, and no more of it is kept than that', () => {
    const { gate, flights } = setUp()
    const perSecond = 92_160
    const record = filler(256)
    for (let sent = 0; sent < 200 * perSecond; sent += record.length) {
      gate.record(FRAME, 0, BigInt(Math.floor((sent / perSecond) * S)), record, 0, record.length)
    }
    gate.heartbeat(1, true, 200 * S)
    expect(flights.storedBytes).toBeGreaterThanOrEqual(30 * perSecond - record.length)
    expect(flights.storedBytes).toBeLessThanOrEqual(30 * perSecond + record.length)
    const { framedBytes, outsideBytes } = gate.ledger(0)
    expect(framedBytes + outsideBytes).toBe(200 * perSecond)
  })

  test('Bounded: of a stream that is faster than any line the newest few megabytes are kept', () => {
    const { gate, flights } = setUp()
    const record = filler(60_000)
    for (let i = 0; i < 500; i++) gate.record(NOISE, 0, 1n, record, 0, record.length)
    gate.heartbeat(1, true, 2)
    expect(flights.storedBytes).toBeGreaterThan(2 * 1024 * 1024)
    expect(flights.storedBytes).toBeLessThan(6 * 1024 * 1024)
    const { noiseBytes, outsideBytes } = gate.ledger(0)
    expect(noiseBytes + outsideBytes).toBe(500 * record.length)
  })

  test('Byte-exact: the newest of a fast stream, in the order in which they came and without a hole', () => {
    const { gate, flights } = setUp()
    const record = filler(60_000)
    for (let i = 0; i < 130; i++) gate.record(NOISE, 0, BigInt(i), record, 0, record.length)
    gate.heartbeat(1, true, 130)
    const times = flights.last.records.map((line) => Number(line.split(' ')[2]))
    expect(times.length).toBeGreaterThan(50)
    expect(times).toEqual(Array.from({ length: times.length }, (_, i) => 130 - times.length + i))
  })

  test('Bounded: of noise in single bytes, too, for each costs more than its byte', () => {
    const { gate, flights } = setUp()
    const one = bytes(7)
    for (let i = 0; i < 1_000_000; i++) gate.record(NOISE, 0, 1n, one, 0, 1)
    gate.heartbeat(1, true, 2)
    expect(flights.storedBytes).toBeGreaterThanOrEqual(256 * 1024)
    expect(flights.storedBytes).toBeLessThanOrEqual(512 * 1024)
    expect(gate.ledger(0).outsideBytes).toBe(1_000_000 - flights.storedBytes)
  })

  test('with the next heartbeat where there was no room for it', () => {
    const { gate, flights, put } = setUp()
    flights.refuses = { open: true }
    gate.heartbeat(1, true, 10 * S)
    put(10 * S, 1)
    expect([gate.isOpen, gate.ledger(0).outsideBytes]).toEqual([false, 1])
    flights.refuses = {}
    gate.heartbeat(1, true, 11 * S)
    expect(flights.last.records).toEqual([`noise 0 ${10 * S} 01`])
  })
})

describe('a flight ends', () => {
  test('60 s after the last heartbeat, disarmed; what comes then belongs to the next one, if that is soon', () => {
    const { gate, flights, put } = setUp()
    gate.heartbeat(1, false, 10 * S)
    gate.tick(70 * S - 1)
    expect(gate.isOpen).toBe(true)
    gate.tick(70 * S)
    expect(flights.all[0]?.closed).toBe(`landed ${70 * S}`)
    put(71 * S, 1)
    put(90 * S, 2)
    gate.heartbeat(1, false, 105 * S)
    expect(flights.last).toMatchObject({
      openedUs: 90 * S,
      isNextPart: false,
      records: [`noise 0 ${90 * S} 02`],
    })
    expect(gate.ledger(0)).toEqual({ ...ledger, noiseBytes: 1, outsideBytes: 1 })
  })

  test('15 min after it, armed', () => {
    const { gate, flights } = setUp()
    gate.heartbeat(1, true, 10 * S)
    gate.tick(14 * MIN)
    expect(gate.isOpen).toBe(true)
    gate.tick(15 * MIN + 10 * S)
    expect(flights.all[0]?.closed).toBe(`silent ${15 * MIN + 10 * S}`)
  })

  test('when asked, and the next heartbeat begins another one', () => {
    const { gate, flights } = setUp()
    expect(gate.close('asked', 1)).toBe(false)
    gate.heartbeat(1, true, 10 * S)
    expect(gate.close('asked', 11 * S)).toBe(true)
    expect([gate.isOpen, flights.all[0]?.closed]).toEqual([false, `asked ${11 * S}`])
    expect(gate.close('asked', 12 * S)).toBe(false)
    gate.heartbeat(1, true, 12 * S)
    expect(flights.last).toMatchObject({ openedUs: 12 * S, isNextPart: false })
  })

  test('not while its end finds no room; the next tick tries again', () => {
    const { gate, flights, put } = setUp()
    gate.heartbeat(1, false, 10 * S)
    flights.refuses = { close: true }
    gate.tick(80 * S)
    put(80 * S, 1)
    expect(gate.ledger(0)).toEqual({ ...ledger, noiseBytes: 1 })
    flights.refuses = {}
    gate.tick(81 * S)
    expect(flights.all[0]?.closed).toBe(`landed ${81 * S}`)
  })

  test('when there is room again, where it was asked to and found none', () => {
    const { gate, flights, put } = setUp()
    gate.heartbeat(1, true, 10 * S)
    flights.refuses = { close: true }
    expect(gate.close('asked', 11 * S)).toBe(true)
    expect(gate.close('shutdown', 12 * S)).toBe(true)
    put(12 * S, 1)
    expect([gate.isOpen, flights.last.closed]).toEqual([true, null])
    flights.refuses = {}
    gate.tick(13 * S)
    expect([gate.isOpen, flights.all[0]?.closed]).toEqual([false, `asked ${13 * S}`])
    gate.heartbeat(1, true, 14 * S)
    gate.tick(15 * S)
    expect(flights.last.closed).toBe(null)
  })

  test('at 24 h, and goes on in a part that names it', () => {
    const { gate, flights, put } = setUp()
    for (let hour = 0; hour <= 24; hour++) {
      gate.heartbeat(1, true, hour * H + 1)
      gate.tick(hour * H + 1)
    }
    expect(flights.all.map(({ closed }) => closed)).toEqual([`too long ${24 * H + 1}`, null])
    expect(flights.last).toMatchObject({ openedUs: 24 * H + 1, isNextPart: true })
    put(24 * H + 2, 9)
    expect(flights.last.records).toEqual([`noise 0 ${24 * H + 2} 09`])
    gate.tick(24 * H + 10 * MIN)
    expect(gate.isOpen, 'armed as it was').toBe(true)
  })

  test('at 24 h, and the next part names it also where there was no room for it at first', () => {
    const { gate, flights } = setUp()
    gate.heartbeat(1, true, 5)
    flights.refuses = { open: true }
    nextPart(gate)
    expect(gate.isOpen).toBe(false)
    gate.heartbeat(1, true, 24 * H + S)
    flights.refuses = {}
    gate.heartbeat(1, true, 24 * H + 2 * S)
    expect(flights.last).toMatchObject({ openedUs: 24 * H + 2 * S, isNextPart: true })
    gate.close('asked', 24 * H + 3 * S)
    gate.heartbeat(1, true, 24 * H + 4 * S)
    expect(flights.last.isNextPart).toBe(false)
  })

  test('at 1 GiB, preroll and all, and the next part has its own', () => {
    const { gate, flights } = setUp()
    flights.record = () => true
    gate.heartbeat(1, true, 1)
    const long = new Uint8Array(16 * 1024 * 1024)
    for (let i = 0; i < 64; i++) {
      gate.tick(2)
      expect(flights.all).toHaveLength(1)
      gate.record(FRAME, 0, 2n, long, 0, long.length)
    }
    gate.tick(3)
    expect(flights.all.map(({ closed, isNextPart }) => [closed, isNextPart])).toEqual([
      ['too large 3', false],
      [null, true],
    ])
    gate.tick(4)
    expect(flights.all).toHaveLength(2)
  })
})

describe('events', () => {
  test('are noted while a flight is on, the one that its first heartbeat brings among them', () => {
    const { gate, flights } = setUp()
    gate.event('link open', 'radio', 1)
    gate.heartbeat(1, true, 2)
    gate.event('armed', 'vehicle 1', 2)
    expect(flights.last.events).toEqual(['armed vehicle 1 2'])
    gate.close('asked', 3)
    gate.event('link lost', 'radio', 4)
    expect(flights.all[0]?.events).toEqual(['armed vehicle 1 2'])
  })

  test('say who is armed in a flight that begins amid, once each', () => {
    const { gate, flights } = setUp()
    beat(gate, 1, true, 'armed')
    beat(gate, 2, true, 'armed')
    beat(gate, 3, false)
    gate.close('asked', 9)
    beat(gate, 1, true)
    beat(gate, 2, true)
    beat(gate, 1, true)
    beat(gate, 3, false)
    beat(gate, 1, false, 'disarmed')
    beat(gate, 1, true, 'armed')
    expect(flights.all.map(({ events }) => events)).toEqual([
      ['armed vehicle 1 5', 'armed vehicle 2 5'],
      ['armed vehicle 1 5', 'armed vehicle 2 5', 'disarmed vehicle 1 5', 'armed vehicle 1 5'],
    ])
  })

  test('do not say of a vehicle that it is armed for having been so in another flight', () => {
    const { gate, flights } = setUp()
    beat(gate, 1, true, 'armed')
    gate.close('asked', 9)
    beat(gate, 1, false, 'disarmed')
    expect(flights.last.events).toEqual(['disarmed vehicle 1 5'])
  })

  test('say who is armed where the first heartbeat found no room for a flight', () => {
    const { gate, flights } = setUp()
    flights.refuses = { open: true }
    beat(gate, 1, true, 'armed')
    flights.refuses = {}
    beat(gate, 1, true)
    expect(flights.last.events).toEqual(['armed vehicle 1 5'])
  })

  test('say at the beginning of each part who is armed', () => {
    const { gate, flights } = setUp()
    beat(gate, 1, true, 'armed')
    beat(gate, 2, true, 'armed')
    beat(gate, 2, false, 'disarmed')
    nextPart(gate)
    beat(gate, 1, true)
    expect(flights.all).toHaveLength(2)
    expect(flights.last.events).toEqual([`armed vehicle 1 ${24 * H + 5}`])
  })

  test('do not say it of one that disarmed before there was room for the next part', () => {
    const { gate, flights } = setUp()
    beat(gate, 1, true, 'armed')
    flights.refuses = { open: true }
    nextPart(gate)
    beat(gate, 1, false, 'disarmed')
    flights.refuses = {}
    beat(gate, 1, false)
    expect(flights.last).toMatchObject({ isNextPart: true, events: [] })
  })
})

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ link: fc.nat(2), isFrame: fc.boolean(), length: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 1, arbitrary: fc.record({ sysid: fc.integer({ min: 1, max: 2 }), armed: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constantFrom('close' as const, 'tick' as const, 'event' as const) },
  { weight: 1, arbitrary: fc.record({ open: fc.boolean(), record: fc.boolean(), close: fc.boolean() }) },
)
const history = fc.array(fc.tuple(step, fc.constantFrom(0, 1, 1, 1000, 10 * S, 61 * S, 16 * MIN)), {
  maxLength: 120,
  size: 'max',
})

test('Counted: in = framed + noise + lost + outside on every link, whatever comes and whatever is refused', () => {
  const property = fc.property(history, (steps) => {
    const { gate, flights } = setUp()
    const bytesIn = [0, 0, 0]
    const sent: string[] = []
    let nowUs = 100 * S
    for (const [each, pauseUs] of steps) {
      nowUs += pauseUs
      if (each === 'close') gate.close('asked', nowUs)
      else if (each === 'tick') gate.tick(nowUs)
      else if (each === 'event') gate.event('reboot', 'vehicle 1', nowUs)
      else if ('open' in each) flights.refuses = each
      else if ('sysid' in each) gate.heartbeat(each.sysid, each.armed, nowUs)
      else {
        const { link, isFrame, length } = each
        const content = filler(length, sent.length)
        gate.record(isFrame ? FRAME : NOISE, link, BigInt(nowUs), content, 0, length)
        bytesIn[link]! += length
        const hex = Buffer.from(content).toString('hex')
        sent.push(`${isFrame ? 'frame' : 'noise'} ${link} ${nowUs} ${hex}`)
      }
    }
    const ledgers = [0, 1, 2].map((link) => gate.ledger(link))
    const sums = ledgers.map((l) => l.framedBytes + l.noiseBytes + l.lostBytes + l.outsideBytes)
    expect(sums).toEqual(bytesIn)
    const sum = (of: keyof (typeof ledgers)[0]): number => ledgers.reduce((all, each) => all + each[of], 0)
    expect(sum('framedBytes') + sum('noiseBytes')).toBe(flights.storedBytes)
    expect(sum('lostBytes')).toBe(flights.refusedBytes)
    // What was stored is what was sent, once each, and in its order.
    const stored = flights.all.flatMap(({ records }) => records)
    let from = 0
    for (const record of stored) {
      const at = sent.indexOf(record, from)
      expect(at, `where ${record} is`).toBeGreaterThanOrEqual(from)
      from = at + 1
    }
    const isFramed = (record: string): number =>
      record.startsWith('frame') ? record.split(' ')[3]!.length / 2 : 0
    expect(stored.reduce((all, record) => all + isFramed(record), 0)).toBe(sum('framedBytes'))
  })
  fc.assert(property, { numRuns: 500 })
})
