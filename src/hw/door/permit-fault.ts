/** Permit fault: why a lease was not given. The door stays as it is, or lapses. */
import { Fault } from '../../base/fault.js'

const parts = { op: 'permit', subject: 'the uplinks', recovery: 'retry' } as const

export function refusedFault(found: string): Fault {
  const hint = 'The door shuts by itself. Look at the tools and the kernel: sudo groundlock doctor'
  return new Fault({ ...parts, code: 'GL-DOOR-01', found, hint })
}

export function uncoveredFault(names: readonly string[]): Fault {
  const found = `${names.join(', ')} cannot be kept shut, so nothing is permitted`
  const hint =
    'Rename it to letters and digits if its name is odd (ip link set … name …), or unplug it; `groundlock status` says more.'
  return new Fault({ ...parts, code: 'GL-DOOR-02', found, hint })
}

export function overtakenFault(): Fault {
  const hint = 'Nothing: the later word counts.'
  return new Fault({ ...parts, code: 'GL-DOOR-03', found: 'it was shut meanwhile', hint })
}
