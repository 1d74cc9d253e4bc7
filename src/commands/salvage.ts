/** Command `salvage`: copies out what can be read of a damaged flight. */
import { Command } from 'commander'
import { loadDialect } from '../mavlink/dialect.js'
import { salvageFlight } from '../storage/check/salvage.js'
import type { Salvaged } from '../storage/check/salvage.js'
import { FLIGHT_FILE_HELP, flightFileOf, vaultOption } from './flight-argument.js'
import { interruptible } from './interrupt.js'
import { createProgressLine } from './progress-line.js'
import { durationText, pluralText, sizeText } from './quantity-text.js'

interface Options {
  vault: string
  out: string
  json?: boolean
}

export function salvageCommand(): Command {
  return new Command('salvage')
    .description('copy out what can be read of a damaged flight, as a new flight file')
    .argument('<flight>', FLIGHT_FILE_HELP)
    .addOption(vaultOption())
    .requiredOption('--out <file>', 'the flight file to write')
    .option('--json', 'print what was given back and what was lost as one JSON object')
    .addHelpText(
      'after',
      `
Each record of the copy is one of the flight, to the byte and in order; what is lost is in it as gaps and as events of
kind "salvaged". The damaged file is only read. A piece that is damaged costs the messages in it; the piece that holds
the order costs its segment. Of a flight that is being recorded, what lies in the tails is not copied.
Put the copy into a vault as flights/ID.glk to work with it.

Example: groundlock salvage /media/usb/flight.glk --out ./salvaged.glk`,
    )
    .action(salvage)
}

async function salvage(word: string, options: Options, command: Command): Promise<void> {
  if (options.out === '-') command.error('error: --out is a file: a flight file is not written to a pipe')
  const { name, path } = flightFileOf(options.vault, word)
  const progress = createProgressLine(`salvaging ${name}`)
  const salvaged = await interruptible((signal) =>
    salvageFlight(path, options.out, {
      dialect: loadDialect(),
      signal,
      onProgress: (done, all) => progress.update(done, all),
    }).finally(() => progress.end()),
  )
  if (salvaged === undefined) return
  if (options.json === true) console.log(JSON.stringify({ path: options.out, ...salvaged }, null, 2))
  else console.log(salvagedText(options.out, salvaged))
}

function salvagedText(out: string, { records, bytes, losses, openedUs }: Salvaged): string {
  const given = `${out}  ${pluralText(records, 'record')}, ${sizeText(bytes)}`
  if (losses.length === 0) return `${given}\nNothing was lost.`
  return [
    given,
    ...losses.map(({ text, fromUs, toUs }) => `  ${text}${spanText(fromUs, toUs, openedUs)}`),
  ].join('\n')
}

function spanText(fromUs: number | null, toUs: number | null, openedUs: number | null): string {
  if (fromUs === null || toUs === null) return ''
  if (openedUs === null) return `; received between ${fromUs} and ${toUs} µs`
  const after = (us: number): string => durationText(Math.max(0, us - openedUs))
  return `; received between +${after(fromUs)} and +${after(toUs)}`
}
