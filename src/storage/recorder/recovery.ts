/**
 * Recovery: what a station that was cut off left behind becomes closed flights, before new ones are written.
 *
 *     tails ──chunks that no segment holds──▶ flight file ──▶ closed as 'recovered', settled
 */
import { copyFileSync, existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf, reasonOf } from '../../base/fault.js'
import type { Dialect } from '../../mavlink/dialect.js'
import { SEGMENT_BYTES } from '../flight/flight-builder.js'
import type { FlightHead } from '../flight/flight.js'
import { FlightWriter, NEW_SUFFIX } from '../flight/flight-writer.js'
import { LiveFlight } from '../flight/live-flight.js'
import type { Chunk } from '../tail/chunk.js'
import { lastSequenceIn, readTail } from '../tail/tail.js'
import { FLIGHT_SUFFIX } from '../vault/vault.js'
import type { Vault } from '../vault/vault.js'

/** Permission bit that a settled flight has lost: its owner may write. */
const OWNER_WRITES = 0o200

/** Errors that a damaged or foreign file gives, however often it is tried. */
const DAMAGE = new Set(['SQLITE_NOTADB', 'SQLITE_CORRUPT', 'SQLITE_ERROR', 'SQLITE_MISMATCH'])

/** Errors of a file that belongs to another user. */
const FORBIDDEN = new Set(['SQLITE_CANTOPEN', 'SQLITE_READONLY', 'SQLITE_PERM'])

export interface Recovered {
  /** Flights that were closed now. */
  flightIds: string[]
  /** What could not be recovered and was set aside, as lines for the log. */
  problems: string[]
  /** Sequence of the last chunk that was ever durable in this vault. */
  lastSequence: number
}

/**
 * Closes every flight that was left open. A damaged flight file is set aside, as `<id>.glk.damaged`, and what the tails
 * hold of it goes into a new one: one bad file must not keep a station from recording.
 * Errors: those of a card that takes nothing now; nothing of the tails is touched, try again.
 */
export async function recover(vault: Vault, dialect: Dialect): Promise<Recovered> {
  removeNew(vault)
  const paths = [vault.tailPath(0), vault.tailPath(1)]
  const chunks = paths.flatMap(readTail).toSorted((a, b) => a.sequence - b.sequence)
  const recovered: Recovered = {
    flightIds: [],
    problems: [],
    lastSequence: Math.max(...paths.map(lastSequenceIn)),
  }
  for (const [head, own] of byFlight(chunks)) {
    const wasOpen = await settingAside(vault, head.id, recovered, () =>
      recoverFlight(vault, head, own, dialect),
    )
    if (wasOpen) recovered.flightIds.push(head.id)
  }
  for (const id of vault.flightIds()) {
    if (!isWritable(vault.flightPath(id))) continue
    const wasOpen = await settingAside(vault, id, recovered, () => closeLeftOpen(vault.flightPath(id)))
    if (wasOpen) recovered.flightIds.push(id)
  }
  return recovered
}

/** Removes files that were not whole yet, with what SQLite has beside them: the tails hold all that is in them. */
function removeNew({ flightsDir }: Vault): void {
  for (const name of readdirSync(flightsDir))
    if (name.includes(FLIGHT_SUFFIX + NEW_SUFFIX)) rmSync(join(flightsDir, name))
}

/** Does the work; where the flight's file is damaged, sets it aside and does it once more without. */
async function settingAside(
  vault: Vault,
  id: string,
  { problems }: Recovered,
  work: () => Promise<boolean>,
): Promise<boolean> {
  try {
    return await work()
  } catch (error) {
    const path = vault.flightPath(id)
    if (!isDamage(error)) throw error
    problems.push(`GL-FLIGHT-03  flight ${id} is damaged (${reasonOf(error)}): set aside as ${path}.damaged`)
    for (const end of ['', '-wal'])
      if (existsSync(path + end)) renameSync(path + end, `${path}.damaged${end}`)
    // Should what the tails hold be the cause, it is kept for somebody who can read it by hand.
    for (const tail of [vault.tailPath(0), vault.tailPath(1)]) {
      if (existsSync(tail)) copyFileSync(tail, `${tail}.damaged`)
    }
    return work().catch((again: unknown) => {
      if (!isDamage(again)) throw again
      problems.push(`GL-FLIGHT-03  nor can the tails' part of flight ${id} be stored: ${reasonOf(again)}`)
      return false
    })
  }
}

/** Not the card's state of this moment, but what a file holds, or a mistake of ours about it. */
function isDamage(error: unknown): boolean {
  return errnoOf(error) === '' || DAMAGE.has(errnoOf(error))
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
  await releasing(flight, async () => {
    for (const chunk of chunks) {
      flight.take(chunk.sequence, chunk)
      if (flight.pendingBytes >= SEGMENT_BYTES) await flight.cut()
    }
    await flight.end('recovered')
  })
  await flight.settle()
  return true
}

/** A flight whose chunks are all in segments, but which was not closed or not settled. */
async function closeLeftOpen(path: string): Promise<boolean> {
  if (!existsSync(path)) return false
  const writer = await FlightWriter.resume(path).catch((error: unknown) => {
    // Somebody else's file, say of an import by root, is theirs to settle.
    if (FORBIDDEN.has(errnoOf(error))) return null
    throw error
  })
  if (writer === null) return false
  const wasOpen = await releasing(writer, async () => {
    const { closed, openedUs, lastUs } = await writer.progress()
    if (!closed) await writer.close({ reason: 'recovered', openedUs, closedUs: lastUs })
    return !closed
  })
  await writer.settle()
  return wasOpen
}

/** Does the work; where that fails the file is given back, as it is opened anew at the next try. */
async function releasing<Result>(
  file: FlightWriter | LiveFlight,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    await file.release()
    throw error
  }
}

function isWritable(path: string): boolean {
  return (statSync(path).mode & OWNER_WRITES) !== 0
}
