/**
 * Interrupt: Ctrl-C or SIGTERM as a signal to the work, which cleans up after itself, instead of an end in the middle of it.
 */
import { EXIT_CODE } from './exit-code.js'

/**
 * Runs `work`, which ends soon when its signal is aborted.
 * Returns undefined where that was because of Ctrl-C or SIGTERM: the exit code is set, to what a shell has for that signal,
 * and a person told, also what is `left` of it.
 */
export async function interruptible<Value>(
  work: (signal: AbortSignal) => Promise<Value>,
  left = 'nothing is left half-written',
): Promise<Value | undefined> {
  const interrupt = new AbortController()
  // Not `once`: an impatient second Ctrl-C must not leave what the first is cleaning up.
  let exitCode: number = EXIT_CODE.interrupted
  const abort = (name: NodeJS.Signals): void => {
    if (!interrupt.signal.aborted && name === 'SIGTERM') exitCode = EXIT_CODE.terminated
    interrupt.abort()
  }
  process.on('SIGINT', abort)
  process.on('SIGTERM', abort)
  try {
    return await work(interrupt.signal)
  } catch (error) {
    if (!interrupt.signal.aborted) throw error
    process.stderr.write(`Interrupted; ${left}.\n`)
    process.exitCode = exitCode
    return undefined
  } finally {
    process.off('SIGINT', abort)
    process.off('SIGTERM', abort)
  }
}
