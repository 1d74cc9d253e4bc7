/** What an integrator may rely on when writing the configuration file. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { stringify } from 'smol-toml'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { parseConfiguration, type Configuration } from '../../src/base/configuration.js'
import { ALL_SETTINGS, MAX_LINKS } from '../../src/base/settings.js'
import { REPOSITORY } from '../support/groundlock.js'

const RADIO = '[link.radio]\ndevice = "/dev/ttyUSB0"\n'

const GUARD_DEFAULTS = {
  switch: {
    backend: 'auto',
    chip: 'auto',
    wiring: 'antivalent',
    permitLine: 17,
    shutLine: 27,
    lampLine: 22,
    file: '/run/groundlock/guard/switch',
  },
  uplink: { locals: [], sshPort: null, relayLine: null },
  guard: {
    runDir: '/run/groundlock/guard',
    stateDir: '/var/lib/groundlock-guard',
    token: '/run/groundlock/token/link',
  },
}

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

describe('a configuration file', () => {
  it('needs no more than the device of one link', () => {
    expect(valid(RADIO)).toEqual({
      station: { name: 'groundlock', runDir: '/run/groundlock/station' },
      vault: { dir: '/var/lib/groundlock/vault' },
      links: [{ name: 'radio', device: '/dev/ttyUSB0', baud: 57600 }],
      ...GUARD_DEFAULTS,
    })
  })

  it('says everything that it can say', () => {
    const text =
      '[station]\nname = "north-1"\nrun_dir = "/tmp/run"\n[vault]\ndir = "/mnt/ssd"\n' +
      '[link.radio]\ndevice = "/dev/ttyUSB0"\nbaud = 921600\n[link.uart]\ndevice = "/dev/ttyAMA0"\n'
    expect(valid(text)).toEqual({
      station: { name: 'north-1', runDir: '/tmp/run' },
      vault: { dir: '/mnt/ssd' },
      links: [
        { name: 'radio', device: '/dev/ttyUSB0', baud: 921600 },
        { name: 'uart', device: '/dev/ttyAMA0', baud: 57600 },
      ],
      ...GUARD_DEFAULTS,
    })
  })

  it('may be written with dotted keys, inline tables and CRLF', () => {
    const text = 'station.name = "a"\r\nlink = { radio = { device = "/dev/ttyUSB0", baud = 9600 } }\r\n'
    expect(valid(text)).toMatchObject({ station: { name: 'a' }, links: [{ name: 'radio', baud: 9600 }] })
  })

  it.each(['groundlock.toml'])('systemd/%s, the example, is one', (name) => {
    expect(valid(readFileSync(join(REPOSITORY, 'systemd', name), 'utf8')).links).toHaveLength(1)
  })
})

describe('a mistake is named with its line, its key, what was expected and what was found', () => {
  it.each([
    [
      'unknown key',
      `${RADIO}bauds = 9600`,
      '3 link.radio.bauds: unknown key; the nearest known one is link.radio.baud',
    ],
    ['letter case', `[Station]\n${RADIO}`, '1 Station: unknown key; the nearest known one is station'],
    ['plural section', `${RADIO}[links.b]`, '3 links: unknown key; the nearest known one is link'],
    [
      'key in another section',
      `baud = 1\n${RADIO}`,
      '1 baud: unknown key; the nearest known one is link.NAME.baud',
    ],
    [
      'text for a number',
      `${RADIO}baud = "57600"`,
      /^3 link.radio.baud: expected a rate .*, found the text "57600"$/,
    ],
    [
      'an odd rate',
      `${RADIO}baud = 57601`,
      /^3 link.radio.baud: expected a rate .*, found the number 57601$/,
    ],
    ['a fraction', `${RADIO}baud = 0.5`, /found the number 0.5$/],
    [
      'number for a path',
      `[vault]\ndir = 3\n${RADIO}`,
      '2 vault.dir: expected an absolute path, found the number 3',
    ],
    ['relative path', '[link.radio]\ndevice = "ttyUSB0"', /^2 link.radio.device: expected an absolute path/],
    ['list for a path', '[link.radio]\ndevice = ["/dev/a"]', /found a list$/],
    [
      'date for a name',
      `[station]\nname = 2020-01-01\n${RADIO}`,
      /^2 station.name: expected .* found a date$/,
    ],
    ['section for a name', `[station.name]\n${RADIO}`, /^1 station.name: expected .* found a section$/],
    [
      'no section for a link',
      '[link]\ndevice = "/dev/a"',
      /^2 link.device: expected a section such as \[link.radio\]/,
    ],
    [
      'list of sections',
      '[[link]]\ndevice = "/dev/a"',
      /^1 link: expected a section such as \[link.radio\], found a list/,
    ],
    [
      'number for a section',
      `station = 3\n${RADIO}`,
      '1 station: expected a section such as [station], found the number 3',
    ],
    ['no device', '[link.radio]\nbaud = 9600', /^1 link.radio.device: required, for example "/],
    ['no link', '[station]\nname = "a"', /^- link: at least one link is required/],
    ['name of a link', '[link.Radio]\ndevice = "/dev/a"', /^1 link.Radio: expected a name of 1 to 16/],
    [
      'name of the station',
      `[station]\nname = "a b"\n${RADIO}`,
      /^2 station.name: expected a name of 1 to 24/,
    ],
    ['too long for a socket', `[station]\nrun_dir = "/${'r'.repeat(80)}"\n${RADIO}`, /at most 80 bytes/],
    [
      'one device twice',
      `${RADIO}[link.b]\ndevice = "/dev/ttyUSB0"`,
      /^4 link.b.device: .* already the device of link.radio/,
    ],
    ['not TOML', `${RADIO}baud 9600`, /^3 : not TOML: /],
  ])('%s', (_, text, expected) => {
    const found = mistakes(text)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(expected)
  })

  it('all of them at once, in the order of the file', () => {
    const text = `[vault]\npath = 1\n[station]\nname = 7\n${RADIO}speed = 2\n`
    expect(mistakes(text).map((line) => line.split(':')[0])).toEqual([
      '2 vault.path',
      '4 station.name',
      '7 link.radio.speed',
    ])
  })

  it(`more than ${MAX_LINKS} links`, () => {
    const links = ['a', 'b', 'c', 'd', 'e'].map((name) => `[link.${name}]\ndevice = "/dev/${name}"\n`)
    expect(mistakes(links.slice(0, MAX_LINKS).join(''))).toEqual([])
    expect(mistakes(links.join(''))).toEqual([
      expect.stringMatching(/link: expected at most 4 links, found 5/),
    ])
  })
})

describe('the settings table', () => {
  it.each(ALL_SETTINGS.map((setting) => [setting.key, setting] as const))(
    '%s: default and example are allowed',
    (_, setting) => {
      for (const value of [setting.example, setting.fallback ?? setting.example])
        expect(v.safeParse(setting.schema, value).success).toBe(true)
    },
  )
})

describe('parsing never throws', () => {
  it('whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => void parseConfiguration(text)),
    )
  })

  it('whatever the keys and values', () => {
    const key = fc.constantFrom(
      'station',
      'name',
      'vault',
      'dir',
      'link',
      'radio',
      'device',
      'baud',
      '__proto__',
      'x.y',
      '',
    )
    const { table } = fc.letrec((tie) => ({
      table: fc.dictionary(key, tie('value'), { maxKeys: 4 }),
      value: fc.oneof(
        { depthSize: 'small' },
        fc.string(),
        fc.double(),
        fc.boolean(),
        fc.constant([1]),
        tie('table'),
      ),
    }))
    fc.assert(fc.property(table, (value) => void parseConfiguration(stringify(value))))
  })
})
