/**
 * Client: one program at the guard's socket: its lines in, ours out, both bounded. It can hang itself up, and no more.
 */
import type { Socket } from 'node:net'
import { behindInput } from '../../base/behind-input.js'
import type { Behind } from '../../base/behind-input.js'
import { LineSplitter } from '../../base/line-splitter.js'
import { writeLine } from '../../base/line-writer.js'
import { MAX_LINE_BYTES, lineOf, parseFromStation } from './messages.js'
import type { FromGuard, FromStation } from './messages.js'
import { Pace } from './pace.js'

/** A station says one line a second and one on each change; who says more is no station (lines, at once and a second). */
const PACE = { most: 60, perSecond: 20 }

/**
 * Who has said no message for so long is silent (ms). A station says the first one as soon as it is connected, and one each
 * second: five in a row are missing. It connects twice a second while the room is full, so it is in half a second later.
 */
export const SILENT_MS = 5000

export interface ClientListener {
  heard(message: FromStation): void
  /** A line that is no message; it is only counted. */
  nonsense(): void
  /** No message for SILENT_MS. */
  silent(): void
  closed(): void
}

export class Client {
  readonly #socket: Socket
  readonly #pace = new Pace(PACE, performance.now())
  readonly #listener: ClientListener
  #silence: Behind

  constructor(socket: Socket, listener: ClientListener) {
    this.#socket = socket
    this.#listener = listener
    this.#silence = this.#silent()
    const lines = new LineSplitter(MAX_LINE_BYTES)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => {
      this.#silence.cancel()
      listener.closed()
    })
    // A half line that is left then is no message.
    socket.on('end', () => socket.destroy())
    socket.on('data', (bytes: Buffer) => {
      for (const line of lines.push(bytes)) {
        const message = line === null ? null : parseFromStation(line)
        if (message === null) listener.nonsense()
        else {
          this.#silence.cancel()
          this.#silence = this.#silent()
          listener.heard(message)
        }
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

  #silent(): Behind {
    return behindInput(SILENT_MS, () => {
      if (!this.#socket.destroyed) this.#listener.silent()
    })
  }
}
