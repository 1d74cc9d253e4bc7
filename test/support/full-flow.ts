/**
 * Full flow: a serial line that is never silent: a simulated copter's frames, back to back, at the most that a
 * 921600-baud line carries, on a pseudo-terminal that comes back whenever its reader went away.
 *
 *     copter, a few bytes lost ──▶ loop of 3 MB ──a piece each millisecond──▶ socat ──▶ LINK ──▶ reader
 *
 * It keeps no log: a place on the wire is a place in the loop, so `wire` gives any of it, however long it ran.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Cable } from '../../src/simulator/cable.js'
import { createCopter } from '../../src/simulator/copter.js'
import { createByteLoss } from '../../src/simulator/faults.js'

/** What a 921600-baud line carries, at ten bits a byte (bytes/s). */
export const FULL_FLOW_BYTES_PER_S = 92_160

/** Length of the loop on the vehicle's clock (s); each round it is switched on anew. It flies 24 times as fast as we. */
const LOOP_S = 800
/** Bytes that the air loses, as a share: every few hundredth frame is damaged, and noise. */
const BYTE_LOSS = 1e-4
/** Pause between pieces (ms): as short as timers are. */
const PIECE_PAUSE_MS = 1
/** The kernel's buffer of a terminal (bytes); what is due after a pause of ours goes out in pieces no larger. */
const MAX_PIECE_BYTES = 4096
/** Blocks in which bytes are held against the loop (bytes). */
const COMPARED_BYTES = 64 * 1024

/** What was sent while one reader had the device open, as places on the wire; of that the end goes down with a hang-up. */
export interface FlowReader {
  fromByte: number
  toByte: number
  /** How fast it flowed at last. */
  bytesPerS: number
}

export interface FullFlowOptions {
  /** Where the device appears (a symbolic link). */
  link: string
  /** 92,160 unless told. */
  bytesPerS?: number
  seed?: number
}

export class FullFlow {
  /** May be changed at any time. */
  bytesPerS: number
  /** Each that had the device open, in turn. */
  readonly readers: FlowReader[] = []
  /** How long a piece waited at most (ms), be it for the reader or, where that was busy, for our own process. */
  longestWaitMs = 0
  readonly #loop: Uint8Array
  readonly #cable: Cable
  #reader = 0
  #running: Promise<void> | undefined
  /** Why there can be no pseudo-terminal. */
  #failure: Error | undefined
  #stopping = false
  #pausing = false

  private constructor(loop: Uint8Array, { link, bytesPerS = FULL_FLOW_BYTES_PER_S }: FullFlowOptions) {
    this.#loop = loop
    this.#cable = new Cable(link)
    this.bytesPerS = bytesPerS
  }

  /** Plugs the device in; bytes flow as soon as a reader has it open. */
  static async start(options: FullFlowOptions): Promise<FullFlow> {
    const flow = new FullFlow(await makeLoop(options.seed ?? 1), options)
    flow.#plugIn()
    flow.#running = flow.#run()
    flow.#running.catch(() => {}) // `stop` tells
    return flow
  }

  /** Bytes on the wire so far. */
  get sentBytes(): number {
    return this.readers.at(-1)?.toByte ?? 0
  }

  /**
   * Pulls the device out and plugs in another one, as soon as its reader is killed: the kernel gives the number of a
   * terminal that is gone to the next one that asks, and the next reader must not find that one under our link.
   */
  async replug(): Promise<void> {
    await this.#cable.pullOut()
    this.#plugIn()
  }

  /** Lets the line be silent, still plugged in. */
  pause(): void {
    this.#pausing = true
  }

  resume(): void {
    this.#pausing = false
  }

  /** What stood on the wire between two places. */
  wire(fromByte: number, toByte: number): Uint8Array {
    const bytes = new Uint8Array(toByte - fromByte)
    for (let done = 0; done < bytes.length;) {
      const at = (fromByte + done) % this.#loop.length
      const part = this.#loop.subarray(at, at + bytes.length - done)
      bytes.set(part, done)
      done += part.length
    }
    return bytes
  }

  /** How many of `bytes`, from their first one on, are those of the wire from `fromByte` on. */
  agreeing(bytes: Uint8Array, fromByte: number): number {
    for (let at = 0; at < bytes.length; at += COMPARED_BYTES) {
      const part = bytes.subarray(at, at + COMPARED_BYTES)
      const sent = this.wire(fromByte + at, fromByte + at + part.length)
      if (Buffer.compare(part, sent) !== 0) return at + part.findIndex((byte, i) => byte !== sent[i])
    }
    return bytes.length
  }

  /** Ends the flow and pulls the device out. */
  async stop(): Promise<void> {
    this.#stopping = true
    // First: a piece that a reader leaves unread ends with the device.
    await this.#cable.pullOut()
    await this.#running
  }

  /** A reader may come whenever it likes. */
  #plugIn(): void {
    this.#cable.plugIn().catch((cause: unknown) => (this.#failure = new Error('the line failed', { cause })))
  }

  async #run(): Promise<void> {
    let lastMs = performance.now()
    let due = 0
    while (!this.#stopping) {
      await pause(PIECE_PAUSE_MS)
      if (this.#failure !== undefined) throw this.#failure
      const nowMs = performance.now()
      due += ((nowMs - lastMs) * this.bytesPerS) / 1000
      lastMs = nowMs
      // A line keeps nothing for a reader that comes later.
      if (this.#pausing) due = 0
      while (due >= 1) {
        const piece = Math.min(Math.floor(due), MAX_PIECE_BYTES)
        due = (await this.#send(piece)) ? due - piece : 0
      }
    }
  }

  async #send(byteCount: number): Promise<boolean> {
    const reader = this.#cable.readerCount
    const fromByte = this.sentBytes
    const startMs = performance.now()
    if (!(await this.#cable.send(this.wire(fromByte, fromByte + byteCount)))) return false
    this.longestWaitMs = Math.max(this.longestWaitMs, performance.now() - startMs)
    if (reader !== this.#reader) this.readers.push({ fromByte, toByte: fromByte, bytesPerS: 0 })
    this.#reader = reader
    Object.assign(this.readers.at(-1)!, { toByte: fromByte + byteCount, bytesPerS: this.bytesPerS })
    return true
  }
}

async function makeLoop(seed: number): Promise<Uint8Array> {
  const copter = await createCopter({ seed, durationS: LOOP_S })
  const lose = createByteLoss({ rate: BYTE_LOSS, seed })
  return Buffer.concat([...copter.frames()].map(({ bytes }) => lose(bytes)))
}
