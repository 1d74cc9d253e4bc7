/**
 * Lone guard: `groundlock guard` as it is built, in a place of a test's own, with its folder, its configuration and its token;
 * a stand-in says what a station would.
 */
import { spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import * as v from 'valibot'
import { guardStatusSchema } from '../../src/base/guard-status.js'
import type { GuardStatus } from '../../src/base/guard-status.js'
import { GuardClient } from '../../src/hw/protocol/guard-client.js'
import { GROUNDLOCK } from './groundlock.js'
import type { Outcome } from './groundlock.js'
import type { Place } from './lab/place.js'
import { turnSwitch } from './switch-file.js'

/** A guard on a busy machine is there, or has ended, within this (ms). */
const AT_MOST_MS = 20_000

/** Two uplinks, that are each other's far end. */
export const PLUG_IN = 'ip link add up0 type veth peer name far0; ip link set up0 up; ip link set far0 up'

export interface GuardSettings {
  backend?: string
  wiring?: string
  /** 0: none. */
  lampLine?: number
  /** More of the file, behind its tables. */
  more?: string
}

export interface StartedGuard {
  child: ChildProcess
  /** Its log so far. */
  said: () => string
}

export class LoneGuard {
  readonly #place: Place
  /** Who was in the place already. */
  readonly #others: ReadonlySet<number>
  readonly dir = mkdtempSync(join(tmpdir(), 'groundlock-guard-'))
  readonly token = join(this.dir, 'token', 'link')
  readonly configuration = join(this.dir, 'groundlock.toml')
  readonly #bin = join(this.dir, 'bin')
  readonly #started: ChildProcess[] = []
  readonly #stations: GuardClient[] = []

  /** Nothing runs yet; the switch, a simulated one, is SHUT. */
  constructor(place: Place) {
    this.#place = place
    this.#others = new Set(place.processes())
    for (const name of ['guard', 'token', 'run', 'bin']) mkdirSync(join(this.dir, name))
    writeFileSync(this.token, '', { mode: 0o640 })
    this.flip('shut')
    this.configure()
  }

  flip(position: string): void {
    turnSwitch(join(this.dir, 'guard', 'switch'), position)
  }

  configure({ backend = 'simulated', wiring = 'antivalent', ...others }: GuardSettings = {}): void {
    const { lampLine = 0, more = '' } = others
    writeFileSync(
      this.configuration,
      `[station]
run_dir = "${join(this.dir, 'run')}"
[link.radio]
device = "${join(this.dir, 'radio')}"
[switch]
backend = "${backend}"
wiring = "${wiring}"
file = "${join(this.dir, 'guard', 'switch')}"
lamp_line = ${lampLine}
[guard]
run_dir = "${join(this.dir, 'guard')}"
token = "${this.token}"
${more}`,
    )
  }

  /** To its end, in the place: never in the machine's own network. */
  run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Outcome {
    const [program, all] = this.#place.around(GROUNDLOCK, ['guard', ...args])
    const { status: code, ...said } = spawnSync(program, all, {
      encoding: 'utf8',
      env: { ...process.env, ...env },
      timeout: AT_MOST_MS,
    })
    return { code, stdout: said.stdout, stderr: said.stderr }
  }

  start(env: NodeJS.ProcessEnv = {}): StartedGuard {
    return this.#watched(
      this.#place.start(GROUNDLOCK, ['guard', '--config', this.configuration], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, ...env },
      }),
    )
  }

  /** With these tools and no other. The place is entered with the machine's own; only what is entered has none. */
  startWith(tools: readonly string[]): StartedGuard {
    for (const tool of tools)
      symlinkSync(tool === 'node' ? process.execPath : pathOf(tool), join(this.#bin, tool))
    const words = [`PATH=${this.#bin}`, GROUNDLOCK, 'guard', '--config', this.configuration]
    return this.#watched(this.#place.start('/usr/bin/env', words, { stdio: ['ignore', 'ignore', 'pipe'] }))
  }

  #watched(child: ChildProcess): StartedGuard {
    let log = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (log += text))
    this.#started.push(child)
    return { child, said: () => log }
  }

  /** Puts a script before a tool, for a guard that is started with `toolsFirst`; `{real}` in it is the tool's own path. */
  standBefore(tool: string, script: string): void {
    const text = `#!/bin/sh\n${script.replaceAll('{real}', pathOf(tool))}\n`
    writeFileSync(join(this.#bin, tool), text, { mode: 0o755 })
  }

  /** The environment in which `standBefore` counts. */
  get toolsFirst(): { PATH: string } {
    return { PATH: `${this.#bin}:${process.env['PATH']}` }
  }

  /** A station whose link is closed, and which gives way at once; resolves when the guard knows it. */
  async standIn(): Promise<void> {
    this.#stations.push(
      new GuardClient({
        path: join(this.dir, 'guard', 'guard.sock'),
        state: () => ({ link: 'closed', vehicle: 'none' }),
        onGiveWay: (answer) => answer('gave way'),
        onGuard: () => undefined,
      }),
    )
    await this.until('it knows the station', ({ station }) => station.state === 'present')
  }

  status(): GuardStatus | undefined {
    const path = join(this.dir, 'guard', 'guard.json')
    return existsSync(path) ? v.parse(guardStatusSchema, JSON.parse(readFileSync(path, 'utf8'))) : undefined
  }

  /** The first status that fits. */
  async until(what: string, fits: (status: GuardStatus) => boolean): Promise<GuardStatus> {
    for (const began = performance.now(); performance.now() - began < AT_MOST_MS; await pause(20)) {
      const status = this.status()
      if (status !== undefined && fits(status)) return status
    }
    throw new Error(`${what}: ${JSON.stringify(this.status())}`)
  }

  /** Whether nobody has the token. */
  isTokenFree(): boolean {
    return spawnSync('flock', ['-n', this.token, 'true']).status === 0
  }

  /** Ends what was started. */
  async end(): Promise<void> {
    for (const station of this.#stations) station.stop()
    for (const child of this.#started) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await this.#endLeftOvers()
    rmSync(this.dir, { recursive: true })
  }

  /** What a guard has started may outlive it, and still write: a line is driven low after its death. */
  async #endLeftOvers(): Promise<void> {
    for (const began = performance.now(); performance.now() - began < AT_MOST_MS; await pause(20)) {
      const left = this.#place.processes().filter((pid) => !this.#others.has(pid))
      if (left.length === 0) return
      for (const pid of left) endProcess(pid)
    }
    throw new Error('what the guard has started does not end')
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // gone by itself
  }
}

function pathOf(tool: string): string {
  return spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim()
}
