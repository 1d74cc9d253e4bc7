/**
 * Tally: the figures of a flight, counted from its records as they are stored: loss per sender, kinds of noise.
 */
import type { CrcExtraTable } from '../../link/crc-extra.js'
import { STX_V1 } from '../../link/frame.js'
import { NoiseRuns } from '../../link/noise-runs.js'
import { Sequence } from '../../link/sequence.js'
import type { SequenceCounts } from '../../link/sequence.js'
import { FRAME } from '../segment/records.js'
import type { Records } from '../segment/records.js'

/** What is known of one sender. */
export interface ComponentCounts extends SequenceCounts {
  link: number
  sysid: number
  compid: number
}

/** A flight's figures; they can be gone on with by another process. */
export interface Figures {
  components: ComponentCounts[]
  /** Frames with a wrong checksum, by msgid; of known and unknown messages. */
  crcMismatches: Map<number, number>
  /** Other noise between frames: runs, and their bytes. */
  damagedRuns: number
  damagedBytes: number
}

const NO_FIGURES: Figures = { components: [], crcMismatches: new Map(), damagedRuns: 0, damagedBytes: 0 }

/** Senders told apart in one flight: real ones are a handful, made-up ones must not take the memory (senders). */
const MAX_COMPONENTS = 4096

export class Tally {
  readonly #table: CrcExtraTable
  readonly #prefixBytes: number
  readonly #sequences = new Map<number, { link: number; sysid: number; compid: number; sequence: Sequence }>()
  readonly #runs = new Map<number, NoiseRuns>()

  readonly #before: Figures

  /**
   * `prefixBytes`: what the container puts before each frame (8 in a tlog, else 0).
   * `before`: the figures of the records that were counted earlier.
   */
  constructor(table: CrcExtraTable, prefixBytes = 0, before = NO_FIGURES) {
    this.#table = table
    this.#prefixBytes = prefixBytes
    this.#before = before
  }

  /** Counts the next records of the flight. */
  add(records: Records): void {
    const { bytes, kinds, links, ends, times, count } = records
    for (let i = 0, start = 0; i < count; start = ends[i++]!) {
      const link = links[i]!
      const runs = this.#runsOf(link)
      if (kinds[i] === FRAME) {
        runs.frame()
        const at = start + (bytes[start] === STX_V1 ? 2 : 4)
        this.#sequenceOf(link, bytes[at + 1]!, bytes[at + 2]!)?.observe(bytes[at]!, Number(times[i]!))
      } else runs.noise(bytes, start, ends[i]!)
    }
  }

  /** The flight is over: noise that no frame followed is damage. */
  end(): void {
    for (const runs of this.#runs.values()) runs.end()
  }

  get figures(): Figures {
    const crcMismatches = new Map(this.#before.crcMismatches)
    let { damagedRuns, damagedBytes } = this.#before
    for (const { counts } of this.#runs.values()) {
      for (const [msgid, count] of [...counts.crcMismatches, ...counts.unknownFrames]) {
        crcMismatches.set(msgid, (crcMismatches.get(msgid) ?? 0) + count)
      }
      damagedRuns += counts.damagedRuns
      damagedBytes += counts.damagedBytes
    }
    return { components: this.#components(), crcMismatches, damagedRuns, damagedBytes }
  }

  #components(): ComponentCounts[] {
    const all = new Map(
      this.#before.components.map((c) => [componentId(c.link, c.sysid, c.compid), { ...c }]),
    )
    for (const [id, { sequence, ...sender }] of this.#sequences) {
      const sum = all.get(id)
      const now = { ...sender, ...sequence.counts }
      if (sum === undefined) all.set(id, now)
      else
        for (const key of ['frames', 'lost', 'duplicates', 'reordered', 'restarts'] as const)
          sum[key] += now[key]
    }
    return [...all.values()]
  }

  #runsOf(link: number): NoiseRuns {
    let runs = this.#runs.get(link)
    if (runs === undefined) this.#runs.set(link, (runs = new NoiseRuns(this.#table, this.#prefixBytes)))
    return runs
  }

  #sequenceOf(link: number, sysid: number, compid: number): Sequence | undefined {
    const id = componentId(link, sysid, compid)
    const known = this.#sequences.get(id)
    if (known !== undefined) return known.sequence
    if (this.#sequences.size >= MAX_COMPONENTS) return undefined
    const sequence = new Sequence()
    this.#sequences.set(id, { link, sysid, compid, sequence })
    return sequence
  }
}

function componentId(link: number, sysid: number, compid: number): number {
  return (link << 16) | (sysid << 8) | compid
}
