/**
 * Storing fault: why the storage worker cannot store just now, and what a person can do. All of them are tried again.
 */
import { Fault, errnoOf, reasonOf } from '../../base/fault.js'

/** The flight file takes no segment. */
export const COMMIT_FAULT = 'GL-VAULT-02'
/** Both tails are full. */
export const TAILS_FULL = 'GL-VAULT-04'

/** The card or the system refused; an error without a code is a mistake of ours. */
export function isOfTheWorld(error: unknown): boolean {
  return error instanceof Fault || errnoOf(error) !== ''
}

export function commitFault(flightId: string, cause: unknown): Fault {
  return new Fault({
    code: COMMIT_FAULT,
    op: 'commit to flight',
    subject: flightId,
    found: reasonOf(cause),
    hint: 'What came in waits in the tails and in memory, and is tried again: free disk space, check the card.',
    recovery: 'retry',
    cause,
  })
}

export function tailsFullFault(flightId: string): Fault {
  return new Fault({
    code: TAILS_FULL,
    op: 'store durably for flight',
    subject: flightId,
    found: 'both tails are full, as its file took no segment for so long',
    hint: 'What comes in now waits in memory only, and is lost when that is full: free disk space, check the card.',
    recovery: 'retry',
  })
}

export function recoveryFault(dir: string, cause: unknown): Fault {
  return new Fault({
    code: 'GL-VAULT-05',
    op: 'prepare for recording',
    subject: dir,
    found: reasonOf(cause),
    hint: 'It is tried again; until then what comes in waits in memory. Free disk space, check the card.',
    recovery: 'retry',
    cause,
  })
}
