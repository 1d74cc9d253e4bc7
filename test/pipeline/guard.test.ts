/** `groundlock guard` as a user meets it: what it needs, what it says, and what it leaves when it ends. */
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { GuardStatus } from '../../src/base/guard-status.js'
import { EXIT_CODE } from '../../src/commands/exit-code.js'
import { groundlock } from '../support/groundlock.js'
import { Place } from '../support/lab/place.js'
import { describeNetwork } from '../support/lab/describe-network.js'
import { LoneGuard, PLUG_IN } from '../support/lone-guard.js'
import type { StartedGuard } from '../support/lone-guard.js'

/** A test that starts guards, on a busy machine (ms). */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

describeNetwork('groundlock guard', () => {
  let place: Place
  let guard: LoneGuard

  beforeAll(async () => {
    place = await Place.make('guard')
    await place.shell(PLUG_IN)
  })
  afterAll(() => place.close())

  beforeEach(() => {
    guard = new LoneGuard(place)
  })
  afterEach(() => guard.end())

  test('--help says what it needs, what it does to connections, and how it ends', () => {
    const { code, stdout } = guard.run(['--help'])
    expect(code).toBe(EXIT_CODE.ok)
    for (const words of ['CAP_NET_ADMIN', 'SSH', 'SIGTERM', 'groundlock door rules', 'Example:'])
      expect(stdout).toContain(words)
  })

  test('a configuration with a mistake, or none, ends it before it touches anything', async () => {
    guard.configure({ more: '[switches]\nbackend = "auto"\n' })
    const wrong = guard.run(['--config', guard.configuration])
    expect(wrong.stderr).toMatch(/GL-CONF-03[^]*switches[^]*switch/)
    const none = guard.run(['--config', join(guard.dir, 'none.toml')])
    expect(none.stderr).toContain('GL-CONF-01')
    expect([wrong.code, none.code]).not.toContain(EXIT_CODE.ok)
    expect(await place.run('nft', 'list', 'ruleset')).toBe('')
  })

  test('what it writes fits its schema, and `groundlock status` shows it', async () => {
    guard.start()
    const status = await guard.until('it is shut', ({ row }) => row === 'switch is SHUT')
    expect(status).toMatchObject({
      door: 'blocked',
      reason: 'the switch is SHUT',
      switch: { backend: expect.stringContaining('simulated'), position: 'shut', shutSeen: true },
      station: { state: 'absent', link: null, vehicle: null },
      token: 'free',
      reading: { problems: [], layers: { base: true, netdev: true, twin: true, linkDown: true } },
    })
    const { code, stdout } = groundlock(['status', '--config', guard.configuration])
    expect(code).toBe(EXIT_CODE.ok)
    expect(stdout).toMatch(/BLOCKED[^]*the switch is SHUT[^]*up0 {2}link down, covered, shut/)
  })

  test('without nft it goes into fault, with what to do', async () => {
    await place.run('nft', 'flush', 'ruleset')
    guard.startWith(['ip', 'flock', 'node', 'sh', 'env'])
    const { reason } = await guard.until('it is in fault', ({ door }) => door === 'fault')
    expect(reason).toMatch(/nft/)
    expect(groundlock(['status', '--config', guard.configuration]).stdout).toMatch(/FAULT[^]*nft/)
  })

  test('without a token file it goes into fault, and names the file and who makes it', async () => {
    rmSync(guard.token)
    guard.start()
    await guard.until('it is in fault', ({ door }) => door === 'fault')
    const status = await guard.until('it says why', ({ reason }) => reason.includes('systemd-tmpfiles'))
    expect(status).toMatchObject({ token: 'doubt', reason: expect.stringContaining('link token') })
    expect(existsSync(guard.token)).toBe(false)
  })

  test('a second one at once is refused, and the first goes on', async () => {
    const first = guard.start()
    await guard.until('it is shut', isBlocked)
    const second = guard.run(['--config', guard.configuration])
    expect(second.stderr).toContain('a guard is running already')
    expect(second.code).not.toBe(EXIT_CODE.ok)
    expect(first.child.exitCode).toBeNull()
    const before = guard.status()!
    const status = await guard.until('it goes on', ({ nowUs }) => nowUs > before.nowUs + 2e6)
    expect(status).toMatchObject({ pid: first.child.pid, door: 'blocked', reading: { problems: [] } })
  })

  test('SIGTERM while permitted: nothing is permitted any more, links are down, the token is free', async () => {
    const { child, said } = await startPermitted()
    expect(await place.run('nft', 'list', 'sets')).toMatch(/elements = \{ "up0"/)
    child.kill('SIGTERM')
    await once(child, 'exit')
    expect(child.exitCode).toBe(EXIT_CODE.ok)
    expect(said()).toContain('guard: stopped, the kernel reads as shut')
    expect(guard.status()).toBeUndefined() // one that stays behind is of a guard that crashed
    expect(await place.run('nft', 'list', 'sets')).not.toContain('elements')
    expect(await place.run('nft', 'list', 'table', 'inet', 'groundlock')).toContain('policy drop')
    // The flag, not the state: an end of a pair whose other end is down is in state DOWN all the same.
    for (const device of ['up0', 'far0'])
      expect(await place.run('ip', '-brief', 'link', 'show', device)).not.toMatch(/[<,]UP[,>]/)
    expect(guard.isTokenFree()).toBe(true)
  })

  test('SIGTERM where the kernel does not read as shut: the token is kept to the end of the process', async () => {
    const looks = join(guard.dir, 'looks')
    const isBlind = join(guard.dir, 'is-blind')
    // Each listing, the last ones as well, when only the process itself is left to end: it looks for the token, and fails.
    guard.standBefore(
      'nft',
      `[ "$*" = 'list ruleset' ] && [ -e ${isBlind} ] || exec {real} "$@"
flock -n ${guard.token} echo free >>${looks} || echo kept >>${looks}
echo 'no listing today' >&2
exit 1`,
    )
    const { child, said } = await startPermitted(guard.toolsFirst)
    writeFileSync(isBlind, '')
    child.kill('SIGTERM')
    await once(child, 'exit')
    expect(said()).toContain('guard: stopped, the kernel reads as differs')
    expect(new Set(readFileSync(looks, 'utf8').trim().split('\n'))).toEqual(new Set(['kept']))
    expect(guard.isTokenFree()).toBe(true)
  })

  test('SIGTERM while it starts: what it began to shut it shuts, and it ends as later', async () => {
    const begun = join(guard.dir, 'begun')
    const goOn = join(guard.dir, 'go-on')
    const wait = `touch ${begun}; while [ ! -e ${goOn} ]; do sleep 0.01; done`
    guard.standBefore('nft', `case "$*" in -i | *monitor*) ;; *) ${wait} ;; esac\nexec {real} "$@"`)
    const { child, said } = guard.start(guard.toolsFirst)
    const patience = { timeout: 20_000, interval: 10 }
    await vi.waitUntil(() => existsSync(begun), patience)
    child.kill('SIGTERM')
    await vi.waitUntil(() => said().includes('SIGTERM: shutting and stopping'), patience)
    writeFileSync(goOn, '')
    await once(child, 'exit')
    expect(child.exitCode).toBe(EXIT_CODE.ok)
    expect(said()).toContain('guard: stopped, the kernel reads as shut')
    expect(guard.isTokenFree()).toBe(true)
  })

  test('a permit with no uplink plugged in waits for one, and outlives its being pulled', async () => {
    await place.run('ip', 'link', 'delete', 'up0')
    await startPermitted()
    const isLeased = ({ reading }: GuardStatus): boolean =>
      reading?.uplinks.some((each) => each.isLeased) === true
    const bare = await guard.until(
      'it permits for longer than a permit may lapse',
      ({ door, nowUs, sinceUs }) => door === 'permitted' && nowUs - sinceUs > 4e6,
    )
    expect(bare.reading).toMatchObject({ kernel: 'leased', uplinks: [] })
    for (let times = 0; times < 2; times++) {
      await place.shell(PLUG_IN)
      await guard.until('what is plugged in has a lease', isLeased)
      if (times === 0) await place.run('ip', 'link', 'delete', 'up0')
    }
    expect(guard.status()?.door).toBe('permitted')
    guard.flip('shut')
    const shut = await guard.until('it is shut again', isBlocked)
    expect(shut.reading?.kernel).toBe('shut')
    expect(isLeased(shut)).toBe(false)
  })

  // As on a small Pi with a card that stalls: a reading takes longer than a renewal, a shutting longer than the guard's beat.
  test('with tools that take their time it goes on permitting, and gets shut', async () => {
    const lateFile = join(guard.dir, 'late')
    const late = (seconds: number) => writeFileSync(lateFile, String(seconds))
    late(0.3)
    for (const tool of ['nft', 'ip']) {
      const wait = `case "$*" in -i | *monitor*) ;; *) sleep $(cat ${lateFile}) ;; esac`
      guard.standBefore(tool, `${wait}\nexec {real} "$@"`)
    }
    await startPermitted(guard.toolsFirst)
    const { sinceUs } = guard.status()!
    // Longer than a reading may be old.
    const status = await guard.until('it goes on', ({ nowUs }) => nowUs - sinceUs > 7e6)
    expect(status).toMatchObject({ door: 'permitted', sinceUs })
    late(1)
    guard.flip('shut')
    const shut = await guard.until('it is shut again', (now) => isBlocked(now) && now.token === 'free')
    expect(shut.reading?.kernel).toBe('shut')
  })

  test('a guard whose folder is missing says which', () => {
    rmSync(join(guard.dir, 'guard'), { recursive: true })
    const { code, stderr } = guard.run(['--config', guard.configuration])
    expect(stderr).toContain(`there is no folder ${join(guard.dir, 'guard')}`)
    expect(code).not.toBe(EXIT_CODE.ok)
  })

  test('installed, it takes no simulated switch that was not asked for by name, and guards without one', async () => {
    guard.configure({ backend: 'auto' })
    guard.flip('permit')
    const { child, said } = guard.start({ INVOCATION_ID: 'unit' })
    const status = await guard.until('it is shut', ({ door }) => door === 'fault')
    expect(said()).toMatch(/guarding without a switch: [^]*GL-SWITCH-01[^]*no way to its GPIO lines/)
    expect(status).toMatchObject({ switch: { position: 'doubt' }, reading: { kernel: 'shut' } })
    child.kill('SIGTERM')
    await once(child, 'exit')
  })

  test('installed, it warns of a simulated switch that was asked for by name', async () => {
    const { said } = guard.start({ INVOCATION_ID: 'unit' })
    await guard.until('it is shut', isBlocked)
    expect(said()).toContain('the switch is SIMULATED')
  })

  /** A guard whose kernel holds its permit. */
  async function startPermitted(env: NodeJS.ProcessEnv = {}): Promise<StartedGuard> {
    const started = guard.start(env)
    await guard.until('it is shut', isBlocked)
    await guard.standIn()
    guard.flip('permit')
    await guard.until('it permits', ({ reading }) => reading?.kernel === 'leased')
    return started
  }
})

const isBlocked = ({ phase }: GuardStatus): boolean => phase === 'blocked'
