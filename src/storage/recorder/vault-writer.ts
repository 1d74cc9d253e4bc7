/**
 * Vault writer: the storage worker's work: entries of the ring become durable chunks at once, and segments behind.
 *
 *     ring ──▶ chunk ──synchronous write, fdatasync──▶ tail          foreground: each 900 ms, never waits for SQLite
 *                └──▶ live flight ──encode, commit──▶ flight file    background: one step after the other
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { monotonicUs } from '../../base/clock.js'
import { Fault, faultLines } from '../../base/fault.js'
import type { Log } from '../../base/log.js'
import type { Dialect } from '../../mavlink/dialect.js'
import { CLOSE, ChunkWriter } from '../tail/chunk.js'
import { SEGMENT_BYTES } from '../flight/flight-builder.js'
import type { FlightHead } from '../flight/flight.js'
import { LiveFlight } from '../flight/live-flight.js'
import { FRAME, NOISE } from '../segment/records.js'
import { recover } from './recovery.js'
import { OPEN, RingReader } from './ring.js'
import type { SharedRing } from './ring.js'
import type { Sqlite } from '../flight/sqlite.js'
import {
  COMMIT_FAULT,
  TAILS_FULL,
  commitFault,
  isOfTheWorld,
  recoveryFault,
  tailsFullFault,
} from './storing-fault.js'
import { TAIL_FAULT } from '../tail/tail.js'
import { TailPair } from '../tail/tail-pair.js'
import type { Vault } from '../vault/vault.js'
import { lockVault } from '../vault/vault-lock.js'

/** A chunk is cut this often (µs): with a flush of up to 100 ms a power cut costs at most a second. */
export const CHUNK_US = 900_000

/** A chunk is full at this size (bytes): a backlog is worked off in pieces that a tail has room for. */
const MAX_CHUNK_BYTES = 256 * 1024

/** Age at which records become a segment though they are few (µs): a quiet line should not live in the tail for hours. */
const SEGMENT_AGE_US = 600e6

/** A flush that takes longer breaks the promise of one second (µs); it is counted and warned of. */
const SLOW_FLUSH_US = 100_000

/** Pause before a commit that failed is tried again (ms). */
const RETRY_MS = 2000

/** What the rest of the program is told after each durable chunk. */
export interface Stored {
  flightId: string
  /** Sequence of the last durable chunk. */
  sequence: number
  /** Bytes of this flight's records that are durable. */
  bytes: number
  /** How long its flush took (µs), and how many took too long since the start. */
  flushUs: number
  slowFlushes: number
}

export interface VaultWriterOptions {
  vault: Vault
  ring: SharedRing
  dialect: Dialect
  log: Log
  onStored(stored: Stored): void
  onClosed(flightId: string, reason: string): void
  /** Aborted when the program ends. */
  signal?: AbortSignal
}

export class VaultWriter {
  readonly #options: VaultWriterOptions
  readonly #lock: Sqlite
  readonly #ring: RingReader
  readonly #chunk = new ChunkWriter()
  readonly #tails: TailPair
  #sequence: number
  #flight: LiveFlight | undefined
  /** The chunk holds its flight's end. */
  #chunkCloses = false
  #lastPumpUs = 0
  #segmentSinceUs = 0
  /** The background: cuts and closings, one after the other. */
  #work: Promise<void> = Promise.resolve()
  #cutting = false
  #stopping = false
  /** A step of the background gave up, as the program ends: those behind it would build on what it did not commit. */
  #gaveUp = false
  #slowFlushes = 0
  /** Codes of faults that were told and last still. */
  readonly #told = new Set<string>()

  private constructor(options: VaultWriterOptions, lock: Sqlite, tails: TailPair, lastSequence: number) {
    this.#options = options
    this.#lock = lock
    this.#ring = new RingReader(options.ring)
    this.#tails = tails
    this.#sequence = lastSequence
  }

  /**
   * Recovers what was left, then begins. Where the card takes nothing it waits until it does: meanwhile what comes in
   * gathers in the ring; null where the program ends meanwhile. Errors: a Fault where another station holds the vault.
   */
  static async start(options: VaultWriterOptions): Promise<VaultWriter | null> {
    const { vault, dialect, log, signal } = options
    const lock = await lockVault(vault)
    for (let told = false; ; told = true) {
      try {
        const { flightIds, problems, lastSequence } = await recover(vault, dialect)
        const tails = new TailPair(vault, lastSequence)
        for (const problem of problems) log.error(problem)
        for (const id of flightIds) log.warn(`flight ${id} had been cut off: recovered and closed`)
        if (told) log.info('GL-VAULT-05 is over')
        return new VaultWriter(options, lock, tails, lastSequence)
      } catch (error) {
        if (!isOfTheWorld(error)) throw error
        if (!told) log.error(faultLines(recoveryFault(vault.dir, error)))
        if (signal?.aborted) {
          await lock.close()
          return null
        }
        // The end of the program wakes it, for a last try.
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  /** Takes all that the ring holds and makes it durable, as far as there is room. */
  pump(): void {
    this.#lastPumpUs = monotonicUs()
    for (let isBacklog = true; isBacklog;) {
      this.#ring.drain((...entry) => this.#takeEntry(...entry))
      // What came in during the flush waits for the next chunk: one of its own would cost a page and a flush again.
      isBacklog = this.#chunkIsFull
      if (!this.#storeChunk()) return
    }
  }

  /**
   * Stores and closes what came; returns the bytes of the ring that could not be stored. A card that refuses is not
   * waited for: the next start recovers what the tails hold.
   */
  async stop(): Promise<number> {
    this.#stopping = true
    // A backlog fills the tails; the commits behind free them again.
    for (let before = -1; before !== this.#sequence + this.#tails.committedSequence;) {
      before = this.#sequence + this.#tails.committedSequence
      this.pump()
      await this.#work
    }
    this.#tails.close()
    await this.#lock.close()
    const inChunk = this.#flight === undefined || this.#chunk.isEmpty ? 0 : this.#chunk.length
    return this.#ring.used + inChunk
  }

  /** What comes next belongs to another chunk. */
  get #chunkIsFull(): boolean {
    return this.#chunkCloses || this.#chunk.length >= MAX_CHUNK_BYTES
  }

  /** Takes a ring entry into the chunk; false when the chunk must be stored first. */
  #takeEntry(
    kind: number,
    link: number,
    timeUs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    if (this.#chunkIsFull) return false
    if (kind === OPEN) this.#beginFlight(headOf(bytes, start, end))
    else if (this.#flight === undefined)
      throw new Error('an entry outside of a flight came to the storage worker')
    else if (kind === FRAME || kind === NOISE) this.#chunk.record(kind, link, timeUs, bytes, start, end)
    else this.#chunk.json(kind, timeUs, bytes, start, end)
    this.#chunkCloses = kind === CLOSE
    return true
  }

  #beginFlight(head: FlightHead): void {
    this.#flight = LiveFlight.begin(this.#options.vault, head, this.#options.dialect, () => this.#breathe())
    this.#segmentSinceUs = monotonicUs()
    this.#chunk.begin(head)
  }

  /** Writes the chunk, if there is one and room for it; true when more may be drained. */
  #storeChunk(): boolean {
    const flight = this.#flight
    if (flight === undefined || this.#chunk.isEmpty) return false
    const beganUs = monotonicUs()
    if (!this.#append(flight)) {
      this.#cut(flight)
      return false
    }
    this.#sequence++
    flight.take(this.#sequence, this.#chunk)
    this.#announce(flight, monotonicUs() - beganUs)
    if (this.#chunkCloses) this.#closeFlight(flight)
    else {
      this.#chunk.begin(flight.head)
      this.#cutIfDue(flight)
    }
    return true
  }

  /** Makes the chunk durable, or leaves it for the next time; says which. */
  #append(flight: LiveFlight): boolean {
    try {
      const done = this.#tails.append(this.#chunk, this.#sequence + 1)
      // Tails that are full while a backlog is worked off are no fault: the commit behind will free one.
      if (!done && this.#told.has(COMMIT_FAULT)) throw tailsFullFault(flight.head.id)
      return done
    } catch (error) {
      this.#report(flight, error)
      return false
    }
  }

  #announce(flight: LiveFlight, flushUs: number): void {
    this.#over(TAIL_FAULT, TAILS_FULL)
    if (flushUs > SLOW_FLUSH_US) {
      this.#slowFlushes++
      this.#options.log.warn(
        `the card took ${(flushUs / 1000).toFixed(0)} ms to flush; a power cut would have cost more than 1 s`,
      )
    }
    this.#options.onStored({
      flightId: flight.head.id,
      sequence: this.#sequence,
      bytes: flight.recordBytes,
      flushUs,
      slowFlushes: this.#slowFlushes,
    })
  }

  #cutIfDue(flight: LiveFlight): void {
    const old = monotonicUs() - this.#segmentSinceUs >= SEGMENT_AGE_US
    if (flight.pendingBytes >= SEGMENT_BYTES || old || this.#tails.isNearlyFull) this.#cut(flight)
  }

  /** Begins to make a segment of what was gathered, unless one is being made. */
  #cut(flight: LiveFlight): void {
    if (this.#cutting || flight.pendingBytes === 0) return
    try {
      this.#tails.switch()
    } catch (error) {
      return this.#report(flight, error)
    }
    this.#segmentSinceUs = monotonicUs()
    this.#cutting = true
    this.#behind(async () => {
      await this.#commit(flight, () => flight.cut())
      this.#cutting = false
    })
  }

  #closeFlight(flight: LiveFlight): void {
    this.#flight = undefined
    this.#chunkCloses = false
    this.#behind(async () => {
      await this.#commit(flight, () => flight.end('shutdown'))
      await flight.settle()
      this.#options.onClosed(flight.head.id, flight.closing?.reason ?? 'shutdown')
    })
  }

  /** Adds to the background. What fails for good has been reported, and stays in the tails, as what is behind it does. */
  #behind(step: () => Promise<void>): void {
    this.#work = this.#work
      .then(() => (this.#gaveUp ? undefined : step()))
      .catch((error: unknown) => {
        if (!(error instanceof Stopped)) throw error
        this.#gaveUp = true
      })
  }

  /** Commits by `cut`, and again until the card takes it. */
  async #commit(flight: LiveFlight, cut: () => Promise<void>): Promise<void> {
    const through = flight.lastChunk
    for (let attempt = cut; ; attempt = () => flight.retry()) {
      try {
        await attempt()
        break
      } catch (error) {
        this.#report(flight, error)
        if (this.#stopping) throw new Stopped()
        await sleep(RETRY_MS)
      }
    }
    this.#tails.committed(through)
    this.#over(COMMIT_FAULT)
  }

  /** Between the steps of encoding: what is due is made durable first. */
  async #breathe(): Promise<void> {
    if (monotonicUs() - this.#lastPumpUs >= CHUNK_US) this.pump()
  }

  /** Tells a fault once, until it is over. A mistake of ours is thrown on: the thread ends, and the station with it. */
  #report(flight: LiveFlight, error: unknown): void {
    if (!isOfTheWorld(error)) throw error
    const fault = error instanceof Fault ? error : commitFault(flight.head.id, error)
    if (!this.#told.has(fault.code)) this.#options.log.error(faultLines(fault))
    this.#told.add(fault.code)
  }

  #over(...codes: string[]): void {
    for (const code of codes) if (this.#told.delete(code)) this.#options.log.info(`${code} is over`)
  }
}

/** The program ends, and the card still refuses. */
class Stopped extends Error {}

function headOf(bytes: Uint8Array, start: number, end: number): FlightHead {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- edge: our own recorder wrote it into the ring
  return JSON.parse(new TextDecoder().decode(bytes.slice(start, end))) as FlightHead
}
