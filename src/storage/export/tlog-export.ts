/**
 * Tlog export: the frames of a flight with UTC timestamps, as other ground stations read them.
 */
import { ByteWriter } from '../../base/byte-writer.js'
import { msgidAt } from '../../link/frame.js'
import type { UtcClock } from '../flight/clock-anchors.js'
import { FRAME } from '../segment/records.js'
import type { Records } from '../segment/records.js'
import { isBelievable, writeTimestamp } from '../import/tlog.js'
import { refuseNothing, segmentsOf } from './export.js'
import type { ExportOptions, Exported } from './export.js'
import { outputAt } from './output-stream.js'
import { pathWith } from './output.js'
import type { Output, Sink } from './output.js'
import { redactionNotes } from './raw-export.js'
import type { Selection } from './selection.js'

/**
 * A clock that goes back, or a UTC that leaves the receive clock, by more than this was set (µs): a new file begins,
 * as readers of a tlog across a step find half of it. Less is jitter, and the later frame gets the time of the one before.
 */
const STEP_US = 1e6

/** Gives each frame its timestamp. */
export class TlogTimes {
  /** Frames whose receive time cannot be believed; they have the timestamp of the frame before. */
  undated = 0
  /** Frames that jitter would have put before the one before. */
  clamped = 0
  readonly #clock: UtcClock
  #lastUs = 0
  #lastOffsetUs: number | undefined

  /** `startUs`: receive time of what cannot be dated at the beginning. */
  constructor(clock: UtcClock, startUs: number) {
    this.#clock = clock
    this.#lastUs = startUs + clock.offsetUs(startUs)
  }

  /** The timestamp (µs) of a frame received at `recvUs`, and whether a new file begins with it. */
  next(recvUs: number): { utcUs: number; step: boolean } {
    const offsetUs = this.#clock.offsetUs(recvUs)
    const utcUs = recvUs + offsetUs
    if (this.#clock.source !== undefined && !isBelievable(utcUs)) {
      this.undated++
      return { utcUs: this.#lastUs, step: false }
    }
    const first = this.#lastOffsetUs === undefined
    const moved = Math.abs(offsetUs - (this.#lastOffsetUs ?? offsetUs)) > STEP_US
    const step = !first && (moved || utcUs < this.#lastUs - STEP_US)
    const jitter = !first && !step && utcUs < this.#lastUs
    if (jitter) this.clamped++
    else this.#lastUs = utcUs
    this.#lastOffsetUs = offsetUs
    return { utcUs: this.#lastUs, step }
  }
}

/** Writes `path`, and at each clock step the next of `path` with `.2`, `.3` … before its extension. */
export async function exportTlog(options: ExportOptions): Promise<Exported> {
  const { flight, selection, signal } = options
  const output = outputAt(options.path, options.force)
  try {
    const parts = new TlogParts(options, output)
    let noiseBytes = 0
    for await (const records of segmentsOf(options, (segment) => segment.records())) {
      noiseBytes += parts.add(records, selection)
      await output.drained(signal)
    }
    parts.flush()
    refuseNothing(options, parts.frames)
    const { redactions } = flight.info
    return {
      files: output.commit(),
      notes: [...notesOf(parts, noiseBytes, flight.clock), ...redactionNotes(redactions)],
    }
  } catch (error) {
    output.discard()
    throw error
  }
}

class TlogParts {
  readonly times: TlogTimes
  count = 1
  frames = 0
  readonly #path: string
  readonly #output: Output
  readonly #out = new ByteWriter()
  #file: Sink

  constructor({ flight, path }: ExportOptions, output: Output) {
    this.times = new TlogTimes(flight.clock, flight.info.openedUs ?? 0)
    this.#path = path
    this.#output = output
    this.#file = output.create(path)
  }

  /** Writes the selected frames; returns the bytes of noise among them. */
  add(records: Records, { msgids, link, fromUs, toUs }: Selection): number {
    const { count, bytes, kinds, links, times, ends } = records
    const wanted = msgids === undefined ? undefined : new Set(msgids)
    let noiseBytes = 0
    for (let i = 0, start = 0; i < count; start = ends[i++]!) {
      const recvUs = Number(times[i]!)
      if (recvUs < fromUs || recvUs >= toUs || (link !== undefined && links[i] !== link)) continue
      if (kinds[i] !== FRAME) noiseBytes += ends[i]! - start
      else if (wanted?.has(msgidAt(bytes, start)) ?? true) this.#frame(recvUs, bytes, start, ends[i]!)
    }
    this.flush()
    return noiseBytes
  }

  flush(): void {
    this.#file.write(this.#out.written())
    this.#out.clear()
  }

  #frame(recvUs: number, bytes: Uint8Array, start: number, end: number): void {
    const { utcUs, step } = this.times.next(recvUs)
    this.frames++
    if (step) {
      this.flush()
      this.#file = this.#output.create(pathWith(this.#path, String(++this.count)))
    }
    writeTimestamp(this.#out, BigInt(utcUs))
    this.#out.bytes(bytes, start, end)
  }
}

function notesOf({ times, count }: TlogParts, noiseBytes: number, clock: UtcClock): string[] {
  const notes: string[] = []
  if (clock.source === undefined)
    notes.push('UTC is not known: the timestamps are those of the receive clock.')
  if (count > 1) notes.push(`The clock was set: ${count} files, each with rising timestamps.`)
  if (times.clamped > 0)
    notes.push(`${times.clamped} frames had a slightly earlier time than the frame before, and got its time.`)
  if (times.undated > 0)
    notes.push(`${times.undated} frames had a time that cannot be, and got that of the frame before.`)
  if (noiseBytes > 0) notes.push(`${noiseBytes} bytes of noise are left out (--format raw has them).`)
  return notes
}
