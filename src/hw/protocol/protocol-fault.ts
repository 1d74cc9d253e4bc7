/**
 * Protocol fault: the guard's socket cannot be served. What a client says is never one.
 */
import { Fault } from '../../base/fault.js'

export function socketFault(path: string, found: string, cause?: unknown): Fault {
  return new Fault({
    code: 'GL-GUARD-01',
    op: 'serve the guard socket',
    subject: path,
    found,
    hint:
      'Only one guard may run: groundlock status shows it, sudo systemctl stop groundlock-guard ends it. ' +
      'If none does: its folder must be there and writable, [guard] run_dir; systemd-tmpfiles makes it.',
    recovery: 'stop',
    cause,
  })
}
