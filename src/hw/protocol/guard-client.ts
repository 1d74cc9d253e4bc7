/**
 * Guard client: the station's end of the protocol. It connects, and again whenever the guard is back, for ever; it says the
 * station's state each second and on change.
 * Guarantees: never throws and never waits for the guard; an answer counts only on the connection that it was asked on.
 */
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { LineSplitter } from '../../base/line-splitter.js'
import { writeLine } from '../../base/line-writer.js'
import { MAX_LINE_BYTES, lineOf, parseFromGuard } from './messages.js'
import type { DoorWord, FromGuard, FromStation, LinkWord, VehicleWord } from './messages.js'

/** Pause before the next try to connect (ms): a guard that was restarted hears of the station within half a second. */
const RECONNECT_MS = 500

/** The station's state is said this often (ms), and when it changed. */
const STATE_MS = 1000

/** Lines in a row that are no message: whoever serves this is no guard, or one of another version (lines). */
const MAX_NONSENSE = 100

export interface GuardClientOptions {
  path: string
  /** What is said of the station; asked each second and on `changed`. */
  state(): { link: LinkWord; vehicle: VehicleWord }
  /** The guard asks to give way; `answer` says it, where the guard that asked is still there. */
  onGiveWay(answer: (word: 'gave way' | { refused: string }) => void): void
  /** The guard came or went, or said something new of the door. */
  onGuard(): void
}

/** The question "is shut?" that is on. */
interface Question {
  n: number
  end(verified: boolean): void
}

export class GuardClient {
  readonly #options: GuardClientOptions
  #socket: Socket | null = null
  /** The socket is connected. */
  #isPresent = false
  #door: { state: DoorWord; reason: string } | null = null
  #stopped = false
  #reconnect: NodeJS.Timeout | undefined
  readonly #timer: NodeJS.Timeout
  #lastSaid = ''
  #lastNumber = 0
  #question: Question | null = null
  /** Lines that were no message of a guard, since the start. */
  nonsense = 0

  constructor(options: GuardClientOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#sayState(true), STATE_MS)
    this.#connect()
  }

  /** Whether somebody serves the guard's socket. */
  get guard(): 'absent' | 'present' {
    return this.#isPresent ? 'present' : 'absent'
  }

  /** As the guard told last; null while it is absent. */
  get door(): { state: DoorWord; reason: string } | null {
    return this.#door
  }

  /** The station's state may have changed: what is new is said at once. */
  changed(): void {
    this.#sayState(false)
  }

  /** Asks whether all uplinks are shut, read afresh. False where no guard is there, or none answers within the time. */
  async isShut(atMostMs: number): Promise<boolean> {
    this.#question?.end(false)
    if (!this.#isPresent) return false
    return new Promise((resolve) => {
      const n = ++this.#lastNumber
      const timer = setTimeout(() => this.#question?.end(false), atMostMs)
      this.#question = {
        n,
        end: (verified) => {
          clearTimeout(timer)
          this.#question = null
          resolve(verified)
        },
      }
      this.#say({ v: 1, op: 'is shut', n })
    })
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
    clearTimeout(this.#reconnect)
    this.#question?.end(false)
    // What was said is still sent: an end, not a cut.
    this.#socket?.end()
    this.#socket?.unref()
  }

  #connect(): void {
    const socket = createConnection(this.#options.path)
    this.#socket = socket
    const lines = new LineSplitter(MAX_LINE_BYTES)
    let nonsense = 0
    socket.on('connect', () => this.#connected())
    socket.on('error', () => socket.destroy())
    socket.on('end', () => socket.destroy())
    socket.on('close', () => this.#closed())
    socket.on('data', (bytes: Buffer) => {
      for (const line of lines.push(bytes)) {
        const message = line === null ? null : parseFromGuard(line)
        if (message !== null) this.#heard(message, socket)
        else {
          this.nonsense++
          if (++nonsense > MAX_NONSENSE) socket.destroy()
        }
        if (socket.destroyed) return
      }
    })
  }

  #connected(): void {
    if (this.#stopped) return
    this.#isPresent = true
    this.#sayState(true)
    this.#options.onGuard()
  }

  #closed(): void {
    const wasPresent = this.#isPresent
    this.#isPresent = false
    this.#door = null
    this.#socket = null
    this.#question?.end(false)
    if (this.#stopped) return
    this.#reconnect = setTimeout(() => this.#connect(), RECONNECT_MS)
    if (wasPresent) this.#options.onGuard()
  }

  #heard(message: FromGuard, socket: Socket): void {
    if (this.#stopped) return
    if (message.op === 'door') this.#heardDoor(message.door, message.reason)
    else if (message.op === 'give way')
      this.#options.onGiveWay((word) => this.#answer(message.n, word, socket))
    else if (message.n === this.#question?.n) this.#question.end(message.verified)
  }

  #heardDoor(state: DoorWord, reason: string): void {
    const isNews = state !== this.#door?.state || reason !== this.#door.reason
    this.#door = { state, reason }
    if (isNews) this.#options.onGuard()
  }

  #answer(n: number, word: 'gave way' | { refused: string }, asker: Socket): void {
    if (asker !== this.#socket) return
    // First what the station is now: the guard should not hear that it gave way and still think its link open.
    this.#sayState(false)
    this.#say(word === 'gave way' ? { v: 1, op: word, n } : { v: 1, op: 'refused', n, why: word.refused })
  }

  #sayState(evenIfOld: boolean): void {
    const { link, vehicle } = this.#options.state()
    const said = `${link} ${vehicle}`
    if (!evenIfOld && said === this.#lastSaid) return
    this.#lastSaid = said
    this.#say({ v: 1, op: 'state', link, vehicle })
  }

  #say(message: FromStation): void {
    if (this.#isPresent && this.#socket !== null) writeLine(this.#socket, lineOf(message))
  }
}
