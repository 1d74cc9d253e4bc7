/**
 * Cable: the way from the simulated vehicle to its reader, which comes and goes.
 * While it is plugged in there is a device for a reader; when a reader goes away there is soon another one for the
 * next. Bytes get through only while somebody has the device open.
 */
import { openPseudoTerminal, type PseudoTerminal } from './pseudo-terminal.js'

export class Cable {
  readonly #link: string
  #pluggedIn = false
  /** What is plugged in, or about to be. */
  #terminal: Promise<PseudoTerminal> | null = null
  /** The same once a reader has it open. */
  #open: PseudoTerminal | null = null
  #readerCount = 0
  #life: Promise<void> = Promise.resolve()

  constructor(link: string) {
    this.#link = link
  }

  /** How many readers there have been; bytes that a reader left unread when the next one came are gone. */
  get readerCount(): number {
    return this.#readerCount
  }

  /** Resolves when a reader has the device open. Errors: the `Fault` of the pseudo-terminal. */
  plugIn(): Promise<void> {
    this.#pluggedIn = true
    return new Promise((resolve, reject) => {
      this.#life = this.#live(resolve).catch(reject)
    })
  }

  /** Resolves when the device that was plugged in last is there. Errors: as of `plugIn`. */
  async isThere(): Promise<void> {
    await this.#terminal
  }

  /** Resolves when the device is gone. */
  async pullOut(): Promise<void> {
    this.#pluggedIn = false
    this.#open = null
    const terminal = await this.#terminal?.catch(() => null) // plugIn tells
    await terminal?.unplug()
    await this.#life
  }

  /** True when the bytes are on their way to a reader, false when there is none and they went nowhere. */
  async send(bytes: Uint8Array): Promise<boolean> {
    return this.#open !== null && this.#open.write(bytes)
  }

  async #live(onReader: () => void): Promise<void> {
    while (this.#pluggedIn) {
      this.#terminal = openPseudoTerminal({ link: this.#link })
      const terminal = await this.#terminal
      let gone = false
      void terminal.opened.then(() => {
        if (gone || !this.#pluggedIn) return
        this.#open = terminal
        this.#readerCount++
        onReader()
      })
      await terminal.closed
      gone = true
      this.#open = null
    }
  }
}
