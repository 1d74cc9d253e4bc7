/**
 * Recorder: the main thread's end of the storage: what is to be stored goes into the ring, and never waits.
 * A record that finds no room there is lost, and said to be by a gap: when, how many bytes, why. Events and clock anchors
 * are few, and wait; those for which even that is too much are counted in the gap.
 *
 *     gaps ─▶ events and anchors that wait ─▶ what comes now          whenever there is room again, in this order
 *
 * but for events and anchors that come while only a gap is owed: the ring keeps a reserve for them, and they go first.
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

/**
 * Events and clock anchors that wait while the ring has no room even for them: a flight has a few dozen. Together with
 * the ring's own reserve that is hours of full memory.
 */
export const MAX_WAITING_NOTES = 256

/** Why bytes are lost; it stands in the flight, for a person. */
const MEMORY_FULL = 'the card took nothing for so long that memory was full'

/** What was lost since the ring was last full, of one link; the notes are events and clock anchors. */
interface Loss {
  gap: Gap
  notes: number
}

/** An event or a clock anchor on its way into the ring. */
interface Note {
  kind: number
  timeUs: number
  value: FlightEvent | ClockAnchor
}

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
  readonly #options: RecorderOptions
  readonly #shared = createSharedRing()
  #worker: Worker | undefined
  readonly #ring: RingWriter
  /** By link; told as soon as there is room. */
  readonly #losses = new Map<number, Loss>()
  /** In order; at most MAX_WAITING_NOTES. */
  #notes: Note[] = []
  #stopped = Promise.resolve(0)
  /** What is owed from then on is told by what `stop` returns, and by no gap. */
  #isStopping = false

  constructor(options: RecorderOptions) {
    this.#options = options
    this.#ring = new RingWriter(this.#shared)
  }

  /**
   * Begins to store; what was given before waits in the ring. Apart from the constructor, because a thread takes a while
   * to begin, and the first byte of a line should not wait for that.
   */
  start(): void {
    const workerData: StorageWorkerData = { vaultDir: this.#options.vaultDir, ring: this.#shared }
    const worker = new Worker(new URL('./storage-worker.js', import.meta.url), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
    })
    worker.on('error', (error) => this.#options.onFatal(error))
    this.#stopped = new Promise((resolve) => {
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'stopped') resolve(message.leftBytes)
        else this.#heard(message)
      })
    })
    this.#worker = worker
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
    if (this.#owes) this.#settle(false)
    if (this.#losses.size === 0 && this.#ring.write(kind, link, timeUs, bytes, start, end)) return true
    this.#lose(link, timeUs, end - start)
    return false
  }

  event(event: FlightEvent): void {
    this.#note({ kind: EVENT, timeUs: event.recvTimeUs, value: event })
  }

  anchor(anchor: ClockAnchor): void {
    this.#note({ kind: ANCHOR, timeUs: anchor.recvTimeUs, value: anchor })
  }

  /** Ends the flight that is on and has it stored at once; false where there is no room even for that: try again. */
  close(closing: Closing): boolean {
    this.#settle(true)
    // What is owed belongs to the flight it is of, so the flight does not end before it is told.
    const done = !this.#owes && this.#json(CLOSE, closing.closedUs, closing)
    this.#say('pump')
    return done
  }

  /** Everything that was given is stored and closed when this resolves, but for the bytes that it returns. */
  async stop(): Promise<number> {
    const untoldBytes = [...this.#losses.values()].reduce((sum, { gap }) => sum + gap.bytes, 0)
    if (this.#worker === undefined) return this.#ring.used + untoldBytes
    this.#isStopping = true
    this.#say('stop')
    const leftBytes = await this.#stopped
    await this.#worker.terminate()
    return leftBytes + untoldBytes
  }

  #heard(message: Exclude<FromWorker, { kind: 'stopped' }>): void {
    const options = this.#options
    if (message.kind === 'ready') options.onReady()
    else if (message.kind === 'closed') options.onClosed(message.flightId, message.reason)
    else if (message.kind === 'failed') options.onFatal(new Fault(message.fault))
    else {
      // There is room again: a line that is silent by now must not keep a loss from being told. `stop` has counted it as left.
      if (!this.#isStopping) this.#settle(false)
      options.onStored(message)
    }
  }

  /** Whether something waits that was refused. */
  get #owes(): boolean {
    return this.#losses.size > 0 || this.#notes.length > 0
  }

  #lose(link: number, timeUs: number, bytes: number): Loss {
    let loss = this.#losses.get(link)
    if (loss === undefined) {
      loss = { gap: { link, fromUs: timeUs, toUs: timeUs, bytes: 0, reason: MEMORY_FULL }, notes: 0 }
      this.#losses.set(link, loss)
    }
    loss.gap.toUs = Math.max(loss.gap.toUs, timeUs)
    loss.gap.bytes += bytes
    return loss
  }

  #note(note: Note): void {
    if (this.#owes) this.#settle(false)
    if (this.#notes.length === 0 && this.#json(note.kind, note.timeUs, note.value)) return
    if (this.#notes.length < MAX_WAITING_NOTES) this.#notes.push(note)
    else this.#dropNote(note.timeUs)
  }

  /** Notes are of no link; they are counted with the first one's bytes, which are lost by then, or with none. */
  #dropNote(timeUs: number): void {
    const loss = this.#lose(0, timeUs, 0)
    loss.notes++
    loss.gap.reason = `${MEMORY_FULL}; with it ${loss.notes} events and clock anchors`
  }

  /** Tells what is owed, as far as there is room; `control`: also that which is kept for the end of a flight. */
  #settle(control: boolean): void {
    for (const [link, { gap }] of this.#losses) {
      if (!this.#json(GAP, gap.toUs, gap, control)) return
      this.#losses.delete(link)
    }
    const told = this.#notes.findIndex(({ kind, timeUs, value }) => !this.#json(kind, timeUs, value))
    this.#notes = told === -1 ? [] : this.#notes.slice(told)
  }

  #json(kind: number, timeUs: number, value: object, control = true): boolean {
    const text = new TextEncoder().encode(JSON.stringify(value))
    return this.#ring.write(kind, 0, timeUs, text, 0, text.length, control)
  }

  #say(message: ToWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
    this.#worker?.postMessage(message)
  }
}
