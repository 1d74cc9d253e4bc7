/**
 * Serial link: a serial device over its whole life, from before it is plugged in to after it is pulled out.
 * It opens the device, reads it in paced steps, and opens it again whenever it is back:
 *
 *     closed ──start──▶ waiting ◀──hang-up── open        stop: from anywhere to closed
 *                          └──────opens───────▲
 */
import { monotonicUs } from '../base/clock.js'
import { Fault, faultLines } from '../base/fault.js'
import type { Log } from '../base/log.js'
import { ABSENT, HUNG_UP } from './port-fault.js'
import { openSerialPort, type SerialPort } from './serial-port.js'

export type LinkState =
  | { kind: 'closed' }
  /** Why there are no bytes, since when (receive clock, µs); the device is tried again all the while. */
  | { kind: 'waiting'; fault: Fault; sinceUs: number }
  | { kind: 'open'; sinceUs: number }

/** Since the link was made. */
export interface LinkCounts {
  bytes: number
  /** Reads that brought bytes. */
  reads: number
  opens: number
  hangUps: number
}

export type { SerialLink }

export interface SerialLinkOptions {
  name: string
  /** A path; names in /dev/serial/by-id and by-path survive another USB socket and another order of start. */
  device: string
  baud: number
  log: Log
  /** What one read brought, in order. The bytes are borrowed: valid during the call only. */
  onBytes(bytes: Uint8Array, recvTimeUs: number): void
  /** 500 ms without a byte have followed the last ones; once for each such silence, not at a hang-up. */
  onIdle(): void
  onState(state: LinkState): void
}

/** What Linux holds of a terminal's input before it drops or throttles (bytes; N_TTY_BUF_SIZE). */
const TTY_BUFFER_BYTES = 4096

/** Pause between reads while bytes flow (ms): receive times are that exact; at 5 reading costs twice the CPU. */
const READ_PAUSE_MS = 10

/** Pause between reads of a silent line (ms): leaves room for an unplug to be seen within 100 ms on a busy machine. */
const IDLE_READ_PAUSE_MS = 40

/** Silence after which what began as a frame will not end as one (µs); radios pause up to 300 ms between bursts. */
const IDLE_AFTER_US = 500_000

/** Pause between attempts to open (ms): an attempt costs a system call, and four fit into the promised second. */
const RETRY_PAUSE_MS = 250

export function createSerialLink(options: SerialLinkOptions): SerialLink {
  return new SerialLink(options)
}

/** Made by `createSerialLink`. A failing device is a state and one line in the log per change, never an exception. */
class SerialLink {
  readonly name: string
  readonly counts: LinkCounts = { bytes: 0, reads: 0, opens: 0, hangUps: 0 }
  readonly #options: SerialLinkOptions
  readonly #buffer = new Uint8Array(TTY_BUFFER_BYTES)
  /** A full line fills half of the kernel's buffer in this time (ms; ten bits a byte). */
  readonly #halfBufferMs: number
  #state: LinkState = { kind: 'closed' }
  #running = false
  #port: SerialPort | null = null
  /** The opening or closing under way; `stop` waits for it. */
  #change: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #lastByteUs = 0
  /** No byte since it opened, or since `onIdle` was called. */
  #idle = true
  #lastFaultCode = ''

  constructor(options: SerialLinkOptions) {
    this.name = options.name
    this.#options = options
    this.#halfBufferMs = ((TTY_BUFFER_BYTES / 2) * 10 * 1000) / options.baud
  }

  get state(): LinkState {
    return this.#state
  }

  /** Begins to try the device; a device that is not there is a state, not an error. */
  start(): void {
    if (this.#running) throw new Error(`link ${this.name} was started twice`)
    this.#running = true
    this.#change = this.#open()
  }

  /** Reads what is there, then closes the device. When it resolves the device is free, and no callback comes any more. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    if (this.#port !== null) this.#read(this.#port)
    this.#running = false
    clearTimeout(this.#timer)
    await this.#change
    await this.#port?.close()
    this.#port = null
    if (this.#state.kind !== 'closed') this.#enter({ kind: 'closed' })
  }

  async #open(): Promise<void> {
    const { device, baud, log } = this.#options
    let port: SerialPort
    try {
      port = await openSerialPort(device, baud)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      if (this.#running) this.#wait(error)
      return
    }
    this.#port = port
    if (!this.#running) return
    this.counts.opens++
    log.info(`link ${this.name}: ${device} is open at ${baud} baud`)
    this.#enter({ kind: 'open', sinceUs: monotonicUs() })
    this.#after(0, () => this.#read(port))
  }

  #read(port: SerialPort): void {
    const found = port.read(this.#buffer)
    const nowUs = monotonicUs()
    if (typeof found !== 'number') return this.#hangUp(port, found)
    if (found > 0) {
      this.#lastByteUs = nowUs
      this.#idle = false
      this.counts.bytes += found
      this.counts.reads++
      this.#options.onBytes(this.#buffer.subarray(0, found), nowUs)
    } else if (!this.#idle && nowUs - this.#lastByteUs >= IDLE_AFTER_US) {
      this.#idle = true
      this.#options.onIdle()
    }
    this.#after(this.#pauseMs(found), () => this.#read(port))
  }

  /** A read that brought half a buffer or more was late: the next one follows at once. */
  #pauseMs(byteCount: number): number {
    if (byteCount >= TTY_BUFFER_BYTES / 2) return 0
    return Math.min(this.#idle ? IDLE_READ_PAUSE_MS : READ_PAUSE_MS, this.#halfBufferMs)
  }

  #hangUp(port: SerialPort, fault: Fault): void {
    this.#port = null
    this.#idle = true
    this.counts.hangUps++
    this.#change = port.close()
    this.#wait(fault)
  }

  /** Tells a fault that is news, and tries again in a while. */
  #wait(fault: Fault): void {
    if (this.#isNews(fault)) {
      this.#options.log.warn(faultLines(fault))
      this.#enter({ kind: 'waiting', fault, sinceUs: monotonicUs() })
    }
    this.#lastFaultCode = fault.code
    // Only after the last close has ended: until then the old descriptor holds the lock.
    this.#after(RETRY_PAUSE_MS, () => {
      this.#change = this.#change.then(() => this.#open())
    })
  }

  #isNews(fault: Fault): boolean {
    if (this.#state.kind !== 'waiting') return true
    const told = this.#state.fault.code
    if (fault.code === told || (told === HUNG_UP && fault.code === ABSENT)) return false
    // udev hands a fresh device to its group a moment after it appears: a new reason counts when met twice.
    return fault.code === this.#lastFaultCode
  }

  #enter(state: LinkState): void {
    this.#state = state
    this.#options.onState(state)
  }

  /** The one timer: a link reads, or it waits to open. */
  #after(pauseMs: number, step: () => void): void {
    if (this.#running) this.#timer = setTimeout(step, pauseMs)
  }
}
