/** Boot checks: what speaks to a network before our rules are loaded: the boot loader, the initramfs, the kernel's own ip=. */
import { fail, notApplicable, pass, warn, type Answer, type Context, type Group } from './check.js'
import type { Machine } from './machine.js'

export const BOOT_GROUP: Group = {
  name: 'boot',
  checks: [
    { name: 'boot loader', look: lookAtBootLoader },
    { name: 'command line', look: lookAtCommandLine },
    { name: 'initramfs', look: lookAtInitramfs },
  ],
}

/** Where the boot partition is mounted: Raspberry Pi OS from 12 on, and before. */
export const BOOT_FOLDERS = ['/boot/firmware', '/boot']

/** The digits of BOOT_ORDER that speak to a network. Source: Raspberry Pi documentation, bootloader configuration, BOOT_ORDER. */
const NETWORK_MODES: Readonly<Record<string, string>> = { '2': 'network boot', '7': 'HTTP boot' }

/** The board's name; null where it is none with a device tree. */
export function boardOf(machine: Machine): string | null {
  return machine.text('/proc/device-tree/model')?.replaceAll('\0', '').trim() ?? null
}

export function isPi(machine: Machine): boolean {
  return boardOf(machine)?.startsWith('Raspberry Pi') ?? false
}

async function lookAtBootLoader({ machine }: Context): Promise<Answer[]> {
  if (!isPi(machine))
    return [notApplicable('it is no Raspberry Pi; look for network boot (PXE) in the firmware setup')]
  const board = boardOf(machine) ?? ''
  if (!/Raspberry Pi (?:4|5|400|500|Compute Module [45])/.test(board)) return [oldBootLoader(machine)]
  const told = (await machine.run('vcgencmd', ['bootloader_config']))?.stdout ?? ''
  const text = /BOOT_ORDER|BOOT_UART/.test(told)
    ? told
    : ((await machine.run('rpi-eeprom-config', []))?.stdout ?? '')
  if (text.trim() === '')
    return [
      notApplicable(
        'its settings cannot be read by this user',
        'sudo rpi-eeprom-config; BOOT_ORDER should have no 2 and no 7',
      ),
    ]
  return eepromAnswers(text)
}

function eepromAnswers(text: string): Answer[] {
  const value = (key: string) => new RegExp(`^${key}=(\\S+)`, 'm').exec(text)?.[1] ?? null
  // What an EEPROM without the setting does: card, then USB, then again.
  const order = value('BOOT_ORDER') ?? '0xf41'
  const modes = order
    .replace(/^0x/i, '')
    .split('')
    .flatMap((digit) => NETWORK_MODES[digit] ?? [])
  const answers: Answer[] = []
  if (modes.length > 0)
    answers.push(
      fail(
        `BOOT_ORDER=${order} has ${modes.join(' and ')}: without a card that boots it asks every network for a system`,
        'sudo -E rpi-eeprom-config --edit, and set BOOT_ORDER=0xf41 (card, then USB)',
      ),
    )
  if (value('NET_INSTALL_ENABLED') === '1' || value('NET_INSTALL_AT_POWER_ON') === '1')
    answers.push(
      warn('network install is enabled', 'sudo -E rpi-eeprom-config --edit, and set NET_INSTALL_ENABLED=0'),
    )
  if (value('NETCONSOLE') !== null)
    answers.push(
      fail(
        `NETCONSOLE=${value('NETCONSOLE')}: the boot loader sends its log by UDP`,
        'sudo -E rpi-eeprom-config --edit, and take it out',
      ),
    )
  return answers.length > 0 ? answers : [pass(`BOOT_ORDER=${order}: no network`)]
}

/** Before the Pi 4 a bit in the chip enables it, for good; config.txt is how it was set. */
function oldBootLoader(machine: Machine): Answer {
  const config =
    BOOT_FOLDERS.map((folder) => machine.text(`${folder}/config.txt`)).find((text) => text !== null) ?? ''
  return /^\s*program_usb_boot_mode=1/m.test(config)
    ? warn(
        'config.txt sets program_usb_boot_mode, which enables network boot for good',
        'vcgencmd otp_dump | grep 17: tells; a card that boots goes first.',
      )
    : notApplicable(
        'this board keeps it in one-time memory',
        'vcgencmd otp_dump | grep 17: (bit 29 is USB and network boot)',
      )
}

/** Words of a kernel command line that make the kernel or the initramfs speak to a network. */
const NETWORK_WORDS =
  /^(?:ip=(?!off$|none$)|nfsroot=|root=\/dev\/nfs$|nfsaddrs=|netconsole=|rd\.neednet|BOOTIF=|iscsi|cryptdevice=nbd|nbdroot=|netroot=)/

function lookAtCommandLine({ machine }: Context): Answer[] {
  const files = [
    '/proc/cmdline',
    ...BOOT_FOLDERS.map((folder) => `${folder}/cmdline.txt`),
    '/etc/default/grub',
  ]
  const found = files.flatMap((file) => {
    const words = (machine.text(file) ?? '')
      .split(/[\s"']+/)
      .map((word) => word.replace(/^GRUB_CMDLINE_LINUX(?:_DEFAULT)?=/, ''))
    return words.filter((word) => NETWORK_WORDS.test(word)).map((word) => ({ file, word }))
  })
  if (found.length === 0) return [pass('nothing in it brings a network up')]
  return found.map(({ file, word }) =>
    fail(
      `${file} has ${word}: a network comes up before any rule is loaded`,
      `Take it out of ${file === '/proc/cmdline' ? "the boot loader's command line" : file} and boot again.`,
    ),
  )
}

/** Source: initramfs.conf(5), dropbear-initramfs. */
function lookAtInitramfs({ machine }: Context): Answer[] {
  const folder = '/etc/initramfs-tools'
  const files = [
    `${folder}/initramfs.conf`,
    ...machine.names(`${folder}/conf.d`).map((name) => `${folder}/conf.d/${name}`),
  ]
  const ip = files.filter((file) => /^\s*IP=(?!\s*$|off|none|"")/m.test(machine.text(file) ?? ''))
  const boot = files.filter((file) => /^\s*BOOT=nfs/m.test(machine.text(file) ?? ''))
  const answers = [...new Set([...ip, ...boot])].map((file) =>
    fail(
      `${file} brings a network up in the initramfs`,
      `Take IP= and BOOT=nfs out of it, then: sudo update-initramfs -u`,
    ),
  )
  if (machine.isThere('/etc/dropbear/initramfs') || machine.isThere('/etc/dropbear-initramfs'))
    answers.push(
      fail(
        'dropbear listens in the initramfs, before any rule is loaded',
        'sudo apt purge dropbear-initramfs',
      ),
    )
  return answers.length > 0 ? answers : [pass('nothing in it brings a network up')]
}
