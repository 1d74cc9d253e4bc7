/**
 * Leftovers: what lies in a vault and is neither a flight nor a tail: files that were set aside, imports that were killed.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { NEW_SUFFIX } from '../flight/flight-writer.js'
import { FLIGHT_SUFFIX, PARTIAL_SUFFIX } from '../vault/vault.js'
import type { Vault } from '../vault/vault.js'

const DAMAGED_SUFFIX = '.damaged'
/** What SQLite has beside a file that is open, or was when the power went: a part of that file. */
const PART_SUFFIXES = [FLIGHT_SUFFIX, FLIGHT_SUFFIX + DAMAGED_SUFFIX].flatMap((suffix) => [
  `${suffix}-wal`,
  `${suffix}-shm`,
])

/** A line each, with what to do. */
export function leftovers(vault: Vault): string[] {
  const inFlights = readdirSync(vault.flightsDir)
    .filter((name) => !name.endsWith(FLIGHT_SUFFIX) && !PART_SUFFIXES.some((suffix) => name.endsWith(suffix)))
    .map((name) => join(vault.flightsDir, name))
  const tails = readdirSync(vault.dir)
    .filter((name) => name.endsWith(DAMAGED_SUFFIX))
    .map((name) => join(vault.dir, name))
  return [...inFlights, ...tails].toSorted().map((path) => `left over: ${path}${meaningOf(path)}`)
}

function meaningOf(path: string): string {
  if (path.endsWith(FLIGHT_SUFFIX + DAMAGED_SUFFIX))
    return ` was set aside by a station's start: groundlock salvage ${path} --out FILE`
  if (path.endsWith(PARTIAL_SUFFIX))
    return ' is of an import that goes on or was killed: importing it again removes it'
  if (path.includes(FLIGHT_SUFFIX + NEW_SUFFIX))
    return " is a flight's file in the making: the station's next start removes it, and its tails hold all of it"
  if (path.endsWith(DAMAGED_SUFFIX)) return ' is what a tail held when a damaged flight was set aside'
  return ' is no flight'
}
