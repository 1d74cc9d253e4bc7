/**
 * Flight argument: what the commands about flights have in common: which vault, and which flight of it.
 */
import { Option } from 'commander'
import { DEFAULT_VAULT_DIR } from '../base/defaults.js'
import { FlightReader } from '../storage/flight/flight-reader.js'
import { Vault } from '../storage/vault/vault.js'

export const FLIGHT_HELP =
  'id of a flight, a unique beginning or end of it, or `last`: the one that was written last'

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
