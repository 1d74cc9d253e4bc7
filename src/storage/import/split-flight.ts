/**
 * Split flight: one of the flights that a recording is split into, from its first record to its settled file.
 */
import { FlightBuilder } from '../flight/flight-builder.js'
import { FlightWriter } from '../flight/flight-writer.js'
import { Tally } from '../flight/tally.js'
import type { Closing } from '../tail/chunk.js'
import { syncFile } from './import.js'
import type { ImportOptions } from './import.js'
import { PartialFlight } from './partial-flight.js'
import { TIMESTAMP_BYTES } from './tlog.js'

export class SplitFlight {
  readonly id: string
  readonly partial: PartialFlight
  readonly builder: FlightBuilder
  readonly openedUs: number
  closing: Closing | undefined
  bytesIn = 0
  redactions = 0
  #cuts = 0
  #writer: Promise<FlightWriter> | undefined
  readonly #create: () => Promise<FlightWriter>

  constructor(id: string, previousPart: string | null, openedUs: number, options: ImportOptions) {
    const head = {
      id,
      station: options.station,
      bootId: '',
      origin: 'import' as const,
      previousPart,
      openedUs,
    }
    this.id = id
    this.openedUs = openedUs
    this.partial = new PartialFlight(options.vault, id)
    this.#create = () => FlightWriter.create(this.partial.path, { ...head, links: ['file'] })
    this.builder = new FlightBuilder(
      async (...all) => (await this.writer()).commit(...all),
      options.dialect,
      new Tally(options.dialect.byId, TIMESTAMP_BYTES),
    )
  }

  writer(): Promise<FlightWriter> {
    this.#writer ??= this.#create()
    return this.#writer
  }

  async cut(last: boolean): Promise<void> {
    const chunk = ++this.#cuts
    const totals = { bytesIn: this.bytesIn, bytesLost: 0, redactions: this.redactions }
    await this.builder.cut({ firstChunk: chunk, lastChunk: chunk }, totals, last)
  }

  async finish(source: string): Promise<void> {
    const anchor = { recvTimeUs: this.openedUs, utcUs: this.openedUs, source: 'recorded' as const }
    this.builder.addAnchor(anchor)
    await this.cut(true)
    const writer = await this.writer()
    await writer.noteSource({ name: source, format: 'tlog', bytes: this.bytesIn, sha256: null })
    const { reason = 'imported', closedUs = null } = this.closing ?? {}
    await writer.close({ reason, openedUs: this.openedUs, closedUs })
    await writer.settle()
    await syncFile(this.partial.path)
  }

  /** Lets go of the file of a flight that failed, whatever state it is in. */
  async release(): Promise<void> {
    const writer = await this.#writer?.catch(() => undefined)
    await writer?.release().catch(() => {})
  }
}
