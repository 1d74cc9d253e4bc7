/** Stored flight: a flight file as the recorder would have written it, without a recorder. */
import { loadDialect } from '../../src/mavlink/dialect.js'
import { FlightWriter } from '../../src/storage/flight/flight-writer.js'
import type { FlightHead } from '../../src/storage/flight/flight.js'
import type { Commit } from '../../src/storage/flight/flight-writer.js'
import { encodeSegment } from '../../src/storage/segment/segment.js'
import { Tally } from '../../src/storage/flight/tally.js'
import type { Vault } from '../../src/storage/vault/vault.js'
import { HEAD } from './chunks.js'
import { recordsOf } from './recordings.js'
import type { TestRecord } from './recordings.js'

export interface StoredFlight {
  head?: Partial<FlightHead>
  /** The records of each segment; segment n replaces chunk n + 1. */
  segments: readonly (readonly TestRecord[])[]
  happened?: Partial<Pick<Commit, 'gaps' | 'events' | 'anchors'>>
  /** It goes on, and the file is left as a station that records leaves it. */
  open?: boolean
}

/** Writes the flight; returns its id. */
export async function storeFlight(vault: Vault, flight: StoredFlight): Promise<string> {
  const head = { ...HEAD, ...flight.head }
  const { byId } = loadDialect()
  const path = vault.flightPath(head.id)
  let writer = flight.segments.length === 0 ? await FlightWriter.create(path, head) : undefined
  const tally = new Tally(byId)
  let bytesIn = 0
  const bytesLost = (flight.happened?.gaps ?? []).reduce((sum, { bytes }) => sum + bytes, 0)
  for (const [i, own] of flight.segments.entries()) {
    const records = recordsOf(own)
    tally.add(records)
    bytesIn += records.byteLength
    const segment = await encodeSegment(records, (msgid) => byId.get(msgid))
    const happened = i === 0 ? flight.happened : undefined
    const commit = {
      gaps: [],
      events: [],
      anchors: [],
      ...happened,
      segment,
      firstChunk: i + 1,
      lastChunk: i + 1,
    }
    const totals = { bytesIn: bytesIn + bytesLost, bytesLost, redactions: 0 }
    if (writer === undefined) writer = await FlightWriter.begin(path, head, commit, tally.figures, totals)
    else await writer.commit(commit, tally.figures, totals)
  }
  if (writer === undefined) return head.id
  if (flight.open === true) {
    await writer.release()
    return head.id
  }
  const lastUs = flight.segments.flat().at(-1)?.timeUs
  const closedUs = lastUs === undefined ? null : Number(lastUs)
  await writer.close({ reason: 'landed', openedUs: head.openedUs, closedUs })
  await writer.settle()
  return head.id
}
