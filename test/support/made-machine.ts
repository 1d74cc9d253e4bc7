/**
 * Made machine: a Raspberry Pi on which everything is as it should be, as files below a temporary folder, with made-up tools.
 * A test takes one thing out of it and sees which check notices. Owners and devices are made up: neither root nor a Pi is needed.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseConfiguration } from '../../src/base/configuration.js'
import type { GuardStatus } from '../../src/base/guard-status.js'
import { ALL_GROUPS } from '../../src/doctor/all-checks.js'
import { examine, type Context, type Finding } from '../../src/doctor/check.js'
import { openMachine, type Entry, type Machine, type Ran, type Space } from '../../src/doctor/machine.js'
import { madeGuardStatus, madeStationStatus } from './made-status.js'

const LINES = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('')
const UNITS = '/usr/lib/systemd/system'
const NEEDS_LOCKDOWN = '[Unit]\nRequires=groundlock-lockdown.service\nAfter=groundlock-lockdown.service\n'

const FILES: Readonly<Record<string, string>> = {
  '/proc/device-tree/model': 'Raspberry Pi 4 Model B Rev 1.5\0',
  '/proc/sys/kernel/osrelease': '6.12.34+rpt-rpi-v8\n',
  '/boot/config-6.12.34+rpt-rpi-v8': '# CONFIG_INET_DIAG_DESTROY is not set\n',
  '/proc/cmdline': 'console=tty1 root=PARTUUID=1-02 rootfstype=ext4 fsck.repair=yes rootwait\n',
  '/boot/firmware/cmdline.txt': 'console=tty1 root=PARTUUID=1-02 rootfstype=ext4 fsck.repair=yes rootwait\n',
  '/boot/firmware/config.txt': 'arm_64bit=1\ndtoverlay=disable-bt\n',
  '/proc/stat': 'btime 1767225600\n',
  '/proc/modules': 'nf_tables 1 0 - Live\n',
  '/proc/net/route': 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n',
  '/proc/sys/net/ipv4/ip_forward': '0\n',
  '/proc/sys/net/ipv6/conf/all/forwarding': '0\n',
  '/proc/sys/net/ipv6/conf/eth1/accept_ra': '0\n',
  '/proc/self/mountinfo': LINES([
    '25 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw',
    '26 25 179:1 / /boot/firmware rw,relatime - vfat /dev/mmcblk0p1 rw',
    '27 25 0:22 / /run rw,nosuid - tmpfs tmpfs rw',
  ]),
  '/sys/block/mmcblk0/device/type': 'SD\n',
  '/sys/block/mmcblk0/device/name': 'SN64G\n',
  '/sys/block/mmcblk0/device/date': '03/2024\n',
  '/sys/block/mmcblk0/ro': '0\n',
  '/sys/class/rtc/rtc0/name': 'rtc-ds1307 1-0068\n',
  '/sys/class/rtc/rtc0/date': '2026-01-01\n',
  '/run/systemd/timesync/synchronized': '',
  '/dev/watchdog': '',
  '/etc/systemd/system.conf.d/watchdog.conf': '[Manager]\nRuntimeWatchdogSec=15\n',
  '/etc/os-release': 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n',
  '/etc/passwd': LINES([
    'root:x:0:0:root:/root:/bin/bash',
    'groundlock:x:990:990::/var/lib/groundlock:/usr/sbin/nologin',
    'groundlock-guard:x:991:991::/:/usr/sbin/nologin',
  ]),
  '/etc/group': LINES([
    'root:x:0:',
    'dialout:x:20:groundlock',
    'gpio:x:986:groundlock-guard',
    'groundlock:x:990:groundlock-guard',
    'groundlock-guard:x:991:',
  ]),
  [`${UNITS}/groundlock-lockdown.service`]: '[Unit]\nAfter=nftables.service\n[Service]\nType=oneshot\n',
  [`${UNITS}/groundlock-guard.service`]: '[Service]\nType=notify\n',
  [`${UNITS}/groundlock-station.service`]: '[Service]\nType=notify\n',
  [`${UNITS}/NetworkManager.service`]: '[Service]\nType=dbus\n',
  '/etc/systemd/system/NetworkManager.service.d/groundlock.conf': NEEDS_LOCKDOWN,
  [`${UNITS}/nftables.service`]:
    '[Service]\nExecStart=/usr/sbin/nft -f /etc/nftables.conf\nExecReload=/usr/sbin/nft -f /etc/nftables.conf\nExecStop=/usr/sbin/nft flush ruleset\n',
  '/etc/systemd/system/nftables.service.d/groundlock.conf': LINES([
    '[Service]',
    ...['ExecStart', 'ExecReload', 'ExecStop'].flatMap((key) => [
      `${key}=`,
      `${key}=/usr/sbin/nft -f /usr/lib/groundlock/nftables-start.nft`,
    ]),
  ]),
  '/usr/lib/groundlock/network-services':
    '# Who configures interfaces\nNetworkManager.service\nwpa_supplicant.service\n',
  '/usr/lib/groundlock/cover-uplink': '#!/bin/sh\n',
  '/usr/lib/udev/rules.d/60-groundlock.rules':
    'ACTION=="add|move", SUBSYSTEM=="net", KERNEL!="lo", RUN+="/usr/lib/groundlock/cover-uplink $attr{ifindex}"\n',
  '/run/groundlock/token/link': '',
  '/run/groundlock/guard/guard.json': '',
  '/run/groundlock/station/station.json': '',
  '/var/lib/groundlock/vault/.keep': '',
  '/sys/class/net/lo/ifindex': '1\n',
  '/sys/class/net/eth0/ifindex': '2\n',
  '/sys/class/net/eth0/flags': '0x1002\n',
  '/sys/class/net/eth0/device/x': '',
  '/sys/class/net/wlan0/ifindex': '3\n',
  '/sys/class/net/wlan0/flags': '0x1002\n',
  '/sys/class/net/wlan0/phy80211/x': '',
  '/sys/class/net/eth1/ifindex': '4\n',
  '/sys/class/net/eth1/flags': '0x1003\n',
  '/sys/class/net/eth1/address': 'dc:a6:32:01:23:45\n',
  '/run/udev/data/n4': 'E:ID_PATH=platform-fd500000.pcie\n',
  '/sys/class/tty/console/active': 'tty1\n',
  '/dev/ttyUSB0': '',
}

const LINKS: Readonly<Record<string, string>> = {
  '/etc/systemd/system/sysinit.target.wants/groundlock-lockdown.service': `${UNITS}/groundlock-lockdown.service`,
  '/etc/systemd/system/multi-user.target.wants/groundlock-guard.service': `${UNITS}/groundlock-guard.service`,
  '/etc/systemd/system/multi-user.target.wants/groundlock-station.service': `${UNITS}/groundlock-station.service`,
  '/etc/systemd/system/multi-user.target.wants/NetworkManager.service': `${UNITS}/NetworkManager.service`,
  '/dev/serial/by-id/usb-radio': '../../ttyUSB0',
}

const ENTRIES: Readonly<Record<string, Entry>> = {
  '/run/groundlock/token/link': { kind: 'file', uid: 0, gid: 990, mode: 0o640 },
  '/run/groundlock/token': { kind: 'folder', uid: 0, gid: 0, mode: 0o755 },
  '/run/groundlock/guard': { kind: 'folder', uid: 991, gid: 990, mode: 0o755 },
  '/run/groundlock/station': { kind: 'folder', uid: 990, gid: 990, mode: 0o755 },
  '/usr/lib/groundlock/cover-uplink': { kind: 'file', uid: 0, gid: 0, mode: 0o755 },
  '/var/lib/groundlock/vault': { kind: 'folder', uid: 990, gid: 990, mode: 0o750 },
  '/dev/serial/by-id/usb-radio': { kind: 'character device', uid: 0, gid: 20, mode: 0o660 },
}

const COVER = 'table inet groundlock\ntable arp groundlock\ntable bridge groundlock\n'

const TOOLS: Readonly<Record<string, string>> = {
  'nft --version': 'nftables v1.0.6 (Lester Gooch #5)\n',
  'nft list tables': `${COVER}table netdev groundlock_2\ntable netdev groundlock_3\n`,
  'nft list tables netdev': 'table netdev groundlock_2\ntable netdev groundlock_3\n',
  'nft list ruleset': '',
  'unshare -n true': '',
  'unshare -n nft -f -': '',
  'unshare -n sh -c nft -f - && nft list ruleset': '',
  'ip --version': '',
  'setpriv --version': '',
  'flock --version': '',
  gpiodetect: 'gpiochip0 [pinctrl-bcm2711] (58 lines)\ngpiochip1 [raspberrypi-exp-gpio] (8 lines)\n',
  'gpioinfo gpiochip0':
    'gpiochip0 - 58 lines:\n\tline  17:     "GPIO17"       unused   input  active-high \n\tline  27:     "GPIO27"       "gpiomon"   input  active-high [used]\n',
  'systemctl --version': 'systemd 252 (252.38-1~deb12u1)\n',
  'systemctl is-active NetworkManager.service': 'active\n',
  'vcgencmd bootloader_config': '[all]\nBOOT_UART=0\nBOOT_ORDER=0xf41\n',
  'vcgencmd get_throttled': 'throttled=0x0\n',
}

const CONFIGURATION = `[link.radio]\ndevice = "/dev/serial/by-id/usb-radio"
[uplink]\nlocal = [{ name = "eth1", mac = "dc:a6:32:01:23:45", subnet = "192.168.7.0/24" }]\n`

const UPLINKS = [
  { ifindex: 2, name: 'eth0', isUp: false, isCovered: true, isLeased: false },
  { ifindex: 3, name: 'wlan0', isUp: false, isCovered: true, isLeased: false },
]

export class MadeMachine {
  readonly root: string
  configuration = CONFIGURATION
  isRoot = true
  isGuardLive = true
  guard: GuardStatus = madeGuardStatus()
  readonly station = madeStationStatus()
  space: Space = { freeBytes: 20e9, totalBytes: 60e9 }
  /** Paths that this user may not look at. */
  readonly hidden = new Set<string>()
  /** Owners, modes and kinds by path; where none is given, that of the file. */
  readonly entries = new Map(Object.entries(ENTRIES))
  /** What a tool prints, by its whole command; null: it is not installed. */
  readonly tools = new Map<string, string | null | Ran>(Object.entries(TOOLS))

  /** Every command that was run. */
  readonly ran: string[] = []

  /** Below `folder`, which somebody else removes. */
  constructor(folder: string) {
    this.root = mkdtempSync(join(folder, 'machine-'))
    this.guard.reading = { ...this.guard.reading!, uplinks: structuredClone(UPLINKS) }
    for (const [path, text] of Object.entries(FILES)) this.write(path, text)
    for (const [path, target] of Object.entries(LINKS)) this.link(path, target)
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true })
    writeFileSync(join(this.root, path), text)
  }

  link(path: string, target: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true })
    symlinkSync(target, join(this.root, path))
  }

  remove(path: string): void {
    rmSync(join(this.root, path), { recursive: true, force: true })
    this.entries.delete(path)
  }

  own(path: string, parts: Partial<Entry>): void {
    this.entries.set(path, { kind: 'file', uid: 0, gid: 0, mode: 0o644, ...this.entries.get(path), ...parts })
  }

  /** Installs a unit that something wants. */
  enable(name: string, text = '[Service]\n'): void {
    this.write(`${UNITS}/${name}`, text)
    this.link(`/etc/systemd/system/multi-user.target.wants/${name}`, `${UNITS}/${name}`)
  }

  get machine(): Machine {
    const real = openMachine(this.root)
    return {
      ...real,
      isRoot: this.isRoot,
      entry: (path) => (this.hidden.has(path) ? null : (this.entries.get(path) ?? real.entry(path))),
      isHidden: (path) => this.hidden.has(path),
      space: (path) => (this.hidden.has(path) ? null : this.space),
      run: (command, args) => Promise.resolve(this.#ran([command, ...args].join(' '))),
    }
  }

  #ran(command: string): Ran | null {
    this.ran.push(command)
    const told = this.tools.get(command)
    if (typeof told === 'string') return { code: 0, stdout: told, stderr: '' }
    if (told !== undefined) return told
    return command.startsWith('systemctl is-active') ? { code: 3, stdout: 'inactive\n', stderr: '' } : null
  }

  get context(): Context {
    const parsed = parseConfiguration(this.configuration)
    if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems))
    const live = { path: '/run/x.json', why: '', ageMs: 100 } as const
    return {
      machine: this.machine,
      configuration: parsed.configuration,
      configurationPath: '/etc/groundlock/groundlock.toml',
      configurationTrouble: null,
      guard: this.isGuardLive
        ? { ...live, state: 'live', status: this.guard }
        : { ...live, state: 'absent', why: 'there is no guard.json', status: null },
      station: { ...live, state: 'live', status: this.station },
    }
  }

  /** What doctor finds here. */
  findings(): Promise<Finding[]> {
    return examine(ALL_GROUPS, this.context)
  }
}

/** Takes or changes one thing. */
export type Spoil = (made: MadeMachine) => unknown

/** Findings of a spoilt machine that are not as they should be, as `fail group/check: found`. */
export async function troublesOf(folder: string, spoil: Spoil = () => {}): Promise<string[]> {
  const made = new MadeMachine(folder)
  spoil(made)
  return (await made.findings())
    .filter(({ verdict }) => verdict === 'fail' || verdict === 'warn')
    .map(({ verdict, group, check, found }) => `${verdict} ${group}/${check}: ${found}`)
}
