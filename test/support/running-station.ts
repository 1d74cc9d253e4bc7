/** A station as a person runs it: `groundlock run` as a process of its own, on a pseudo-terminal and a vault in a folder. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StationStatus } from '../../src/forward/station-status.js'
import { GROUNDLOCK } from './groundlock.js'

export interface StationOptions {
  /** Bit rate of the device, unless it is the default. */
  baud?: number
  /** What runs it instead of the shell, and leaves it its process id. */
  under?: readonly string[]
}

export class RunningStation {
  readonly vault: string
  readonly configuration: string
  readonly #dir: string
  readonly #child: ChildProcess
  #log = ''
  readonly #listeners = new Set<() => void>()

  /** Starts a station in `dir`: its device is DIR/radio, its vault DIR/vault; a guard would have DIR/guard and DIR/token. */
  constructor(dir: string, options: StationOptions = {}) {
    this.#dir = dir
    this.vault = join(dir, 'vault')
    this.configuration = writeStationConfiguration(dir, options)
    // --pdeathsig: a test that is killed must not leave a station behind.
    const command = [...(options.under ?? []), GROUNDLOCK, 'run', '--config', this.configuration]
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text
      for (const listener of this.#listeners) listener()
    })
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the station could not be started')
    return this.#child.pid
  }

  /** What a person saw so far. */
  get log(): string {
    return this.#log
  }

  /** Resolves when the log holds `pattern`; rejects when the station ends without it. */
  async untilLogged(pattern: RegExp): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(this.#log)) return
        this.#listeners.delete(look)
        resolve()
      }
      this.#listeners.add(look)
      this.#child.once('exit', () => reject(new Error(`the station ended before ${pattern}:\n${this.#log}`)))
      look()
    })
  }

  status(): StationStatus | undefined {
    const path = join(this.#dir, 'run', 'station.json')
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as StationStatus) : undefined
  }

  /** What this process said last, also when it is gone. */
  ownStatus(): StationStatus | undefined {
    const status = this.status()
    return status?.pid === this.#child.pid ? status : undefined
  }

  /** Resolves with the first status that fits: the status file is replaced each second and at each stored chunk. */
  async untilStatus(fits: (status: StationStatus) => boolean): Promise<StationStatus> {
    for (;;) {
      const status = this.ownStatus()
      if (status !== undefined && fits(status)) return status
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        throw new Error(`the station ended before its status fitted:\n${this.#log}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** Sends the signal and waits for the end; the exit code, or the signal's name. */
  async end(signal: 'SIGTERM' | 'SIGKILL' | 'SIGINT'): Promise<number | string | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill(signal)
      await once(this.#child, 'exit')
    }
    return this.#child.exitCode ?? this.#child.signalCode
  }

  /** Waits for an end that the station comes to by itself. */
  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
    return this.#child.exitCode
  }
}

/** Writes the configuration of a station in `dir`; returns its path. */
export function writeStationConfiguration(dir: string, { baud }: StationOptions = {}): string {
  const path = join(dir, 'groundlock.toml')
  const at = (name: string): string => `"${join(dir, name)}"`
  const text =
    `[station]\nrun_dir = ${at('run')}\n[guard]\nrun_dir = ${at('guard')}\ntoken = ${at('token')}\n` +
    `[vault]\ndir = ${at('vault')}\n[link.radio]\ndevice = ${at('radio')}\n`
  writeFileSync(path, baud === undefined ? text : `${text}baud = ${baud}\n`)
  return path
}
