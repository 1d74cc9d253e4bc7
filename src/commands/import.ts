/** Command `import`: recordings that others made become flights of the vault. */
import { stat } from 'node:fs/promises'
import { Command, InvalidArgumentError, Option } from 'commander'
import { Fault, faultLines } from '../base/fault.js'
import { loadDialect } from '../mavlink/dialect.js'
import { importFile } from '../storage/import/import.js'
import { importSplit } from '../storage/import/split-import.js'
import type { SplitResult } from '../storage/import/split-import.js'
import type { ImportOptions, ImportResult } from '../storage/import/import.js'
import { Vault } from '../storage/vault/vault.js'
import { EXIT_CODE } from './exit-code.js'
import { vaultOption } from './flight-argument.js'
import { interruptible } from './interrupt.js'
import { createProgressLine } from './progress-line.js'
import { pluralText, sizeText } from './quantity-text.js'

interface Options {
  vault: string
  format: ImportOptions['format']
  station?: string
  split?: boolean
  json?: boolean
}

/** What became of one file. */
type Outcome = { file: string } & (
  | ImportResult
  | ({ kind: 'split' } & Omit<SplitResult & { kind: 'imported' }, 'kind'>)
  | { kind: 'failed'; fault: string; message: string }
)

export function importCommand(): Command {
  return new Command('import')
    .description('take recordings (.tlog, raw MAVLink streams) into the vault, one flight a file')
    .argument('<file...>', 'the recordings')
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
One that is in the vault already is left alone, and a bad one does not stop the others (exit code 1 at the end).

Example: groundlock import *.tlog --vault ./vault`,
    )
    .action(importFiles)
}

async function importFiles(files: string[], options: Options): Promise<void> {
  const vault = Vault.openOrCreate(options.vault)
  const station = vault.importStation(options.station)
  const outcomes: Outcome[] = []
  const done = await interruptible(async (signal) => {
    for (const file of files) {
      const { format, split = false } = options
      const outcome = await importOne(file, split, { vault, station, dialect: loadDialect(), format, signal })
      outcomes.push(outcome)
      if (!options.json) await report(outcome, vault)
    }
    return true
  })
  if (options.json) console.log(JSON.stringify(outcomes.map(plain), null, 2))
  if (done === undefined) return
  const failed = outcomes.filter(({ kind }) => kind === 'failed').length
  if (failed > 0) {
    if (files.length > 1) console.error(`${failed} of ${files.length} files could not be imported.`)
    process.exitCode = EXIT_CODE.fault
  }
}

async function importOne(file: string, split: boolean, options: ImportOptions): Promise<Outcome> {
  const line = createProgressLine(`importing ${file}`)
  const request = { ...options, onProgress: (done: number, all: number) => line.update(done, all) }
  try {
    if (!split) return { file, ...(await importFile(file, request)) }
    const result = await importSplit(file, request)
    return result.kind === 'imported' ? { file, ...result, kind: 'split' } : { file, ...result }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    line.end()
    console.error(faultLines(error))
    return { file, kind: 'failed', fault: error.code, message: error.message }
  } finally {
    line.end()
  }
}

async function report(outcome: Outcome, vault: Vault): Promise<void> {
  const { file } = outcome
  switch (outcome.kind) {
    case 'imported':
      console.log(`${file} → ${outcome.id}\n  ${await importedText(outcome, file, vault)}`)
      break
    case 'split':
      console.log(`${file} → ${pluralText(outcome.ids.length, 'flight')}: ${outcome.ids.join(', ')}`)
      console.log(
        `  ${pluralText(outcome.frames, 'message')}; ${pluralText(outcome.outsideBytes, 'byte')} outside of flights`,
      )
      break
    case 'already there':
      console.log(`${file} is in the vault already: ${outcome.id}`)
      break
    case 'failed':
  }
}

async function importedText(
  { id, format, frames, noiseBytes, redactions }: ImportResult & { kind: 'imported' },
  file: string,
  vault: Vault,
): Promise<string> {
  const [before, after] = await Promise.all([stat(file), stat(vault.flightPath(id))])
  const keys = redactions === 0 ? '' : `, ${pluralText(redactions, 'signing key')} zeroed`
  return (
    `${format}: ${pluralText(frames, 'message')}, ${pluralText(noiseBytes, 'byte')} of noise${keys}; ` +
    `${sizeText(before.size)} stored in ${sizeText(after.size)}`
  )
}

function stationName(name: string): string {
  if (/^[a-z][a-z0-9-]{0,23}$/.test(name)) return name
  throw new InvalidArgumentError('It is a name of 1 to 24 of a-z, 0-9 and -, beginning with a letter.')
}

function plain(outcome: Outcome): object {
  const { kind, ...rest } = outcome
  return { status: kind, ...rest }
}
