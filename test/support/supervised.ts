/** Supervised: a program of ours in a place of the lab, started again when it ends, as systemd would start its service. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { GROUNDLOCK } from './groundlock.js'
import type { Place } from './lab/place.js'

/** What systemd is told: Restart=always, and at most this long until then (ms). */
const RESTART_WITHIN_MS = 2000
/** WatchdogSec of the guard's unit (ms): a process that is stopped for longer is killed. */
const WATCHDOG_MS = 2000
/** TimeoutStopSec (ms): what a killed process leaves behind in its control group lives no longer. */
const LEFTOVERS_MS = 5000
/** What is kept of what it said (characters). */
const MAX_LOG = 200_000

export interface SupervisedOptions {
  place: Place
  /** Names it in the environment of all that it starts. */
  name: string
  args: readonly string[]
  env?: NodeJS.ProcessEnv
  /** A process that is stopped for WATCHDOG_MS is killed. */
  hasWatchdog: boolean
  /** Within 0 and 1: how much of RESTART_WITHIN_MS the next start takes. */
  restartShare: () => number
}

export class Supervised {
  readonly #options: SupervisedOptions
  #child: ChildProcess | undefined
  #timers: NodeJS.Timeout[] = []
  #log = ''
  /** Not started again when it ends. */
  isHeld = false
  startCount = 0
  isStopped = false
  #isDying = false
  #watchdog: NodeJS.Timeout | undefined

  constructor(options: SupervisedOptions) {
    this.#options = options
  }

  get pid(): number | undefined {
    return this.isAlive ? this.#child?.pid : undefined
  }

  /** Of a process that runs, or could: one that was killed closes its descriptors one after the other until it is gone. */
  get livingPid(): number | undefined {
    return this.#isDying ? undefined : this.pid
  }

  get isAlive(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  get log(): string {
    return this.#log
  }

  start(): void {
    if (this.isAlive) return
    const { place, args, name, env } = this.#options
    const child = place.start(GROUNDLOCK, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env, [TAG]: `${name} ${++this.startCount}` },
    })
    this.#child = child
    this.isStopped = false
    this.#isDying = false
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-MAX_LOG)
    })
    child.once('exit', () => this.#ended(`${name} ${this.startCount}`))
  }

  /** SIGSTOP is watched as systemd would. */
  kill(signal: NodeJS.Signals): void {
    if (signal === 'SIGKILL') this.#isDying = true
    this.#child?.kill(signal)
    if (signal === 'SIGSTOP') this.isStopped = true
    if (signal === 'SIGCONT') this.isStopped = false
    clearTimeout(this.#watchdog)
    if (signal === 'SIGSTOP' && this.#options.hasWatchdog)
      this.#watchdog = setTimeout(() => this.kill('SIGKILL'), WATCHDOG_MS)
  }

  /** Ends it for good, and all that it left. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.isHeld = true
    if (this.isAlive) {
      const gone = once(this.#child!, 'exit')
      if (this.isStopped) this.#child!.kill('SIGCONT')
      this.#child!.kill(signal)
      await gone
    }
    for (const timer of [this.#watchdog, ...this.#timers.splice(0)]) clearTimeout(timer)
  }

  /** Paths of the descriptors that it has open; of a process that is dead none. */
  descriptors(): string[] {
    const pid = this.pid
    if (pid === undefined) return []
    const folder = `/proc/${pid}/fd`
    try {
      return readdirSync(folder).flatMap((fd) => targetOf(`${folder}/${fd}`))
    } catch {
      return [] // it has just died
    }
  }

  /** What it, or one that was killed before it, started and is still there. */
  children(): number[] {
    const own = `${TAG}=${this.#options.name} `
    return this.#options.place.processes().filter((pid) => pid !== this.pid && tagOf(pid).startsWith(own))
  }

  #ended(tag: string): void {
    clearTimeout(this.#watchdog)
    this.isStopped = false
    const { restartShare, place } = this.#options
    const share = restartShare()
    // Harder than systemd, which kills what is left before it starts the next one: a late child meets the next guard.
    this.#later(share * LEFTOVERS_MS, () => {
      for (const pid of place.processes()) if (tagOf(pid) === `${TAG}=${tag}`) endProcess(pid)
    })
    this.#later(share * RESTART_WITHIN_MS, () => {
      if (!this.isHeld) this.start()
    })
  }

  #later(ms: number, action: () => void): void {
    this.#timers = this.#timers.slice(-8)
    this.#timers.push(setTimeout(action, ms))
  }
}

const TAG = 'GROUNDLOCK_SUPERVISED'

/** `GROUNDLOCK_SUPERVISED=guard 3`, or '' for a process of nobody's. */
function tagOf(pid: number): string {
  try {
    const all = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    return all.find((each) => each.startsWith(`${TAG}=`)) ?? ''
  } catch {
    return ''
  }
}

function targetOf(path: string): string[] {
  try {
    return [readlinkSync(path)]
  } catch {
    return [] // closed meanwhile
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // gone by itself
  }
}
