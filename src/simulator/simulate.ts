/**
 * Simulate: a vehicle that flies on a pseudo-terminal in real time, over a line that loses bytes and comes off.
 * It waits on the ground for its reader; once it flies it goes on, whoever listens.
 */
import { once } from 'node:events'
import { open, type FileHandle } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { Cable } from './cable.js'
import { createCopter, type Copter, type CopterOptions } from './copter.js'
import { createByteLoss, isUnplugged, type Unplug } from './faults.js'

export interface SimulationOptions extends CopterOptions {
  /** Where the device appears (a symbolic link). */
  link: string
  /** Probability of a byte to be lost, 0 to 1. */
  byteLoss?: number
  /** When the cable is off. */
  unplugs?: readonly Unplug[]
  /** A file to which exactly the bytes on the wire are appended. */
  wireLog?: string
  /** Seconds of the vehicle in a second; 1 unless told. */
  speed?: number
  /** Ends the flight early; what it counted until then is the result. */
  signal?: AbortSignal
  /** Once, when the device is there for its first reader. */
  onDevice?(): void
  /** About once a second. */
  onProgress?(timeS: number, counts: SimulationCounts): void
}

/** bytes made = on the wire + lost + unheard */
export interface SimulationCounts {
  frames: number
  /** Of them, those that went onto the wire whole. */
  wholeFrames: number
  /** Written to the pseudo-terminal. */
  wireBytes: number
  /** Dropped by `byteLoss`. */
  lostBytes: number
  /** Sent while the cable was off or nobody had the device open. */
  unheardBytes: number
}

export interface SimulationResult extends SimulationCounts {
  /** For each reader in turn, which bytes of the wire it could read; of each the last few go down with a hang-up. */
  readers: { fromByte: number; toByte: number }[]
}

/** Pause from the last byte to the end (ms): a reader that reads in steps has read all of it by then. */
const LINGER_MS = 500

/** Bytes are sent when so many have gathered (bytes), or when the vehicle's next frame is not due yet. */
const BATCH_BYTES = 4096

/** Flies once. Errors: `Fault` GL-SIM-01 when there can be no pseudo-terminal, and what writing the wire log throws. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const copter = await createCopter(options)
  const cable = new Cable(options.link)
  const log = options.wireLog === undefined ? null : await open(options.wireLog, 'a')
  const wire = new Wire(cable, log, createByteLoss({ rate: options.byteLoss ?? 0, seed: options.seed + 1 }))
  try {
    const reader = cable.plugIn()
    cable.isThere().then(
      () => options.onDevice?.(),
      () => undefined, // plugIn tells
    )
    await untilAborted(reader, options.signal)
    await fly(copter, cable, wire, options)
    await pause(LINGER_MS)
  } finally {
    await cable.pullOut()
    await log?.close()
  }
  return { ...wire.counts, readers: wire.readers }
}

async function fly(copter: Copter, cable: Cable, wire: Wire, options: SimulationOptions): Promise<void> {
  const { unplugs = [], speed = 1, signal } = options
  const startMs = performance.now()
  let toldMs = startMs
  let isOff = false
  const failed = new AbortController()
  for (const { timeMs, bytes } of copter.frames()) {
    failed.signal.throwIfAborted()
    if (signal?.aborted) break
    const aheadMs = startMs + timeMs / speed - performance.now()
    if (aheadMs > 0 || wire.gatheredBytes >= BATCH_BYTES) await wire.flush()
    if (aheadMs > 0) await pause(aheadMs)
    if (isUnplugged(unplugs, timeMs / 1000) !== isOff) {
      isOff = !isOff
      await wire.flush()
      if (isOff) await cable.pullOut()
      else cable.plugIn().catch((error: unknown) => failed.abort(error))
    }
    wire.add(bytes)
    if (performance.now() - toldMs >= 1000) {
      toldMs = performance.now()
      options.onProgress?.(timeMs / 1000, wire.counts)
    }
  }
  await wire.flush()
}

async function untilAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  const aborted = signal?.aborted ? [Promise.resolve()] : signal ? [once(signal, 'abort')] : []
  await Promise.race([work, ...aborted])
}

/** What goes through the cable, with what is lost on it, counted. */
class Wire {
  readonly counts: SimulationCounts = {
    frames: 0,
    wholeFrames: 0,
    wireBytes: 0,
    lostBytes: 0,
    unheardBytes: 0,
  }
  readonly readers: SimulationResult['readers'] = []
  readonly #cable: Cable
  readonly #log: FileHandle | null
  readonly #lose: (bytes: Uint8Array) => Uint8Array
  #batch: { kept: Uint8Array; lostBytes: number }[] = []
  #gatheredBytes = 0
  /** The cable's count at the last bytes that got through. */
  #reader = 0

  constructor(cable: Cable, log: FileHandle | null, lose: (bytes: Uint8Array) => Uint8Array) {
    this.#cable = cable
    this.#log = log
    this.#lose = lose
  }

  get gatheredBytes(): number {
    return this.#gatheredBytes
  }

  add(frame: Uint8Array): void {
    const kept = this.#lose(frame)
    this.counts.frames++
    this.#batch.push({ kept, lostBytes: frame.length - kept.length })
    this.#gatheredBytes += frame.length
  }

  async flush(): Promise<void> {
    const batch = this.#batch
    if (batch.length === 0) return
    const bytes = Buffer.concat(batch.map(({ kept }) => kept))
    if (await this.#cable.send(bytes)) {
      await this.#log?.appendFile(bytes)
      this.#countHeard(batch, bytes.length)
    } else {
      this.counts.unheardBytes += this.#gatheredBytes
    }
    this.#batch = []
    this.#gatheredBytes = 0
  }

  #countHeard(batch: readonly { lostBytes: number }[], byteCount: number): void {
    this.counts.lostBytes += this.#gatheredBytes - byteCount
    this.counts.wholeFrames += batch.filter(({ lostBytes }) => lostBytes === 0).length
    const fromByte = this.counts.wireBytes
    this.counts.wireBytes += byteCount
    const toByte = this.counts.wireBytes
    const reader = this.readers.at(-1)
    if (reader !== undefined && this.#reader === this.#cable.readerCount) reader.toByte = toByte
    else this.readers.push({ fromByte, toByte })
    this.#reader = this.#cable.readerCount
  }
}
