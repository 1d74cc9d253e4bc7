/**
 * Core time: how long the main thread has been on a core. What others do on the machine hardly touches it, unlike the time
 * that passes; it leaves out what other threads of the process do (the reference's garbage collection, say).
 */
import { readFileSync } from 'node:fs'

/** Milliseconds; where the kernel does not count them, those that pass. Source: proc_pid_schedstat(5), first number (ns). */
export function coreMs() {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[0]) / 1e6
  } catch {
    return performance.now()
  }
}

/** Milliseconds that all threads of the process have been on cores. */
export function allCoresMs() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
