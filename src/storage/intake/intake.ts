/**
 * Intake: one link's bytes on their way in: split, redacted, looked at, handed on as records.
 *
 *     bytes ──▶ splitter ──▶ redaction ──▶ vehicles (heartbeats, time)
 *                                └───────▶ record sink
 */
import type { FrameSplitter } from '../../link/frame-splitter.js'
import { createSplitter } from '../../link/frame-splitter.js'
import type { Dialect } from '../../mavlink/dialect.js'
import type { Vehicles } from '../../mavlink/vehicles.js'
import { FRAME, NOISE } from '../segment/records.js'
import type { RecordSink } from '../segment/records.js'
import { Redaction } from './redaction.js'
import { TIMESTAMP_BYTES, timestampAt } from '../import/tlog.js'

/**
 * Receive times of a live link are rounded down to this (µs): a read comes up to 10 ms after its bytes, so finer digits
 * are noise, and noise is what a flight file cannot make smaller (5 % of it).
 */
const RESOLUTION_US = 100

export interface IntakeOptions {
  link: number
  dialect: Dialect
  vehicles: Vehicles
  sink: RecordSink
  /** The bytes are a tlog: each frame brings its own receive time. */
  timestamped?: boolean
  /** A signing key was zeroed. */
  onRedaction?: (recvTimeUs: number) => void
}

export interface IntakeCounts {
  bytesIn: number
  frames: number
  framedBytes: number
  noiseBytes: number
}

export class Intake {
  readonly counts: IntakeCounts = { bytesIn: 0, frames: 0, framedBytes: 0, noiseBytes: 0 }
  readonly #redaction = new Redaction()
  #told = 0
  readonly #splitter: FrameSplitter
  readonly #options: IntakeOptions
  readonly #prefixBytes: number
  #timeUs = 0n
  #recvTimeUs = 0

  constructor(options: IntakeOptions) {
    this.#options = options
    this.#prefixBytes = options.timestamped === true ? TIMESTAMP_BYTES : 0
    this.#splitter = createSplitter(
      options.dialect.byId,
      {
        frame: (bytes, start, end) => this.#frame(bytes, start, end),
        noise: (bytes, start, end) => this.#noise(bytes, start, end),
      },
      { prefixBytes: this.#prefixBytes },
    )
  }

  /** Signing keys zeroed so far. */
  get redactions(): number {
    return this.#redaction.count
  }

  /** Bytes that wait for more: neither framed nor noise yet. */
  get heldBytes(): number {
    return this.#splitter.heldBytes
  }

  /** Takes the bytes of one read and its receive time (µs; of no meaning where the bytes bring their own). */
  push(bytes: Uint8Array, recvTimeUs: number): void {
    this.counts.bytesIn += bytes.length
    const timeUs = recvTimeUs - (recvTimeUs % RESOLUTION_US)
    if (this.#prefixBytes === 0 && timeUs !== this.#recvTimeUs) this.#setTime(BigInt(timeUs), timeUs)
    this.#splitter.push(bytes)
  }

  /** The line is silent (see the splitter). */
  idle(): void {
    this.#splitter.idle()
  }

  /** The line is gone: what was held comes out. */
  end(): void {
    this.#splitter.end()
  }

  #setTime(timeUs: bigint, recvTimeUs: number): void {
    this.#timeUs = timeUs
    this.#recvTimeUs = recvTimeUs
  }

  #frame(bytes: Uint8Array, start: number, end: number): void {
    const from = start + this.#prefixBytes
    if (this.#prefixBytes > 0) {
      const timeUs = timestampAt(bytes, start)
      this.#setTime(timeUs, Number(timeUs))
    }
    this.#redaction.frame(bytes, from, end)
    this.#tellRedactions()
    this.counts.frames++
    this.counts.framedBytes += end - from
    this.#options.vehicles.observe(bytes, from, this.#recvTimeUs)
    this.#options.sink(FRAME, this.#options.link, this.#timeUs, bytes, from, end)
  }

  #noise(bytes: Uint8Array, start: number, end: number): void {
    this.#redaction.noise(bytes, start, end)
    this.#tellRedactions()
    this.counts.noiseBytes += end - start
    this.#options.sink(NOISE, this.#options.link, this.#timeUs, bytes, start, end)
  }

  #tellRedactions(): void {
    for (; this.#told < this.#redaction.count; this.#told++) this.#options.onRedaction?.(this.#recvTimeUs)
  }
}
