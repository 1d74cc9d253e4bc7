/**
 * Flight fault: why a flight of the vault cannot be read, in words.
 */
import { Fault, errnoOf, reasonOf } from '../../base/fault.js'

/** What a damaged file is good for, whichever part of it is damaged. */
const DAMAGED_HINT =
  'Copy the file to another disk before anything else, and look at the disk it was on (dmesg, free space).\n' +
  '`groundlock check` says what is damaged, `groundlock salvage` copies out what can be read.\n' +
  'Flights are files of their own: the others are not concerned.'

export function notAFlightFault(path: string, found: string, cause?: unknown): Fault {
  return new Fault({
    code: 'GL-FLIGHT-01',
    op: 'read',
    subject: path,
    found,
    hint: 'A flight is a file that `run` or `import` made. If this was one, `groundlock salvage` copies out what it still holds;\nanother file is better kept elsewhere than in the vault.',
    recovery: 'user',
    cause,
  })
}

export function newerFault(path: string, version: number, known: number): Fault {
  return new Fault({
    code: 'GL-FLIGHT-02',
    op: 'read',
    subject: path,
    found: `its format is version ${version}, and this program knows ${known} and older ones`,
    hint: 'Read it with the groundlock that recorded it, or a newer one: see groundlock --version.',
    recovery: 'user',
  })
}

export function damagedFault(path: string, found: string, cause?: unknown): Fault {
  return new Fault({
    code: 'GL-FLIGHT-03',
    op: 'read',
    subject: path,
    found: `it is damaged: ${found}`,
    hint: DAMAGED_HINT,
    recovery: 'user',
    cause,
  })
}

export function unreadableFault(path: string, cause: unknown): Fault {
  return new Fault({
    code: 'GL-FLIGHT-05',
    op: 'open',
    subject: path,
    found: reasonOf(cause),
    hint:
      `This user must be able to read the file: ls -l ${path}\n` +
      'One that is still recorded can only be read by a user that may write to its folder.',
    recovery: 'user',
    cause,
  })
}

/** A flight that has no file yet: its first segment makes it. */
export function unmadeFault(path: string): Fault {
  return new Fault({
    code: 'GL-FLIGHT-07',
    op: 'read',
    subject: path,
    found: 'the flight has no file yet',
    hint:
      "Its records lie in the vault's tails: a station that runs makes the file within minutes, else the next start of one\n" +
      'does. Leave the tails where they are, and try again when the flight is over.',
    recovery: 'user',
  })
}

/** Nothing at all was found in a file that should be salvaged. */
export function nothingLeftFault(path: string): Fault {
  return new Fault({
    code: 'GL-FLIGHT-06',
    op: 'salvage',
    subject: path,
    found: 'no record of a flight can be read in it',
    hint: 'Try another copy of it, if there is one. `groundlock check` says what is there.',
    recovery: 'user',
  })
}

/** What an error that came while the file at `path` was read says of it; a mistake of ours comes back as it is. */
export function readingFault(path: string, error: unknown): unknown {
  const code = errnoOf(error)
  if (error instanceof Fault || (code === '' && !(error instanceof RangeError))) return error
  switch (code) {
    case 'SQLITE_NOTADB':
      return notAFlightFault(path, 'it is no SQLite file', error)
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_PERM':
    case 'SQLITE_AUTH':
    case 'SQLITE_BUSY':
    case 'SQLITE_READONLY':
      return unreadableFault(path, error)
    default:
      return damagedFault(path, reasonOf(error), error)
  }
}
