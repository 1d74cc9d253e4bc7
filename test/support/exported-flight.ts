/** Exported flight: what a flight gives out of a line, held against what was on that line. */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { exportRaw } from '../../src/storage/export/raw-export.js'
import { FlightReader } from '../../src/storage/flight/flight-reader.js'
import type { FlightInfo } from '../../src/storage/flight/flight-reader.js'
import type { ClockAnchor, FlightEvent, Gap } from '../../src/storage/flight/flight.js'
import { Vault } from '../../src/storage/vault/vault.js'
import type { FullFlow } from './full-flow.js'
import { StrangerFlight } from './stranger-reader.js'

export interface ExportedFlight {
  info: FlightInfo
  gaps: readonly Gap[]
  events: readonly FlightEvent[]
  anchors: readonly ClockAnchor[]
  /** Sequence of the last chunk that a segment holds; 0 where there is none. */
  lastChunk: number
  /** `export --format raw` of its first link. */
  raw: Uint8Array
}

/** Opens the flight of a vault, closed or not, and exports it. */
export async function exportedFlight(vaultDir: string, id: string): Promise<ExportedFlight> {
  const flight = await FlightReader.open(Vault.open(vaultDir), id)
  const path = join(vaultDir, '..', `${id}.raw`)
  try {
    await exportRaw({ flight, path, force: true, selection: { link: 0, fromUs: -Infinity, toUs: Infinity } })
    const { info, gaps, events, anchors } = flight
    const lastChunk = await lastChunkOf(vaultDir, id)
    return { info, gaps, events, anchors, lastChunk, raw: readFileSync(path) }
  } finally {
    await flight.close()
    rmSync(path, { force: true })
  }
}

async function lastChunkOf(vaultDir: string, id: string): Promise<number> {
  const file = await StrangerFlight.open(join(vaultDir, 'flights', `${id}.glk`))
  try {
    const [row] = await file.rows<{ last: number | null }>('SELECT max(last_chunk) AS last FROM segment')
    return row?.last ?? 0
  } finally {
    await file.close()
  }
}

/**
 * Where on the wire a flight ends that began at `fromByte`: its bytes are those of the wire, but that at each gap, in
 * turn, exactly as many are missing as the gap says. Errors: where that is not so.
 * Where the bytes before and behind a gap are alike it may be found some bytes late; its length is the same.
 */
export function endOnWire(flow: FullFlow, { raw, gaps }: ExportedFlight, fromByte: number): number {
  const missing = gaps.map(({ bytes }) => bytes)
  let place = fromByte
  for (let done = 0; done < raw.length;) {
    const agreeing = flow.agreeing(raw.subarray(done), place)
    done += agreeing
    place += agreeing
    if (done === raw.length) break
    const lost = missing.shift()
    if (lost === undefined) throw new Error(`byte ${done} of ${raw.length} is not that of the wire, ${place}`)
    place += lost
  }
  return place + missing.reduce((sum, bytes) => sum + bytes, 0)
}

export const lostInGaps = ({ gaps }: Pick<ExportedFlight, 'gaps'>): number =>
  gaps.reduce((sum, { bytes }) => sum + bytes, 0)
