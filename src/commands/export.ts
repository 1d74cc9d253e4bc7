/** Command `export`: gives a flight back as files. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { Fault } from '../base/fault.js'
import { editDistance } from '../base/edit-distance.js'
import { loadDialect } from '../mavlink/dialect.js'
import { exportCsv, messageName } from '../storage/export/csv-export.js'
import type { ExportOptions, Exported } from '../storage/export/export.js'
import { exportOriginal } from '../storage/export/original-export.js'
import { exportJsonLines } from '../storage/export/jsonl-export.js'
import { STDOUT_PATH } from '../storage/export/output-stream.js'
import { exportRaw } from '../storage/export/raw-export.js'
import { momentOf, receiveTimeOf } from '../storage/export/selection.js'
import type { Moment, Selection } from '../storage/export/selection.js'
import { exportTlog } from '../storage/export/tlog-export.js'
import type { FlightReader } from '../storage/flight/flight-reader.js'
import { FLIGHT_HELP, vaultOption, withFlight } from './flight-argument.js'
import { interruptible } from './interrupt.js'
import { createProgressLine } from './progress-line.js'
import { sizeText } from './quantity-text.js'

const FORMATS = {
  raw: exportRaw,
  original: exportOriginal,
  tlog: exportTlog,
  csv: exportCsv,
  jsonl: exportJsonLines,
} as const
type Format = keyof typeof FORMATS

interface Options {
  vault: string
  format: Format
  out: string
  messages?: number[]
  from?: Moment
  to?: Moment
  link?: string
  force?: boolean
  json?: boolean
}

/** The ways to narrow an export that a format has. */
const NARROWS: Record<Format, readonly (keyof Options)[]> = {
  raw: ['from', 'to', 'link'],
  original: [],
  tlog: ['messages', 'from', 'to', 'link'],
  csv: ['messages', 'from', 'to', 'link'],
  jsonl: ['messages', 'from', 'to', 'link'],
}

export function exportCommand(): Command {
  return new Command('export')
    .description('give a flight back as files')
    .argument('<flight>', FLIGHT_HELP)
    .addOption(vaultOption())
    .addOption(
      new Option('--format <format>', 'see below').choices(Object.keys(FORMATS)).makeOptionMandatory(),
    )
    .requiredOption(
      '--out <path>',
      'the file to write, - for the standard output; with csv the folder to make',
    )
    .option('--messages <names>', 'only these messages: ATTITUDE,GPS_RAW_INT', msgidsOf)
    .option('--from <time>', 'only from this time on', momentOption)
    .option('--to <time>', 'only before this time', momentOption)
    .option('--link <name>', 'only what came over this link')
    .option('--force', 'replace what is there')
    .option('--json', 'print what was written as one JSON object')
    .addHelpText('after', HELP)
    .action(exportFlight)
}

const HELP = `
Formats:
  raw       the bytes as they came in, noise included; a flight of several links makes one file each, with the
            link's name before the extension
  original  an imported recording as it was, byte for byte; it takes the whole flight
  tlog      the frames with UTC timestamps, for other ground stations; a clock that is set by more than 1 s begins
            a new file: OUT, OUT with .2, .3 … before its extension. Noise is left out
  csv       a folder with NAME.csv for each message: recv_time_us, utc, link, sysid, compid, then the fields with
            their units. utc is empty where it is not known. NaN, Infinity and -Infinity are these words; 64-bit
            integers are exact; bytes of a text that are no UTF-8 are written as \\xe4
  jsonl     one JSON object a message, a line each, in the order they came in; see below. Noise is left out

A line of jsonl is {"meta":{…},"data":{…}}, named as pymavlink's mavlogdump --format json has it. In meta: type (the
message's name), msgId, mavlink (1 or 2), signed, link, srcSystem, srcComponent, seq, recv_time_us (the receive clock), and
timestamp (UTC, seconds since 1970 with microseconds; null where it is not known). In data: the fields by their MAVLink
names, arrays as arrays. 64-bit fields are always strings ("0" too: a JSON number is exact only to 2^53), NaN and the
infinities the strings "NaN", "Infinity", "-Infinity"; a float has the shortest text that reads back to it; bytes of a
text that are no UTF-8 are \\xe4 as in csv. A message that no definition knows is UNKNOWN_ and its id, with payload_hex.

Times: 12.5 is seconds after the flight's start, as is 1:05 or 1:02:05 (or +1:05, as show has it), -10 seconds before its
end, 2023-04-18T11:03:34Z is UTC. A selection of nothing is a fault (GL-EXPORT-07).
Files appear when they are whole and on the disk, or not at all; Ctrl-C leaves nothing behind. With --out - it is the exit
code that tells whether the reader got all; notes go to stderr.

Examples: groundlock export last --vault ./vault --format csv --messages ATTITUDE,GPS_RAW_INT --out ./csv
          groundlock export last --vault ./vault --format jsonl --out - | jq -r .meta.type | sort | uniq -c`

async function exportFlight(word: string, options: Options, command: Command): Promise<void> {
  const { format, out, vault, force = false } = options
  for (const name of ['messages', 'from', 'to', 'link'] as const) {
    if (options[name] !== undefined && !NARROWS[format].includes(name)) {
      command.error(`error: --${name} cannot be used with --format ${format}`)
    }
  }
  const toStdout = out === STDOUT_PATH
  if (toStdout && format === 'csv') command.error('error: --format csv makes a folder, which --out - is not')
  if (toStdout && options.json) command.error('error: --json cannot be used with --out -')
  const progress = createProgressLine(`exporting ${out}`)
  const exported = await interruptible(
    (signal) =>
      withFlight(vault, word, async (flight) => {
        const { selection, notes } = await selectionOf(flight, options)
        const request: ExportOptions = {
          flight,
          path: out,
          force,
          selection,
          signal,
          // What is behind the pipe may write to the same terminal.
          ...(toStdout ? {} : { onProgress: (done, all) => progress.update(done, all) }),
        }
        const done = await FORMATS[format](request)
        return { flight: flight.info.id, files: done.files, notes: [...notes, ...done.notes] }
      }).finally(() => progress.end()),
    toStdout ? 'what went to the standard output is not all' : undefined,
  )
  if (exported === undefined) return
  if (toStdout) exported.notes.forEach((note) => console.error(note))
  else if (options.json) console.log(JSON.stringify(exported, null, 2))
  else console.log(textOf(exported))
}

function textOf({ files, notes }: Exported): string {
  return [...files.map(({ path, bytes }) => `${path}  ${sizeText(bytes)}`), ...notes].join('\n')
}

/** What is asked for, in the flight's own terms. Errors: Fault GL-EXPORT-04 it is not in the flight, 05 no such time. */
async function selectionOf(
  flight: FlightReader,
  { messages, link, from, to }: Options,
): Promise<{ selection: Selection; notes: string[] }> {
  const selection: Selection = {
    fromUs: from === undefined ? -Infinity : receiveTimeOf(flight, from),
    toUs: to === undefined ? Infinity : receiveTimeOf(flight, to),
  }
  const { links, id } = flight.info
  if (link !== undefined) {
    selection.link = links.indexOf(link)
    if (selection.link < 0) throw absentFault(id, `link ${link}`, `Its links are ${links.join(', ')}.`)
  }
  const notes: string[] = []
  if (messages !== undefined) {
    const there = new Set((await flight.messages()).map(({ msgid }) => msgid))
    selection.msgids = messages.filter((msgid) => there.has(msgid))
    const absent = messages.filter((msgid) => !there.has(msgid)).map(messageName)
    const hint = `groundlock messages ${id} lists those that are.`
    if (selection.msgids.length === 0) throw absentFault(id, absent.join(', '), hint)
    if (absent.length > 0) notes.push(`Not in this flight: ${absent.join(', ')}.`)
  }
  return { selection, notes }
}

function absentFault(id: string, what: string, hint: string): Fault {
  return new Fault({
    code: 'GL-EXPORT-04',
    op: `export ${what} of flight`,
    subject: id,
    found: 'nothing of that is in it',
    hint,
    recovery: 'user',
  })
}

function msgidsOf(names: string): number[] {
  const { byName } = loadDialect()
  return names.split(',').map((each) => {
    const name = each.trim()
    const known = byName.get(name.toUpperCase())?.msgid
    const numbered = /^(?:UNKNOWN_)?(\d{1,8})$/i.exec(name)?.[1]
    if (known !== undefined) return known
    if (numbered !== undefined) return Number(numbered)
    if (name === '') throw new InvalidArgumentError('They are names or numbers, separated by commas.')
    const nearest = [...byName.keys()].toSorted((a, b) => editDistance(a, name) - editDistance(b, name))[0]
    throw new InvalidArgumentError(`There is no message ${name}; the nearest is ${nearest}.`)
  })
}

function momentOption(word: string): Moment {
  const moment = momentOf(word)
  if (moment !== undefined) return moment
  throw new InvalidArgumentError(
    'It is 12.5 (seconds), 1:05 or 1:02:05, -10 (before the end) or 2023-04-18T11:03:34Z.',
  )
}
