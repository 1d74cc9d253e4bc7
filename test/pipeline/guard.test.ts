/** `groundlock guard` as a user meets it: what it needs, what it says, and what it leaves when it ends. */
import { spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import * as v from 'valibot'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { guardStatusSchema } from '../../src/base/guard-status.js'
import type { GuardStatus } from '../../src/base/guard-status.js'
import { EXIT_CODE } from '../../src/commands/exit-code.js'
import { GuardClient } from '../../src/hw/protocol/guard-client.js'
import { GROUNDLOCK, groundlock } from '../support/groundlock.js'
import type { Outcome } from '../support/groundlock.js'
import { Place } from '../support/lab/place.js'
import { describeNetwork } from '../support/lab/describe-network.js'

/** A guard on a busy machine is there, or has ended, within this (ms). */
const AT_MOST_MS = 20_000

/** A test that starts guards, on a busy machine (ms). */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const PLUG_IN = 'ip link add up0 type veth peer name far0; ip link set up0 up; ip link set far0 up'

describeNetwork('groundlock guard', () => {
  let place: Place
  let dir: string
  let started: ChildProcess[]

  beforeAll(async () => {
    place = await Place.make('guard')
    await place.shell(PLUG_IN)
  })
  afterAll(() => place.close())

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'groundlock-guard-'))
    started = []
    for (const name of ['guard', 'token', 'run']) mkdirSync(join(dir, name))
    writeFileSync(join(dir, 'token', 'link'), '', { mode: 0o640 })
    flip('shut')
    configure()
  })
  afterEach(async () => {
    for (const child of started) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(dir, { recursive: true })
  })

  const flip = (position: string): void => writeFileSync(join(dir, 'guard', 'switch'), position)
  const configuration = (): string => join(dir, 'groundlock.toml')

  function configure(backend = 'simulated', more = ''): void {
    writeFileSync(
      configuration(),
      `[station]
run_dir = "${join(dir, 'run')}"
[link.radio]
device = "${join(dir, 'radio')}"
[switch]
backend = "${backend}"
file = "${join(dir, 'guard', 'switch')}"
lamp_line = 0
[guard]
run_dir = "${join(dir, 'guard')}"
token = "${join(dir, 'token', 'link')}"
${more}`,
    )
  }

  /** To its end, in the place: never in the machine's own network. */
  function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Outcome {
    const [program, all] = place.around(GROUNDLOCK, ['guard', ...args])
    const { status: code, ...said } = spawnSync(program, all, {
      encoding: 'utf8',
      env: { ...process.env, ...env },
      timeout: AT_MOST_MS,
    })
    return { code, stdout: said.stdout, stderr: said.stderr }
  }

  function start(env: NodeJS.ProcessEnv = {}): { child: ChildProcess; said: () => string } {
    let log = ''
    const child = place.start(GROUNDLOCK, ['guard', '--config', configuration()], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (log += text))
    started.push(child)
    return { child, said: () => log }
  }

  /** A station whose link is closed, and which gives way at once. */
  function standIn(): GuardClient {
    return new GuardClient({
      path: join(dir, 'guard', 'guard.sock'),
      state: () => ({ link: 'closed', vehicle: 'none' }),
      onGiveWay: (answer) => answer('gave way'),
      onGuard: () => undefined,
    })
  }

  async function until(what: string, isSo: () => boolean): Promise<void> {
    for (const began = performance.now(); !isSo(); await pause(20)) {
      if (performance.now() - began > AT_MOST_MS) throw new Error(`${what}: ${JSON.stringify(status())}`)
    }
  }

  const path = (): string => join(dir, 'guard', 'guard.json')
  function status(): GuardStatus | undefined {
    return existsSync(path())
      ? v.parse(guardStatusSchema, JSON.parse(readFileSync(path(), 'utf8')))
      : undefined
  }

  test('--help says what it needs, what it does to connections, and how it ends', () => {
    const { code, stdout } = run(['--help'])
    expect(code).toBe(EXIT_CODE.ok)
    for (const words of ['CAP_NET_ADMIN', 'SSH', 'SIGTERM', 'groundlock door rules', 'Example:'])
      expect(stdout).toContain(words)
  })

  test('a configuration with a mistake, or none, ends it before it touches anything', async () => {
    configure('simulated', '[switches]\nbackend = "auto"\n')
    const wrong = run(['--config', configuration()])
    expect(wrong.stderr).toMatch(/GL-CONF-03[^]*switches[^]*switch/)
    const none = run(['--config', join(dir, 'none.toml')])
    expect(none.stderr).toContain('GL-CONF-01')
    expect([wrong.code, none.code]).not.toContain(EXIT_CODE.ok)
    expect(await place.run('nft', 'list', 'ruleset')).toBe('')
  })

  test('what it writes fits its schema, and `groundlock status` shows it', async () => {
    start()
    await until('it is shut', () => status()?.row === 'switch is SHUT')
    expect(status()).toMatchObject({
      door: 'blocked',
      reason: 'the switch is SHUT',
      switch: { backend: expect.stringContaining('simulated'), position: 'shut', shutSeen: true },
      station: { state: 'absent', link: null, vehicle: null },
      token: 'free',
      reading: { problems: [], layers: { base: true, netdev: true, twin: true, linkDown: true } },
    })
    const { code, stdout } = groundlock(['status', '--config', configuration()])
    expect(code).toBe(EXIT_CODE.ok)
    expect(stdout).toMatch(/BLOCKED[^]*the switch is SHUT[^]*up0 {2}link down, covered, shut/)
  })

  test('without nft it goes into fault, with what to do', async () => {
    const bin = join(dir, 'bin')
    mkdirSync(bin)
    for (const tool of ['ip', 'flock', 'node', 'sh', 'env']) {
      const found = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim()
      symlinkSync(tool === 'node' ? process.execPath : found, join(bin, tool))
    }
    await place.run('nft', 'flush', 'ruleset')
    // The place is entered with the machine's own tools; only what is entered has none.
    const child = place.start(
      '/usr/bin/env',
      [`PATH=${bin}`, GROUNDLOCK, 'guard', '--config', configuration()],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    started.push(child)
    await until('it is in fault', () => status()?.door === 'fault')
    expect(status()!.reason).toMatch(/nft/)
    expect(groundlock(['status', '--config', configuration()]).stdout).toMatch(/FAULT[^]*nft/)
  })

  test('without a token file it goes into fault, and names the file and who makes it', async () => {
    rmSync(join(dir, 'token', 'link'))
    start()
    await until('it is in fault', () => status()?.door === 'fault')
    await until('it says why', () => status()!.reason.includes('systemd-tmpfiles'))
    expect(status()).toMatchObject({ token: 'doubt', reason: expect.stringContaining('link token') })
    expect(existsSync(join(dir, 'token', 'link'))).toBe(false)
  })

  test('a second one at once is refused, and the first goes on', async () => {
    const first = start()
    await until('it is shut', () => status()?.phase === 'blocked')
    const second = run(['--config', configuration()])
    expect(second.stderr).toContain('a guard is running already')
    expect(second.code).not.toBe(EXIT_CODE.ok)
    expect(first.child.exitCode).toBeNull()
    const { nowUs } = status()!
    await until('it goes on', () => status()!.nowUs > nowUs + 2e6)
    expect(status()).toMatchObject({ pid: first.child.pid, door: 'blocked' })
    expect(status()!.reading?.problems).toEqual([])
  })

  test('SIGTERM while permitted: nothing is permitted any more, links are down, the token is free', async () => {
    const { child, said } = start()
    await until('it is shut', () => status()?.phase === 'blocked')
    const station = standIn()
    try {
      await until('it knows the station', () => status()?.station.state === 'present')
      flip('permit')
      await until('it permits', () => status()?.reading?.kernel === 'leased')
      expect(await place.run('nft', 'list', 'sets')).toMatch(/elements = \{ "up0"/)
      child.kill('SIGTERM')
      await once(child, 'exit')
    } finally {
      station.stop()
    }
    expect(child.exitCode).toBe(EXIT_CODE.ok)
    expect(said()).toContain('guard: stopped, the kernel reads as shut')
    expect(status()).toBeUndefined() // one that stays behind is of a guard that crashed
    expect(await place.run('nft', 'list', 'sets')).not.toContain('elements')
    expect(await place.run('nft', 'list', 'table', 'inet', 'groundlock')).toContain('policy drop')
    expect(await place.run('ip', '-brief', 'link', 'show', 'up0')).not.toMatch(/\bUP\b.*<.*\bUP\b/)
    expect(spawnSync('flock', ['-n', join(dir, 'token', 'link'), 'true']).status).toBe(0)
  })

  test('a permit with no uplink plugged in waits for one, and outlives its being pulled', async () => {
    await place.run('ip', 'link', 'delete', 'up0')
    start()
    await until('it is shut', () => status()?.phase === 'blocked')
    const station = standIn()
    const lasts = (seconds: number): boolean =>
      status()?.door === 'permitted' && status()!.nowUs - status()!.sinceUs > seconds * 1e6
    const isLeased = (): boolean => status()?.reading?.uplinks.some((each) => each.isLeased) === true
    try {
      await until('it knows the station', () => status()?.station.state === 'present')
      flip('permit')
      await until('it permits for longer than a permit may lapse', () => lasts(4))
      expect(status()?.reading).toMatchObject({ kernel: 'leased', uplinks: [] })
      for (let times = 0; times < 2; times++) {
        await place.shell(PLUG_IN)
        await until('what is plugged in has a lease', isLeased)
        if (times === 0) await place.run('ip', 'link', 'delete', 'up0')
      }
      expect(status()?.door).toBe('permitted')
      flip('shut')
      await until('it is shut again', () => status()?.phase === 'blocked')
      expect(status()?.reading?.kernel).toBe('shut')
      expect(isLeased()).toBe(false)
    } finally {
      station.stop()
    }
  })

  // As on a small Pi with a card that stalls: a reading takes longer than a renewal, a shutting longer than the guard's beat.
  test('with tools that take their time it goes on permitting, and gets shut', async () => {
    const bin = join(dir, 'bin')
    mkdirSync(bin)
    const late = (seconds: number) => writeFileSync(join(bin, 'late'), String(seconds))
    late(0.3)
    for (const tool of ['nft', 'ip']) {
      const real = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim()
      const text = `#!/bin/sh\ncase "$*" in -i | *monitor*) ;; *) sleep $(cat ${bin}/late) ;; esac\nexec ${real} "$@"\n`
      writeFileSync(join(bin, tool), text, { mode: 0o755 })
    }
    start({ PATH: `${bin}:${process.env['PATH']}` })
    await until('it is shut', () => status()?.phase === 'blocked')
    const station = standIn()
    try {
      await until('it knows the station', () => status()?.station.state === 'present')
      flip('permit')
      await until('it permits', () => status()?.door === 'permitted')
      const { sinceUs } = status()!
      // Longer than a reading may be old.
      await until('it goes on', () => status()!.nowUs - sinceUs > 7e6)
      expect(status()).toMatchObject({ door: 'permitted', sinceUs })
      late(1)
      flip('shut')
      await until('it is shut again', () => status()?.phase === 'blocked' && status()?.token === 'free')
      expect(status()?.reading?.kernel).toBe('shut')
    } finally {
      station.stop()
    }
  })

  test('a guard whose folder is missing says which', () => {
    rmSync(join(dir, 'guard'), { recursive: true })
    const { code, stderr } = run(['--config', configuration()])
    expect(stderr).toContain(`there is no folder ${join(dir, 'guard')}`)
    expect(code).not.toBe(EXIT_CODE.ok)
  })

  test('installed, it takes no simulated switch that was not asked for by name, and guards without one', async () => {
    configure('auto')
    flip('permit')
    const { child, said } = start({ INVOCATION_ID: 'unit' })
    await until('it is shut', () => status()?.door === 'fault')
    expect(said()).toMatch(/guarding without a switch: [^]*GL-SWITCH-01[^]*no way to its GPIO lines/)
    expect(status()).toMatchObject({ switch: { position: 'doubt' }, reading: { kernel: 'shut' } })
    child.kill('SIGTERM')
    await once(child, 'exit')
  })

  test('installed, it warns of a simulated switch that was asked for by name', async () => {
    const { said } = start({ INVOCATION_ID: 'unit' })
    await until('it is shut', () => status()?.phase === 'blocked')
    expect(said()).toContain('the switch is SIMULATED')
  })
})
