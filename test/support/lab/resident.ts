/** Resident: a program of the lab that stays in a place and answers each order, a line of JSON, with another. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Place } from './place.js'

/** Not whatever `python3` means in this shell: a version manager's stand-in is slow, and may need what the place hides. */
const PYTHON = '/usr/bin/python3'

export class Resident {
  readonly #child: ChildProcess
  readonly #lines: Interface
  readonly #waiting: ((line: string) => void)[] = []
  #stderr = ''

  private constructor(child: ChildProcess) {
    this.#child = child
    child.stderr!.setEncoding('utf8').on('data', (words: string) => (this.#stderr += words))
    child.stdin!.on('error', () => undefined)
    this.#lines = createInterface({ input: child.stdout! })
    this.#lines.on('line', (line) => this.#waiting.shift()?.(line))
    this.#lines.on('close', () => {
      for (const give of this.#waiting.splice(0)) give('')
    })
  }

  /** Starts `script`, Python or Node's, named from the folder of this file, and waits for its first line: `ready`. */
  static async start(place: Place, script: string, ...args: string[]): Promise<Resident> {
    const path = fileURLToPath(new URL(script, import.meta.url))
    const program = script.endsWith('.py') ? PYTHON : process.execPath
    const child = place.start(program, [path, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    const resident = new Resident(child)
    if ((await resident.#line()) !== 'ready') throw new Error(`${script} does not start: ${resident.#stderr}`)
    return resident
  }

  get pid(): number {
    return this.#child.pid!
  }

  async ask<Answer>(order: Record<string, unknown>): Promise<Answer> {
    const line = this.#line()
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`)
    const answer = await line
    if (answer === '') throw new Error(`a program of the lab ended: ${this.#stderr}`)
    return JSON.parse(answer) as Answer
  }

  /** Ends it with SIGKILL, as everything in the lab that is not asked to end by itself. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await gone
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  #line(): Promise<string> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}
