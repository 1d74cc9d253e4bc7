/**
 * Recovery: what a station that was cut off left behind becomes closed flights, before new ones are written.
 *
 *     tails ──chunks that no segment holds──▶ flight file ──▶ closed as 'recovered', settled
 */
import { statSync } from 'node:fs'
import type { Dialect } from '../../mavlink/dialect.js'
import type { Chunk } from '../tail/chunk.js'
import { SEGMENT_BYTES } from '../flight/flight-builder.js'
import type { FlightHead } from '../flight/flight.js'
import { FlightWriter } from '../flight/flight-writer.js'
import { LiveFlight } from '../flight/live-flight.js'
import { readTail } from '../tail/tail.js'
import type { Vault } from '../vault/vault.js'

/** Permission bit that a settled flight has lost: its owner may write. */
const OWNER_WRITES = 0o200

export interface Recovered {
  /** Flights that were closed now. */
  flightIds: string[]
  /** Sequence of the last chunk that was ever durable, as far as the tails know. */
  lastSequence: number
}

/** Closes every flight that was left open. Errors: those of the flight writer; nothing of the tails is touched. */
export async function recover(vault: Vault, dialect: Dialect): Promise<Recovered> {
  const chunks = [...readTail(vault.tailPath(0)), ...readTail(vault.tailPath(1))]
  chunks.sort((a, b) => a.sequence - b.sequence)
  const flightIds: string[] = []
  for (const [head, own] of byFlight(chunks)) {
    if (await recoverFlight(vault, head, own, dialect)) flightIds.push(head.id)
  }
  for (const id of vault.flightIds()) {
    if (!isWritable(vault.flightPath(id))) continue
    if (await closeLeftOpen(vault.flightPath(id))) flightIds.push(id)
  }
  return { flightIds, lastSequence: chunks.at(-1)?.sequence ?? 0 }
}

function byFlight(chunks: readonly Chunk[]): [FlightHead, Chunk[]][] {
  const flights = new Map<string, [FlightHead, Chunk[]]>()
  for (const chunk of chunks) {
    const flight = flights.get(chunk.head.id)
    if (flight === undefined) flights.set(chunk.head.id, [chunk.head, [chunk]])
    else flight[1].push(chunk)
  }
  return [...flights.values()]
}

async function recoverFlight(
  vault: Vault,
  head: FlightHead,
  chunks: readonly Chunk[],
  dialect: Dialect,
): Promise<boolean> {
  const flight = await LiveFlight.resume(vault, head, dialect)
  if (flight === undefined) return false
  for (const chunk of chunks) {
    flight.take(chunk)
    if (flight.pendingBytes >= SEGMENT_BYTES) await flight.cut()
  }
  await flight.cut(true)
  await flight.finish('recovered')
  return true
}

/** A flight whose chunks are all in segments, but which was not closed or not settled. */
async function closeLeftOpen(path: string): Promise<boolean> {
  const writer = await FlightWriter.resume(path)
  const { closed, openedUs, lastUs } = await writer.progress()
  if (!closed) await writer.close('recovered', openedUs, lastUs)
  await writer.settle()
  return !closed
}

function isWritable(path: string): boolean {
  return (statSync(path).mode & OWNER_WRITES) !== 0
}
