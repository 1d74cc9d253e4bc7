/**
 * Token fault: what can be wrong with the link token's file, as a person reads it.
 */
import { Fault, reasonOf } from '../../base/fault.js'

const REMAKE = 'Make it again with: sudo systemd-tmpfiles --create groundlock.conf'

/** The file, or the folder that protects it, is not what systemd-tmpfiles makes. */
export function fileFault(path: string, found: string, cause?: unknown): Fault {
  return new Fault({
    code: 'GL-TOKEN-01',
    op: 'trust the link token',
    subject: path,
    found,
    hint: `It must be a plain file of root in a folder that only root can write. ${REMAKE}`,
    recovery: 'retry',
    cause,
  })
}

/** The file that is locked is no longer the one that the path names: that one can be locked by somebody else. */
export function replacedFault(path: string): Fault {
  return new Fault({
    code: 'GL-TOKEN-02',
    op: 'rely on the link token',
    subject: path,
    found: 'the file was replaced after it was locked, so that somebody else can lock it, too',
    hint: 'Nothing may touch this file while Groundlock runs; find out what did. The token is taken anew.',
    recovery: 'retry',
  })
}

/** The program that locks it cannot do its work. */
export function flockFault(path: string, program: string, found: string, cause?: unknown): Fault {
  return new Fault({
    code: 'GL-TOKEN-03',
    op: 'lock the link token',
    subject: path,
    found: `${program}: ${found}`,
    hint: 'The program is part of util-linux: sudo apt install util-linux. It is tried again.',
    recovery: 'retry',
    cause,
  })
}

/** The system refused to look at or open the file. */
export function openFault(path: string, cause: unknown): Fault {
  return fileFault(path, reasonOf(cause), cause)
}
