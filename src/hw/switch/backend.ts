/**
 * Backend: where the contacts come from. It gives samples as they come and says when it can give none; what position
 * they amount to, and for how long a sample counts, is not its business.
 */
import type { Log } from '../../base/log.js'
import type { Contacts } from './reading.js'

export interface Backend {
  /** What it is and where, for status and doctor: `chardev: libgpiod 2.2.1, pinctrl-bcm2711, lines 17 and 27`. */
  readonly name: string
  /** When it resolves every process and file of it is let go, and no call comes any more. */
  stop(): Promise<void>
}

/** Where a backend's findings go. Nothing it calls may throw. */
export interface Listener {
  /**
   * The contacts as they are now. Level and edge alike; a level is given at least every 2 s, near PERMIT every 500 ms, and while both
   * contacts say the same every 100 ms, for the first second: a doubt takes samples, time alone makes none.
   */
  sample(contacts: Contacts): void
  /** No contacts can be read now: one short phrase. It is tried again all the while. */
  trouble(reason: string): void
}

export interface BackendOptions {
  log: Log
  listener: Listener
}

/** Pause between readings of the levels while the switch is plainly SHUT (ms): 5 s is when a reading is too old. */
export const SHUT_RE_READ_MS = 2000

/** Pause between readings of the levels in any other position (ms): the first one decides whether PERMIT was stable. */
export const RE_READ_MS = 500

/**
 * Pause between readings of the levels while a switch moves, and always through sysfs (ms): what was missed of a movement is read
 * before it is called doubt.
 */
export const MOVING_RE_READ_MS = 100

/** Pause after a failure (ms): a tool that fails at once costs a Pi about 1 % of one core at this rate. */
export const RETRY_MS = 1000
