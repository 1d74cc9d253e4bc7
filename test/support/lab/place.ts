/**
 * Place: a network namespace of a test's own, held by a process that ends it when its maker ends, however that comes.
 *
 *     test ──pipe──▶ holder (unshare --net --mount, /sys of its own) ◀──nsenter── every command that runs in the place
 *
 * A command that would run anywhere but in the place is refused, so nothing here can touch the machine's own network.
 */
import { execFile, spawn } from 'node:child_process'
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'

/**
 * Tells its namespace, waits for the end of its input, then ends everybody who is still in the place. The namespace and
 * all its devices are gone with the last of them. In a session of its own: a Ctrl-C is not for it.
 */
const HOLDER = `
umount -l /sys && mount -t sysfs groundlock-lab /sys && ip link set lo up && readlink /proc/$$/ns/net || exit 1
cat >/dev/null
own=$(readlink /proc/$$/ns/net | tr '[]' '??')
for round in 1 2 3; do
  for process in $(find /proc/[0-9]*/ns/net -maxdepth 0 -lname "$own" 2>/dev/null | cut -d/ -f3); do
    [ "$process" = $$ ] || kill -9 "$process" 2>/dev/null
  done
done`

/** What a command in a place goes through: it stops unless it is in the place that was meant. */
const ONLY_IN =
  '[ "$(readlink /proc/$$/ns/net)" = "$0" ] || { echo "refused: not in $0" >&2; exit 125; }; exec "$@"'

const run = promisify(execFile)

/** Longest a command of the lab may take (ms): what takes longer hangs. */
const COMMAND_MS = 20_000

/** The machine's own network namespace, in which nothing of the lab may run. */
export const MACHINE: string = readlinkSync('/proc/self/ns/net')

const places = new Set<Place>()
process.on('exit', () => {
  for (const place of places) place.drop()
})

export class Place {
  readonly name: string
  /** Of the process that holds it: `ip link set DEVICE netns PID` moves a device into it. */
  readonly pid: number
  /** As /proc/PID/ns/net says it: `net:[4026532500]`. */
  readonly namespace: string
  readonly #holder: ChildProcess

  private constructor(name: string, holder: ChildProcess, namespace: string) {
    this.name = name
    this.pid = holder.pid!
    this.namespace = namespace
    this.#holder = holder
    places.add(this)
  }

  static async make(name: string): Promise<Place> {
    const args = ['unshare', '--net', '--mount', '--propagation', 'private', 'sh', '-c', HOLDER]
    const holder = spawn('setsid', args, { stdio: ['pipe', 'pipe', 'pipe'] })
    const words = text(holder.stderr)
    const namespace = await firstLine(holder)
    if (namespace === '') throw new Error(`no namespace can be made: ${(await words).trim()}`)
    if (namespace === MACHINE) throw new Error("the holder is in the machine's own namespace")
    return new Place(name, holder, namespace)
  }

  /** Program and arguments that run `command` in this place and nowhere else; the program's process is the command's own. */
  around(command: string, args: readonly string[] = []): [string, string[]] {
    if (this.namespace === MACHINE) throw new Error("refused: the machine's own namespace")
    const enter = ['-t', String(this.pid), '-n', '-m', `--wd=${process.cwd()}`]
    return ['nsenter', [...enter, 'sh', '-c', ONLY_IN, this.namespace, command, ...args]]
  }

  /** Runs a command to its end and returns what it printed. Errors: what it said on stderr. */
  async run(command: string, ...args: string[]): Promise<string> {
    const [program, all] = this.around(command, args)
    const { stdout } = await run(program, all, { timeout: COMMAND_MS, maxBuffer: 64 * 1024 * 1024 })
    return stdout
  }

  /** Runs lines of a shell, stops at the first that fails. */
  shell(lines: string): Promise<string> {
    return this.run('sh', '-ec', lines)
  }

  /** Runs commands of ip(8), a line each, in one process; stops at the first that fails. */
  ip(lines: string): Promise<string> {
    return this.run('sh', '-c', 'echo "$0" | ip -batch -', lines)
  }

  /** Starts a command; `pid` of what is returned is that of the command itself. */
  start(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const [program, all] = this.around(command, args)
    return spawn(program, all, options)
  }

  /** Moves a simulated radio out of the machine's namespace into this place; it goes back when the place ends. */
  async adoptRadio(phy: string): Promise<void> {
    await run('iw', ['phy', phy, 'set', 'netns', String(this.pid)], { timeout: COMMAND_MS })
  }

  /** Everybody who is in it now, its holder left out. */
  processes(): number[] {
    const all = readdirSync('/proc').filter((each) => /^\d+$/.test(each))
    return all.map(Number).filter((pid) => pid !== this.pid && namespaceOf(pid) === this.namespace)
  }

  /** Ends everybody in it, and so it. */
  async close(): Promise<void> {
    places.delete(this)
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return
    const gone = once(this.#holder, 'exit')
    this.drop()
    await gone
  }

  /** The same without waiting, for a process that is about to end. */
  drop(): void {
    this.#holder.stdin?.destroy()
  }
}

/** Or '' for a process that is gone. */
export function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`)
  } catch {
    return ''
  }
}

/** Or '' when it ended before it said anything. */
async function firstLine(child: ChildProcess): Promise<string> {
  let said = ''
  for await (const piece of child.stdout!.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    said += String(piece)
    if (said.includes('\n')) break
  }
  return said.split('\n')[0]!
}
