/** Demo child: a process of the demo's that does not outlive it, whether the demo is ended, stopped or killed. */
import { spawn } from 'node:child_process'
import type { ChildProcess, StdioOptions } from 'node:child_process'

/** Runs its arguments in its own place; the kernel ends them when the demo is gone. Without setpriv the demo alone does. */
const BOUND = 'command -v setpriv >/dev/null && exec setpriv --pdeathsig KILL "$@"; exec "$@"'

/** Starts a command; its process is the command's own, and is killed when the demo is ended. */
export function startChild(
  command: string,
  args: readonly string[],
  { stdio, signal }: { stdio: StdioOptions; signal: AbortSignal },
): ChildProcess {
  const options = { stdio, signal, killSignal: 'SIGKILL' } as const
  const child = spawn('sh', ['-c', BOUND, 'sh', command, ...args], options)
  child.on('error', () => undefined) // that it was killed: `ended` tells
  return child
}

/** Waits for its end; its exit code, null where a signal ended it. */
export async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once('close', resolve))
  return child.exitCode
}
