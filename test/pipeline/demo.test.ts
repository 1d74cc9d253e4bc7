/** `groundlock demo` as a person meets it: where it is kept, how it ends before its time, and what it leaves then. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { showAirlock } from '../../src/commands/demo-airlock.js'
import { EXIT_CODE } from '../../src/commands/exit-code.js'
import { describeNetwork } from '../support/lab/describe-network.js'
import { GROUNDLOCK, groundlock } from '../support/groundlock.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** A test that flies, on a busy machine (ms). */
vi.setConfig({ testTimeout: 60_000 })

let folder: string

beforeEach(() => {
  folder = temporaryFolder('demo')
})
afterEach(() => {
  for (const pid of processesOf(folder)) process.kill(pid, 'SIGKILL')
})

describe('a demo that is ended while it flies leaves nothing', () => {
  test('Ctrl-C, which reaches its children too', async () => {
    const demo = new RunningDemo('--dir', join(folder, 'new', 'demo'))
    await demo.untilSaid(/flight .* began/)
    process.kill(-demo.pid, 'SIGINT')
    expect(await demo.end()).toBe(EXIT_CODE.interrupted)
    expect(demo.said).toContain('Interrupted; nothing of the demo is left.\n')
    expect(demo.said).not.toContain('$ groundlock show')
    expect(readdirSync(folder)).toEqual([])
    expect(processesOf(folder)).toEqual([])
  })

  test('SIGTERM, which reaches itself alone', async () => {
    const demo = new RunningDemo('--dir', folder)
    await demo.untilSaid(/flight .* began/)
    process.kill(demo.pid, 'SIGTERM')
    expect(await demo.end()).toBe(EXIT_CODE.terminated)
    expect(readdirSync(folder)).toEqual([])
    expect(processesOf(folder)).toEqual([])
  })

  test('SIGKILL: its folder stays, but no station records there any more', async () => {
    const demo = new RunningDemo('--dir', folder)
    await demo.untilSaid(/flight .* began/)
    process.kill(demo.pid, 'SIGKILL')
    await demo.end()
    expect(processesOf(folder)).toEqual([])
  })
})

describe('the folder of a demo', () => {
  test('may be relative to where it is typed, and called as one likes', async () => {
    const name = 'a "quoted" \\ name\u007f\n'
    const demo = new RunningDemo('--dir', name)
    await demo.untilSaid(/flight .* began/)
    expect(existsSync(join(folder, name, 'vault'))).toBe(true)
    process.kill(demo.pid, 'SIGINT')
    expect(await demo.end()).toBe(EXIT_CODE.interrupted)
  })

  test('that is not empty is refused, and stays as it is', () => {
    writeFileSync(join(folder, 'flight.tlog'), 'mine')
    const { code, stdout, stderr } = groundlock(['demo', '--dir', folder])
    expect({ code, stdout }).toEqual({ code: EXIT_CODE.fault, stdout: '' })
    expect(stderr).toContain(`GL-DEMO-02  cannot keep the demo in ${folder}: it is not empty.\n`)
    expect(readdirSync(folder)).toEqual(['flight.tlog'])
    expect(readFileSync(join(folder, 'flight.tlog'), 'utf8')).toBe('mine')
  })

  test.each([
    ['a file', 'file', 'EEXIST'],
    ['below a file', join('file', 'below'), 'ENOTDIR'],
  ])('that is %s is refused', (_, name) => {
    writeFileSync(join(folder, 'file'), '')
    const { code, stderr } = groundlock(['demo', '--dir', join(folder, name)])
    expect(code).toBe(EXIT_CODE.fault)
    expect(stderr).toMatch(/^GL-DEMO-02 .*\n.*--dir/)
  })

  test('that no system can make is refused without --dir too', () => {
    const { code, stderr } = groundlock(['demo'], { TMPDIR: join(folder, 'nowhere') })
    expect(code).toBe(EXIT_CODE.fault)
    expect(stderr).toContain(`GL-DEMO-02  cannot keep the demo in ${join(folder, 'nowhere')}: no such file`)
  })

  test('whose path is too long for the airlock: the station’s words, and no flight', () => {
    const long = join(folder, 'x'.repeat(67 - folder.length - 1))
    const { code, stdout, stderr } = groundlock(['demo', '--dir', long])
    expect(stderr).toMatch(/GL-CONF-03 [^]*guard\.run_dir: [^]*at most 80 bytes[^]*GL-DEMO-03 /)
    expect(code).toBe(EXIT_CODE.fault)
    expect(stdout).not.toContain('$ groundlock')
  })
})

describeNetwork('a demo that is ended in the airlock', () => {
  test('says no failure, and leaves nothing that runs', async () => {
    const before = children()
    const interrupt = new AbortController()
    const said: string[] = []
    mkdirSync(join(folder, 'airlock'))
    const shown = showAirlock({
      main: GROUNDLOCK,
      folder: join(folder, 'airlock'),
      say(text) {
        said.push(text)
        if (text.includes('PERMIT, armed')) interrupt.abort()
      },
      signal: interrupt.signal,
    })
    await expect(shown).rejects.toMatchObject({ name: 'AbortError' })
    expect(said.at(-1)).toContain('PERMIT, armed')
    expect(children()).toEqual(before)
    expect(processesOf(folder)).toEqual([])
  })
})

/** A demo in a process group of its own, as a shell starts it, typed in `folder`. */
class RunningDemo {
  readonly #child: ChildProcess
  readonly #end: Promise<number | null>
  readonly #listeners = new Set<() => void>()
  said = ''

  constructor(...args: string[]) {
    const stdio = ['ignore', 'pipe', 'pipe'] as const
    this.#child = spawn(GROUNDLOCK, ['demo', ...args], { cwd: folder, detached: true, stdio: [...stdio] })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (data) => {
        this.said += String(data)
        for (const listener of this.#listeners) listener()
      })
    }
    this.#end = once(this.#child, 'close').then(([code]) => code as number | null)
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the demo could not be started')
    return this.#child.pid
  }

  async untilSaid(pattern: RegExp): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#listeners.add(() => pattern.test(this.said) && resolve())
      void this.#end.then(() => reject(new Error(`the demo ended before ${pattern}:\n${this.said}`)))
    })
  }

  /** Its exit code, once it and all that could say a word have ended. */
  async end(): Promise<number | null> {
    return this.#end
  }
}

/** Processes that have a path below `dir` among their words, or were started in it. */
function processesOf(dir: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && placesOf(pid).includes(dir))
}

function placesOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return '' // gone since it was listed
  }
}

/** Of this process. */
function children(): string {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
}
