/**
 * Recorder: the main thread's end of the storage: what is to be stored goes into the ring, and never waits.
 * What finds no room there is lost, and said to be by a gap: when, how many bytes, why.
 */
import { Worker } from 'node:worker_threads'
import { Fault } from '../../base/fault.js'
import type { Closing } from '../tail/chunk.js'
import { ANCHOR, CLOSE, EVENT, GAP } from '../tail/chunk.js'
import type { ClockAnchor, FlightEvent, FlightHead, Gap } from '../flight/flight.js'
import type { RecordKind } from '../segment/records.js'
import { OPEN, RingWriter, createSharedRing } from './ring.js'
import type { FromWorker, StorageWorkerData, ToWorker } from './storage-worker.js'
import type { Stored } from './vault-writer.js'

/** Memory of the worker's heap (MiB): two segments being gathered and one being encoded take 20. */
const WORKER_HEAP_MB = 96

export interface RecorderOptions {
  vaultDir: string
  /** Recovery is done; from now on chunks become durable. */
  onReady(): void
  onStored(stored: Stored): void
  onClosed(flightId: string, reason: string): void
  /** The worker cannot begin (a Fault), or died of a mistake of ours: the station cannot go on. */
  onFatal(error: unknown): void
}

export class Recorder {
  readonly #worker: Worker
  readonly #ring: RingWriter
  /** What was lost since the ring was last full, by link. */
  readonly #gaps = new Map<number, Gap>()
  readonly #stopped: Promise<number>
  /** Bytes lost so far, by link. */
  readonly lostBytes = new Map<number, number>()

  constructor(options: RecorderOptions) {
    const ring = createSharedRing()
    const workerData: StorageWorkerData = { vaultDir: options.vaultDir, ring }
    this.#ring = new RingWriter(ring)
    this.#worker = new Worker(new URL('./storage-worker.js', import.meta.url), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
    })
    this.#worker.on('error', (error) => options.onFatal(error))
    this.#stopped = new Promise((resolve) => {
      this.#worker.on('message', (message: FromWorker) => {
        if (message.kind === 'ready') options.onReady()
        else if (message.kind === 'stored') options.onStored(message)
        else if (message.kind === 'closed') options.onClosed(message.flightId, message.reason)
        else if (message.kind === 'failed') options.onFatal(new Fault(message.fault))
        else resolve(message.leftBytes)
      })
    })
  }

  /** Bytes that wait in the ring. */
  get backlogBytes(): number {
    return this.#ring.used
  }

  /** Begins a flight; false where even that finds no room. */
  open(head: FlightHead): boolean {
    return this.#json(OPEN, head.openedUs ?? 0, head)
  }

  /** Stores a record of the flight that is on; false where it is lost. */
  record(
    kind: RecordKind,
    link: number,
    timeUs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    if (this.#gaps.size > 0) this.#writeGaps(false)
    if (this.#gaps.size === 0 && this.#ring.write(kind, link, timeUs, bytes, start, end)) return true
    this.#lose(link, timeUs, end - start)
    return false
  }

  event(event: FlightEvent): void {
    this.#json(EVENT, event.recvTimeUs, event)
  }

  anchor(anchor: ClockAnchor): void {
    this.#json(ANCHOR, anchor.recvTimeUs, anchor)
  }

  /** Ends the flight that is on and has it stored at once; false where there is no room even for that: try again. */
  close(closing: Closing): boolean {
    this.#writeGaps(true)
    // A gap belongs to the flight it is in, so the flight does not end before it is told.
    if (this.#gaps.size > 0) return false
    const done = this.#json(CLOSE, closing.closedUs, closing)
    this.#say('pump')
    return done
  }

  /** Everything that was given is stored and closed when this resolves, but for the bytes that it returns. */
  async stop(): Promise<number> {
    this.#say('stop')
    const leftBytes = await this.#stopped
    await this.#worker.terminate()
    return leftBytes
  }

  #lose(link: number, timeUs: number, bytes: number): void {
    this.lostBytes.set(link, (this.lostBytes.get(link) ?? 0) + bytes)
    const gap = this.#gaps.get(link)
    if (gap === undefined) {
      const reason = 'the card took nothing for so long that memory was full'
      this.#gaps.set(link, { link, fromUs: timeUs, toUs: timeUs, bytes, reason })
    } else {
      gap.toUs = timeUs
      gap.bytes += bytes
    }
  }

  #writeGaps(control: boolean): void {
    for (const [link, gap] of this.#gaps) {
      const text = new TextEncoder().encode(JSON.stringify(gap))
      if (this.#ring.write(GAP, link, gap.toUs, text, 0, text.length, control)) this.#gaps.delete(link)
    }
  }

  #json(kind: number, timeUs: number, value: object): boolean {
    const text = new TextEncoder().encode(JSON.stringify(value))
    return this.#ring.write(kind, 0, timeUs, text, 0, text.length, true)
  }

  #say(message: ToWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
    this.#worker.postMessage(message)
  }
}
