/**
 * Switch watch: scripts/switch-watch.mjs as an integrator runs it. The kernel here has no GPIO: the tools are fakes
 * (test/support/fake-gpiod.sh); the script, its configuration and its exit codes are real.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { BLINK_CODES } from '../../src/hw/lamp/blink-code.js'
import { CONTACT_DISCREPANCY_MS } from '../../src/hw/switch/position-filter.js'
import { fakeGpio, type FakeGpio } from '../support/fake-gpio.js'
import { REPOSITORY } from '../support/groundlock.js'
import { turnSwitch } from '../support/switch-file.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const SCRIPT = join(REPOSITORY, 'scripts', 'switch-watch.mjs')
const folder = temporaryFolder('switch-watch')
const SOON = { timeout: 15_000, interval: 5 }
let count = 0

/** What is looked at in a line that it prints. */
interface Reading {
  position: string
  reason: string
}

function run(...args: string[]) {
  return spawnSync(process.execPath, [SCRIPT, ...args], { encoding: 'utf8', timeout: 30_000 })
}

/** Runs it until it has said so many lines, and what `meanwhile` waits for has come. */
async function watch(lines: number, args: string[], meanwhile?: () => Promise<void>) {
  const child = spawn(process.execPath, [SCRIPT, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const said: Record<string, unknown>[] = []
  try {
    for await (const line of createInterface(child.stdout)) {
      said.push(JSON.parse(line) as Record<string, unknown>)
      if (said.length === lines) break
    }
    await meanwhile?.()
  } finally {
    child.kill('SIGTERM')
    await ended
  }
  return said
}

function configuration(text: string): string {
  const file = join(folder, `${count++}.toml`)
  writeFileSync(file, `[link.radio]\ndevice = "/dev/ttyUSB0"\n${text}`)
  return file
}

describe('a command line that cannot be used is told in a line, exit 2', () => {
  it.each([
    ['--bogus', "unknown option '--bogus'"],
    ['extra', 'too many arguments'],
    ['--wiring dual', 'Expected one of antivalent, single'],
    ['--backend gpio', 'Expected one of auto, chardev, sysfs, simulated'],
    ['--chip /dev/gpiochip0', "Expected a GPIO chip's label"],
    ['--permit abc', 'Expected a GPIO offset from 0 to 53'],
    ['--permit 1.5', 'Expected a GPIO offset from 0 to 53'],
    ['--shut 54', 'Expected a GPIO offset from 0 to 53'],
    ['--shut', 'argument missing'],
    ['--lamp banana', 'Allowed choices are shut, recording, permitted, fault'],
    ['--lamp-line x', 'Expected a GPIO offset from 1 to 53, or 0 for none'],
    ['--lamp shut --lamp-line 0', 'there is no lamp line'],
    ['--relay x', 'Expected a GPIO offset from 1 to 53, or 0 for none'],
    ['--relay', 'there is no relay line'],
    ['--seconds 0', 'Expected seconds above 0'],
    ['--seconds soon', 'Expected seconds above 0'],
    ['--permit 27', 'switch.shut_line: GPIO 27 is already switch.permit_line'],
    ['--relay 17', 'uplink.relay_line: GPIO 17 is already switch.permit_line'],
    ['--lamp shut --backend simulated', 'a simulated switch has no lamp and no relay'],
  ])('%s', (args, found) => {
    const { status, stdout, stderr } = run('--no-config', ...args.split(' '))
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain(`error: `)
    expect(stderr).toContain(found)
    expect(stderr).not.toContain('    at ')
  })

  it.each([
    ['one that is not there', () => join(folder, 'nowhere.toml'), 'GL-CONF-01'],
    ['one with a mistake', () => configuration('[switch]\nwiring = "dual"\n'), 'GL-CONF-03'],
  ])('a configuration: %s', (_, file, code) => {
    const { status, stderr } = run('--config', file())
    expect(status).toBe(2)
    expect(stderr).toContain(code)
  })
})

it('its help names the signals of the lamp as they blink', () => {
  const { status, stdout } = run('--help')
  expect(status).toBe(0)
  for (const [signal, code] of Object.entries(BLINK_CODES))
    expect(stdout).toMatch(new RegExp(`${signal} +${code.replaceAll('.', '\\.')}`))
})

describe('what it watches', () => {
  let gpio: FakeGpio

  beforeEach(() => {
    gpio = fakeGpio(join(folder, String(count++)), 2)
  })

  it('is what the configuration says', async () => {
    gpio.chips('gpiochip0 [carrier] (32 lines)\n')
    gpio.set(5, 0)
    const file = configuration(
      '[switch]\nchip = "carrier"\nwiring = "single"\npermit_line = 5\nlamp_line = 6\n[uplink]\nrelay_line = 7\n',
    )
    // A lamp and a relay that were not asked for are not driven.
    const [first, second] = await watch(2, ['--config', file, '--backend', 'chardev'])
    expect(first).toMatchObject({ configuration: file, chip: 'carrier', wiring: 'single', permitLine: 5 })
    expect(second).toMatchObject({ contacts: { permit: 'closed', shut: null } })
    expect(gpio.calls('gpioset')).toEqual([])

    await watch(1, ['--config', file, '--backend', 'chardev', '--lamp', 'fault', '--relay'], async () => {
      await expect.poll(() => gpio.driven(6), SOON).toBe('1')
      await expect.poll(() => gpio.driven(7), SOON).toBe('1')
    })
    expect([gpio.driven(6), gpio.driven(7)]).toEqual(['0', '0'])
  })

  it('is what is given, where something is', async () => {
    const file = configuration('[switch]\nchip = "elsewhere"\npermit_line = 5\nshut_line = 27\n')
    const args = ['--config', file, '--backend', 'chardev', '--chip', 'auto', '--permit', '17']
    const [first, second] = await watch(2, args)
    expect(first).toMatchObject({ chip: 'auto', wiring: 'antivalent', permitLine: 17, shutLine: 27 })
    expect(second).toMatchObject({ contacts: { permit: 'open', shut: 'closed' } })
  })

  it('lines that cannot be had are a fault, exit 1', () => {
    const { status, stderr } = run('--no-config', '--backend', 'chardev', '--chip', 'elsewhere')
    expect(status).toBe(1)
    expect(stderr).toContain('GL-SWITCH-03')
  })

  it('a switch that arrives while this program stands still is no doubt', async () => {
    const contacts = join(folder, `${count++}`)
    turnSwitch(contacts, 'shut')
    const file = configuration(`[switch]\nbackend = "simulated"\nfile = "${contacts}"\n`)
    const child = spawn(process.execPath, [SCRIPT, '--config', file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const readings: Reading[] = []
    createInterface(child.stdout).on('line', (line) => void readings.push(JSON.parse(line) as Reading))
    const said = (reason: string) => vi.waitFor(() => expect(readings.at(-1)).toMatchObject({ reason }), SOON)
    let tookMs: number
    do {
      turnSwitch(contacts, 'shut')
      await said('the switch is SHUT')
      readings.length = 0
      const beganMs = performance.now()
      turnSwitch(contacts, 'permit=open shut=open')
      await vi.waitUntil(() => readings.some(({ reason }) => reason === 'the switch is moving'), SOON)
      child.kill('SIGSTOP')
      tookMs = performance.now() - beganMs
      turnSwitch(contacts, 'permit')
      // The machine that stalls: there is no event in it.
      await pause(2 * CONTACT_DISCREPANCY_MS)
      child.kill('SIGCONT')
      await said('the switch is in PERMIT')
      // Where the machine is so busy that they agreed for long before: once more.
    } while (tookMs > CONTACT_DISCREPANCY_MS)
    expect(readings.filter(({ position }) => position === 'doubt')).toEqual([])
  })
})
