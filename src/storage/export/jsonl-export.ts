/**
 * JSONL export: one JSON object a message, a line each, in the order they came in; see json-lines.ts for a line.
 */
import type { FlightSegment } from '../flight/flight-segment.js'
import { Records } from '../segment/records.js'
import { refuseNothing, segmentsOf } from './export.js'
import type { ExportOptions, Exported } from './export.js'
import { JsonLines } from './json-lines.js'
import { outputAt } from './output-stream.js'
import { redactionNotes } from './raw-export.js'
import type { Selection } from './selection.js'

export async function exportJsonLines(options: ExportOptions): Promise<Exported> {
  const { flight, selection, path, force, signal } = options
  const output = outputAt(path, force)
  try {
    const lines = new JsonLines(output.create(path), flight.clock, flight.info.links)
    for await (const records of segmentsOf(options, (segment) => recordsOf(segment, selection))) {
      lines.add(records, selection)
      await output.drained(signal)
    }
    refuseNothing(options, lines.count)
    const { noiseBytes } = lines
    return {
      files: output.commit(),
      notes: [
        ...(flight.clock.source === undefined ? ['UTC is not known: every timestamp is null.'] : []),
        ...(noiseBytes > 0 && selection.msgids === undefined
          ? [`${noiseBytes} bytes of noise are left out (--format raw has them).`]
          : []),
        ...redactionNotes(flight.info.redactions),
      ],
    }
  } catch (error) {
    output.discard()
    throw error
  }
}

/**
 * The records of a segment that holds any of the wanted messages, else none, after a look at the groups of those alone.
 * A segment is taken whole or not at all: order and sequence numbers come only out of all its groups together.
 */
async function recordsOf(segment: FlightSegment, { msgids, link }: Selection): Promise<Records> {
  if (msgids !== undefined) {
    const groups = await segment.groups({ msgids, ...(link === undefined ? {} : { link }) })
    if (groups.length === 0) return new Records()
  }
  return segment.records()
}
