/**
 * Guard server: the guard's end of the protocol, on `guard.sock` in its run_dir. One client is the station: the first
 * one that says a `state`, until it goes, or until it says nothing for so long that another one may take its place.
 * Guarantees: nothing that a client sends throws, grows without bound, or counts as an answer to what was not asked; who is
 * not the station and says no message is let go, so that a room full of such clients keeps no station out.
 */
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { createConnection, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { behindInput } from '../../base/behind-input.js'
import { errnoOf, reasonOf } from '../../base/fault.js'
import { Client, SILENT_MS } from './client.js'
import type { DoorWord, FromGuard, FromStation, LinkWord, VehicleWord } from './messages.js'
import { socketFault } from './protocol-fault.js'

/** Clients at once: a station, the one that comes after it, and a few that do not belong here. */
const MAX_CLIENTS = 16

/** A station that has not given way after so long keeps the door shut (ms). */
const ANSWER_MS = 5000

export interface GuardServerOptions {
  path: string
  /** The station came, went, or said something new of itself. */
  onStation(): void
  /** The station holds the token and asks: read the kernel afresh, now, and say whether all uplinks are shut. */
  verifyShut(): Promise<boolean>
}

/** What came that was no use, since the start. */
export interface NonsenseCounts {
  /** Lines that are no message. */
  lines: number
  /** Messages of somebody who is not the station, or answers to what was not asked, or too late. */
  unasked: number
}

export type Answer = 'gave way' | 'refused' | 'silent'

export interface GuardServer {
  readonly station: 'absent' | 'present'
  /** As last told; 'closed' and 'none' while the station is absent. */
  readonly link: LinkWord
  readonly vehicle: VehicleWord
  readonly nonsense: Readonly<NonsenseCounts>
  /** Asks the station to give way; 'silent' where none is there, it goes, or it does not answer in 5 s. */
  askToGiveWay(): Promise<Answer>
  /** Tells everybody now; to be called each second and on each change. */
  tell(door: DoorWord, reason: string): void
  /** Lets go of all clients and of the path. */
  close(): void
}

/** Serves `path` until it is closed. Errors: a Fault where another guard serves it or the folder cannot be written. */
export async function openGuardServer(options: GuardServerOptions): Promise<GuardServer> {
  const { path } = options
  await removeStale(path)
  const server = createServer()
  const served = new ServedGuard(server, options)
  server.maxConnections = MAX_CLIENTS
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(socketFault(path, reasonOf(cause), cause)))
    server.listen(path, resolve)
  })
  // From now on what fails is one client's accept: too many files, and the like. It is gone, the guard is not.
  server.on('error', () => undefined)
  try {
    chmodSync(path, 0o660)
  } catch (cause) {
    served.close()
    throw socketFault(path, reasonOf(cause), cause)
  }
  return served
}

/** The question that is on. */
interface Question {
  n: number
  answer: Promise<Answer>
  end(answer: Answer): void
}

class ServedGuard implements GuardServer {
  readonly #options: GuardServerOptions
  readonly #server: Server
  readonly #clients = new Set<Client>()
  readonly nonsense: NonsenseCounts = { lines: 0, unasked: 0 }
  #station: Client | null = null
  /** It has just become the station. */
  #isNew = false
  #heardMs = 0
  #link: LinkWord = 'closed'
  #vehicle: VehicleWord = 'none'
  #lastNumber = 0
  #question: Question | null = null
  /** What was told last; who comes is told it at once. */
  #door: FromGuard | null = null
  /** The station's own question is being looked into. */
  #verifying = false

  constructor(server: Server, options: GuardServerOptions) {
    this.#server = server
    this.#options = options
    server.on('connection', (socket) => this.#welcome(socket))
  }

  get station(): 'absent' | 'present' {
    return this.#station === null ? 'absent' : 'present'
  }

  get link(): LinkWord {
    return this.#link
  }

  get vehicle(): VehicleWord {
    return this.#vehicle
  }

  async askToGiveWay(): Promise<Answer> {
    if (this.#station === null) return 'silent'
    if (this.#question !== null) return this.#question.answer
    const n = ++this.#lastNumber
    let answered: (word: Answer) => void = () => {}
    const answer = new Promise<Answer>((resolve) => (answered = resolve))
    const silence = behindInput(ANSWER_MS, () => this.#question?.end('silent'))
    this.#question = {
      n,
      answer,
      end: (word) => {
        silence.cancel()
        this.#question = null
        answered(word)
      },
    }
    this.#station.say({ v: 1, op: 'give way', n })
    return answer
  }

  tell(door: DoorWord, reason: string): void {
    this.#door = { v: 1, op: 'door', door, reason }
    for (const client of this.#clients) client.say(this.#door)
  }

  close(): void {
    this.#server.close()
    for (const client of this.#clients) client.hangUp()
    this.#question?.end('silent')
  }

  #welcome(socket: Socket): void {
    const client: Client = new Client(socket, {
      heard: (message) => this.#heard(client, message),
      nonsense: () => void this.nonsense.lines++,
      // A station that hangs stays the station until another one is there: it may still have its links open.
      silent: () => {
        if (client !== this.#station) client.hangUp()
      },
      closed: () => {
        this.#clients.delete(client)
        if (client === this.#station) this.#release()
      },
    })
    this.#clients.add(client)
    if (this.#door !== null) client.say(this.#door)
  }

  #heard(client: Client, message: FromStation): void {
    if (message.op === 'state' && this.#claims(client)) this.#heardState(message.link, message.vehicle)
    else if (client !== this.#station) this.nonsense.unasked++
    else if (message.op === 'is shut') this.#answerShut(client, message.n)
    else if (message.op !== 'state') this.#heardAnswer(message.op, message.n)
  }

  /** Whether the client is the station, or becomes it: one that lives is never pushed aside. */
  #claims(client: Client): boolean {
    const nowMs = performance.now()
    if (this.#station !== null && this.#station !== client) {
      if (nowMs - this.#heardMs < SILENT_MS) return false
      this.#station.hangUp()
      this.#release()
    }
    this.#isNew = this.#station === null
    this.#station = client
    this.#heardMs = nowMs
    return true
  }

  #heardState(link: LinkWord, vehicle: VehicleWord): void {
    const isNews = this.#isNew || link !== this.#link || vehicle !== this.#vehicle
    this.#isNew = false
    this.#link = link
    this.#vehicle = vehicle
    if (isNews) this.#options.onStation()
  }

  #heardAnswer(word: 'gave way' | 'refused', n: number): void {
    if (this.#question?.n === n) this.#question.end(word)
    else this.nonsense.unasked++
  }

  /** One at a time: a client that asks on and on reads the kernel no more often than it answers. */
  #answerShut(client: Client, n: number): void {
    if (this.#verifying) {
      this.nonsense.unasked++
      return
    }
    this.#verifying = true
    const verified = this.#options.verifyShut().catch(() => false)
    void verified.then((isVerified) => {
      this.#verifying = false
      client.say({ v: 1, op: 'shut', n, verified: isVerified })
    })
  }

  #release(): void {
    this.#station = null
    this.#link = 'closed'
    this.#vehicle = 'none'
    this.#question?.end('silent')
    this.#options.onStation()
  }
}

/**
 * Makes the path free: a socket that nobody serves is left by a guard that was killed.
 * Errors: Fault GL-GUARD-01 where a guard serves it, or its folder is not there.
 */
export async function removeStale(path: string): Promise<void> {
  // Listening would say that it is forbidden.
  if (!existsSync(dirname(path))) throw socketFault(path, `there is no folder ${dirname(path)}`)
  const found = await new Promise<string>((resolve) => {
    const socket = createConnection(path, () => {
      socket.destroy()
      resolve('')
    })
    socket.once('error', (error) => resolve(errnoOf(error)))
  })
  if (found === '') throw socketFault(path, 'a guard is running already')
  try {
    if (found === 'ECONNREFUSED') rmSync(path, { force: true })
  } catch (cause) {
    throw socketFault(path, reasonOf(cause), cause)
  }
}
