/** Daemon: a command that works until SIGTERM or Ctrl-C. */

/** What is started, and lets go of everything when it stops. */
export interface Daemon {
  stop(): Promise<void>
}

/**
 * Starts a daemon and stops it when it is asked to, also where that is before the start is over: what had begun by then is
 * ended as later. A start or a stop that hangs is ended by the same signal once more. Errors: those of `start` and `stop`.
 */
export async function runDaemon(
  start: () => Promise<Daemon>,
  onAsked: (signal: NodeJS.Signals) => void,
): Promise<void> {
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        onAsked(signal)
        resolve()
      })
    }
  })
  const daemon = await start()
  await asked
  await daemon.stop()
}
