/**
 * Line splitter: bytes of a socket to lines, and no more memory than one line.
 * Guarantees: holds at most as many bytes as the longest line may have; a half line at the end of a connection never comes out.
 * Errors: none; what is too long or no UTF-8 is null in place of its line.
 */
const NEWLINE = 10

export class LineSplitter {
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true })
  readonly #held: Buffer
  #heldBytes = 0
  /** The line that is on was too long, and was said to be; the rest of it is nothing. */
  #skipping = false

  /** `maxLineBytes`: of the longest line, without its end. */
  constructor(maxLineBytes: number) {
    this.#held = Buffer.alloc(maxLineBytes)
  }

  /** The lines that these bytes complete, in order, without their ends; null for each that cannot be one. */
  *push(bytes: Uint8Array): Generator<string | null> {
    for (let start = 0; start < bytes.length;) {
      const found = bytes.indexOf(NEWLINE, start)
      const end = found === -1 ? bytes.length : found
      yield* this.#take(bytes.subarray(start, end))
      if (found === -1) return
      yield* this.#endLine()
      start = found + 1
    }
  }

  *#take(part: Uint8Array): Generator<null> {
    if (this.#skipping) return
    if (this.#heldBytes + part.length > this.#held.length) {
      this.#skipping = true
      yield null
      return
    }
    this.#held.set(part, this.#heldBytes)
    this.#heldBytes += part.length
  }

  *#endLine(): Generator<string | null> {
    if (!this.#skipping) yield this.#decoded(this.#held.subarray(0, this.#heldBytes))
    this.#skipping = false
    this.#heldBytes = 0
  }

  #decoded(line: Uint8Array): string | null {
    try {
      return this.#utf8.decode(line)
    } catch {
      return null
    }
  }
}
