/** Daemon: a command that works until SIGTERM or Ctrl-C. */
import { once } from 'node:events'

/** What is started, and lets go of everything when it stops. */
export interface Daemon {
  stop(): Promise<void>
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/**
 * Starts a daemon and stops it when it is asked to, also where that is before the start is over: what had begun by then is
 * ended as later. A start or a stop that hangs is ended by the same signal once more. Errors: those of `start` and `stop`.
 */
export async function runDaemon(
  start: () => Promise<Daemon>,
  onAsked: (signal: NodeJS.Signals) => void,
): Promise<void> {
  const asked = new AbortController()
  const stop = once(asked.signal, 'abort')
  const hear = (signal: NodeJS.Signals): void => {
    onAsked(signal)
    asked.abort()
  }
  for (const signal of SIGNALS) process.once(signal, hear)
  let daemon: Daemon
  try {
    daemon = await start()
  } catch (error) {
    // Nobody would answer them any more.
    for (const signal of SIGNALS) process.off(signal, hear)
    throw error
  }
  await stop
  await daemon.stop()
}
