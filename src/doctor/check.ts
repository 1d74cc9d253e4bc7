/**
 * Check: one question of `doctor` and its findings. A check looks and tells; what to do stands beside what was found.
 */
import type { Configuration } from '../base/configuration.js'
import type { GuardStatus } from '../base/guard-status.js'
import type { Machine } from './machine.js'
import type { FoundStatus, StationReport } from './status-file.js'

/** warn: it works, and something may break it or tells of trouble. Only `fail` makes doctor's exit code bad. */
export type Verdict = 'pass' | 'warn' | 'fail' | 'not applicable'

export interface Finding {
  group: string
  check: string
  verdict: Verdict
  found: string
  /** What to do about it; null where nothing is to be done. */
  todo: string | null
}

/** What a check tells; its group and name are put to it. */
export interface Answer {
  verdict: Verdict
  found: string
  todo: string | null
}

export interface Context {
  machine: Machine
  /** What is configured; the defaults and no link where the file cannot be used. */
  configuration: Configuration
  /** Where the configuration was read from, and what is wrong with it. */
  configurationPath: string
  configurationTrouble: string | null
  guard: FoundStatus<GuardStatus>
  station: FoundStatus<StationReport>
}

export interface Check {
  name: string
  /** None: there is nothing of the kind here. */
  look(context: Context): Answer[] | Promise<Answer[]>
}

export interface Group {
  name: string
  checks: readonly Check[]
}

export const pass = (found: string): Answer => ({ verdict: 'pass', found, todo: null })
export const warn = (found: string, todo: string): Answer => ({ verdict: 'warn', found, todo })
export const fail = (found: string, todo: string): Answer => ({ verdict: 'fail', found, todo })
/** There is nothing to check here, or this user cannot (then `todo` says who can). */
export const notApplicable = (found: string, todo: string | null = null): Answer => ({
  verdict: 'not applicable',
  found,
  todo,
})

export const AS_ROOT = 'As root it can be seen: sudo groundlock doctor'

/** All findings in the order of the groups. One after the other: the tools they ask are few and the machine is small. */
export async function examine(groups: readonly Group[], context: Context): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const group of groups)
    for (const check of group.checks)
      for (const answer of await check.look(context))
        findings.push({ group: group.name, check: check.name, ...answer })
  return findings
}
