/** Process alive: whether a process that left its id in a name is still there. */
import { errnoOf } from './fault.js'

export function isProcessAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (cause) {
    // One of another user may not be signalled, so it is there.
    return errnoOf(cause) === 'EPERM'
  }
}
