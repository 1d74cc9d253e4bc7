/** What doctor says of a whole machine, and of whoever else may open a way out of it. */
import { describe, expect, it } from 'vitest'
import { OTHERS } from '../../src/doctor/others.js'
import { MadeMachine, troublesOf, type Spoil } from '../support/made-machine.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder('doctor')
const troubles = (spoil?: Spoil) => troublesOf(folder, spoil)

const UNITS = '/usr/lib/systemd/system'
const DROP_IN = '/etc/systemd/system/NetworkManager.service.d/groundlock.conf'

it('nothing is wrong with a machine on which all is well, and what fails says what to do', async () => {
  expect(await troubles()).toEqual([])
})

it('every finding that is no pass says what to do about it', async () => {
  const made = new MadeMachine(folder)
  made.remove('/etc')
  made.remove('/usr')
  made.remove('/run/groundlock')
  // One unit: a machine without any is told that, and little else.
  made.write(`${UNITS}/groundlock-station.service`, '[Service]\n')
  made.tools.clear()
  made.isGuardLive = false
  const bad = (await made.findings()).filter(({ verdict }) => verdict === 'fail' || verdict === 'warn')
  expect(bad.length).toBeGreaterThan(10)
  expect(bad.filter(({ todo }) => todo === null || todo === '')).toEqual([])
})

it('only looks: what it runs tells or lists, and rules are loaded in an empty network namespace', async () => {
  const made = new MadeMachine(folder)
  made.tools.set('vcgencmd bootloader_config', null).delete('vcgencmd get_throttled')
  made.configuration += '[switch]\nchip = "pinctrl-bcm2835"\n'
  await made.findings()
  const looking =
    /^(?:unshare -n |nft (?:-j )?list |systemctl is-active |gpiodetect$|gpioinfo |vcgencmd (?:get_throttled|bootloader_config)$|rpi-eeprom-config$|timedatectl show |\S+ --version$)/
  expect(made.ran.length).toBeGreaterThan(10)
  expect(made.ran.filter((command) => !looking.test(command))).toEqual([])
})

it('who is not root is told what root would see, and nothing fails by that', async () => {
  const made = new MadeMachine(folder)
  made.isRoot = false
  const findings = await made.findings()
  expect(findings.filter(({ verdict }) => verdict === 'fail')).toEqual([])
  expect(
    findings.filter(({ todo }) => todo?.includes('sudo groundlock doctor')).map(({ check }) => check),
  ).toEqual(['base rules', 'other tables', 'kernel features'])
})

type Case = [string, Spoil, RegExp]

const MORE_OTHERS: Case[] = [
  [
    'a script that flushes',
    (made) => made.write('/etc/network/if-up.d/fw', '#!/bin/sh\nnft flush ruleset\n'),
    /^warn others\/scripts: \/etc\/network\/if-up.d\/fw changes firewall rules/,
  ],
  [
    'netconsole',
    (made) => (
      made.write('/proc/modules', 'netconsole 1 0 - Live\n'),
      made.write('/sys/kernel/config/netconsole/a/enabled', '1')
    ),
    /^fail others\/netconsole/,
  ],
  [
    'forwarding',
    (made) => made.write('/proc/sys/net/ipv4/ip_forward', '1\n'),
    /^warn others\/forwarding: on \(net\/ipv4\/ip_forward\)/,
  ],
]

describe('who else may open a way out', () => {
  it.each(
    OTHERS.flatMap(({ name, units, isTamed }) =>
      units.filter((unit) => !unit.includes('@.')).map((unit) => [name, unit, isTamed] as const),
    ),
  )('%s: %s, once it is enabled', async (name, unit, isTamed) => {
    const found = await troubles((made) => {
      made.remove(DROP_IN)
      if (unit !== 'NetworkManager.service') made.enable(unit)
    })
    const verdict = isTamed ? 'fail' : 'warn'
    expect(found).toContainEqual(expect.stringContaining(`${verdict} others/${name}: ${unit} is enabled`))
  })

  it('one that is active though not enabled, and an instance of a template', async () => {
    const active = await troubles((made) => {
      made.write(`${UNITS}/docker.service`, '[Service]\n')
      made.tools.set('systemctl is-active docker.service', 'active\n')
    })
    expect(active).toContainEqual(expect.stringContaining('warn others/Docker: docker.service is active'))
    const instance = await troubles((made) => {
      made.write(`${UNITS}/wg-quick@.service`, '[Service]\n')
      made.link(
        '/etc/systemd/system/multi-user.target.wants/wg-quick@wg0.service',
        `${UNITS}/wg-quick@.service`,
      )
    })
    expect(instance).toContainEqual(expect.stringContaining('wg-quick@wg0.service is enabled'))
  })

  it('one that is installed and neither enabled nor active is not spoken of', async () => {
    expect(await troubles((made) => made.write(`${UNITS}/docker.service`, '[Service]\n'))).toEqual([])
  })
})

it.each(MORE_OTHERS)('noticed: %s', async (_, spoil, expected) => {
  expect(await troubles(spoil)).toContainEqual(expect.stringMatching(expected))
})
