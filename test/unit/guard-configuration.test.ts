/** What an integrator may rely on when configuring the switch, the local interfaces and the guard. */
import { describe, expect, it } from 'vitest'
import { parseConfiguration, type Configuration } from '../../src/base/configuration.js'
import { settingText } from '../../src/base/settings-page.js'
import { ALL_SETTINGS, MAX_LOCALS } from '../../src/base/settings.js'

const RADIO = '[link.radio]\ndevice = "/dev/ttyUSB0"\n'
const MAC = 'dc:a6:32:01:23:45'

function valid(text: string): Configuration {
  const parsed = parseConfiguration(text)
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems))
  return parsed.configuration
}

/** Each mistake as `line key: message`. */
function mistakes(text: string): string[] {
  const parsed = parseConfiguration(text)
  return 'problems' in parsed
    ? parsed.problems.map(({ line, key, message }) => `${line ?? '-'} ${key}: ${message}`)
    : []
}

/** One local interface with one thing in it replaced. */
function local(parts: Record<string, string | number | undefined>): string {
  const whole = { name: 'eth1', mac: MAC, subnet: '192.168.7.0/24' }
  const entry: Record<string, string | number | undefined> = { ...whole, ...parts }
  const pairs = Object.entries(entry).filter(([, value]) => value !== undefined)
  return `[uplink]\nlocal = [{ ${pairs.map(([key, value]) => `${key} = ${JSON.stringify(value)}`).join(', ')} }]\n`
}

describe('the switch', () => {
  it('every key can be said, and 0 means no lamp and no relay', () => {
    const text = `${RADIO}[switch]\nbackend = "simulated"\nchip = "pinctrl-rp1"\nwiring = "single"\npermit_line = 0
shut_line = 53\nlamp_line = 0\nfile = "/tmp/switch"\n[uplink]\nrelay_line = 23\n`
    const configuration = valid(text)
    expect(configuration.switch).toEqual({
      backend: 'simulated',
      chip: 'pinctrl-rp1',
      wiring: 'single',
      permitLine: 0,
      shutLine: 53,
      lampLine: null,
      file: '/tmp/switch',
    })
    expect(configuration.uplink.relayLine).toBe(23)
  })

  it.each([
    [
      'backend = "gpio"',
      /^4 switch.backend: expected one of auto, chardev, sysfs, simulated, found the text/,
    ],
    ['wiring = "double"', /^4 switch.wiring: expected one of antivalent, single/],
    ['permit_line = 54', /^4 switch.permit_line: expected a GPIO offset from 0 to 53, found the number 54$/],
    ['permit_line = -1', /GPIO offset/],
    ['permit_line = 1.5', /GPIO offset/],
    ['shut_line = "27"', /^4 switch.shut_line: expected a GPIO offset .* found the text "27"$/],
    ['lamp_line = 54', /^4 switch.lamp_line: expected a GPIO offset from 1 to 53, or 0 for none/],
    ['chip = "gpiochip0; ls"', /^4 switch.chip: expected a GPIO chip's label/],
    ['file = "switch"', /^4 switch.file: expected an absolute path/],
    ['lines = [17, 27]', /^4 switch.lines: unknown key$/],
    ['permit = 17', /^4 switch.permit: unknown key; the nearest known one is switch.permit_line$/],
    ['permit_line = 27', /^3 switch.shut_line: GPIO 27 is already switch.permit_line$/],
    ['shut_line = 17', /^4 switch.shut_line: GPIO 17 is already switch.permit_line$/],
    ['lamp_line = 27', /^4 switch.lamp_line: GPIO 27 is already switch.shut_line$/],
  ])('%s is a mistake', (line, expected) => {
    const found = mistakes(`${RADIO}[switch]\n${line}\n`)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(expected)
  })

  it.each([17, 27, 22])('a relay on GPIO %d, which something else has, is a mistake', (line) => {
    expect(mistakes(`${RADIO}[uplink]\nrelay_line = ${line}\n`)).toEqual([
      expect.stringMatching(new RegExp(`^4 uplink.relay_line: GPIO ${line} is already switch.`)),
    ])
  })

  it.each([
    ['permit_line = 0', /^4 switch.permit_line: GPIO 0 is for the ID EEPROM .*; free are 2 to 27$/],
    ['shut_line = 1', /^4 switch.shut_line: GPIO 1 is for the ID EEPROM/],
    ['lamp_line = 1', /^4 switch.lamp_line: GPIO 1 is for the ID EEPROM/],
    ['lamp_line = 28', /^4 switch.lamp_line: GPIO 28 is not on a Raspberry Pi's header .*switch.chip$/],
  ])("on a Raspberry Pi's header %s is a mistake, on another chip it is none", (line, expected) => {
    const found = mistakes(`${RADIO}[switch]\n${line}\n`)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(expected)
    expect(mistakes(`${RADIO}[switch]\n${line}\nchip = "gpio-sim"\n`)).toEqual([])
    expect(mistakes(`${RADIO}[switch]\n${line}\nbackend = "simulated"\n`)).toEqual([])
  })

  it("a Pi's chip by its name may have more lines than the header, as a Compute Module has", () => {
    const named = (line: number) =>
      mistakes(`${RADIO}[switch]\nchip = "pinctrl-bcm2711"\npermit_line = ${line}\n`)
    expect(named(40)).toEqual([])
    expect(named(1)).toEqual([expect.stringContaining('ID EEPROM')])
  })

  it.each([1, 28])('no relay is on GPIO %d of a header', (line) =>
    expect(mistakes(`${RADIO}[uplink]\nrelay_line = ${line}\n`)).toEqual([
      expect.stringMatching(new RegExp(`^4 uplink.relay_line: GPIO ${line} is `)),
    ]),
  )

  it('with single wiring the shut line is free for something else', () => {
    expect(valid(`${RADIO}[switch]\nwiring = "single"\nlamp_line = 27\n`).switch.lampLine).toBe(27)
  })
})

describe('local interfaces', () => {
  it('by hardware address or by path, in one list or as sections of their own', () => {
    const list = `${RADIO}[uplink]\nlocal = [\n  { name = "eth1", mac = "DC:A6:32:01:23:45", subnet = "192.168.7.0/24" },
  { name = "wlan0", path = "platform-fe300000.mmcnr", subnet = "10.1.0.0/16" },\n]\n`
    const sections = `${RADIO}[[uplink.local]]\nname = "eth1"\nmac = "${MAC}"\nsubnet = "192.168.7.0/24"
[[uplink.local]]\nname = "wlan0"\npath = "platform-fe300000.mmcnr"\nsubnet = "10.1.0.0/16"\n`
    const locals = [
      { name: 'eth1', mac: MAC, path: null, subnet: '192.168.7.0/24' },
      { name: 'wlan0', mac: null, path: 'platform-fe300000.mmcnr', subnet: '10.1.0.0/16' },
    ]
    expect(valid(list).uplink.locals).toEqual(locals)
    expect(valid(sections).uplink.locals).toEqual(locals)
  })

  it.each([
    '10.0.0.0/16',
    '10.255.0.0/16',
    '172.16.0.0/16',
    '172.31.255.0/24',
    '192.168.0.0/16',
    '10.9.8.6/31',
  ])('the subnet %s is private and narrow enough', (subnet) =>
    expect(valid(RADIO + local({ subnet })).uplink.locals[0]?.subnet).toBe(subnet),
  )

  it.each([
    ['wider than /16', '10.0.0.0/15'],
    ['all of it', '10.0.0.0/8'],
    ['what a bad DHCP server says', '8.0.0.0/5'],
    ['public', '8.8.8.0/24'],
    ['just above 172.16/12', '172.32.0.0/16'],
    ['just below 172.16/12', '172.15.0.0/16'],
    ['just above 192.168/16', '192.169.0.0/16'],
    ['link-local', '169.254.0.0/16'],
    ['loopback', '127.0.0.0/16'],
    ['shared address space', '100.64.0.0/16'],
    ['zero', '0.0.0.0/0'],
    ['a single address', '10.9.8.7/32'],
    ['no prefix', '192.168.7.0'],
    ['prefix of 33', '192.168.7.0/33'],
    ['a leading zero', '192.168.07.0/24'],
    ['an octet of 256', '192.168.256.0/24'],
    ['three octets', '192.168.7/24'],
    ['IPv6', 'fd00::/48'],
    ['a netmask', '192.168.7.0/255.255.255.0'],
    ['a second line', '192.168.7.0/24\n10.0.0.0/8'],
    ['empty', ''],
  ])('the subnet is not one that is %s', (_, subnet) => {
    expect(mistakes(RADIO + local({ subnet }))).toEqual([
      expect.stringMatching(/^4 uplink.local\[0\].subnet: expected a private IPv4 subnet of \/16 to \/31/),
    ])
  })

  it('an address in place of its subnet is told which subnet that is', () => {
    expect(mistakes(RADIO + local({ subnet: '192.168.7.1/24' }))).toEqual([
      '4 uplink.local[0].subnet: expected the subnet and not an address in it, so 192.168.7.0/24, found the text "192.168.7.1/24"',
    ])
  })

  it.each(['', 'lo', '.', '..', 'eth 1', 'eth/1', 'eth1*', 'a"b', '-x', 'br:0', 'x'.repeat(16), 'ü'])(
    'no interface is called %j',
    (name) =>
      expect(mistakes(RADIO + local({ name }))).toEqual([
        expect.stringMatching(/^4 uplink.local\[0\].name: expected an interface's name/),
      ]),
  )

  it.each(['x'.repeat(15), 'enx00e04c680001', 'eth0.100', 'wlan0', 'br-lan_1'])(
    'one may be called %s',
    (name) => expect(valid(RADIO + local({ name })).uplink.locals[0]?.name).toBe(name),
  )

  it.each([
    'dc-a6-32-01-23-45',
    'dca632012345',
    'dc:a6:32:01:23',
    '01:00:5e:00:00:01',
    '00:00:00:00:00:00',
    'ff:ff:ff:ff:ff:ff',
  ])('no card has the address %s', (mac) =>
    expect(mistakes(RADIO + local({ mac }))).toEqual([
      expect.stringMatching(/^4 uplink.local\[0\].mac: expected a hardware address/),
    ]),
  )

  it.each([
    [
      'neither mac nor path',
      { mac: undefined },
      /^4 uplink.local\[0\]: expected exactly one of mac and path, found neither$/,
    ],
    [
      'both',
      { path: 'platform-x' },
      /^4 uplink.local\[0\]: expected exactly one of mac and path, found both$/,
    ],
    ['no name', { name: undefined }, /^4 uplink.local\[0\].name: required, for example "eth1"$/],
    ['no subnet', { subnet: undefined }, /^4 uplink.local\[0\].subnet: required/],
    [
      'a key that is none',
      { subnett: 'x' },
      /^4 uplink.local\[0\].subnett: unknown key; the nearest known one is uplink.local\[0\].subnet$/,
    ],
    [
      'a device file for a path',
      { mac: undefined, path: '/dev/x' },
      /^4 uplink.local\[0\].path: expected udev's ID_PATH/,
    ],
    ['a number for a path', { mac: undefined, path: 3 }, /found the number 3$/],
  ])('%s is a mistake', (_, parts, expected) => {
    const found = mistakes(RADIO + local(parts))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(expected)
  })

  it('the line is that of the entry, however the list is written', () => {
    const bad = '{ name = "lo", mac = "{", subnet = "10.0.0.0/16" }'
    const list = `${RADIO}[uplink]\nlocal = [ # { none }\n  { name = "a", mac = "${MAC}", subnet = "10.0.0.0/16" },\n  ${bad},\n]\n`
    expect(mistakes(list).map((line) => line.split(':')[0])).toEqual([
      '6 uplink.local[1].name',
      '6 uplink.local[1].mac',
    ])
    const sections = `${RADIO}[[uplink.local]]\nname = "a"\nmac = "${MAC}"\nsubnet = "10.0.0.0/16"
[[uplink.local]]\nname = "lo"\nmac = "${MAC}"\nsubnet = "10.1.0.0/16"\n`
    expect(mistakes(sections).map((line) => line.split(':')[0])).toEqual(['8 uplink.local[1].name'])
  })

  it.each([
    [
      'one table',
      '[uplink.local]\nname = "eth1"',
      /^3 uplink.local: expected a list such as \[\[uplink.local\]\], found a section$/,
    ],
    [
      'names alone',
      '[uplink]\nlocal = ["eth1"]',
      /^4 uplink.local\[0\]: expected an entry such as \{ name = "eth1", … \}, found the text "eth1"$/,
    ],
    [
      'another name for the list',
      '[uplink]\nlocals = []',
      /^4 uplink.locals: unknown key; the nearest known one is uplink.local$/,
    ],
    [
      'a list for the section',
      '[[uplink]]\nrelay_line = 5',
      /^3 uplink: expected a section such as \[uplink\], found a list$/,
    ],
  ])('%s is a mistake', (_, text, expected) => {
    const found = mistakes(`${RADIO}${text}\n`)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(expected)
  })

  it.each([
    ['name', '{ name = "eth1", mac = "dc:a6:32:01:23:46", subnet = "10.0.0.0/16" }'],
    ['mac', `{ name = "eth2", mac = "${MAC.toUpperCase()}", subnet = "10.0.0.0/16" }`],
  ])('two entries with one %s are a mistake', (key, entry) => {
    const text = `${RADIO}[uplink]\nlocal = [\n{ name = "eth1", mac = "${MAC}", subnet = "192.168.7.0/24" },\n${entry}]\n`
    expect(mistakes(text)).toEqual([
      expect.stringMatching(new RegExp(`^6 uplink.local\\[1\\].${key}: .* is already in`)),
    ])
  })

  it.each([
    ['the same', '192.168.7.0/24'],
    ['a wider one around it', '192.168.0.0/16'],
    ['a part of it', '192.168.7.128/25'],
  ])('two with overlapping subnets are a mistake: %s', (_, subnet) => {
    const text = (other: string) =>
      `${RADIO}[uplink]\nlocal = [\n{ name = "eth1", mac = "${MAC}", subnet = "192.168.7.0/24" },
{ name = "eth2", path = "p", subnet = "${other}" }]\n`
    expect(mistakes(text(subnet))).toEqual([
      `6 uplink.local[1].subnet: ${subnet} overlaps 192.168.7.0/24 of uplink.local[0]`,
    ])
    expect(mistakes(text('192.168.8.0/24'))).toEqual([])
  })

  it('an SSH port needs one', () => {
    expect(mistakes(`${RADIO}[uplink]\nssh_port = 22\n`)).toEqual([
      '4 uplink.ssh_port: no host could reach it: it is for local interfaces, and there is none',
    ])
    expect(mistakes(`${RADIO}${local({})}ssh_port = 22\n`)).toEqual([])
  })

  it(`more than ${MAX_LOCALS} are a mistake`, () => {
    const entries = Array.from(
      { length: MAX_LOCALS + 1 },
      (_, n) => `{ name = "e${n}", path = "p${n}", subnet = "10.${n}.0.0/16" }`,
    )
    const text = (count: number) =>
      `${RADIO}uplink.local = [${entries.slice(0, count).join(', ')}]`.replace(RADIO, '') + `\n${RADIO}`
    expect(valid(text(MAX_LOCALS)).uplink.locals).toHaveLength(MAX_LOCALS)
    expect(mistakes(text(MAX_LOCALS + 1))).toEqual([
      expect.stringMatching(/uplink.local: expected at most 8 interfaces, found 9/),
    ])
  })
})

describe('the folders of guard and station', () => {
  it.each([
    ['[guard]\nrun_dir = "/run/groundlock/station/"', /^4 guard.run_dir: .* is already station.run_dir$/],
    [
      '[guard]\ntoken = "/run/groundlock/guard/link"',
      /^4 guard.token: .* lies in guard.run_dir, where the guard could remove it; give it a folder of its own$/,
    ],
    [
      '[guard]\ntoken = "/run/groundlock/token/../station/a/link"',
      /^4 guard.token: .* lies in station.run_dir/,
    ],
    [
      '[vault]\ndir = "/run/groundlock/guard"',
      /^4 vault.dir: .* is or lies in guard.run_dir; give the flights a folder of their own$/,
    ],
    ['[vault]\ndir = "/var/lib/groundlock-guard/flights/"', /^4 vault.dir: .* is or lies in guard.state_dir/],
  ])('%j is a mistake', (text, expected) => {
    const found = mistakes(`${RADIO}${text}\n`)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(expected)
  })

  it('a folder whose name begins like another is another one', () =>
    expect(mistakes(`${RADIO}[guard]\ntoken = "/run/groundlock/guard-token/link"\n`)).toEqual([]))
})

describe('examples', () => {
  it.each(ALL_SETTINGS.map((setting) => [setting.key, setting] as const))(
    'that of %s can be pasted',
    (key, setting) => {
      const line = /^ {4}example: (.*)$/m.exec(settingText(setting))![1]!
      const rest = key.startsWith('link.')
        ? key.endsWith('device')
          ? ''
          : 'link.radio.device = "/dev/a"\n'
        : RADIO
      const beside =
        key === 'uplink.ssh_port'
          ? 'uplink.local = [{ name = "eth1", path = "p", subnet = "10.1.0.0/16" }]\n'
          : ''
      expect(mistakes(`${line}\n${beside}${rest}`)).toEqual([])
    },
  )
})
