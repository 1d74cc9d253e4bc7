/** Import outcome: what became of each file of an import, and of all together, in words. */
import type { Fault } from '../base/fault.js'
import type { ImportResult } from '../storage/import/import.js'
import type { SplitResult } from '../storage/import/split-import.js'
import type { Vault } from '../storage/vault/vault.js'
import { countText, durationText, pluralText, sizeText } from './quantity-text.js'

/** Sizes of the file, and of the flights that it became (bytes). */
interface Sizes {
  bytes: number
  storedBytes: number
}

/** What became of one file. */
export type Outcome = { file: string } & (
  | (ImportResult & { kind: 'imported' } & Sizes)
  | (Omit<SplitResult & { kind: 'imported' }, 'kind'> & { kind: 'split' } & Sizes)
  | (ImportResult & { kind: 'already there' })
  | { kind: 'failed'; fault: string; message: string; error: Fault }
  | { kind: 'not tried' }
)

/** What `--json` says of a file. */
export function plain(outcome: Outcome): object {
  const { kind, ...rest } = outcome
  if (!('error' in rest)) return { status: kind, ...rest }
  const { error: _, ...said } = rest
  return { status: kind, ...said }
}

export function outcomeText(outcome: Outcome, vault: Vault): string {
  const { file } = outcome
  switch (outcome.kind) {
    case 'imported':
      return `${file} → ${outcome.id}\n  ${importedText(outcome)}${doubtText(outcome, vault)}`
    case 'split':
      return (
        `${file} → ${pluralText(outcome.ids.length, 'flight')}: ${outcome.ids.join(', ')}\n` +
        `  ${pluralText(outcome.frames, 'message')}; ${pluralText(outcome.outsideBytes, 'byte')} outside of flights`
      )
    case 'already there':
      return `${file} is in the vault already: ${outcome.id}`
    case 'failed':
      return `${file}: ${outcome.message}`
    case 'not tried':
  }
  return `${file} was not tried`
}

function importedText({
  format,
  frames,
  noiseBytes,
  redactions,
  bytes,
  storedBytes,
}: Outcome & { kind: 'imported' }): string {
  const keys = redactions === 0 ? '' : `, ${pluralText(redactions, 'signing key')} zeroed`
  return (
    `${format}: ${pluralText(frames, 'message')}, ${pluralText(noiseBytes, 'byte')} of noise${keys}; ` +
    `${sizeText(bytes)} stored in ${sizeText(storedBytes)}`
  )
}

/** The right format would be refused later, as the file is there: so it is said now, with the way out. */
function doubtText({ format, looksLike, id }: Outcome & { kind: 'imported' }, vault: Vault): string {
  if (looksLike === undefined) return ''
  return (
    `\n  It looks like ${looksLike}, and was taken as ${format}. If that was not meant: ` +
    `rm ${vault.flightPath(id)}, and import it again without --format.`
  )
}

/** All files together; a list of one is told of by its own line. */
export function summaryText(
  outcomes: readonly Outcome[],
  leftOut: ReadonlyMap<string, number>,
  elapsedMs: number,
): string {
  const count = (...kinds: Outcome['kind'][]): number =>
    outcomes.filter(({ kind }) => kinds.includes(kind)).length
  const ends: [number, string][] = [
    [count('imported', 'split'), 'imported'],
    [count('already there'), 'in the vault already'],
    [count('failed'), 'failed'],
    [count('not tried'), 'not tried'],
  ]
  const stored = outcomes.filter((outcome) => outcome.kind === 'imported' || outcome.kind === 'split')
  const sum = (of: (outcome: (typeof stored)[number]) => number): number =>
    stored.reduce((all, outcome) => all + of(outcome), 0)
  const lines = [
    `${pluralText(outcomes.length, 'file')} in ${durationText(elapsedMs * 1000)}: ` +
      ends.flatMap(([n, what], i) => (n > 0 || i === 0 ? [`${countText(n)} ${what}`] : [])).join(', '),
    `${pluralText(
      sum(({ frames }) => frames),
      'message',
    )}; ` +
      `${sizeText(sum(({ bytes }) => bytes))} stored in ${sizeText(sum(({ storedBytes }) => storedBytes))}`,
  ]
  if (leftOut.size > 0) lines.push(leftOutText(leftOut))
  return lines.join('\n')
}

/** `12 other files were left out: 8 .bin, 4 .param` */
export function leftOutText(leftOut: ReadonlyMap<string, number>): string {
  const kinds = [...leftOut].toSorted(([, a], [, b]) => b - a)
  const all = kinds.reduce((sum, [, count]) => sum + count, 0)
  const what = kinds.map(([kind, count]) => `${countText(count)} ${kind}`)
  return `${pluralText(all, 'other file')} in the folders ${all === 1 ? 'was' : 'were'} left out: ${what.join(', ')}`
}

/** All that failed, again, behind what has scrolled away; empty where nothing did. */
export function failuresText(outcomes: readonly Outcome[]): string {
  const failed = outcomes.filter((outcome) => outcome.kind === 'failed')
  const notTried = outcomes.filter(({ kind }) => kind === 'not tried').length
  if (failed.length === 0) return ''
  const lines = [
    `${countText(failed.length)} of ${countText(outcomes.length)} files could not be imported.`,
    ...failed.map(({ file, error }) => `  ${error.code}  ${file}: ${error.found}`),
  ]
  if (notTried > 0)
    lines.push(
      `${pluralText(notTried, 'file')} after that ${notTried === 1 ? 'was' : 'were'} not tried: no other would fit.`,
    )
  return lines.join('\n')
}

export function goOnText(done: number, all: number): string {
  return (
    `${countText(done)} of ${countText(all)} files were done, and stay. ` +
    'Run the same command again to go on: what is in the vault is left alone.'
  )
}
