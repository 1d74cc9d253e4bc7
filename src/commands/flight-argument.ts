/**
 * Flight argument: what the commands about flights have in common: which vault, and which flight of it.
 */
import { existsSync } from 'node:fs'
import { Option } from 'commander'
import { DEFAULT_VAULT_DIR } from '../base/defaults.js'
import { unmadeFault } from '../storage/flight/flight-fault.js'
import { findFlight } from '../storage/flight/flight-lookup.js'
import { FlightReader } from '../storage/flight/flight-reader.js'
import { snapshotTails } from '../storage/tail/tail-reader.js'
import { FLIGHT_SUFFIX, Vault } from '../storage/vault/vault.js'

export const FLIGHT_HELP =
  'id of a flight, a unique beginning or end of it, or `last`: the one that was written last'

export const FLIGHT_FILE_HELP = `${FLIGHT_HELP}; or the path of a flight file anywhere`

/** Where the file is of the flight that `word` means: a path, or what `findFlight` takes. */
export function flightFileOf(vaultDir: string, word: string): { name: string; path: string } {
  if (word.includes('/') || (word.includes(FLIGHT_SUFFIX) && existsSync(word)))
    return { name: word, path: word }
  const vault = Vault.open(vaultDir)
  const name = findFlight(vault, snapshotTails(vault), word)
  const path = vault.flightPath(name)
  if (existsSync(path)) return { name, path }
  throw unmadeFault(path)
}

export function vaultOption(): Option {
  return new Option('--vault <folder>', 'the folder that holds the flights').default(DEFAULT_VAULT_DIR)
}

/** Opens the flight for as long as `work` takes. */
export async function withFlight<Value>(
  vaultDir: string,
  word: string,
  work: (flight: FlightReader) => Promise<Value>,
): Promise<Value> {
  const flight = await FlightReader.open(Vault.open(vaultDir), word)
  try {
    return await work(flight)
  } finally {
    await flight.close()
  }
}
