/**
 * Notify socket: what systemd would hear, on a real unix datagram socket, which Node cannot make and Python can; and
 * the real `systemd-notify` speaks to it.
 */
import { execFile, spawn, spawnSync } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'

/** Of systemd itself. */
const SYSTEMD_NOTIFY = '/usr/bin/systemd-notify'

/** Prints each datagram on a line. What comes with it, a descriptor to wait by, is dropped: that ends the waiting. */
const LISTEN = `
import socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
print('ready', flush=True)
while True:
    print(listener.recv(4096).decode(), flush=True)
`

/** What is missing here to hear a notice, in words; '' where nothing is. */
export function whyNoNotices(): string {
  const hasPython = spawnSync('python3', ['--version']).status === 0
  const missing = [hasPython ? '' : 'no python3', existsSync(SYSTEMD_NOTIFY) ? '' : 'no systemd-notify']
  return missing.filter(Boolean).join(', ')
}

export class NotifySocket {
  readonly path: string
  readonly #listener: ChildProcessByStdio<null, Readable, null>
  readonly #lines: AsyncIterator<string>
  #marks = 0

  private constructor(path: string) {
    this.path = path
    this.#listener = spawn('python3', ['-c', LISTEN, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#listener.stdout })[Symbol.asyncIterator]()
  }

  static async listen(path: string): Promise<NotifySocket> {
    const socket = new NotifySocket(path)
    const first = await socket.next()
    if (first !== 'ready') throw new Error(`no socket at ${path}: ${first}`)
    return socket
  }

  /** The next notice. */
  async next(): Promise<string> {
    const said = String((await this.#lines.next()).value)
    // systemd-notify asks to be told when all before was taken; that is none of ours.
    return said === 'BARRIER=1' ? this.next() : said
  }

  /** All that came up to now and was not taken yet. */
  async waiting(): Promise<string[]> {
    const mark = `STATUS=mark ${++this.#marks}`
    await promisify(execFile)(SYSTEMD_NOTIFY, [mark], { env: { NOTIFY_SOCKET: this.path } })
    const found: string[] = []
    for (let said = await this.next(); said !== mark; said = await this.next()) found.push(said)
    return found
  }

  close(): void {
    this.#listener.kill('SIGKILL')
  }
}
