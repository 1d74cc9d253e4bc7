/**
 * Resident: an interactive nft that is only ever given shutting commands. It owns the twin and answers in a millisecond,
 * where a spawned one takes twenty. Nothing that opens ever stands in its pipe, so however late it reads, it shuts.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { reasonOf } from '../../base/fault.js'
import { toolEnvironment } from '../../base/tool-environment.js'
import { endGroup } from './child.js'

/** Longest that one line may take (ms): a loaded machine may need a second; then this one is replaced. */
const LINE_LIMIT_MS = 5000

/** How long an ended resident may take to go by itself (ms) before it is killed. */
const FAREWELL_MS = 300

interface Waiting {
  mark: string
  errors: string[]
  resolve: (trouble: string | null) => void
  timer: NodeJS.Timeout
}

export class Resident {
  readonly #child: ChildProcess | undefined
  readonly #waiting: Waiting[] = []
  readonly #gone: Promise<void>
  #rest = ''
  #marks = 0
  #isAlive = true
  readonly #bornMs = performance.now()
  #livedMs = Infinity
  /** The owned twin was made by this one; it vanishes with it. */
  hasTwin = false

  /** @param onGone called once, when it has ended, wanted or not, or could not be started; never before this returns. */
  constructor(onGone: (resident: Resident) => void) {
    let resolveGone = () => {}
    this.#gone = new Promise((resolve) => (resolveGone = resolve))
    const gone = (why: string) => {
      if (!this.#isAlive) return
      this.#isAlive = false
      this.#livedMs = performance.now() - this.#bornMs
      for (const each of this.#waiting.splice(0)) finish(each, why)
      resolveGone()
      onGone(this)
    }
    try {
      this.#child = spawn('nft', ['-i'], {
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
        env: toolEnvironment(),
      })
    } catch (error) {
      process.nextTick(() => gone(`nft: ${reasonOf(error)}`)) // for want of memory
      return
    }
    this.#child.on('error', (error) => gone(`nft: ${reasonOf(error)}`))
    this.#child.on('close', (code, signal) => gone(`nft: the resident ended (${signal ?? code})`))
    // Without a descriptor that is free there are no pipes: `error` follows.
    this.#child.stdin?.on('error', () => {}) // it is gone: `close` follows
    this.#child.stdout?.resume()
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#read(text))
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Lines that it was given (count). */
  get lineCount(): number {
    return this.#marks
  }

  /** How long it lived (ms); without an end while it lives. */
  get livedMs(): number {
    return this.#livedMs
  }

  /**
   * Gives it one line; all commands on it are one transaction. Resolves when it was done, with what failed or null.
   * The line is in the pipe when this returns. Never rejects.
   */
  send(line: string): Promise<string | null> {
    if (!this.#isAlive) return Promise.resolve('nft: there is no resident')
    const mark = `groundlock_mark_${++this.#marks}`
    return new Promise((resolve) => {
      const timer = setTimeout(() => endGroup(this.pid), LINE_LIMIT_MS)
      this.#waiting.push({ mark, errors: [], resolve, timer })
      // A word that is no command is answered at once, by the parser, in order: that is how we know that the line was done.
      this.#child?.stdin?.write(`${line}\n${mark}\n`)
    })
  }

  /** Ends it and resolves when it is gone, and its twin with it. */
  async end(graceMs = FAREWELL_MS): Promise<void> {
    this.#child?.stdin?.end()
    const timer = setTimeout(() => endGroup(this.pid), graceMs)
    await this.#gone
    clearTimeout(timer)
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    for (const line of lines) {
      const first = this.#waiting[0]
      if (first === undefined) continue
      if (!line.includes(first.mark)) {
        if (/Error: /.test(line)) first.errors.push(line.replace(/^.*?Error: /, ''))
        continue
      }
      this.#waiting.shift()
      // The last error is the one about the mark itself.
      finish(first, first.errors.slice(0, -1)[0] ?? null)
    }
  }
}

function finish({ timer, resolve }: Waiting, trouble: string | null): void {
  clearTimeout(timer)
  resolve(trouble)
}
