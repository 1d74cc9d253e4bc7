/**
 * Export: what all exports of a flight have in common.
 */
import { Fault } from '../../base/fault.js'
import type { FlightReader } from '../flight/flight-reader.js'
import type { FlightSegment } from '../flight/flight-segment.js'
import type { Written } from './output.js'
import { isWholeTime, overlaps } from './selection.js'
import type { Selection } from './selection.js'

export interface ExportOptions {
  flight: FlightReader
  /** The file, or the folder that is made. */
  path: string
  /** What is there already is replaced. */
  force: boolean
  selection: Selection
  /** Ends the export at the next segment; nothing is left of it. */
  signal?: AbortSignal
  /** Called with the records that are done, of how many. */
  onProgress?: (done: number, all: number) => void
}

export interface Exported {
  files: Written[]
  /** What a person should know of the result, in sentences. */
  notes: string[]
}

/**
 * Reads the segments that the selection touches, one ahead of the one that is worked on: SQLite and the decompressor have
 * threads of their own.
 */
export async function* segmentsOf<Value>(
  { flight, selection, signal, onProgress }: ExportOptions,
  read: (segment: FlightSegment) => Promise<Value>,
): AsyncGenerator<Value> {
  const wanted = flight.segments.filter((segment) => overlaps(segment, selection))
  const all = wanted.reduce((sum, segment) => sum + segment.recordCount, 0)
  let done = 0
  let ahead: Promise<Value> | undefined
  for (const [i, segment] of wanted.entries()) {
    const value = await (ahead ?? read(segment))
    signal?.throwIfAborted()
    const next = wanted[i + 1]
    ahead = next === undefined ? undefined : read(next)
    // Its failure is thrown where it is awaited, in the next round.
    ahead?.catch(() => {})
    yield value
    done += segment.recordCount
    onProgress?.(done, all)
    // Not only promises: a Ctrl-C is heard between two segments.
    await new Promise((resolve) => setImmediate(resolve))
    signal?.throwIfAborted()
  }
}

/**
 * A selection with nothing in it is a mistake of who made it, not an empty file: called before the commit. A link over which
 * nothing came is none.
 * Errors: Fault GL-EXPORT-07 nothing was `taken` (records or bytes).
 */
export function refuseNothing({ flight, selection }: ExportOptions, taken: number): void {
  const isWhole = isWholeTime(selection)
  if (taken > 0 || (isWhole && selection.msgids === undefined)) return
  const { id, openedUs, lastUs } = flight.info
  const lasted =
    openedUs === null || lastUs === null ? '' : ` It lasted ${((lastUs - openedUs) / 1e6).toFixed(1)} s.`
  throw new Fault({
    code: 'GL-EXPORT-07',
    op: 'export a part of flight',
    subject: id,
    found: isWhole ? 'none of those messages came over that link' : 'nothing of that is in the span of time',
    hint: isWhole
      ? `Leave --link out; groundlock show ${id} lists what came over which.`
      : `Widen --from and --to, or leave them out.${lasted}`,
    recovery: 'user',
  })
}
