/** What doctor notices of boot, serial lines, disk, clock, power and versions, each by the one thing that is not well. */
import { describe, expect, it } from 'vitest'
import { isAtLeast } from '../../src/doctor/kernel-checks.js'
import { nodeAnswer } from '../../src/doctor/version-checks.js'
import { MadeMachine, troublesOf, type Spoil } from '../support/made-machine.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder('doctor')
const troubles = (spoil?: Spoil) => troublesOf(folder, spoil)

type Case = [string, Spoil, RegExp]

const BOOT: Case[] = [
  [
    'network boot',
    ({ tools }) => tools.set('vcgencmd bootloader_config', 'BOOT_ORDER=0xf21\n'),
    /^fail boot\/boot loader: BOOT_ORDER=0xf21 has network boot/,
  ],
  [
    'HTTP boot, told by the other tool',
    ({ tools }) =>
      tools.set('vcgencmd bootloader_config', null).set('rpi-eeprom-config', '[all]\nBOOT_ORDER=0xf714\n'),
    /^fail boot\/boot loader: BOOT_ORDER=0xf714 has HTTP boot/,
  ],
  [
    'the boot loader speaks',
    ({ tools }) => tools.set('vcgencmd bootloader_config', 'BOOT_ORDER=0xf41\nNETCONSOLE=@1.2.3.4/\n'),
    /^fail boot\/boot loader: NETCONSOLE/,
  ],
  [
    'ip= now',
    (made) => made.write('/proc/cmdline', 'root=/dev/sda1 ip=dhcp\n'),
    /^fail boot\/command line: \/proc\/cmdline has ip=dhcp/,
  ],
  [
    'ip= next time',
    (made) => made.write('/boot/firmware/cmdline.txt', 'root=/dev/nfs nfsroot=1.2.3.4:/x\n'),
    /^fail boot\/command line: \/boot\/firmware\/cmdline.txt has root=\/dev\/nfs/,
  ],
  [
    'an initramfs with a network',
    (made) => made.write('/etc/initramfs-tools/initramfs.conf', 'MODULES=dep\nIP=:::::eth0:dhcp\n'),
    /^fail boot\/initramfs: .*initramfs.conf/,
  ],
  [
    'dropbear',
    (made) => made.write('/etc/dropbear/initramfs/dropbear.conf', ''),
    /^fail boot\/initramfs: dropbear/,
  ],
]

const SERIAL: Case[] = [
  [
    'no device',
    (made) => (
      made.remove('/dev/serial/by-id/usb-radio'),
      made.link('/dev/serial/by-id/usb-other', '../../ttyUSB0')
    ),
    /^fail serial\/device: .*seen: \/dev\/serial\/by-id\/usb-other/,
  ],
  [
    'a name that changes',
    (made) => (
      void (made.configuration = '[link.radio]\ndevice = "/dev/ttyUSB0"\n'),
      made.own('/dev/ttyUSB0', { kind: 'character device', gid: 20, mode: 0o660 })
    ),
    /^warn serial\/device: .*may be another device/,
  ],
  [
    'a station outside dialout',
    (made) =>
      made.write(
        '/etc/group',
        'dialout:x:20:\ngpio:x:986:groundlock-guard\ngroundlock:x:990:groundlock-guard\n',
      ),
    /^fail serial\/permission: .*groundlock is not in dialout/,
  ],
  [
    'the kernel on the line',
    (made) => made.write('/sys/class/tty/console/active', 'tty1 ttyUSB0\n'),
    /^fail serial\/console: .*console is on ttyUSB0/,
  ],
  [
    'a login on the line',
    ({ tools }) => tools.set('systemctl is-active serial-getty@ttyUSB0.service', 'active\n'),
    /^fail serial\/console: .*a login waits on ttyUSB0/,
  ],
  ['ModemManager', (made) => made.enable('ModemManager.service'), /^fail serial\/ModemManager/],
  [
    'a sandbox that refuses it',
    ({ station }) =>
      Object.assign(station.links[0]!, {
        state: 'waiting',
        fault: 'cannot open /dev/ttyUSB0: operation not permitted',
      }),
    /^fail serial\/what arrives: link radio: waiting, .*operation not permitted/,
  ],
  [
    'not one byte',
    ({ station }) => Object.assign(station.links[0]!, { bytesIn: 0, frames: 0 }),
    /^warn serial\/what arrives: .*not one byte came/,
  ],
  [
    'bytes that are no frames',
    ({ station }) => Object.assign(station.links[0]!, { frames: 0 }),
    /^fail serial\/what arrives: .* no MAVLink frame/,
  ],
]

const onPi5 = (device: string) => (made: MadeMachine) => {
  made.write('/proc/device-tree/model', 'Raspberry Pi 5 Model B Rev 1.0\0')
  made.configuration = `[link.radio]\ndevice = "${device}"\n`
  made.own(device, { kind: 'character device', gid: 20, mode: 0o660 })
}

const BASICS: Case[] = [
  ['the debug connector of a Pi 5', onPi5('/dev/ttyAMA10'), /^fail serial\/UART: .*debug connector/],
  ['the mini-UART', onPi5('/dev/ttyS0'), /^warn serial\/UART: .*mini-UART/],
  [
    'a full disk',
    (made) => void (made.space = { freeBytes: 1e6, totalBytes: 1e9 }),
    /^fail disk\/space: .*nothing more can be stored/,
  ],
  ['little room', (made) => void (made.space = { freeBytes: 9e8, totalBytes: 9e9 }), /^warn disk\/space/],
  [
    "a vault that is not the station's",
    (made) => made.own('/var/lib/groundlock/vault', { uid: 0, gid: 0 }),
    /^fail disk\/vault: .*may not write there/,
  ],
  [
    'a vault for everybody',
    (made) => made.own('/var/lib/groundlock/vault', { mode: 0o777 }),
    /^warn disk\/vault: .*everybody/,
  ],
  [
    'a vault in memory',
    (made) => made.write('/proc/self/mountinfo', '1 0 0:1 / / rw - tmpfs tmpfs rw\n'),
    /^fail disk\/file system: .*memory/,
  ],
  [
    'a vault on a stick',
    (made) =>
      made.write(
        '/proc/self/mountinfo',
        '1 0 0:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:1 / /var/lib rw - exfat /dev/sdb1 rw\n',
      ),
    /^fail disk\/file system: exfat .*power cut/,
  ],
  [
    'a read-only disk',
    (made) => made.write('/proc/self/mountinfo', '1 0 0:1 / / ro - ext4 /dev/sda1 ro\n'),
    /^fail disk\/file system: .*read-only/,
  ],
  [
    'no barriers',
    (made) => made.write('/proc/self/mountinfo', '1 0 0:1 / / rw - ext4 /dev/sda1 rw,nobarrier\n'),
    /^fail disk\/file system: .*no barriers/,
  ],
  [
    'a long commit',
    (made) => made.write('/proc/self/mountinfo', '1 0 0:1 / / rw - ext4 /dev/sda1 rw,commit=600\n'),
    /^warn disk\/file system: .*commit=600/,
  ],
  [
    'a write-protected card',
    (made) => (made.write('/sys/block/mmcblk0/ro', '1\n'), made.write('/dev/mmcblk0p2', '')),
    /^fail disk\/card: .*write-protected/,
  ],
  [
    'a clock of long ago',
    (made) => made.write('/proc/stat', 'btime 100\n'),
    /^warn clock\/time: it says 1970/,
  ],
  [
    'no time service',
    (made) => (
      made.remove('/run/systemd/timesync'),
      made.tools.set('timedatectl show -p NTPSynchronized --value', 'no\n')
    ),
    /^warn clock\/synchronised/,
  ],
  ['no real-time clock', (made) => made.remove('/sys/class/rtc'), /^warn clock\/real-time clock/],
  [
    'undervoltage now',
    ({ tools }) => tools.set('vcgencmd get_throttled', 'throttled=0x50005\n'),
    /^fail power\/supply: now: undervoltage, throttled/,
  ],
  [
    'undervoltage before',
    ({ tools }) => tools.set('vcgencmd get_throttled', 'throttled=0x10000\n'),
    /^warn power\/supply: since boot: undervoltage/,
  ],
  [
    'undervoltage, told by the kernel',
    (made) => (
      made.tools.delete('vcgencmd get_throttled'),
      made.write('/sys/class/hwmon/hwmon1/name', 'rpi_volt\n'),
      made.write('/sys/class/hwmon/hwmon1/in0_lcrit_alarm', '1\n')
    ),
    /^fail power\/supply: undervoltage/,
  ],
  [
    'a watchdog that nobody feeds',
    (made) => made.remove('/etc/systemd/system.conf.d'),
    /^warn power\/watchdog/,
  ],
  [
    'another distribution',
    (made) => made.write('/etc/os-release', 'ID=fedora\nPRETTY_NAME="Fedora 42"\n'),
    /^warn versions\/distribution: Fedora 42 was not tried/,
  ],
  [
    'an old systemd',
    ({ tools }) => tools.set('systemctl --version', 'systemd 247 (247.3)\n'),
    /^warn versions\/systemd/,
  ],
]

describe.each([
  ['the boot', BOOT],
  ['serial', SERIAL],
  ['the basics', BASICS],
] as const)('%s: what is noticed', (_, cases) => {
  it.each(cases)('%s', async (_name, spoil, expected) => {
    expect(await troubles(spoil)).toContainEqual(expect.stringMatching(expected))
  })
})

it('a vault that this user may not look into is not said to be missing, and no other disk is taken for its own', async () => {
  const made = new MadeMachine(folder)
  made.isRoot = false
  made.hidden.add('/var/lib/groundlock/vault')
  const mounts =
    '1 0 0:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:1 / /var/lib/groundlock/vault rw - exfat /dev/sdb1 rw\n'
  made.write('/proc/self/mountinfo', mounts)
  const disk = (await made.findings()).filter(({ group }) => group === 'disk')
  const todo = expect.stringContaining('sudo usermod -aG groundlock "$USER", then log in again') as string
  expect(disk).toMatchObject([
    { verdict: 'not applicable', found: '/var/lib/groundlock/vault: this user may not look there', todo },
    { verdict: 'not applicable', found: '/var/lib/groundlock/vault cannot be measured', todo },
    { verdict: 'fail', found: expect.stringContaining('exfat on /dev/sdb1') as string },
    {},
  ])
})

it('versions are compared as numbers', () => {
  expect(isAtLeast('6.16.0-rc1', [6, 16])).toBe(true)
  expect(isAtLeast('6.9.2', [6, 16])).toBe(false)
  expect(isAtLeast('7', [6, 16])).toBe(true)
  expect([
    nodeAnswer('20.18.3').verdict,
    nodeAnswer('20.19.0').verdict,
    nodeAnswer('24.1.0').verdict,
  ]).toEqual(['fail', 'pass', 'pass'])
})
