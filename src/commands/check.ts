/** Command `check`: whether flights are as they were written. */
import { Command } from 'commander'
import { Fault, faultLines } from '../base/fault.js'
import { findingText } from '../storage/check/finding.js'
import { checkFlight } from '../storage/check/flight-check.js'
import type { FlightCheck } from '../storage/check/flight-check.js'
import { leftovers } from '../storage/check/leftovers.js'
import { Vault } from '../storage/vault/vault.js'
import { EXIT_CODE } from './exit-code.js'
import { FLIGHT_FILE_HELP, flightFileOf, vaultOption } from './flight-argument.js'
import { interruptible } from './interrupt.js'
import { createProgressLine } from './progress-line.js'
import { countText, durationText, pluralText, sizeText } from './quantity-text.js'

interface Options {
  vault: string
  all?: boolean
  json?: boolean
}

/** A flight that was checked, or could not be. */
type Outcome =
  ({ name: string } & FlightCheck) | { name: string; path: string; fault: string; problem: string }

/** Findings of a flight that are shown (lines); `--json` has all. */
const MAX_LINES = 20

export function checkCommand(): Command {
  return new Command('check')
    .description('check that a flight is as it was written, to the bit')
    .argument('[flight]', FLIGHT_FILE_HELP)
    .addOption(vaultOption())
    .option('--all', 'check all flights of the vault')
    .option('--json', 'print what was found as JSON: an object, with --all an array')
    .addHelpText(
      'after',
      `
Every hash, checksum and count of the file is computed again from what it holds. Nothing is changed. Of a flight that
is being recorded, what its file has by now is checked. The exit code is 3 where damage was found.

Example: groundlock check last --vault ./vault`,
    )
    .action(check)
}

async function check(word: string | undefined, options: Options, command: Command): Promise<void> {
  if ((word === undefined) === (options.all !== true)) command.error('error: name a flight, or --all')
  const files = word === undefined ? allFiles(options.vault) : [flightFileOf(options.vault, word)]
  const outcomes = await interruptible(async (signal) => {
    const done: Outcome[] = []
    for (const { name, path } of files) {
      const outcome = await checkOne(name, path, word === undefined, signal)
      done.push(outcome)
      if (options.json !== true) console.log(outcomeText(outcome))
    }
    return done
  })
  if (outcomes === undefined) return
  const left = word === undefined ? leftovers(Vault.open(options.vault)) : []
  if (options.json === true) console.log(JSON.stringify(word === undefined ? outcomes : outcomes[0], null, 2))
  else if (word === undefined) console.log([...left, summaryText(outcomes)].join('\n'))
  if (outcomes.some(isDamaged)) process.exitCode = EXIT_CODE.bad
  else if (outcomes.some((outcome) => 'fault' in outcome)) process.exitCode = EXIT_CODE.fault
}

function allFiles(vaultDir: string): { name: string; path: string }[] {
  const vault = Vault.open(vaultDir)
  return vault
    .flightIds()
    .toSorted()
    .map((name) => ({ name, path: vault.flightPath(name) }))
}

/** `goOn`: a flight that cannot be checked is told, and stops nothing. */
async function checkOne(name: string, path: string, goOn: boolean, signal: AbortSignal): Promise<Outcome> {
  const progress = createProgressLine(`checking ${name}`)
  try {
    const found = await checkFlight(path, { signal, onProgress: (done, all) => progress.update(done, all) })
    return { name, ...found }
  } catch (error) {
    if (!(error instanceof Fault) || !goOn) throw error
    progress.end()
    console.error(faultLines(error))
    return { name, path, fault: error.code, problem: error.found }
  } finally {
    progress.end()
  }
}

const isDamaged = (outcome: Outcome): boolean => 'findings' in outcome && outcome.findings.length > 0

function outcomeText(outcome: Outcome): string {
  if ('fault' in outcome) return `not checked: ${outcome.name}`
  const { name, findings, segments, pieces, records, bytes } = outcome
  if (findings.length === 0) {
    const what = `${pluralText(segments, 'segment')}, ${pluralText(pieces, 'piece')}, ${pluralText(records, 'record')}`
    return `whole: ${name}  ${what}, ${sizeText(bytes)}; every hash, checksum and count is right`
  }
  const shown = findings.slice(0, MAX_LINES).map((finding) => `  ${findingText(finding)}`)
  const more =
    findings.length > MAX_LINES ? [`  … and ${findings.length - MAX_LINES} more (--json has all)`] : []
  return [`damaged: ${name}`, ...shown, ...more, ...readableLines(outcome)].join('\n')
}

function readableLines({ name, readable }: { name: string } & FlightCheck): string[] {
  // Why, a finding says.
  if (readable === null) return []
  if (readable.records === 0) return ['  nothing of it can be read']
  const { whole, inParts, segments, records, seconds } = readable
  const parts = inParts === 0 ? '' : `, and ${inParts} in parts`
  const time = seconds === null ? '' : `, ${durationText(seconds * 1e6)} of flight`
  return [
    `  can be read: ${whole} of ${pluralText(segments, 'segment')}${parts}: ${pluralText(records, 'record')}${time}`,
    `  groundlock salvage ${name} --out FILE copies that out; before that, copy ${name} to another disk as it is`,
  ]
}

function summaryText(outcomes: readonly Outcome[]): string {
  const damaged = outcomes.filter(isDamaged).length
  const unchecked = outcomes.filter((outcome) => 'fault' in outcome).length
  const whole = outcomes.length - damaged - unchecked
  const others = unchecked === 0 ? '' : `, ${countText(unchecked)} could not be checked`
  return `${pluralText(outcomes.length, 'flight')}: ${countText(whole)} whole, ${countText(damaged)} damaged${others}`
}
