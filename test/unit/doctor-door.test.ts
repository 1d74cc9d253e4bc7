/** What doctor notices of the door: a made-up Raspberry Pi on which all is well, and the one thing that is not. */
import { describe, expect, it } from 'vitest'
import { MadeMachine, troublesOf, type Spoil } from '../support/made-machine.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder('doctor')
const troubles = (spoil?: Spoil) => troublesOf(folder, spoil)

const UNITS = '/usr/lib/systemd/system'
const DROP_IN = '/etc/systemd/system/NetworkManager.service.d/groundlock.conf'

type Case = [string, Spoil, RegExp]

const DOOR: Case[] = [
  ['no guard', (made) => void (made.isGuardLive = false), /^fail door\/guard: it does not run/],
  [
    'a door in fault',
    ({ guard }) => Object.assign(guard, { door: 'fault', reason: 'eth0 sent 3' }),
    /^fail door\/guard: the door is in fault: eth0 sent 3/,
  ],
  [
    'a problem that was read back',
    ({ guard }) => void guard.reading!.problems.push('table inet groundlock is gone'),
    /^fail door\/layers: table inet groundlock is gone/,
  ],
  [
    'a layer that is gone',
    ({ guard }) => Object.assign(guard.reading!.layers, { twin: false }),
    /^fail door\/layers: not in place: twin/,
  ],
  [
    'a witness that grew',
    ({ guard }) =>
      Object.assign(guard.witness, { state: 'grew', growth: [{ ifindex: 2, name: 'eth0', packets: 3 }] }),
    /^fail door\/witness: while shut: eth0 sent 3 packets/,
  ],
  [
    'a canary that passed',
    ({ guard }) => Object.assign(guard, { canary: 'passed' }),
    /^fail door\/witness: the canary was not dropped/,
  ],
  [
    'a base that is not loaded',
    ({ tools }) =>
      tools.set('nft list tables', 'table inet groundlock\ntable bridge groundlock\ntable ip filter\n'),
    /^fail door\/base rules: not loaded in arp/,
  ],
  [
    'an uplink without its cover',
    ({ guard }) => Object.assign(guard.reading!.uplinks[1]!, { isCovered: false }),
    /^fail interfaces\/uplink: wlan0 \(Wi-Fi\): link down, not covered/,
  ],
  [
    'an uplink that the guard has not seen',
    (made) => made.write('/sys/class/net/usb0/ifindex', '9\n'),
    /^fail interfaces\/uplink: usb0 \(virtual\): link down, not covered/,
  ],
  [
    'another card in the local socket',
    (made) => made.write('/sys/class/net/eth1/address', '02:00:00:00:00:01\n'),
    /^fail interfaces\/local: eth1 is not as configured, so an uplink: its hardware address is 02:00:00:00:00:01/,
  ],
  [
    'a default route over a local interface',
    (made) =>
      made.write(
        '/proc/net/route',
        'Iface\tDestination\neth1\t00000000\t0107A8C0\t0003\t0\t0\t0\t00000000\n',
      ),
    /^fail interfaces\/local: .* a default route leads over it/,
  ],
  [
    'router advertisements on a local interface',
    (made) => made.write('/proc/sys/net/ipv6/conf/eth1/accept_ra', '1\n'),
    /^fail interfaces\/local: .*accept_ra/,
  ],
  [
    'a local interface in another socket',
    (made) => void (made.configuration = made.configuration.replace(/mac = "[^"]*"/, 'path = "platform-x"')),
    /^fail interfaces\/local: .*its path is platform-fd500000.pcie, not platform-x/,
  ],
]

const SWITCH: Case[] = [
  [
    'a switch in doubt',
    ({ guard }) => Object.assign(guard.switch, { position: 'doubt', reason: 'both contacts are closed' }),
    /^fail switch\/reading: in doubt: both contacts are closed/,
  ],
  [
    'SHUT not seen',
    ({ guard }) => Object.assign(guard.switch, { shutSeen: false }),
    /^warn switch\/reading: .*SHUT was not yet seen/,
  ],
  [
    'no tools of libgpiod',
    ({ tools }) => tools.delete('gpiodetect'),
    /^fail switch\/backend: libgpiod's tools are not installed/,
  ],
  [
    'no chip',
    ({ tools }) => tools.set('gpiodetect', ''),
    /^fail switch\/backend: there is no GPIO chip here/,
  ],
  [
    'a chip of another name',
    (made) => void (made.configuration += '[switch]\nchip = "pinctrl-rp1"\n'),
    /^fail switch\/backend: cannot use the GPIO chip pinctrl-rp1: no chip has this label$/,
  ],
  [
    'no chip of a header, and none named',
    ({ tools }) => tools.set('gpiodetect', 'gpiochip0 [gpio-mockup-A] (8 lines)\n'),
    /^fail switch\/backend: cannot use the GPIO chip auto: no chip of a 40-pin header$/,
  ],
  [
    'two chips of a header',
    ({ tools }) =>
      tools.set('gpiodetect', 'gpiochip0 [pinctrl-rp1] (54 lines)\ngpiochip4 [pinctrl-rp1] (54 lines)\n'),
    /^fail switch\/backend: cannot use the GPIO chip auto: 2 chips have the label pinctrl-rp1$/,
  ],
  [
    'sysfs asked for and not there',
    (made) => void (made.configuration += '[switch]\nbackend = "sysfs"\n'),
    /^fail switch\/backend: this kernel has no/,
  ],
  [
    'a simulated switch',
    (made) => void (made.configuration += '[switch]\nbackend = "simulated"\n'),
    /^warn switch\/backend: simulated by/,
  ],
  [
    'a line in use (libgpiod 1)',
    ({ tools }) =>
      tools.set(
        'gpioinfo gpiochip0',
        '\tline  17:     "GPIO17"       "spi0 CS1"   output  active-low [used]\n',
      ),
    /^fail switch\/lines: in use: 17 \(permit\) by spi0/,
  ],
  [
    'a line in use (libgpiod 2)',
    ({ tools }) =>
      tools
        .set('gpioinfo gpiochip0', { code: 1, stdout: '', stderr: '' })
        .set('gpioinfo --chip gpiochip0', '\tline  27:\t"GPIO27"\toutput consumer="w1"\n'),
    /^fail switch\/lines: in use: 27 \(shut\) by w1/,
  ],
  [
    'a relay that would stay energised',
    (made) => void (made.configuration += 'relay_line = 23\n'),
    /^fail switch\/relay: \/boot\/firmware\/config.txt has no dtparam=strict_gpiod/,
  ],
  [
    'a config.txt that cannot be read',
    (made) => (made.remove('/boot/firmware/config.txt'), void (made.configuration += 'relay_line = 23\n')),
    /^warn switch\/relay: \/boot\/firmware\/config.txt and \/boot\/config.txt cannot be read/,
  ],
]

const RELAY: [string, string, string][] = [
  ['dtparam=strict_gpiod', 'arm_64bit=1\ndtparam=strict_gpiod\n', 'pass'],
  ['it in a list', 'dtparam=audio=on,strict_gpiod,i2c=on\n', 'pass'],
  ['it with a value', 'dtparam=strict_gpiod=on\r\n', 'pass'],
  ['it in a comment', '#dtparam=strict_gpiod\n', 'fail'],
  ['it switched off', 'dtparam=strict_gpiod=off\n', 'fail'],
  ['another one', 'dtparam=strict_gpiods\n', 'fail'],
]

const FIREWALL: Case[] = [
  ['no nft', ({ tools }) => tools.set('nft --version', null), /^fail firewall\/nft: nft is not installed/],
  [
    'an old nft',
    ({ tools }) => tools.set('nft --version', 'nftables v0.9.8\n'),
    /^fail firewall\/nft: nftables 0.9.8/,
  ],
  [
    'a kernel without a feature',
    ({ tools }) =>
      tools.set('unshare -n nft -f -', {
        code: 1,
        stdout: '',
        stderr: 'Error: Could not process rule: Operation not supported\n',
      }),
    /^fail firewall\/kernel features: egress of a device \(netdev\): Error: Could not process rule/,
  ],
  [
    'an old kernel',
    (made) => made.write('/proc/sys/kernel/osrelease', '5.10.0-30-arm64\n'),
    /^fail firewall\/netdev binding: kernel 5.10.0-30-arm64 has no netdev egress/,
  ],
  [
    'no flock',
    ({ tools }) => tools.delete('flock --version'),
    /^fail firewall\/tools: missing: flock \(package util-linux\)/,
  ],
]

const INSTALLATION: Case[] = [
  [
    'no lockdown',
    (made) => made.remove(`${UNITS}/groundlock-lockdown.service`),
    /^fail installation\/units: groundlock-lockdown.service is not installed/,
  ],
  [
    'a guard that is not enabled',
    (made) => made.remove('/etc/systemd/system/multi-user.target.wants/groundlock-guard.service'),
    /^fail installation\/units: groundlock-guard.service is not enabled/,
  ],
  [
    'a station that is masked',
    (made) => made.link('/etc/systemd/system/groundlock-station.service', '/dev/null'),
    /^fail installation\/units: groundlock-station.service is masked/,
  ],
  [
    'a lockdown that opens when it stops',
    (made) =>
      made.write(
        '/etc/systemd/system/groundlock-lockdown.service.d/x.conf',
        '[Service]\nExecStop=nft flush ruleset\n',
      ),
    /^fail installation\/units: groundlock-lockdown.service has an ExecStop/,
  ],
  [
    'a network service without the lockdown',
    (made) => made.remove(DROP_IN),
    /^fail installation\/drop-ins: may start without the lockdown: NetworkManager.service/,
  ],
  [
    'a drop-in that only orders',
    (made) => made.write(DROP_IN, '[Unit]\nAfter=groundlock-lockdown.service\n'),
    /^fail installation\/drop-ins/,
  ],
  [
    'a later drop-in that takes it back',
    (made) => made.write('/etc/systemd/system/NetworkManager.service.d/zz.conf', '[Unit]\nRequires=\n'),
    /^fail installation\/drop-ins/,
  ],
  [
    'a network service that came later',
    (made) => made.write(`${UNITS}/wpa_supplicant.service`, '[Service]\n'),
    /^fail installation\/drop-ins: .*: wpa_supplicant.service/,
  ],
  [
    'nftables.service that flushes',
    (made) => made.remove('/etc/systemd/system/nftables.service.d'),
    /^warn installation\/nftables.service: it is not enabled, but if started its ExecStart, ExecReload, ExecStop/,
  ],
  [
    'nftables.service that flushes at boot',
    (made) => (
      made.remove('/etc/systemd/system/nftables.service.d'),
      made.link('/etc/systemd/system/sysinit.target.wants/nftables.service', `${UNITS}/nftables.service`)
    ),
    /^fail installation\/nftables.service: it is enabled/,
  ],
  [
    'no udev rule',
    (made) => made.remove('/usr/lib/udev/rules.d/60-groundlock.rules'),
    /^fail installation\/udev rule: there is none/,
  ],
  [
    'a script that others may change',
    (made) => made.own('/usr/lib/groundlock/cover-uplink', { mode: 0o777 }),
    /^fail installation\/udev rule: .* may be changed by others/,
  ],
  [
    'no user',
    (made) => made.write('/etc/passwd', 'root:x:0:0::/:/bin/sh\ngroundlock:x:990:990::/:/bin/false\n'),
    /^fail installation\/users: there is no user groundlock-guard/,
  ],
  [
    'a guard outside the group',
    (made) => made.write('/etc/group', 'dialout:x:20:groundlock\ngpio:x:9:\ngroundlock:x:990:\n'),
    /^fail installation\/users: groundlock-guard is not in group groundlock, gpio/,
  ],
  [
    'no token',
    (made) => made.remove('/run/groundlock/token/link'),
    /^fail installation\/link token: there is no/,
  ],
  [
    'a token that everybody may read',
    (made) => made.own('/run/groundlock/token/link', { mode: 0o644 }),
    /^fail installation\/link token: .* is root:groundlock 644, not root:groundlock 640/,
  ],
  [
    'a token of the station',
    (made) => made.own('/run/groundlock/token/link', { uid: 990 }),
    /^fail installation\/link token: .* groundlock:groundlock/,
  ],
  [
    'a token that can be replaced',
    (made) => made.own('/run/groundlock/token', { mode: 0o775 }),
    /^fail installation\/link token: others than root may replace/,
  ],
  [
    "a folder that is not the guard's",
    (made) => made.own('/run/groundlock/guard', { uid: 0 }),
    /^fail installation\/folders: .* and not groundlock-guard's/,
  ],
]

describe('a relay on a Pi needs dtparam=strict_gpiod', () => {
  const verdict = async (spoil: Spoil) => {
    const made = new MadeMachine(folder)
    made.configuration += 'relay_line = 23\n'
    spoil(made)
    return (await made.findings()).find(({ check }) => check === 'relay')?.verdict
  }
  it.each(RELAY)('config.txt has %s', async (_, text, expected) => {
    expect(await verdict((made) => made.write('/boot/firmware/config.txt', text))).toBe(expected)
  })

  it('and not where there is no relay, or no Pi', async () => {
    const none = (made: MadeMachine) => void (made.configuration += '[switch]\nbackend = "simulated"\n')
    expect(await verdict(none)).toBe('not applicable')
    expect(await verdict((made) => made.remove('/proc/device-tree/model'))).toBe('not applicable')
  })
})

describe('where nothing is installed', () => {
  it('that is the first line, once, and no advice needs what is not there', async () => {
    const made = new MadeMachine(folder)
    made.isGuardLive = false
    made.remove('/usr/lib/systemd/system')
    made.remove('/etc/systemd/system')
    made.remove('/usr/lib/udev')
    made.remove('/run/groundlock')
    made.tools.set('nft list tables', '').set('nft list tables netdev', '')
    const findings = await made.findings()
    expect(findings[0]).toMatchObject({
      check: 'service',
      verdict: 'fail',
      found: expect.stringMatching(/^Groundlock is not installed as a service/) as string,
      todo: 'sudo ./scripts/install',
    })
    const installation = findings.filter(({ group }) => group === 'installation')
    expect(new Set(installation.map(({ verdict }) => verdict))).toEqual(new Set(['not applicable']))
    expect(findings.filter(({ todo }) => /systemctl \S+ groundlock/.test(todo ?? ''))).toEqual([])
  })
})

describe.each([
  ['the door', DOOR],
  ['the switch', SWITCH],
  ['the firewall', FIREWALL],
  ['the installation', INSTALLATION],
] as const)('%s: what is noticed', (_, cases) => {
  it.each(cases)('%s', async (_name, spoil, expected) => {
    expect(await troubles(spoil)).toContainEqual(expect.stringMatching(expected))
  })
})
