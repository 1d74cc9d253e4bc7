/**
 * Settings: the one table of what the configuration file may say.
 * Validation, defaults, `groundlock config explain` and docs/configuration.md all come from here.
 */
import * as v from 'valibot'
import { DEFAULT_STATION, DEFAULT_VAULT_DIR } from './defaults.js'
import { editDistance } from './edit-distance.js'
import { interfaceName, macAddress, privateSubnet, udevPath } from './local-network.js'

export interface Setting<T extends string | number = string | number> {
  /** Where it stands in the file; `*` is a name that the user chooses, `[]` an entry of a list. */
  readonly key: string
  /** What a value must be; its messages are worded to follow "expected". */
  readonly schema: v.GenericSchema<unknown, T>
  /** Absent: the integrator has to say it. */
  readonly fallback?: T
  /** Of the keys beside it that share this word exactly one has to be said. */
  readonly oneOf?: string
  readonly unit: string | null
  readonly doc: string
  readonly example: T
}

/** Links of one station: a Pi 5 has five UARTs and one of them is its console (count). */
export const MAX_LINKS = 4

/** Local interfaces of one station: more sockets than any carrier board has (count). */
export const MAX_LOCALS = 8

/** The header's lines are 2–27, and no Pi's chip has more than 54 (count). Source: BCM2711 peripherals §5; RP1 peripherals §3. */
const MAX_GPIO_OFFSET = 53

/** A unix socket's path ends at 107 bytes (unix(7)); this leaves room for the name of ours (bytes). */
const MAX_RUN_DIR_BYTES = 80

/** The rates that Linux has a constant for, from 1200 up (asm-generic/termbits.h), in bit/s. */
const BAUD_RATES = [
  1200, 1800, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000,
  1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000,
]

const pathRule = 'an absolute path'
const absolutePath = v.pipe(
  v.string(pathRule),
  v.check((path) => path.startsWith('/') && !path.includes('\0'), pathRule),
)
/** Part of file names and of flight ids, so it is short and plain. */
const stationRule = 'a name of 1 to 24 of a-z, 0-9 and -, beginning with a letter'
const baudRule = 'a rate that Linux knows, such as 57600, 115200 or 921600'

const runDirPath = v.pipe(
  absolutePath,
  v.maxBytes(MAX_RUN_DIR_BYTES, `a path of at most ${MAX_RUN_DIR_BYTES} bytes (it holds a unix socket)`),
)
const chipRule = "a GPIO chip's label, such as pinctrl-bcm2711, or auto"
const lineRule = `a GPIO offset from 0 to ${MAX_GPIO_OFFSET}`
const outputRule = `a GPIO offset from 1 to ${MAX_GPIO_OFFSET}, or 0 for none`
const gpioLine = lineSchema(lineRule)
const gpioOutput = lineSchema(outputRule)

/** How a link may be called; it names the link in logs and the files of a raw export. */
export const LINK_NAME = /^[a-z][a-z0-9-]{0,15}$/
export const LINK_NAME_RULE = 'a name of 1 to 16 of a-z, 0-9 and -, beginning with a letter'

const portRule = 'a TCP port, or 0 for none'

export const SETTINGS = {
  stationName: setting({
    key: 'station.name',
    schema: v.pipe(v.string(stationRule), v.regex(/^[a-z][a-z0-9-]{0,23}$/, stationRule)),
    fallback: DEFAULT_STATION,
    unit: null,
    doc: 'What this station is called. Every flight id begins with it, so give each station its own.',
    example: 'north-tower',
  }),
  runDir: setting({
    key: 'station.run_dir',
    schema: runDirPath,
    fallback: '/run/groundlock/station',
    unit: null,
    doc: 'Folder for the control socket and the status file of the running station.',
    example: '/run/groundlock/station',
  }),
  vaultDir: setting({
    key: 'vault.dir',
    schema: absolutePath,
    fallback: DEFAULT_VAULT_DIR,
    unit: null,
    doc: 'Folder that holds the flights. It is made when missing; the station must be able to write there.',
    example: '/mnt/ssd/vault',
  }),
  linkDevice: setting({
    key: 'link.*.device',
    schema: absolutePath,
    unit: null,
    doc:
      'Serial device of the radio or flight controller. Prefer the stable names below /dev/serial/by-id: ' +
      'ttyUSB0 may be another device after the next boot.',
    example: '/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0',
  }),
  linkBaud: setting({
    key: 'link.*.baud',
    schema: v.pipe(v.number(baudRule), v.picklist(BAUD_RATES, baudRule)),
    fallback: 57600,
    unit: 'bit/s',
    doc: `Speed of the serial line; it must be what the other end uses. One of ${BAUD_RATES.join(', ')}.`,
    example: 115200,
  }),
  switchBackend: setting({
    key: 'switch.backend',
    schema: oneOfWords(['auto', 'chardev', 'sysfs', 'simulated']),
    fallback: 'auto',
    unit: null,
    doc:
      'How the switch is read: chardev by the tools of libgpiod, sysfs by /sys/class/gpio on kernels that still ' +
      'have it, simulated from a file (for tests; an installed guard takes it only when it stands here by name). ' +
      'auto takes the first of chardev and sysfs that works.',
    example: 'chardev',
  }),
  switchChip: setting({
    key: 'switch.chip',
    schema: v.pipe(v.string(chipRule), v.regex(/^[A-Za-z0-9][\w.:,+@-]{0,63}$/, chipRule)),
    fallback: 'auto',
    unit: null,
    doc:
      'Label of the GPIO chip that has the lines (gpiodetect prints it in brackets). Its number is another one on ' +
      "each kernel, so it cannot be given. auto finds a Raspberry Pi's header, whose lines are 2 to 27.",
    example: 'pinctrl-bcm2711',
  }),
  switchWiring: setting({
    key: 'switch.wiring',
    schema: oneOfWords(['antivalent', 'single']),
    fallback: 'antivalent',
    unit: null,
    doc:
      'antivalent: two contacts that must read differently, so that a cut wire is seen as a fault. ' +
      'single: one contact on permit_line; a cut wire reads SHUT. docs/switch.md has the drawings.',
    example: 'single',
  }),
  permitLine: setting({
    key: 'switch.permit_line',
    schema: gpioLine,
    fallback: 17,
    unit: null,
    doc: 'Line of the contact that is closed to ground in PERMIT, as offset on the chip (GPIO17 is pin 11).',
    example: 5,
  }),
  shutLine: setting({
    key: 'switch.shut_line',
    schema: gpioLine,
    fallback: 27,
    unit: null,
    doc: 'Line of the contact that is closed to ground in SHUT (GPIO27 is pin 13). Not read with single wiring.',
    example: 6,
  }),
  lampLine: setting({
    key: 'switch.lamp_line',
    schema: gpioOutput,
    fallback: 22,
    unit: null,
    doc: 'Line of the lamp, an output (GPIO22 is pin 15); 0: there is none.',
    example: 0,
  }),
  switchFile: setting({
    key: 'switch.file',
    schema: absolutePath,
    fallback: '/run/groundlock/guard/switch',
    unit: null,
    doc: 'With backend simulated: the file that says shut, permit or doubt.',
    example: '/run/groundlock/guard/switch',
  }),
  localName: setting({
    key: 'uplink.local[].name',
    schema: interfaceName,
    unit: null,
    doc:
      "An interface that is not an uplink but the site's own network, by name. Every other one but lo is an uplink. " +
      'What is configured here and what is plugged in must agree, else it is an uplink too.',
    example: 'eth1',
  }),
  localMac: setting({
    key: 'uplink.local[].mac',
    schema: macAddress,
    oneOf: 'mac or path',
    unit: null,
    doc: 'Its hardware address (ip -br link). Any card can be given another, so path is the stronger one where sockets are fixed.',
    example: 'dc:a6:32:01:23:45',
  }),
  localPath: setting({
    key: 'uplink.local[].path',
    schema: udevPath,
    oneOf: 'mac or path',
    unit: null,
    doc: 'The socket that it is plugged into: ID_PATH in `udevadm info /sys/class/net/eth1`.',
    example: 'platform-fd580000.ethernet',
  }),
  localSubnet: setting({
    key: 'uplink.local[].subnet',
    schema: privateSubnet,
    unit: null,
    doc:
      'The only addresses that are spoken with over it: private (RFC 1918), /16 or narrower. ' +
      'What DHCP says counts for nothing.',
    example: '192.168.7.0/24',
  }),
  sshPort: setting({
    key: 'uplink.ssh_port',
    schema: v.pipe(
      v.number(portRule),
      v.integer(portRule),
      v.minValue(0, portRule),
      v.maxValue(65_535, portRule),
    ),
    fallback: 0,
    unit: null,
    doc:
      'TCP port of an SSH server on this machine that hosts of the local subnets may reach; 0: none may. ' +
      'Whoever logs in over it can read what that user may read.',
    example: 22,
  }),
  relayLine: setting({
    key: 'uplink.relay_line',
    schema: gpioOutput,
    fallback: 0,
    unit: null,
    doc:
      "Line of a relay in the uplink's supply, an output on the switch's chip: energised means powered. 0: there is none. " +
      'docs/switch.md says what it needs.',
    example: 23,
  }),
  guardRunDir: setting({
    key: 'guard.run_dir',
    schema: runDirPath,
    fallback: '/run/groundlock/guard',
    unit: null,
    doc: "Folder for the guard's socket and status file.",
    example: '/run/groundlock/guard',
  }),
  guardStateDir: setting({
    key: 'guard.state_dir',
    schema: absolutePath,
    fallback: '/var/lib/groundlock-guard',
    unit: null,
    doc: 'Folder for what the guard has to know after a reboot: which radios it switched off.',
    example: '/var/lib/groundlock-guard',
  }),
  guardToken: setting({
    key: 'guard.token',
    schema: absolutePath,
    fallback: '/run/groundlock/token/link',
    unit: null,
    doc:
      'The link token: the file that station and guard lock, one at a time. It must be there before either ' +
      'starts and neither may be able to remove it.',
    example: '/run/groundlock/token/link',
  }),
}

/** Every setting in the order of the file. */
export const ALL_SETTINGS: readonly Setting[] = Object.values(SETTINGS)

export type Kind = 'section' | 'list' | 'value'

/** Every path that may stand in the file, the sections among them: `station`, `link.*`, `uplink.local`, `uplink.local[]`, … */
const KNOWN: ReadonlyMap<string, Kind> = new Map(
  ALL_SETTINGS.flatMap(({ key }) => {
    const parts = key.replaceAll('[]', '.[]').split('.')
    return parts.map((_, index): [string, Kind] => [
      parts
        .slice(0, index + 1)
        .join('.')
        .replaceAll('.[]', '[]'),
      index + 1 === parts.length ? 'value' : parts[index + 1] === '[]' ? 'list' : 'section',
    ])
  }),
)

/** What may stand at a path of the file; null where nothing is known. */
export function knownKind(path: readonly string[]): Kind | null {
  return KNOWN.get(pattern(path)) ?? null
}

/** How a section or list at (or, where names are free, below) a path is written. */
export function sectionExample(path: readonly string[]): string {
  const known = pattern(path)
  if (KNOWN.get(known) === 'list') return `[[${known}]]`
  return `[${(KNOWN.has(`${known}.*`) ? `${known}.*` : known).replace('*', 'radio')}]`
}

/**
 * The known key that was probably meant: nearest by its last word, one in the same section before others. Null where none is
 * near: more than a third of the letters are others, and it is not the beginning of one.
 */
export function nearestKey(path: readonly string[], isSection: boolean): string | null {
  const section = pattern(path.slice(0, -1))
  const word = path.at(-1) ?? ''
  const distance = (key: string) =>
    letters(lastWord(key), word) + (key === `${section}.${lastWord(key)}` ? 0 : 1)
  const [nearest] = [...KNOWN.keys()]
    .filter((key) => (KNOWN.get(key) === 'section') === isSection && !/(?:\*|\[\])$/.test(key))
    .filter((key) => letters(lastWord(key), word) <= Math.ceil(word.length / 3))
    .sort((a, b) => distance(a) - distance(b))
  if (nearest === undefined) return null
  return nearest
    .replace('*', path[0] === 'link' && path.length > 1 ? path[1]! : 'NAME')
    .replace('[]', isEntry(path) ? `[${path[2]}]` : '[]')
}

/** Appended to a message on an unknown key. */
export function nearestText(nearest: string | null): string {
  return nearest === null ? '' : `; the nearest known one is ${nearest}`
}

/** How many letters lie between a known word and what was typed; `permit` is one from `permit_line`. */
function letters(known: string, typed: string): number {
  return typed !== '' && known.startsWith(`${typed}_`) ? 1 : editDistance(known, typed)
}

/** A path as people read it: `uplink.local[0].mac`; entries count from 0. */
export function keyText(path: readonly string[]): string {
  return path
    .map((part, at) => (isEntry(path) && at === 2 ? `[${part}]` : `${at === 0 ? '' : '.'}${part}`))
    .join('')
}

/** A key of the table as a path of the file: `link.*.baud` of the link `a`, `uplink.local[].mac` of the entry 1. */
export function pathOf(key: string, nameOrEntry: string): string[] {
  return key
    .replace('[]', '.[]')
    .split('.')
    .map((part) => (part === '*' || part === '[]' ? nameOrEntry : part))
}

/** The path as the table writes it; only the names of links and the entries of lists are free. */
function pattern(path: readonly string[]): string {
  const parts = path.map((part, at) =>
    path[0] === 'link' && at === 1 ? '*' : isEntry(path) && at === 2 ? '[]' : part,
  )
  return parts.join('.').replace('.[]', '[]')
}

/** The one list there is has its entries' numbers as third part. */
function isEntry(path: readonly string[]): boolean {
  return path[0] === 'uplink' && path[1] === 'local' && /^\d+$/.test(path[2] ?? '')
}

function lastWord(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1)
}

function lineSchema(rule: string) {
  return v.pipe(v.number(rule), v.integer(rule), v.minValue(0, rule), v.maxValue(MAX_GPIO_OFFSET, rule))
}

function oneOfWords<const T extends string>(words: readonly T[]) {
  return v.picklist(words, `one of ${words.join(', ')}`)
}

function setting<T extends string | number>(parts: Setting<T>): Setting<T> {
  return parts
}
