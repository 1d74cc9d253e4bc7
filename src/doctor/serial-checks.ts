/** Serial checks: why a link may be silent: no device, no permission, ModemManager, a console on the UART, the wrong UART. */
import type { LinkConfiguration } from '../base/configuration.js'
import { findUser, isMember, mayUse, ownerText } from './accounts.js'
import { boardOf } from './boot-checks.js'
import { fail, notApplicable, pass, warn, type Answer, type Context, type Group } from './check.js'
import type { Machine } from './machine.js'
import { activityOf, readUnit } from './unit-files.js'

export const SERIAL_GROUP: Group = {
  name: 'serial',
  checks: [
    { name: 'device', look: eachLink(deviceAnswers) },
    { name: 'permission', look: eachLink(permissionAnswers) },
    { name: 'console', look: eachLink(consoleAnswers) },
    { name: 'UART', look: eachLink(uartAnswers) },
    { name: 'ModemManager', look: lookAtModemManager },
    { name: 'what arrives', look: lookAtTraffic },
  ],
}

type OfLink = (machine: Machine, link: LinkConfiguration) => Answer[] | Promise<Answer[]>

function eachLink(look: OfLink) {
  return async ({ machine, configuration }: Context): Promise<Answer[]> => {
    const answers = await Promise.all(configuration.links.map(async (link) => look(machine, link)))
    return configuration.links.length === 0 ? [notApplicable('no link is configured')] : answers.flat()
  }
}

function deviceAnswers(machine: Machine, { name, device }: LinkConfiguration): Answer[] {
  const entry = machine.entry(device)
  if (entry === null) {
    const seen = machine.names('/dev/serial/by-id').map((each) => `/dev/serial/by-id/${each}`)
    const list = seen.length === 0 ? 'no USB adapter is seen' : `seen: ${seen.join(', ')}`
    return [
      fail(`link ${name}: there is no ${device}; ${list}`, `Plug it in, or mend [link.${name}] device.`),
    ]
  }
  if (entry.kind !== 'character device')
    return [fail(`link ${name}: ${device} is no serial device`, `Mend [link.${name}] device.`)]
  const real = machine.real(device)
  if (/^\/dev\/tty(?:USB|ACM)\d+$/.test(device))
    return [
      warn(
        `link ${name}: ${device} may be another device after the next boot`,
        'Take its name below /dev/serial/by-id: ls -l /dev/serial/by-id',
      ),
    ]
  return [pass(`link ${name}: ${device}${real === device ? '' : ` (${real})`}`)]
}

function permissionAnswers(machine: Machine, { name, device }: LinkConfiguration): Answer[] {
  const entry = machine.entry(device)
  if (entry === null) return [notApplicable(`link ${name}: there is no ${device}`)]
  const user = findUser(machine, 'groundlock')
  const found = `link ${name}: ${device} is ${ownerText(machine, entry)} ${entry.mode.toString(8)}`
  if (user === null) return [notApplicable(`${found}; there is no user groundlock`)]
  if (mayUse(machine, user, entry, 0o6)) return [pass(`${found}, and groundlock may use it`)]
  if (!isMember(machine, user, 'dialout'))
    return [
      fail(
        `${found}; groundlock is not in dialout`,
        'sudo usermod -aG dialout groundlock; sudo systemctl restart groundlock-station',
      ),
    ]
  return [
    fail(
      `${found}, and groundlock may not use it`,
      `sudo chgrp dialout ${device}; sudo chmod 660 ${device}; a udev rule makes it last`,
    ),
  ]
}

/** A login or the kernel's messages on the line of a link. */
async function consoleAnswers(machine: Machine, { name, device }: LinkConfiguration): Promise<Answer[]> {
  const tty = machine.real(device).replace(/^\/dev\//, '')
  const consoles = (machine.text('/sys/class/tty/console/active') ?? '').trim().split(/\s+/)
  const remedy =
    'sudo raspi-config nonint do_serial_cons 1, then reboot (takes console= out of cmdline.txt and the login away)'
  if (consoles.includes(tty)) return [fail(`link ${name}: the kernel's console is on ${tty}`, remedy)]
  const getty = `serial-getty@${tty}.service`
  const unit = readUnit(machine, getty)
  const isOn = (unit?.isEnabled ?? false) || (await activityOf(machine, getty)) === 'active'
  if (isOn) return [fail(`link ${name}: a login waits on ${tty}`, `sudo systemctl disable --now ${getty}`)]
  return [pass(`link ${name}: none on ${tty}`)]
}

function uartAnswers(machine: Machine, { name, device }: LinkConfiguration): Answer[] {
  const tty = machine.real(device).replace(/^\/dev\//, '')
  const board = boardOf(machine)
  if (!board?.startsWith('Raspberry Pi') || !/^tty(?:AMA|S)\d+$/.test(tty))
    return [notApplicable(`link ${name}: ${tty} is no UART of a Pi's header`)]
  if (board.startsWith('Raspberry Pi 5') && tty === 'ttyAMA10')
    return [
      fail(
        `link ${name}: ttyAMA10 is the debug connector of a Pi 5`,
        'GPIO14 and GPIO15 are ttyAMA0: dtparam=uart0=on in config.txt',
      ),
    ]
  if (tty === 'ttyS0')
    return [
      warn(
        `link ${name}: ttyS0 is the mini-UART, whose rate follows the core's clock`,
        'dtoverlay=disable-bt in config.txt makes the header ttyAMA0; or: enable_uart=1 and core_freq=250',
      ),
    ]
  return [pass(`link ${name}: ${tty}`)]
}

async function lookAtModemManager({ machine }: Context): Promise<Answer[]> {
  const unit = readUnit(machine, 'ModemManager.service')
  if (unit === null || unit.isMasked) return [pass('not there')]
  const isActive = (await activityOf(machine, unit.name)) === 'active'
  if (!isActive && !unit.isEnabled) return [pass('installed, and neither enabled nor active')]
  return [
    fail(
      'it opens serial devices as they appear and speaks AT to them, so to your radio',
      'sudo systemctl disable --now ModemManager, or sudo apt purge modemmanager',
    ),
  ]
}

function lookAtTraffic({ station }: Context): Answer[] {
  if (station.state !== 'live' || station.status === null)
    return [notApplicable(`the station does not say: ${station.why}`)]
  return station.status.links.map(({ name, state, fault, bytesIn, frames }) => {
    if (state !== 'open')
      return fail(
        `link ${name}: ${state}${fault === null ? '' : `, ${fault}`}`,
        'journalctl -u groundlock-station says what to do about it, the lines above what it may be.',
      )
    if (bytesIn === 0)
      return warn(
        `link ${name}: open, and not one byte came`,
        'Is the other end on? Are TX and RX crossed? Has it the same ground?',
      )
    if (frames === 0)
      return fail(
        `link ${name}: ${bytesIn} bytes came and no MAVLink frame`,
        `Nearly always the rate: [link.${name}] baud must be what the other end uses.`,
      )
    return pass(`link ${name}: ${frames} frames`)
  })
}
