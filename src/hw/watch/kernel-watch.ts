/**
 * Kernel watch: what the guard knows of the kernel, and since when: the read-back of the door, what the uplinks sent while
 * shut, what the canary said.
 * Guarantees: what was begun before the last change of the door is never taken for what came after it.
 */
import { Fault, faultLines, reasonOf } from '../../base/fault.js'
import type { Log } from '../../base/log.js'
import type { Door } from '../door/door.js'
import type { DoorReading } from '../door/reading.js'
import type { Canary, CanaryWord } from '../witness/canary.js'
import type { Growth, Witness } from '../witness/witness.js'

export class KernelWatch {
  readonly #door: Door
  readonly #witness: Witness
  readonly #canary: Canary
  readonly #log: Log
  #reading: DoorReading | undefined
  #growths: readonly Growth[] = []
  #witnessTrouble: string | null = null
  #canarySaid: CanaryWord | null = null
  #isFlying = false
  /** Changes of the door so far: a reading that was begun before the last one is void. */
  #changes = 0
  #isPermitted = false
  #running: Promise<void> | undefined

  constructor(parts: { door: Door; witness: Witness; canary: Canary; log: Log }) {
    this.#door = parts.door
    this.#witness = parts.witness
    this.#canary = parts.canary
    this.#log = parts.log
  }

  /** The last read-back; undefined before the first. */
  get reading(): DoorReading | undefined {
    return this.#reading
  }

  /** When the last read-back was begun (monotonic, ms); -Infinity before the first. */
  get readAtMs(): number {
    return this.#reading?.atMs ?? -Infinity
  }

  /** What the uplinks sent while they were shut, as of the last look. */
  get growths(): readonly Growth[] {
    return this.#growths
  }

  get canarySaid(): CanaryWord | null {
    return this.#canarySaid
  }

  /** A canary that came through a door that reads as shut knows better than the read-back, and so does a blind witness. */
  get kernel(): DoorReading['kernel'] {
    const kernel = this.#reading?.kernel ?? 'differs'
    return kernel === 'shut' && this.#contradiction !== null ? 'differs' : kernel
  }

  get problem(): string {
    return this.#contradiction ?? this.#reading?.problems[0] ?? ''
  }

  get #contradiction(): string | null {
    return this.#canarySaid === 'passed' ? 'the canary came through' : this.#witnessTrouble
  }

  /** The door is about to be shut: what is being read now is void. */
  shuts(): void {
    this.#changes++
    this.#isPermitted = false
  }

  /** The door was shut, and `reading` is what was read back behind that. */
  shut(reading: DoorReading): void {
    this.#take(reading)
    try {
      this.#witness.shut(reading.uplinks)
    } catch (error) {
      this.#blinded(error)
    }
  }

  /**
   * The door is about to be opened, or held open: sending is right from now on, and what is being read when it is opened is void. A
   * reading may span a renewal; one that takes longer than those come would never count.
   */
  permits(): void {
    if (!this.#isPermitted) this.#changes++
    this.#isPermitted = true
    this.#witness.permitted()
  }

  /** Reads all of it. Never throws; one that hangs is not begun again, so that what is known grows old, which is a doubt. */
  async read(): Promise<void> {
    if (this.#running !== undefined) return
    this.#running = this.#read()
    await this.#running
    this.#running = undefined
  }

  /** Reads what is there from now on: behind a reading that is under way, which may have looked before. */
  async readAnew(): Promise<void> {
    await this.#running
    await this.read()
  }

  async #read(): Promise<void> {
    try {
      const changes = this.#changes
      const reading = await this.#door.read()
      if (changes === this.#changes) this.#take(reading)
      await this.#look(reading)
    } catch (error) {
      this.#log.error(`the kernel could not be read: ${reasonOf(error)}`)
    }
  }

  async flyCanary(): Promise<void> {
    if (this.#isFlying) return
    this.#isFlying = true
    this.#canarySaid = await this.#canary.test()
    this.#isFlying = false
  }

  async #look({ uplinks, locals }: DoorReading): Promise<void> {
    const verified = locals.filter(({ isThere, mismatch }) => isThere && mismatch === null)
    try {
      this.#growths = await this.#witness.look(
        uplinks,
        verified.map(({ name }) => name),
      )
      this.#witnessTrouble = null
    } catch (error) {
      this.#blinded(error)
    }
  }

  /** A witness that cannot see is a doubt, and told once. */
  #blinded(error: unknown): void {
    if (this.#witnessTrouble === null)
      this.#log.error(error instanceof Fault ? faultLines(error) : reasonOf(error))
    this.#witnessTrouble = `the witness cannot see: ${reasonOf(error)}`
  }

  #take(reading: DoorReading): void {
    if (reading.atMs >= this.readAtMs) this.#reading = reading
  }
}
