/**
 * Late: shutting texts that the resident did not answer in time, done by spawned nfts. One at a time: each reads all tables, so
 * many at once keep each other from ever being done. What comes meanwhile goes together in the next.
 */

interface Waiting {
  text: string
  resolve: (trouble: string | null) => void
}

export class Late {
  readonly #run: (text: string) => Promise<string | null>
  #waiting: Waiting[] = []
  #isRunning = false

  /** @param run spawns an nft that takes the text as one transaction; resolves with what failed, or null. */
  constructor(run: (text: string) => Promise<string | null>) {
    this.#run = run
  }

  /** Resolves with what failed, or null. @param answer the resident's: what it has done while the text waits is not done again. */
  do(text: string, answer: Promise<string | null>): Promise<string | null> {
    return new Promise((resolve) => {
      const waiting = { text, resolve }
      this.#waiting.push(waiting)
      void answer.then((trouble) => {
        if (trouble !== null || !this.#waiting.includes(waiting)) return
        this.#waiting = this.#waiting.filter((each) => each !== waiting)
        resolve(null)
      })
      if (!this.#isRunning) void this.#work()
    })
  }

  async #work(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0)
      const texts = [...new Set(batch.map(({ text }) => text))]
      const trouble = await this.#run(texts.join(''))
      const isEachAlone = trouble !== null && texts.length > 1
      for (const text of texts) {
        const found = isEachAlone ? await this.#run(text) : trouble
        for (const each of batch) if (each.text === text) each.resolve(found)
      }
    }
    this.#isRunning = false
  }
}
