/**
 * The switch through libgpiod's tools, of both versions. The kernel here has no GPIO, so the tools are fakes that take the same
 * command lines and hold lines as exclusively (test/support/fake-gpiod.sh); processes, pipes and deaths are real.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSwitch } from '../../src/hw/switch/switch.js'
import { SWITCH, fakeGpio, keptLog, type FakeGpio } from '../support/fake-gpio.js'
import { REPOSITORY } from '../support/groundlock.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { isAt, watchedSwitch, type WatchedSwitch } from '../support/watched-switch.js'

const folder = temporaryFolder('chardev')
const PATH = process.env['PATH']
let count = 0
let gpio: FakeGpio
let opened: WatchedSwitch | undefined

async function open(configuration = SWITCH): Promise<WatchedSwitch> {
  opened = await watchedSwitch(configuration)
  return opened
}

/** How many monitors of a line have begun. */
function monitorsOf(line: number): number {
  return gpio.calls('gpiomon').filter((call) => call.endsWith(` ${line}`)).length
}

/** Until a line's level was read so many times more, and its last monitor begins. */
async function nextMonitorOf(line: number, times = 1): Promise<void> {
  const wanted = monitorsOf(line) + times
  const watcher = watch(join(gpio.folder, 'calls'))
  await new Promise<void>((resolve) => {
    watcher.on('change', () => monitorsOf(line) >= wanted && resolve())
  })
  watcher.close()
}

const fails = (configuration: typeof SWITCH) =>
  openSwitch(configuration, { log: keptLog(), onChange: () => undefined, isInstalledUnit: false })

afterEach(async () => {
  await opened?.device.stop()
  opened = undefined
  process.env['PATH'] = PATH
})

describe.each([1, 2] as const)('libgpiod %d', (major) => {
  beforeEach(() => {
    gpio = fakeGpio(join(folder, String(count++)), major)
  })

  it('is found, with the chip of the header by its label, and its lines are pulled up', async () => {
    const watched = await open()
    const version = major === 1 ? '1.6.3' : '2.2.1'
    expect(watched.device.backend).toBe(`chardev: libgpiod ${version}, pinctrl-rp1, lines 17 and 27`)
    expect(watched.now()).toMatchObject({ position: 'shut', reason: 'the switch is SHUT', shutSeen: true })
    for (const call of [...gpio.calls('gpioget'), ...gpio.calls('gpiomon')]) {
      expect(call).toContain('gpiochip4')
      expect(call).toMatch(/--bias[= ]pull-up/)
    }
  })

  it('goes to PERMIT after 500 ms and to SHUT at once, by edges', async () => {
    const watched = await open()
    gpio.contacts('closed', 'open')
    await watched.until(isAt('permit'))
    const levels = gpio.calls('gpioget').length
    gpio.contacts('open', 'closed')
    await watched.until(isAt('shut'))
    // At most one re-reading fell into that time: it was the edge that told.
    expect(gpio.calls('gpioget').length - levels).toBeLessThanOrEqual(1)
    await watched.until(({ contacts }) => contacts.permit === 'open' && contacts.shut === 'closed')
  })

  it('edges alone are no reading: where every edge is lost, the levels tell', async () => {
    const watched = await open()
    gpio.flag('deaf', true)
    gpio.contacts('closed', 'open')
    await watched.until(isAt('permit'))
    const turnedMs = performance.now()
    gpio.contacts('open', 'closed')
    await watched.until(isAt('shut'))
    expect(performance.now() - turnedMs).toBeLessThan(5000)
  })

  it('a turn of which one edge is lost is no doubt: the levels follow before it is called one', async () => {
    const watched = await open()
    gpio.flag('deaf.27', true)
    gpio.contacts('closed', 'open')
    await watched.until(isAt('permit'))
    // The worst moment: the line has just been read, and its turn is far.
    await nextMonitorOf(27)
    const before = watched.readings.length
    gpio.contacts('open', 'closed')
    await watched.until(({ contacts }) => contacts.shut === 'closed')
    await watched.until(isAt('shut'))
    expect(watched.readings.slice(before).filter(({ position }) => position === 'doubt')).toEqual([])
  })

  it('edges of one line while the other one’s child is replaced, however long that takes, are no trouble', async () => {
    gpio.flag('linger.17', true)
    const watched = await open()
    for (let edge = 0; monitorsOf(17) < 6; edge++) {
      const shut = edge % 2 === 0 ? 'open' : 'closed'
      gpio.contacts('open', shut)
      await watched.until(({ contacts }) => contacts.shut === shut)
    }
    expect(watched.readings.filter(({ reason }) => reason.includes('gpio'))).toEqual([])
  })

  it('a cut wire is a fault in antivalent wiring and SHUT in single wiring', async () => {
    gpio.contacts('closed', 'open')
    const watched = await open()
    await watched.until(isAt('permit'))
    gpio.set(17, 'z')
    expect((await watched.until(isAt('doubt'))).reason).toContain('both contacts are open')
    await watched.device.stop()
    gpio.set(17, 0)
    const single = await open({ ...SWITCH, wiring: 'single' })
    await single.until(isAt('permit'))
    gpio.set(17, 'z')
    expect(await single.until(isAt('shut'))).toMatchObject({ reason: 'the switch is SHUT', shutSeen: true })
  })

  it('a gpioget that hangs is doubt, and back by itself', async () => {
    gpio.contacts('closed', 'open')
    const watched = await open()
    await watched.until(isAt('permit'))
    gpio.flag('hang.gpioget', true)
    expect((await watched.until(isAt('doubt'))).reason).toBe('gpioget has told no level for 4000 ms')
    gpio.flag('hang.gpioget', false)
    await watched.until(isAt('permit'))
  })

  it('a gpiomon that hangs leaves the levels: each is read by a process of its own', async () => {
    gpio.contacts('closed', 'open')
    const watched = await open()
    await watched.until(isAt('permit'))
    gpio.flag('hang.gpiomon', true)
    gpio.contacts('open', 'closed')
    expect(await watched.until(isAt('shut'))).toMatchObject({ position: 'shut' })
  })

  it.each([
    ['single', 17],
    ['antivalent', 17],
    ['antivalent', 27],
  ] as const)(
    '%s: a line %d that has levels and no edges is one doubt, until it has',
    async (wiring, line) => {
      gpio.flag(`mute.${line}`, true)
      const watched = await open({ ...SWITCH, wiring })
      const doubt = await watched.until(isAt('doubt'))
      expect(doubt.reason).toContain('No such device')
      const before = watched.readings.length
      // Each is a try of its own: the level is read, and the monitor fails.
      await nextMonitorOf(line, 4)
      expect(watched.readings.slice(before)).toEqual([])
      expect(watched.now().position).toBe('doubt')
      gpio.flag(`mute.${line}`, false)
      await watched.until(isAt('shut'))
    },
  )

  it('a chip that is gone is doubt; one that is back under another number is found by its label', async () => {
    gpio.contacts('closed', 'open')
    const watched = await open()
    await watched.until(isAt('permit'))
    gpio.chips('')
    await watched.until(isAt('doubt'))
    gpio.chips('gpiochip7 [pinctrl-rp1] (54 lines)\n')
    await watched.until(isAt('permit'))
    expect(gpio.calls('gpioget').at(-1)).toContain('gpiochip7')
  })

  it('lines that another program holds are doubt, with what the tool says, until it lets go', async () => {
    const other = spawn('flock', [join(gpio.folder, 'lock.17'), 'cat'], { stdio: ['pipe', 'pipe', 'ignore'] })
    other.stdin.write('held\n')
    await once(other.stdout, 'data')
    const watched = await open()
    expect(watched.now()).toMatchObject({ position: 'doubt', shutSeen: false })
    expect(watched.now().reason).toContain('Device or resource busy')
    other.stdin.end()
    await watched.until(isAt('shut'))
  })

  it('lets go of its lines at the end', async () => {
    const watched = await open()
    await watched.device.stop()
    const again = await open()
    expect(again.now().position).toBe('shut')
  })

  it('when the guard is killed its tools die with it, and the next one gets the lines', async () => {
    const script = join(REPOSITORY, 'scripts', 'switch-watch.mjs')
    const guard = spawn(process.execPath, [script, '--no-config', '--backend', 'chardev'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    for await (const line of createInterface(guard.stdout)) if (line.includes('position')) break
    const watched = await watchedSwitch(SWITCH)
    opened = watched
    guard.kill('SIGKILL')
    expect(await watched.until(isAt('shut'))).toMatchObject({ reason: 'the switch is SHUT' })
  })

  it('is read where setpriv is refused, as in the installed unit', async () => {
    const refused = '#!/bin/sh\necho "setpriv: activate capabilities: Operation not permitted" >&2\nexit 1\n'
    writeFileSync(join(gpio.folder, 'bin', 'setpriv'), refused, { mode: 0o755 })
    const script = join(REPOSITORY, 'scripts', 'switch-watch.mjs')
    const guard = spawn(process.execPath, [script, '--no-config', '--backend', 'chardev'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let said = ''
    for await (const line of createInterface(guard.stdout)) if ((said = line).includes('position')) break
    guard.kill('SIGTERM')
    await once(guard, 'exit')
    expect(JSON.parse(said)).toMatchObject({ position: 'shut', reason: 'the switch is SHUT' })
  })

  it.each([
    ['no such label', { chip: 'pinctrl-elsewhere' }, 'GL-SWITCH-03'],
    ['a line it has not', { permitLine: 60 }, 'GL-SWITCH-03'],
  ])('%s is a fault', async (_, change, code) => {
    await expect(fails({ ...SWITCH, ...change })).rejects.toMatchObject({ code })
  })

  it('two chips with one label are a fault', async () => {
    gpio.chips('gpiochip0 [pinctrl-rp1] (54 lines)\ngpiochip1 [pinctrl-rp1] (54 lines)\n')
    const found = '2 chips have the label pinctrl-rp1'
    await expect(fails(SWITCH)).rejects.toMatchObject({ code: 'GL-SWITCH-03', found })
  })
})

describe('without the tools', () => {
  beforeEach(() => {
    gpio = fakeGpio(join(folder, String(count++)), 2)
  })

  it('chardev is a fault that says what to install', async () => {
    rmSync(join(gpio.folder, 'bin', 'gpiodetect'))
    await expect(fails(SWITCH)).rejects.toMatchObject({
      code: 'GL-SWITCH-02',
      hint: 'Install it: sudo apt install gpiod',
    })
  })

  it('a version that is not known is a fault', async () => {
    process.env['FAKE_MAJOR'] = '3'
    await expect(fails(SWITCH)).rejects.toMatchObject({ code: 'GL-SWITCH-02' })
  })

  it('auto names what it tried, and never takes a simulation', async () => {
    rmSync(join(gpio.folder, 'bin', 'gpiodetect'))
    const file = join(gpio.folder, 'calls')
    await expect(fails({ ...SWITCH, backend: 'auto', file })).rejects.toMatchObject({
      code: 'GL-SWITCH-01',
      found: expect.stringMatching(/chardev: gpiodetect is not installed.*sysfs: /),
      hint: expect.stringMatching(/chardev: Install it: [^]*sysfs: /),
    })
  })
})
