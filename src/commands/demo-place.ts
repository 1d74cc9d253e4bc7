/**
 * Demo place: a network namespace of the demo's own, in which it may shut and send what it likes. It is gone, with everybody in
 * it, when the demo ends, however that comes. Nothing of it reaches the machine's own network.
 */
import { execFile, spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { ended, startChild } from './demo-child.js'

/** Says that it is there, waits for the end of its input, then ends everybody who is still in its network. */
const HOLDER = `
ip link set lo up && echo there || exit 1
cat >/dev/null
own=$(readlink /proc/$$/ns/net | tr '[]' '??')
for process in $(find /proc/[0-9]*/ns/net -maxdepth 0 -lname "$own" 2>/dev/null | cut -d/ -f3); do
  [ "$process" = $$ ] || kill -9 "$process" 2>/dev/null
done`

export class DemoPlace {
  readonly #holder: ChildProcess
  readonly #pid: number
  readonly #signal: AbortSignal
  readonly #children: ChildProcess[] = []

  private constructor(holder: ChildProcess, pid: number, signal: AbortSignal) {
    this.#holder = holder
    this.#pid = pid
    this.#signal = signal
  }

  /** What runs in it is killed when `signal` is aborted. Undefined where none can be made. */
  static async make(signal: AbortSignal): Promise<DemoPlace | undefined> {
    const holder = spawn('setsid', ['unshare', '--net', 'sh', '-c', HOLDER], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const isThere = await Promise.race([
      once(holder.stdout, 'data').then(() => true),
      once(holder, 'close').then(() => false),
    ])
    if (!isThere || holder.pid === undefined) return undefined
    const own = readlinkSync('/proc/self/ns/net')
    if (readlinkSync(`/proc/${holder.pid}/ns/net`) === own)
      throw new Error('the place is no namespace of its own')
    return new DemoPlace(holder, holder.pid, signal)
  }

  /** For `ip link … netns PID`. */
  get pid(): number {
    return this.#pid
  }

  around(command: string, args: readonly string[]): [string, string[]] {
    return ['nsenter', [`--net=/proc/${this.#pid}/ns/net`, command, ...args]]
  }

  /** Starts a command in it, which ends with the demo; its process is the command's own. */
  start(command: string, args: readonly string[]): ChildProcess {
    const [enter, all] = this.around(command, args)
    const child = startChild(enter, all, { stdio: ['ignore', 'pipe', 'ignore'], signal: this.#signal })
    this.#children.push(child)
    return child
  }

  /** Runs lines of a shell to their end, and gives what they print; what fails is not told, but for an abort. */
  async shell(lines: string): Promise<string> {
    const [enter, all] = this.around('sh', ['-c', lines])
    const signal = this.#signal
    const printed = await new Promise<string>((resolve) => {
      execFile(enter, all, { timeout: SHELL_MS, signal }, (_, stdout) => resolve(stdout))
    })
    signal.throwIfAborted()
    return printed
  }

  /** Nobody that was started in it writes any file after this. */
  async close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    this.#holder.stdin?.end()
    await Promise.all([this.#holder, ...this.#children].map(ended))
  }
}

/** Longest that lines of a shell take (ms): sending to nobody waits a second or two. */
const SHELL_MS = 10_000

/** What the demo of the airlock needs, each with the reason to give where it is missing. */
const NEEDS: readonly (readonly [command: string, reason: string])[] = [
  ['true', 'no network namespace can be made here (unshare)'],
  ['command -v nsenter && command -v socat && command -v ip', 'it takes nsenter, socat and ip'],
  ['ip link add near type veth peer name far', 'this kernel makes no veth devices'],
  ['nft add table netdev t', 'nft is missing, or this kernel has no netdev tables'],
]

/** Why there can be no place with a door here; null where there can. */
export function whyNoDemoPlace(): string | null {
  if (process.getuid?.() !== 0) return 'only root can make a network to show it in (sudo ./scripts/demo)'
  const failing = NEEDS.find(([command]) => spawnSync('unshare', ['--net', 'sh', '-c', command]).status !== 0)
  return failing?.[1] ?? null
}
