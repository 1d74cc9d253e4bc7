/** Command `import`: recordings that others made become flights of the vault. */
import { statSync } from 'node:fs'
import { Command, InvalidArgumentError, Option } from 'commander'
import { Fault, faultLines } from '../base/fault.js'
import { loadDialect } from '../mavlink/dialect.js'
import { NO_ROOM_CODE, importFile } from '../storage/import/import.js'
import type { ImportOptions } from '../storage/import/import.js'
import { RECORDING_ENDINGS, listRecordings } from '../storage/import/recording-list.js'
import type { Listed } from '../storage/import/recording-list.js'
import { importSplit } from '../storage/import/split-import.js'
import { Vault } from '../storage/vault/vault.js'
import { EXIT_CODE } from './exit-code.js'
import { vaultOption } from './flight-argument.js'
import { failuresText, goOnText, leftOutText, outcomeText, plain, summaryText } from './import-outcome.js'
import type { Outcome } from './import-outcome.js'
import { interruptible } from './interrupt.js'
import { createProgressLine } from './progress-line.js'
import type { ProgressLine } from './progress-line.js'
import { sizeText } from './quantity-text.js'

interface Options {
  vault: string
  format: ImportOptions['format']
  station?: string
  split?: boolean
  json?: boolean
}

/** From so many files on they are told of together, at the end. */
const LONG_LIST_FILES = 10

export function importCommand(): Command {
  return new Command('import')
    .description('take recordings (.tlog, raw MAVLink streams) into the vault, one flight a file')
    .argument('<path...>', 'the recordings, or folders with recordings in them')
    .addOption(vaultOption())
    .addOption(
      new Option('--format <format>', 'what the files are; auto looks at each')
        .choices(['auto', 'tlog', 'raw'])
        .default('auto'),
    )
    .option(
      '--station <name>',
      'what the flights’ ids begin with; that of the vault unless told',
      stationName,
    )
    .option('--split', 'make of a long .tlog the flights that a station would have recorded')
    .option('--json', 'print an array of objects, one a file')
    .addHelpText(
      'after',
      `
A file comes out again byte for byte: groundlock export FLIGHT --format original. Not so with --split: a flight begins
with a vehicle's first heartbeat and ends when it lands or falls silent, and what lies between flights is not kept.

Of a folder, and of the folders in it, all files called ${RECORDING_ENDINGS.join(', ')} are taken, but hidden ones and links
to folders; how many were left out is said. A file that is named itself is taken whatever it is called.
What is in the vault already is left alone, be it from another run or from the same list under another name, and a bad
file does not stop the others (exit code 1 at the end); a full disk does. Ctrl-C keeps what is done: run it again to go on.

Examples: groundlock import *.tlog --vault ./vault
          groundlock import /media/stick --vault ./vault`,
    )
    .action(importPaths)
}

async function importPaths(paths: string[], options: Options): Promise<void> {
  const vault = Vault.openOrCreate(options.vault)
  const station = vault.importStation(options.station)
  const { format, split = false, json = false } = options
  const { files, leftOut } = listRecordings(paths)
  const startMs = performance.now()
  const outcomes: Outcome[] = []
  const progress = new ListProgress(files)
  const done = await interruptible(async (signal) => {
    for (const listed of files) {
      const onProgress = (doneBytes: number): void => progress.update(doneBytes)
      const request = { vault, station, dialect: loadDialect(), format, signal, onProgress }
      progress.update(0)
      const outcome = await importOne(listed, split, request)
      outcomes.push(outcome)
      const told = toldText(outcome, vault, json, files.length >= LONG_LIST_FILES)
      progress.next(told !== undefined)
      if (outcome.kind === 'failed') console.error(told)
      else if (told !== undefined) console.log(told)
      if (outcome.kind === 'failed' && outcome.fault === NO_ROOM_CODE) break
    }
    return true
  }).finally(() => progress.end())
  if (done === true) {
    const rest = files.slice(outcomes.length)
    outcomes.push(...rest.map(({ path }): Outcome => ({ file: path, kind: 'not tried' })))
  }
  if (json) console.log(JSON.stringify(outcomes.map(plain), null, 2))
  else if (files.length > 1) console.log(summaryText(outcomes, leftOut, performance.now() - startMs))
  else if (leftOut.size > 0) console.log(leftOutText(leftOut))
  const failures = failuresText(outcomes)
  if (files.length > 1 && failures !== '') console.error(failures)
  if (done === undefined) {
    if (files.length > 1) console.error(goOnText(outcomes.length, files.length))
  } else if (failures !== '') process.exitCode = EXIT_CODE.fault
}

async function importOne(
  { path: file, bytes, fault }: Listed,
  split: boolean,
  options: ImportOptions,
): Promise<Outcome> {
  const { vault } = options
  const stored = (ids: readonly string[]): number =>
    ids.reduce((sum, id) => sum + (statSync(vault.flightPath(id), { throwIfNoEntry: false })?.size ?? 0), 0)
  try {
    if (fault !== undefined) throw fault
    const result = split ? await importSplit(file, options) : await importFile(file, options)
    if (result.kind === 'already there') return { file, ...result }
    if ('id' in result) return { file, bytes, storedBytes: stored([result.id]), ...result }
    return { file, bytes, storedBytes: stored(result.ids), ...result, kind: 'split' }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { file, kind: 'failed', fault: error.code, message: error.message, error }
  }
}

/** How far the whole list has come, by bytes. */
class ListProgress {
  readonly #files: readonly Listed[]
  readonly #allBytes: number
  readonly #line: ProgressLine
  #doneFiles = 0
  #doneBytes = 0

  constructor(files: readonly Listed[]) {
    this.#files = files
    this.#allBytes = files.reduce((sum, { bytes }) => sum + bytes, 0)
    this.#line = createProgressLine('importing')
  }

  /** So much of the file that is on is done. */
  update(bytes: number): void {
    const doneBytes = this.#doneBytes + bytes
    const { path } = this.#files[this.#doneFiles]!
    const what =
      this.#files.length === 1
        ? `importing ${path}`
        : `importing file ${this.#doneFiles + 1} of ${this.#files.length}, ${sizeText(doneBytes)} of ${sizeText(this.#allBytes)}`
    this.#line.update(doneBytes, this.#allBytes, what)
  }

  /** The file that was on is done, however it ended; `clear`: something is about to be printed. */
  next(clear: boolean): void {
    if (clear) this.#line.end()
    this.#doneBytes += this.#files[this.#doneFiles++]!.bytes
  }

  end(): void {
    this.#line.end()
  }
}

/** What is told of one file: of a short list all, of a long one a line, and where a person watches only what failed. */
function toldText(outcome: Outcome, vault: Vault, json: boolean, isLong: boolean): string | undefined {
  const isFailed = outcome.kind === 'failed'
  if (!isFailed && (json || (isLong && process.stdout.isTTY))) return undefined
  const lines = isFailed ? faultLines(outcome.error) : outcomeText(outcome, vault)
  return isLong ? lines.split('\n', 1)[0] : lines
}

function stationName(name: string): string {
  if (/^[a-z][a-z0-9-]{0,23}$/.test(name)) return name
  throw new InvalidArgumentError('It is a name of 1 to 24 of a-z, 0-9 and -, beginning with a letter.')
}
