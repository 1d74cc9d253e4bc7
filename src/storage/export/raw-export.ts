/**
 * Raw export: the bytes as they came in on the wire, noise included, one file a link.
 */
import { ByteWriter } from '../../base/byte-writer.js'
import { Fault } from '../../base/fault.js'
import type { Records } from '../segment/records.js'
import { refuseNothing, segmentsOf } from './export.js'
import type { ExportOptions, Exported } from './export.js'
import { outputAt } from './output-stream.js'
import { pathWith } from './output.js'
import type { Sink } from './output.js'
import { isWholeTime } from './selection.js'
import type { Selection } from './selection.js'

/**
 * Writes `path`, or for a flight of several links `path` with `.LINK` before its extension each.
 * Errors: Fault GL-EXPORT-07 nothing was selected, 08 there are records of a link that the flight does not name.
 */
export async function exportRaw(options: ExportOptions): Promise<Exported> {
  const { flight, path, selection, force, signal } = options
  const output = outputAt(path, force)
  try {
    const { id, links, redactions } = flight.info
    const files = new Map<number, Sink>()
    links.forEach((name, link) => {
      if (selection.link !== undefined && selection.link !== link) return
      const single = links.length === 1 || selection.link !== undefined
      files.set(link, output.create(single ? path : pathWith(path, name)))
    })
    let taken = 0
    for await (const records of segmentsOf(options, (segment) => segment.records())) {
      if (selection.link === undefined && !areNamed(records, links)) throw unnamedLinkFault(id)
      for (const [link, file] of files) {
        const bytes = wireBytes(records, link, selection)
        file.write(bytes)
        taken += bytes.length
      }
      await output.drained(signal)
    }
    refuseNothing(options, taken)
    return { files: output.commit(), notes: redactionNotes(redactions) }
  } catch (error) {
    output.discard()
    throw error
  }
}

export function redactionNotes(redactions: number): string[] {
  if (redactions === 0) return []
  return [
    `${redactions} signing ${redactions === 1 ? 'key was' : 'keys were'} zeroed before storing: those bytes differ from the wire.`,
  ]
}

/** A record of a link without a name is in none of the files. */
function areNamed({ links, count }: Records, names: readonly string[]): boolean {
  for (let i = 0; i < count; i++) if (links[i]! >= names.length) return false
  return true
}

function unnamedLinkFault(id: string): Fault {
  return new Fault({
    code: 'GL-EXPORT-08',
    op: 'export the bytes of flight',
    subject: id,
    found: 'it has records of a link that it has no name for, which would be in no file',
    hint: 'groundlock salvage makes a copy of a damaged flight that names its links; --format tlog has all frames.',
    recovery: 'user',
  })
}

function wireBytes(records: Records, link: number, selection: Selection): Uint8Array {
  const { count, bytes, links, times, ends } = records
  const whole = isWholeTime(selection)
  if (whole && links.subarray(0, count).every((each) => each === link)) {
    return bytes.subarray(0, records.byteLength)
  }
  const out = new ByteWriter(records.byteLength)
  for (let i = 0, start = 0; i < count; start = ends[i++]!) {
    if (links[i] !== link) continue
    const timeUs = whole ? 0 : Number(times[i]!)
    if (whole || (timeUs >= selection.fromUs && timeUs < selection.toUs)) out.bytes(bytes, start, ends[i])
  }
  return out.written()
}
