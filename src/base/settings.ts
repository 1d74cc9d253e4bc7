/**
 * Settings: the one table of what the configuration file may say.
 * Validation, defaults, `groundlock config explain` and docs/configuration.md all come from here.
 */
import * as v from 'valibot'
import { DEFAULT_STATION, DEFAULT_VAULT_DIR } from './defaults.js'
import { editDistance } from './edit-distance.js'

export interface Setting<T extends string | number = string | number> {
  /** Where it stands in the file; `*` is a name that the user chooses. */
  readonly key: string
  /** What a value must be; its messages are worded to follow "expected". */
  readonly schema: v.GenericSchema<unknown, T>
  /** Absent: the integrator has to say it. */
  readonly fallback?: T
  readonly unit: string | null
  readonly doc: string
  readonly example: T
}

/** Links of one station: a Pi 5 has five UARTs and one of them is its console (count). */
export const MAX_LINKS = 4

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

/** How a link may be called; it names the link in logs and the files of a raw export. */
export const LINK_NAME = /^[a-z][a-z0-9-]{0,15}$/
export const LINK_NAME_RULE = 'a name of 1 to 16 of a-z, 0-9 and -, beginning with a letter'

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
    schema: v.pipe(
      absolutePath,
      v.maxBytes(MAX_RUN_DIR_BYTES, `a path of at most ${MAX_RUN_DIR_BYTES} bytes (it holds a unix socket)`),
    ),
    fallback: '/run/groundlock',
    unit: null,
    doc: 'Folder for the control socket and the status file of the running station.',
    example: '/run/groundlock',
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
}

/** Every setting in the order of the file. */
export const ALL_SETTINGS: readonly Setting[] = Object.values(SETTINGS)

type Kind = 'section' | 'value'

/** Every path that may stand in the file, the sections among them: `station`, `station.name`, `link`, `link.*`, … */
const KNOWN: ReadonlyMap<string, Kind> = new Map(
  ALL_SETTINGS.flatMap(({ key }) => {
    const parts = key.split('.')
    return parts.map((_, index): [string, Kind] => [
      parts.slice(0, index + 1).join('.'),
      index + 1 < parts.length ? 'section' : 'value',
    ])
  }),
)

/** What may stand at a path of the file; null where nothing is known. */
export function knownKind(path: readonly string[]): Kind | null {
  return KNOWN.get(pattern(path)) ?? null
}

/** How a section at (or, where names are free, below) a path is written. */
export function sectionExample(path: readonly string[]): string {
  const named = KNOWN.has(`${pattern(path)}.*`) ? `${pattern(path)}.*` : pattern(path)
  return `[${named.replace('*', 'radio')}]`
}

/** The known key that was probably meant: nearest by its last word, one in the same section before others. */
export function nearestKey(path: readonly string[], kind: Kind): string {
  const section = pattern(path.slice(0, -1))
  const distance = (key: string) =>
    editDistance(lastWord(key), path.at(-1) ?? '') + (key === `${section}.${lastWord(key)}` ? 0 : 1)
  const [nearest = ''] = [...KNOWN.keys()]
    .filter((key) => KNOWN.get(key) === kind && !key.endsWith('*'))
    .sort((a, b) => distance(a) - distance(b))
  return nearest.replace('*', path[0] === 'link' && path.length > 1 ? path[1]! : 'NAME')
}

/** The path as the table writes it; only the names of links are free. */
function pattern(path: readonly string[]): string {
  return path.map((part, index) => (path[0] === 'link' && index === 1 ? '*' : part)).join('.')
}

function lastWord(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1)
}

function setting<T extends string | number>(parts: Setting<T>): Setting<T> {
  return parts
}
