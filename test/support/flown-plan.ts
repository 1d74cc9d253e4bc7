/**
 * Flown plan: flights with what came in during them, as the steps of a storage worker, and what must come out again.
 */
import { createCopter } from '../../src/simulator/copter.js'
import type { Random } from '../../src/simulator/random.js'
import type { ClockAnchor, FlightEvent, FlightHead, Gap } from '../../src/storage/flight/flight.js'
import { OPEN } from '../../src/storage/recorder/ring.js'
import { FRAME, NOISE } from '../../src/storage/segment/records.js'
import { ANCHOR, CLOSE, EVENT, GAP } from '../../src/storage/tail/chunk.js'
import { readFileSync } from 'node:fs'
import { captures } from './captures.js'
import { HEAD } from './chunks.js'
import { filler } from './frames.js'
import type { TestRecord } from './recordings.js'
import { readTlog } from './tlog.js'

/** An entry of the ring: kind, link, time, bytes in base64. */
type Entry = [kind: number, link: number, timeUs: number, base64: string]

/** What the driver does at once; the entries become chunks, then it goes on. */
export interface Step {
  entries?: Entry[]
  /** How many records of this flight were given to the storage with them. */
  given?: { flightId: string; records: number }
  /** The flight that these entries end. */
  closing?: string
  /** Waits until this flight is closed and settled. */
  untilClosed?: string
  restMs?: number
  /** The process is killed. */
  die?: boolean
}

/** A flight as it was given to the storage: all that comes out must be a beginning of this. */
export interface FlownFlight {
  head: FlightHead
  records: TestRecord[]
  gaps: Gap[]
  events: FlightEvent[]
  anchors: ClockAnchor[]
  /** Of each record, the bytes that came in up to its end, with those of the gaps before. */
  bytesThrough: number[]
  /** Of each record, how many gaps, events and anchors were before it. */
  happenedBefore: [gaps: number, events: number, anchors: number][]
  closing: { reason: 'landed' | 'asked'; closedUs: number } | undefined
}

/** Frames of a vehicle, over and over: those of a recording where there are some, or else of the simulator. */
async function framesOf(seed: number): Promise<Uint8Array[]> {
  const recording = captures().find(
    ({ oracle }) => oracle.format === 'tlog' && oracle.structural.skipped_bytes === 0 && oracle.bytes > 2e6,
  )
  if (recording !== undefined) return readTlog(readFileSync(recording.path)).map(({ frame }) => frame)
  const copter = await createCopter({ seed, durationS: 600 })
  return [...copter.frames()].map(({ bytes }) => bytes)
}

/** Chunks of flights are small, now and then large. */
function chunkBytes(random: Random): number {
  return random() < 0.1 ? 60_000 + random() * 100_000 : 1_000 + random() * 30_000
}

export class FlownPlan {
  readonly flights: FlownFlight[] = []
  readonly #random: Random
  readonly #frames: readonly Uint8Array[]
  #nextFrame = 0
  #timeUs = 2_000_000

  private constructor(frames: readonly Uint8Array[], random: Random) {
    this.#random = random
    this.#frames = frames
    this.#nextFrame = Math.floor(random() * frames.length)
  }

  static async create(random: Random): Promise<FlownPlan> {
    return new FlownPlan(await framesOf(1), random)
  }

  /** A flight of about so many bytes, in steps of a chunk or a few. */
  fly(bytes: number, closed: boolean): Step[] {
    const id = `${HEAD.station}-00c0ffee-${this.flights.length + 1}`
    const flight: FlownFlight = {
      head: { ...HEAD, id, openedUs: this.#timeUs },
      records: [],
      gaps: [],
      events: [],
      anchors: [],
      bytesThrough: [],
      happenedBefore: [],
      closing: closed
        ? { reason: this.flights.length % 2 === 0 ? 'landed' : 'asked', closedUs: 0 }
        : undefined,
    }
    this.flights.push(flight)
    const steps: Step[] = []
    let left = bytes
    for (let opening: Entry[] = [json(OPEN, this.#timeUs, flight.head)]; left > 0; opening = []) {
      const entries = [...opening, ...this.#entries(flight, chunkBytes(this.#random))]
      left -= entries.reduce((sum, [, , , base64]) => sum + base64.length * 0.75, 0)
      steps.push({ entries, given: { flightId: id, records: flight.records.length } })
    }
    if (flight.closing !== undefined) {
      flight.closing.closedUs = this.#timeUs
      steps.push({ entries: [json(CLOSE, this.#timeUs, flight.closing)], closing: id })
    }
    return steps
  }

  #entries(flight: FlownFlight, bytes: number): Entry[] {
    const entries: Entry[] = []
    for (let sum = 0; sum < bytes;) {
      this.#timeUs += Math.floor(this.#random() * 20_000)
      entries.push(...this.#happenings(flight))
      // Much noise: it is what no compressor makes smaller, so that files have many pages.
      const isNoise = this.#random() < 0.06
      const next = isNoise
        ? filler(1 + Math.floor(this.#random() * 3000), this.#timeUs)
        : this.#frames[this.#nextFrame++ % this.#frames.length]!
      const link = this.#random() < 0.1 ? 1 : 0
      this.#record(flight, { kind: isNoise ? NOISE : FRAME, link, timeUs: BigInt(this.#timeUs), bytes: next })
      entries.push([isNoise ? NOISE : FRAME, link, this.#timeUs, Buffer.from(next).toString('base64')])
      sum += next.length
    }
    return entries
  }

  #record(flight: FlownFlight, record: TestRecord): void {
    const [gapsBefore] = flight.happenedBefore.at(-1) ?? [0]
    const gapBytes = flight.gaps.slice(gapsBefore).reduce((sum, gap) => sum + gap.bytes, 0)
    flight.records.push(record)
    flight.bytesThrough.push((flight.bytesThrough.at(-1) ?? 0) + gapBytes + record.bytes.length)
    flight.happenedBefore.push([flight.gaps.length, flight.events.length, flight.anchors.length])
  }

  /** Now and then something besides records. */
  #happenings(flight: FlownFlight): Entry[] {
    const luck = this.#random()
    const timeUs = this.#timeUs
    if (luck < 0.0005) {
      const gap: Gap = {
        link: 0,
        fromUs: timeUs - 500,
        toUs: timeUs,
        bytes: 1 + Math.floor(luck * 1e6),
        reason: 'made up',
      }
      flight.gaps.push(gap)
      return [json(GAP, timeUs, gap)]
    }
    if (luck < 0.001) {
      const event: FlightEvent = {
        recvTimeUs: timeUs,
        kind: 'armed',
        detail: `sysid ${flight.events.length}`,
      }
      flight.events.push(event)
      return [json(EVENT, timeUs, event)]
    }
    if (luck < 0.0015) {
      const anchor: ClockAnchor = { recvTimeUs: timeUs, utcUs: 1_704_067_200_000_000 + timeUs, source: 'gps' }
      flight.anchors.push(anchor)
      return [json(ANCHOR, timeUs, anchor)]
    }
    return []
  }
}

function json(kind: number, timeUs: number, value: object): Entry {
  return [kind, 0, timeUs, Buffer.from(JSON.stringify(value)).toString('base64')]
}
