/** Command `flights`: lists the flights of the vault. */
import { Command } from 'commander'
import { Fault } from '../base/fault.js'
import { allFlightIds, lastWrittenMs } from '../storage/flight/flight-lookup.js'
import { FlightReader } from '../storage/flight/flight-reader.js'
import { snapshotTails } from '../storage/tail/tail-reader.js'
import { Vault } from '../storage/vault/vault.js'
import { vaultOption } from './flight-argument.js'
import { summaryOf } from './flight-summary.js'
import type { FlightSummary } from './flight-summary.js'
import { createProgressLine } from './progress-line.js'
import { countText, durationText, percentText, sizeText } from './quantity-text.js'
import { left, right, tableLines } from './table.js'

/** A file that is no readable flight. */
interface Unreadable {
  id: string
  state: 'unreadable'
  fault: string
  problem: string
}

type Listed = FlightSummary | Unreadable

export function flightsCommand(): Command {
  return new Command('flights')
    .description('list the flights of the vault, the oldest first')
    .addOption(vaultOption())
    .option('--json', 'print an array of objects, one a flight')
    .addHelpText(
      'after',
      `
LOSS is the share of frames that is missing by the senders’ sequence numbers. A flight whose start is not known in UTC
is placed by when its file was written.

Example: groundlock flights --vault ./vault`,
    )
    .action(list)
}

async function list(options: { vault: string; json?: boolean }): Promise<void> {
  const vault = Vault.open(options.vault)
  const flights = await listed(vault)
  if (options.json) console.log(JSON.stringify(flights, null, 2))
  else if (flights.length === 0) console.log(`The vault ${vault.dir} has no flights.`)
  else console.log([...tableLines(COLUMNS, flights.map(cellsOf)), '', totalText(flights)].join('\n'))
}

async function listed(vault: Vault): Promise<Listed[]> {
  const tails = snapshotTails(vault)
  const ids = allFlightIds(vault, tails)
  const progress = createProgressLine('reading flights')
  const dated: { ms: number; flight: Listed }[] = []
  for (const id of ids) {
    const flight = await lookAt(() => FlightReader.openId(vault, id, tails), id)
    const startMs =
      'openedUtc' in flight && flight.openedUtc !== null ? Date.parse(flight.openedUtc) : undefined
    dated.push({ ms: startMs ?? lastWrittenMs(vault, tails, id), flight })
    progress.update(dated.length, ids.length)
  }
  progress.end()
  return dated.toSorted((a, b) => a.ms - b.ms).map(({ flight }) => flight)
}

/** A file that cannot be read is listed with its problem, and stops nothing. */
async function lookAt(open: () => Promise<FlightReader>, id: string): Promise<Listed> {
  try {
    const flight = await open()
    const summary = summaryOf(flight)
    await flight.close()
    return { ...summary, id }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { id, state: 'unreadable', fault: error.code, problem: error.found }
  }
}

const COLUMNS = [
  left('FLIGHT'),
  left('STARTED (UTC)'),
  right('LASTED'),
  right('MESSAGES'),
  right('LOSS'),
  right('SIZE'),
  left(''),
]

function cellsOf(flight: Listed): string[] {
  if (flight.state === 'unreadable') return [flight.id, `${flight.fault}: ${flight.problem}`]
  return [
    flight.id,
    flight.openedUtc?.slice(0, 16).replace('T', ' ') ?? '-',
    durationText(flight.durationS === null ? null : flight.durationS * 1e6),
    countText(flight.messages),
    percentText(flight.loss),
    sizeText(flight.fileBytes),
    flight.state === 'closed' ? '' : flight.state,
  ]
}

function totalText(flights: readonly Listed[]): string {
  const bytes = flights.reduce((sum, flight) => sum + ('fileBytes' in flight ? flight.fileBytes : 0), 0)
  return `${flights.length} ${flights.length === 1 ? 'flight' : 'flights'}, ${sizeText(bytes)}`
}
