/**
 * Closings: who waits for a flight's file to be closed; two who ask wait for the same.
 */

export class Closings {
  readonly #all = new Map<string, { ended: Promise<void>; end: () => void }>()

  until(flightId: string): Promise<void> {
    let closing = this.#all.get(flightId)
    if (closing === undefined) {
      let end = (): void => {}
      const ended = new Promise<void>((resolve) => (end = resolve))
      closing = { ended, end }
      this.#all.set(flightId, closing)
    }
    return closing.ended
  }

  closed(flightId: string): void {
    this.#all.get(flightId)?.end()
    this.#all.delete(flightId)
  }
}
