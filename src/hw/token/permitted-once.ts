/**
 * Permitted once: the mark in the guard's run_dir that something was permitted since the boot. The guard makes it before its
 * first permit; while it is missing a station that takes the token need not wait for a lease of before. A boot takes it away.
 */
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../base/fault.js'

const PERMITTED_ONCE_FILE = 'permitted-once'

/** From now on a station that takes the token waits a lease, whoever guards then. Errors: the system's; no permit then. */
export function markPermitted(guardDir: string): void {
  const path = join(guardDir, PERMITTED_ONCE_FILE)
  if (!existsSync(path)) writeFileSync(path, '')
}

/** Whether the guard has permitted anything since the boot; unknown where there is no folder. Never throws. */
export function permittedOnce(guardDir: string): 'yes' | 'no' | 'unknown' {
  try {
    statSync(join(guardDir, PERMITTED_ONCE_FILE))
    return 'yes'
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') return 'yes'
    return existsSync(guardDir) ? 'no' : 'unknown'
  }
}
