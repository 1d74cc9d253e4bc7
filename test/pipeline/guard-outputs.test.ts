/**
 * What the running guard does beside the door: relay and lamp follow the switch, the canary flies, and the watchdog is fed
 * by what was read lately. The lines are made up (fake-gpio.ts), the rest is real.
 */
import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { monotonicUs } from '../../src/base/clock.js'
import { SHUT_MEANT_MS } from '../../src/hw/decide/guard-state.js'
import { fakeGpio } from '../support/fake-gpio.js'
import type { FakeGpio } from '../support/fake-gpio.js'
import { Place } from '../support/lab/place.js'
import { describeNetwork } from '../support/lab/describe-network.js'
import { LoneGuard, PLUG_IN } from '../support/lone-guard.js'
import { NotifySocket, whyNoNotices } from '../support/notify-socket.js'

/** A test that starts guards, on a busy machine (ms). */
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 })

const LAMP = 22
const RELAY = 23

/** Between two groups of flashes are two seconds and more, and half of one between two flashes of one (ms). */
const PAUSE_MS = 1250

/** A line is driven by processes; its end is a failure, not a speed. */
const SOON = { timeout: 30_000, interval: 20 }

/** WatchdogSec of the guard's unit (µs). */
const WATCHDOG_US = 2_000_000

describeNetwork('the running guard', () => {
  let place: Place
  let guard: LoneGuard

  beforeAll(async () => {
    place = await Place.make('guard-outputs')
    await place.shell(PLUG_IN)
  })
  afterAll(() => place.close())

  beforeEach(() => {
    vi.stubEnv('PATH', process.env['PATH'])
    guard = new LoneGuard(place)
  })
  afterEach(async () => {
    await guard.end()
    vi.unstubAllEnvs()
  })

  test('PERMIT powers the uplink and the lamp flashes three times; SHUT takes the power, and it flashes once', async () => {
    const gpio = fakeGpio(join(guard.dir, 'gpio'), 2)
    // Two contacts would be a doubt where the machine is so busy that one follows the other late.
    const relay = `[uplink]\nrelay_line = ${RELAY}\n`
    guard.configure({ backend: 'chardev', wiring: 'single', lampLine: LAMP, more: relay })
    const { child } = guard.start()
    await guard.until('it is shut', ({ row }) => row === 'switch is SHUT')
    expect(gpio.driven(RELAY)).toBe('0')
    await untilFlashes(gpio, 1)
    await guard.standIn()
    gpio.contacts('closed', 'open')
    await guard.until('it permits', ({ reading }) => reading?.kernel === 'leased')
    await vi.waitUntil(() => gpio.driven(RELAY) === '1', SOON)
    await untilFlashes(gpio, 3)
    expect(gpio.driven(RELAY)).toBe('1')
    gpio.contacts('open', 'closed')
    await guard.until('it is shut again', ({ row }) => row === 'switch is SHUT')
    await vi.waitUntil(() => gpio.driven(RELAY) === '0', SOON)
    await untilFlashes(gpio, 1)
    child.kill('SIGTERM')
    await once(child, 'exit')
    expect([gpio.driven(LAMP), gpio.driven(RELAY)]).toEqual(['0', '0'])
  })

  test.each([
    ['two contacts', { backend: 'chardev' }],
    ['one contact', { backend: 'chardev', wiring: 'single' }],
    ['a file', { backend: 'simulated' }],
  ])('%s: a SHUT of a moment ends no fault because the guard stood still behind it', async (_, settings) => {
    const gpio = fakeGpio(join(guard.dir, 'gpio'), 2)
    const turn = (position: 'shut' | 'permit') => {
      guard.flip(position)
      if (position === 'shut') gpio.contacts('open', 'closed')
      else gpio.contacts('closed', 'open')
    }
    guard.configure(settings)
    turn('permit')
    guard.start()
    const { pid } = await guard.until('PERMIT is seen', ({ switch: { position } }) => position === 'permit')
    let tookMs: number
    do {
      renameSync(guard.token, `${guard.token}.aside`)
      await guard.until('it is a fault', ({ door }) => door === 'fault')
      renameSync(`${guard.token}.aside`, guard.token)
      await guard.until('it is one that is over', ({ row }) => row === 'fault: waits for SHUT')
      const beganMs = performance.now()
      turn('shut')
      // Until it is read: with one contact nothing tells that it was.
      await pause(150)
      process.kill(pid, 'SIGSTOP')
      tookMs = performance.now() - beganMs
      turn('permit')
      // The machine that stalls: there is no event in it.
      await pause(2 * SHUT_MEANT_MS)
      process.kill(pid, 'SIGCONT')
      // Where the machine is so busy that the moment itself was long: once more.
    } while (tookMs > SHUT_MEANT_MS / 2)
    const wokenUs = monotonicUs()
    const { row } = await guard.until(
      'PERMIT is seen for a second',
      ({ nowUs, switch: { position } }) => position === 'permit' && nowUs - wokenUs > 1_000_000,
    )
    expect(row).toBe('fault: waits for SHUT')
  })

  test('the canary flies again and again, and guard.json tells how it ended', async () => {
    guard.start()
    const first = await guard.until('it has flown', ({ canary }) => canary !== null)
    expect(first.canary).toBe('dropped')
    await place.ip('link delete glcanary0')
    const next = await guard.until('another one has flown', ({ canary }) => canary !== 'dropped')
    expect(next.canary).toBe('broken')
  })

  const reason = whyNoNotices()
  test.skipIf(reason !== '')(
    `the watchdog is fed while the kernel can be read, and no longer${reason === '' ? '' : ` (skipped: ${reason})`}`,
    async () => {
      const hangs = join(guard.dir, 'hangs')
      guard.standBefore(
        'nft',
        `[ "$*" = 'list ruleset' ] && [ -e ${hangs} ] && exec sleep 3600\nexec {real} "$@"`,
      )
      const systemd = await NotifySocket.listen(join(guard.dir, 'systemd'))
      onTestFinished(() => systemd.close())
      guard.start({ ...guard.toolsFirst, NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: String(WATCHDOG_US) })
      while ((await systemd.next()) !== 'READY=1');
      expect([await systemd.next(), await systemd.next()]).toEqual(['WATCHDOG=1', 'WATCHDOG=1'])
      writeFileSync(hangs, '')
      const old = await guard.until('the reading is too old', ({ events }) =>
        events.some(({ text }) => text === 'fault: the kernel could not be read for 5 s'),
      )
      await systemd.waiting()
      await guard.until('the guard goes on', ({ nowUs }) => nowUs - old.nowUs > 2 * WATCHDOG_US)
      // One may have been on its way.
      expect((await systemd.waiting()).slice(1)).toEqual([])
    },
  )
})

/** The lamp flashes so often and pauses, from now on; the first group may be one of before, and the last one is not over. */
async function untilFlashes(gpio: FakeGpio, count: number): Promise<void> {
  const nowMs = Date.now()
  await vi.waitUntil(() => gpio.flashes(LAMP, nowMs, PAUSE_MS).slice(1, -1).at(-1) === count, SOON)
}
