/**
 * Client: one program at the guard's socket: its lines in, ours out, both bounded. It can hang itself up, and no more.
 */
import type { Socket } from 'node:net'
import { LineSplitter } from '../../base/line-splitter.js'
import { writeLine } from '../../base/line-writer.js'
import { MAX_LINE_BYTES, lineOf, parseFromStation } from './messages.js'
import type { FromGuard, FromStation } from './messages.js'
import { Pace } from './pace.js'

/** A station says one line a second and one on each change; who says more is no station (lines, at once and a second). */
const PACE = { most: 60, perSecond: 20 }

export interface ClientListener {
  heard(message: FromStation): void
  /** A line that is no message; it is only counted. */
  nonsense(): void
  closed(): void
}

export class Client {
  readonly #socket: Socket
  readonly #pace = new Pace(PACE, performance.now())

  constructor(socket: Socket, listener: ClientListener) {
    this.#socket = socket
    const lines = new LineSplitter(MAX_LINE_BYTES)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => listener.closed())
    // A half line that is left then is no message.
    socket.on('end', () => socket.destroy())
    socket.on('data', (bytes: Buffer) => {
      for (const line of lines.push(bytes)) {
        const message = line === null ? null : parseFromStation(line)
        if (message === null) listener.nonsense()
        else listener.heard(message)
        if (!this.#pace.allows(performance.now())) this.hangUp()
        if (socket.destroyed) return
      }
    })
  }

  /** Says it, unless the client is gone; one that does not read is let go. */
  say(message: FromGuard): void {
    writeLine(this.#socket, lineOf(message))
  }

  hangUp(): void {
    this.#socket.destroy()
  }
}
