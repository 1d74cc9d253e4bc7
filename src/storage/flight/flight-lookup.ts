/**
 * Flight lookup: which flight a word means: an id, its beginning or end as far as no other has it, or `last`.
 */
import { statSync } from 'node:fs'
import { editDistance } from '../../base/edit-distance.js'
import { Fault } from '../../base/fault.js'
import { flightsIn } from '../tail/tail-reader.js'
import type { TailSnapshot } from '../tail/tail-reader.js'
import type { Vault } from '../vault/vault.js'

/** The word for the flight that was written last. */
export const LAST = 'last'

/** Ids that an error names (flights): more would not be read. */
const NAMED_IDS = 3

/** The ids of all flights of the vault, also of those that have no file yet, as they lie in a tail only. */
export function allFlightIds(vault: Vault, tails: TailSnapshot): string[] {
  return [...new Set([...vault.flightIds(), ...flightsIn(tails).map(({ id }) => id)])]
}

/**
 * The id of the flight that `word` means.
 * `last` is the flight that is being recorded, else the one whose file was written last: receive times of different
 * boots cannot be compared, and no name or time in a flight says which is the latest.
 * Errors: Fault GL-FLIGHT-04 where it is none, or several.
 */
export function findFlight(vault: Vault, tails: TailSnapshot, word: string): string {
  const ids = allFlightIds(vault, tails)
  if (ids.includes(word)) return word
  if (word === LAST) {
    const last = ids
      .toSorted((a, b) => lastWrittenMs(vault, tails, a) - lastWrittenMs(vault, tails, b))
      .at(-1)
    if (last !== undefined) return last
  }
  const matching = ids.filter((id) => id.startsWith(word) || id.endsWith(word))
  if (matching.length === 1 && word !== '') return matching[0]!
  throw unknownFault(vault, word, ids, matching)
}

/** When the flight was last written to (ms since 1970, by the clock of the file system). */
export function lastWrittenMs(vault: Vault, tails: TailSnapshot, id: string): number {
  const path = vault.flightPath(id)
  // Until its next segment is committed, what is new of a flight lies in the tails.
  const recording = flightsIn(tails).at(-1)?.id === id && isUnsettled(path)
  return recording ? Infinity : Math.max(writtenMs(path), writtenMs(`${path}-wal`))
}

/** Whether the station has not yet let go of the file, or not made it. */
function isUnsettled(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined || (stat.mode & 0o222) !== 0
}

function writtenMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function unknownFault(vault: Vault, word: string, ids: string[], matching: string[]): Fault {
  const several = matching.length > 1 && word !== ''
  const nearest = ids.toSorted((a, b) => editDistance(a, word) - editDistance(b, word))
  const named = (several ? matching.toSorted() : nearest).slice(0, NAMED_IDS)
  return new Fault({
    code: 'GL-FLIGHT-04',
    op: 'find flight',
    subject: word,
    found: several
      ? `${matching.length} of the vault's ${ids.length} flights begin or end with that`
      : `the vault ${vault.dir} has ${ids.length === 0 ? 'no flight' : `${ids.length} flights and none of that name`}`,
    hint:
      ids.length === 0
        ? 'Record one (groundlock run) or import one (groundlock import FILE --vault DIR).'
        : `${several ? 'They are' : 'The nearest are'} ${named.join(', ')}${named.length < (several ? matching : ids).length ? ', …' : ''}.\n` +
          '`groundlock flights` lists all; a unique beginning or end of an id is enough, and `last` is the latest.',
    recovery: 'user',
  })
}
