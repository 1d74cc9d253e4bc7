/**
 * Original export: an imported recording as it was, byte for byte.
 */
import { createHash } from 'node:crypto'
import { ByteWriter } from '../../base/byte-writer.js'
import { Fault } from '../../base/fault.js'
import { damagedFault } from '../flight/flight-fault.js'
import { FRAME } from '../segment/records.js'
import type { Records } from '../segment/records.js'
import { TIMESTAMP_BYTES, writeTimestamp } from '../import/tlog.js'
import { segmentsOf } from './export.js'
import type { ExportOptions, Exported } from './export.js'
import { outputAt } from './output-stream.js'
import { redactionNotes } from './raw-export.js'

/**
 * Writes the recording to `path`; it always takes the whole flight.
 * Guarantees: the file has the SHA-256 of the one that was imported, but where signing keys were zeroed, which it says.
 * Errors: Fault GL-EXPORT-03 the flight was not imported; GL-FLIGHT-03 what comes out is not what went in.
 */
export async function exportOriginal(options: ExportOptions): Promise<Exported> {
  const { flight, path, force, signal } = options
  const { source, id, redactions } = flight.info
  if (source === null || source.sha256 === null) throw noOriginalFault(id)
  const output = outputAt(path, force)
  try {
    const file = output.create(path)
    const hash = createHash('sha256')
    for await (const records of segmentsOf(options, (segment) => segment.records())) {
      const bytes =
        source.format === 'tlog' ? tlogBytes(records) : records.bytes.subarray(0, records.byteLength)
      hash.update(bytes)
      file.write(bytes)
      await output.drained(signal)
    }
    const equal = hash.digest('hex') === source.sha256
    if (!equal && redactions === 0)
      throw damagedFault(id, 'what it holds is not the recording that was imported')
    const notes = equal ? [`It has the SHA-256 of the recording ${source.name}: ${source.sha256}.`] : []
    return { files: output.commit(), notes: [...notes, ...redactionNotes(redactions)] }
  } catch (error) {
    output.discard()
    throw error
  }
}

/** A timestamp before each frame; noise holds those of what is no frame. */
function tlogBytes(records: Records): Uint8Array {
  const { count, bytes, kinds, times, ends } = records
  const out = new ByteWriter(records.byteLength + count * TIMESTAMP_BYTES)
  for (let i = 0, start = 0; i < count; start = ends[i++]!) {
    if (kinds[i] === FRAME) writeTimestamp(out, times[i]!)
    out.bytes(bytes, start, ends[i])
  }
  return out.written()
}

function noOriginalFault(id: string): Fault {
  return new Fault({
    code: 'GL-EXPORT-03',
    op: 'give back the original of flight',
    subject: id,
    found: 'it was not imported as one file',
    hint: 'Its bytes as they came in are --format raw; with timestamps, for other ground stations, --format tlog.',
    recovery: 'user',
  })
}
