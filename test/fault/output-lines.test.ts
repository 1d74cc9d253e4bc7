/**
 * Lamp and relay: lines that are driven while the guard lives. The kernel here has no GPIO: the tools are fakes of both versions
 * (test/support/fake-gpiod.sh); the holder of a line, its pipe and the deaths are real.
 */
import { execFileSync, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openLamp } from '../../src/hw/lamp/lamp.js'
import { openRelay, powering } from '../../src/hw/relay/relay.js'
import { SWITCH, fakeGpio, keptLog, type FakeGpio } from '../support/fake-gpio.js'
import { REPOSITORY } from '../support/groundlock.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder('outputs')
const PATH = process.env['PATH']
const LAMP = 22
const RELAY = 23
/** A wait for what other processes do; its end is a failure, not a speed. */
const SOON = { timeout: 15_000, interval: 5 }
let count = 0
let gpio: FakeGpio

afterEach(() => {
  process.env['PATH'] = PATH
})

/** Kills the shell that holds a line for this process, with its group, as a machine without memory does. */
function endHolder(): void {
  const children = execFileSync('ps', ['--ppid', String(process.pid), '-o', 'pid=,args='], {
    encoding: 'utf8',
  })
  const [, pid] = /^\s*(\d+) \/bin\/sh -c.*$/m.exec(children) ?? []
  process.kill(-Number(pid), 'SIGKILL')
}

describe.each([1, 2] as const)('libgpiod %d', (major) => {
  beforeEach(() => {
    gpio = fakeGpio(join(folder, String(count++)), major)
  })

  it('the lamp flashes, and is dark at the end', async () => {
    const lamp = openLamp(SWITCH, { log: keptLog() })
    lamp.show('fault')
    for (const level of ['1', '0', '1']) await vi.waitUntil(() => gpio.driven(LAMP) === level, SOON)
    await lamp.stop()
    expect(gpio.driven(LAMP)).toBe('0')
  })

  it('the relay is released first, follows, and is released at the end', async () => {
    const relay = await openRelay(RELAY, SWITCH, { log: keptLog(), isInstalledUnit: false })
    expect(gpio.driven(RELAY)).toBe('0')
    await relay.set(true)
    await vi.waitUntil(() => gpio.driven(RELAY) === '1', SOON)
    await relay.set(false)
    expect(gpio.driven(RELAY)).toBe('0')
    await relay.set(true)
    await relay.stop()
    expect(gpio.driven(RELAY)).toBe('0')
  })

  it('a relay that is energised again and again is not let go in between', async () => {
    const relay = await openRelay(RELAY, SWITCH, { log: keptLog(), isInstalledUnit: false })
    await relay.set(true)
    await vi.waitUntil(() => gpio.driven(RELAY) === '1', SOON)
    const before = gpio.calls('gpioset').length
    const asked = relay.set(true)
    expect(relay.set(true)).toBe(asked)
    await asked
    await relay.set(true)
    // A holder that is replaced is seen within a few ms.
    await pause(300)
    expect(gpio.calls('gpioset')).toHaveLength(before)
    await relay.stop()
    expect(gpio.driven(RELAY)).toBe('0')
  })

  it('a relay whose holder was killed is energised by the next word', async () => {
    const log = keptLog()
    const relay = await openRelay(RELAY, SWITCH, { log, isInstalledUnit: false })
    await relay.set(true)
    await vi.waitUntil(() => gpio.driven(RELAY) === '1', SOON)
    endHolder()
    await vi.waitUntil(() => log.lines.some((line) => line.includes('GL-RELAY-02')), SOON)
    await relay.set(true)
    await vi.waitUntil(() => gpio.driven(RELAY) === '1', SOON)
    await relay.stop()
    expect(gpio.driven(RELAY)).toBe('0')
  })

  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'the relay is released when the guard ends by %s',
    async (signal) => {
      gpio.contacts('closed', 'open')
      const script = join(REPOSITORY, 'scripts', 'switch-watch.mjs')
      const args = [script, '--no-config', '--backend', 'chardev', '--relay', String(RELAY)]
      const guard = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
      createInterface(guard.stdout).resume()
      await expect.poll(() => gpio.driven(RELAY), SOON).toBe('1')
      guard.kill(signal)
      await expect.poll(() => gpio.driven(RELAY), SOON).toBe('0')
    },
  )

  it('a line that cannot be driven: the relay is a fault, the lamp a line in the log', async () => {
    const log = keptLog()
    gpio.flag('hang.gpioset', true)
    await expect(openRelay(RELAY, SWITCH, { log, isInstalledUnit: false })).rejects.toMatchObject({
      code: 'GL-RELAY-02',
    })
    gpio.flag('hang.gpioset', false)
    const lamp = openLamp({ ...SWITCH, chip: 'pinctrl-elsewhere' }, { log })
    lamp.show('shut')
    await vi.waitUntil(() => log.lines.some((line) => line.includes('GL-LAMP-01')), SOON)
    await lamp.stop()
  })
})

describe('no line', () => {
  it.each([
    ['lamp_line = 0', { ...SWITCH, lampLine: null }],
    ['a simulated switch', { ...SWITCH, backend: 'simulated' as const }],
  ])('%s: a lamp that shows nothing', async (_, configuration) => {
    const log = keptLog()
    const lamp = openLamp(configuration, { log })
    lamp.show('fault')
    await lamp.stop()
    expect(log.lines).toEqual([])
  })

  it('relay_line = 0: a relay that does nothing', async () => {
    const relay = await openRelay(null, SWITCH, { log: keptLog(), isInstalledUnit: false })
    await expect(relay.set(true)).resolves.toBeUndefined()
    await relay.stop()
  })

  it('without the tools there is no relay, which does not keep an installed guard from guarding', async () => {
    gpio = fakeGpio(join(folder, String(count++)), 2)
    rmSync(join(gpio.folder, 'bin', 'gpiodetect'))
    const log = keptLog()
    await expect(openRelay(RELAY, SWITCH, { log, isInstalledUnit: false })).rejects.toMatchObject({
      code: 'GL-SWITCH-02',
    })
    const relay = await openRelay(RELAY, SWITCH, { log, isInstalledUnit: true })
    expect(log.lines.join()).toMatch(/guarding without a relay: [^]*GL-SWITCH-02/)
    const power = powering(relay, log)
    for (const isPowered of [true, false, true]) power(isPowered)
    await relay.set(false).catch(() => undefined)
    expect(log.lines).toHaveLength(2)
    await relay.stop()
  })
})
