/** Switch file: the simulated switch, turned as a hand does it. */
import { renameSync, writeFileSync } from 'node:fs'
import { monotonicMs } from '../../src/base/clock.js'

/**
 * In one step, as a contact changes: a file that is just being written reads as doubt. Returns the moment before that step (ms
 * of the monotonic clock).
 */
export function turnSwitch(file: string, position: string): number {
  const aside = `${file}.next`
  writeFileSync(aside, position)
  const beforeMs = monotonicMs()
  renameSync(aside, file)
  return beforeMs
}
