/** Command `doctor`: looks at everything that the promise and the recording rest on, and says what to do. Changes nothing. */
import { hostname } from 'node:os'
import { Command } from 'commander'
import { bootId, monotonicUs } from '../base/clock.js'
import { CONFIGURATION_PATH, configurationOrDefaults } from '../base/configuration-file.js'
import { isProcessAlive } from '../base/process-alive.js'
import { ALL_GROUPS } from '../doctor/all-checks.js'
import { examine, type Context, type Finding, type Verdict } from '../doctor/check.js'
import { openMachine } from '../doctor/machine.js'
import { readGuardStatus, readStationStatus } from '../doctor/status-file.js'
import { ownVersion } from '../doctor/version-checks.js'
import { EXIT_CODE } from './exit-code.js'
import { plain } from './plain-text.js'

interface Options {
  config: string
  json?: boolean
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('look at what the door and the recording rest on, and say what to do')
    .option('--config <file>', 'the configuration of guard and station', CONFIGURATION_PATH)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
It changes nothing. As root it sees more: what the kernel can do is tried in an empty network namespace.
The exit code is 3 where a check fails.

Example: sudo groundlock doctor`,
    )
    .action(doctor)
}

async function doctor(options: Options): Promise<void> {
  const context = openContext(options.config)
  const findings = await examine(ALL_GROUPS, context)
  const counts = countsOf(findings)
  if (options.json) console.log(JSON.stringify({ ...heading(context), counts, findings }, null, 2))
  else console.log(report(findings, context.machine.isRoot))
  if (counts.fail > 0) process.exitCode = EXIT_CODE.bad
}

/** What a report has to say of where and when it was made. */
function heading({ machine, configurationPath, configurationTrouble }: Context): object {
  return {
    version: ownVersion(),
    date: new Date().toISOString(),
    host: hostname(),
    configurationPath,
    configurationTrouble,
    isRoot: machine.isRoot,
  }
}

function openContext(configurationPath: string): Context {
  const { configuration, trouble } = configurationOrDefaults(configurationPath)
  const present = { nowUs: monotonicUs(), bootId: bootId(), isProcessAlive }
  return {
    machine: openMachine(),
    configuration,
    configurationPath,
    configurationTrouble: trouble,
    guard: readGuardStatus(configuration.guard.runDir, present),
    station: readStationStatus(configuration.station.runDir, present),
  }
}

const MARKS: Readonly<Record<Verdict, string>> = {
  pass: 'pass',
  warn: 'WARN',
  fail: 'FAIL',
  'not applicable': 'n/a ',
}

/** Verdicts first, so that a column tells; what to do below it. */
function report(findings: readonly Finding[], isRoot: boolean): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines: string[] = []
  let group = ''
  for (const finding of findings) {
    if (finding.group !== group) lines.push(...(group === '' ? [] : ['']), finding.group)
    group = finding.group
    const { verdict, check, found, todo } = finding
    lines.push(`  ${MARKS[verdict]}  ${check.padEnd(width)}  ${plain(found)}`)
    if (todo !== null) lines.push(`${' '.repeat(8 + width)}  → ${plain(todo)}`)
  }
  const counts = countsOf(findings)
  const parts = [
    `${counts.fail} fail`,
    `${counts.warn} warn`,
    `${counts.pass} pass`,
    `${counts['not applicable']} not applicable`,
  ]
  return [
    ...lines,
    '',
    parts.join(', ') + (isRoot ? '' : '; as root it sees more: sudo groundlock doctor'),
  ].join('\n')
}

function countsOf(findings: readonly Finding[]): Record<Verdict, number> {
  const counts = { pass: 0, warn: 0, fail: 0, 'not applicable': 0 }
  for (const { verdict } of findings) counts[verdict]++
  return counts
}
