/** Command `messages`: which messages a flight holds, by sender. */
import { Command } from 'commander'
import { messageName } from '../storage/export/csv-export.js'
import type { FlightReader } from '../storage/flight/flight-reader.js'
import { FLIGHT_HELP, vaultOption, withFlight } from './flight-argument.js'
import { countText } from './quantity-text.js'
import { left, right, tableLines } from './table.js'

/** All messages of one kind that one component sent, over whichever link. */
export interface MessageLine {
  sysid: number
  compid: number
  msgid: number
  name: string
  count: number
}

export function messagesCommand(): Command {
  return new Command('messages')
    .description('count the messages of a flight, by sender')
    .argument('<flight>', FLIGHT_HELP)
    .addOption(vaultOption())
    .option('--json', 'print an array of {sysid, compid, msgid, name, count}')
    .addHelpText(
      'after',
      `
A message that no definition knows is called UNKNOWN_ and its id.

Example: groundlock messages last --vault ./vault`,
    )
    .action(messages)
}

async function messages(word: string, options: { vault: string; json?: boolean }): Promise<void> {
  const lines = await withFlight(options.vault, word, messageLines)
  if (options.json) console.log(JSON.stringify(lines, null, 2))
  else {
    const columns = [right('SYSID'), right('COMPID'), right('MSGID'), left('NAME'), right('COUNT')]
    const rows = lines.map((line) => [
      String(line.sysid),
      String(line.compid),
      String(line.msgid),
      line.name,
      countText(line.count),
    ])
    console.log(tableLines(columns, rows).join('\n'))
  }
}

export async function messageLines(flight: FlightReader): Promise<MessageLine[]> {
  const lines = new Map<number, MessageLine>()
  for (const { sysid, compid, msgid, count } of await flight.messages()) {
    const key = (sysid * 0x100 + compid) * 0x1000000 + msgid
    const line = lines.get(key)
    if (line === undefined) lines.set(key, { sysid, compid, msgid, name: messageName(msgid), count })
    else line.count += count
  }
  return [...lines.entries()].toSorted(([a], [b]) => a - b).map(([, line]) => line)
}
