/** Door lab: a door in a network namespace of its own, driven line by line; and commands in that namespace. */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { DoorPolicy } from '../../src/hw/door/policy.js'
import type { DoorReading } from '../../src/hw/door/reading.js'
import { REPOSITORY } from './groundlock.js'
import { temporaryFolder } from './temporary-folder.js'

interface Message {
  event: string
  n?: number
  what?: string
  text?: string
  result?: unknown
  error?: string
}

export class Namespace {
  readonly #holder = spawn('unshare', ['-n', 'cat'], { stdio: ['pipe', 'pipe', 'ignore'] })

  /** Resolves when the namespace is there and its loopback is up. */
  static async make(): Promise<Namespace> {
    const namespace = new Namespace()
    const isThere = new Promise((resolve) => namespace.#holder.stdout.once('data', resolve))
    namespace.#holder.stdin.write('there\n') // what cat says, it says inside
    await isThere
    namespace.run('ip link set lo up')
    return namespace
  }

  get pid(): number {
    return this.#holder.pid!
  }

  get enter(): string[] {
    return ['/usr/bin/nsenter', '-t', String(this.#holder.pid), '-n']
  }

  /** A shell command inside; its output. Throws where it fails. */
  run(command: string): string {
    const [program, ...args] = this.enter
    const { status, stdout, stderr } = spawnSync(program!, [...args, 'sh', '-ec', command], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`${command}: ${stderr}`)
    return stdout
  }

  /** Ends everything that still runs inside: the monitors of a door that was killed wait for news for ever. */
  end(): void {
    const place = (pid: string) => {
      try {
        return readlinkSync(`/proc/${pid}/ns/net`)
      } catch {
        return '' // it ended just now
      }
    }
    const here = place(String(this.#holder.pid))
    const isInside = here !== '' && here !== place('self')
    const all = !isInside ? [] : readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))
    for (const pid of all.filter((each) => place(each) === here)) {
      try {
        process.kill(Number(pid), 'SIGKILL')
      } catch {
        // it ended between the look and the kill
      }
    }
  }
}

export class DrivenDoor {
  readonly process: ChildProcessWithoutNullStreams
  readonly messages: Message[] = []
  #wake: (() => void)[] = []
  #n = 0

  constructor(
    namespace: Namespace,
    folder: string,
    policy: DoorPolicy = { locals: [], ports: [] },
    environment: NodeJS.ProcessEnv = {},
    prefix: readonly string[] = [],
  ) {
    const token = join(folder, 'token')
    writeFileSync(token, '')
    const driver = join(REPOSITORY, 'test', 'support', 'door-driver.mjs')
    const [program, ...args] = namespace.enter
    this.process = spawn(
      program!,
      [...args, ...prefix, process.execPath, driver, JSON.stringify(policy), token],
      {
        env: { ...process.env, ...environment },
      },
    )
    createInterface({ input: this.process.stdout }).on('line', (line) => {
      this.messages.push(JSON.parse(line) as Message)
      for (const wake of this.#wake.splice(0)) wake()
    })
    this.process.stderr.on('data', (text: Buffer) => process.stderr.write(text))
  }

  /** The first message that is wanted, from now or of before; each is found again and again. */
  async message(isWanted: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const found = this.messages.find(isWanted)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  ready(): Promise<Message> {
    return this.message(({ event }) => event === 'ready')
  }

  async ask(action: string): Promise<unknown> {
    const n = ++this.#n
    this.process.stdin.write(`${JSON.stringify({ n, action })}\n`)
    const done = await this.message((message) => message.event === 'done' && message.n === n)
    if (done.error !== undefined) throw new Error(done.error)
    return done.result
  }

  async read(): Promise<DoorReading> {
    return (await this.ask('read')) as DoorReading
  }

  async shut(): Promise<DoorReading> {
    return (await this.ask('shut')) as DoorReading
  }

  async permit(): Promise<void> {
    await this.ask('permit')
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.process.kill(signal)
  }
}

/** The environment in which a tool does something else first, or instead. */
export function otherTool(script: string, tool = 'nft', real = '/usr/sbin/nft'): NodeJS.ProcessEnv {
  const folder = join(temporaryFolder('door'), 'bin')
  mkdirSync(folder)
  const path = join(folder, tool)
  writeFileSync(path, `#!/bin/sh\n${script}\nexec ${real} "$@"\n`)
  chmodSync(path, 0o755)
  return { PATH: `${folder}:${process.env['PATH']}` }
}
