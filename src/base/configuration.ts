/**
 * Configuration: what the integrator has decided, checked against the settings table.
 * Guarantees: a `Configuration` holds no value that the table does not allow, and every default is filled in;
 * a text with mistakes yields all of them at once, each with its line where one can be named.
 */
import { TomlDate, TomlError, parse } from 'smol-toml'
import * as v from 'valibot'
import { rejectContradictions } from './configuration-rules.js'
import {
  ALL_SETTINGS,
  LINK_NAME,
  LINK_NAME_RULE,
  MAX_LINKS,
  MAX_LOCALS,
  SETTINGS,
  keyText,
  knownKind,
  nearestKey,
  nearestText,
  pathOf,
  sectionExample,
  type Setting,
} from './settings.js'
import { lineOf } from './toml-line.js'

export interface LinkConfiguration {
  name: string
  /** Path of the serial device. */
  device: string
  /** Speed of the line, bit/s. */
  baud: number
}

/** The physical switch and its lamp. Lines are offsets on the chip. */
export interface SwitchConfiguration {
  backend: 'auto' | 'chardev' | 'sysfs' | 'simulated'
  /** Label of the chip, or `auto`. */
  chip: string
  wiring: 'antivalent' | 'single'
  permitLine: number
  shutLine: number
  lampLine: number | null
  /** Of the simulated switch. */
  file: string
}

/** An interface that is no uplink. Exactly one of `mac` and `path` is there. */
export interface LocalInterface {
  name: string
  /** Lower case, with colons. */
  mac: string | null
  /** udev's ID_PATH. */
  path: string | null
  /** Private IPv4 as `a.b.c.d/n`, /16 or narrower, no bit set below the prefix. */
  subnet: string
}

export interface Configuration {
  station: { name: string; runDir: string }
  vault: { dir: string }
  links: LinkConfiguration[]
  switch: SwitchConfiguration
  uplink: { locals: LocalInterface[]; sshPort: number | null; relayLine: number | null }
  guard: { runDir: string; stateDir: string; token: string }
}

/** One mistake in the text. */
export interface Problem {
  /** 1-based; null where the mistake is that something is missing altogether. */
  line: number | null
  /** The key as the file has it, `link.radio.baud`; empty where the text is not TOML at all. */
  key: string
  message: string
}

export type Parsed = { configuration: Configuration } | { problems: Problem[] }

type Table = Record<string, unknown>

/** Notes a mistake at a path of the file. */
export type Complain = (path: readonly string[], message: string) => void

/** Checks the text of a configuration file. Pure: nothing that it names is looked at. Errors: none, but `problems`. */
export function parseConfiguration(text: string): Parsed {
  let root: Table
  try {
    root = parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const message = error.message.split('\n', 1)[0]!.replace('Invalid TOML document: ', 'not TOML: ')
    return { problems: [{ line: error.line, key: '', message }] }
  }
  const problems: Problem[] = []
  const complain: Complain = (path, message) =>
    void problems.push({ line: lineOf(text, path), key: keyText(path), message })
  rejectUnknown(root, [], complain)
  const configuration = readConfiguration(root, complain)
  if (problems.length === 0) rejectContradictions(configuration, complain)
  if (problems.length === 0) return { configuration }
  return { problems: problems.sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity)) }
}

function readConfiguration(root: Table, complain: Complain): Configuration {
  const read = <T extends string | number>(setting: Setting<T>, nameOrEntry = '') =>
    readSetting(root, setting, nameOrEntry, complain)
  return {
    station: { name: read(SETTINGS.stationName), runDir: read(SETTINGS.runDir) },
    vault: { dir: read(SETTINGS.vaultDir) },
    links: readLinkNames(root, complain).map((name) => ({
      name,
      device: read(SETTINGS.linkDevice, name),
      baud: read(SETTINGS.linkBaud, name),
    })),
    switch: {
      backend: read(SETTINGS.switchBackend),
      chip: read(SETTINGS.switchChip),
      wiring: read(SETTINGS.switchWiring),
      permitLine: read(SETTINGS.permitLine),
      shutLine: read(SETTINGS.shutLine),
      lampLine: noneIfZero(read(SETTINGS.lampLine)),
      file: read(SETTINGS.switchFile),
    },
    uplink: {
      locals: readLocals(root, complain),
      sshPort: noneIfZero(read(SETTINGS.sshPort)),
      relayLine: noneIfZero(read(SETTINGS.relayLine)),
    },
    guard: {
      runDir: read(SETTINGS.guardRunDir),
      stateDir: read(SETTINGS.guardStateDir),
      token: read(SETTINGS.guardToken),
    },
  }
}

function noneIfZero(value: number): number | null {
  return value === 0 ? null : value
}

function readLocals(root: Table, complain: Complain): LocalInterface[] {
  const list = valueAt(root, ['uplink', 'local'])
  if (!Array.isArray(list)) return []
  if (list.length > MAX_LOCALS)
    complain(['uplink', 'local'], `expected at most ${MAX_LOCALS} interfaces, found ${list.length}`)
  return list.flatMap((entry, at) => (isTable(entry) ? [readLocal(root, String(at), complain)] : []))
}

function readLocal(root: Table, entry: string, complain: Complain): LocalInterface {
  const read = (setting: Setting<string>) => readSetting(root, setting, entry, complain)
  const given = (setting: Setting<string>) =>
    valueAt(root, pathOf(setting.key, entry)) === undefined ? null : read(setting)
  const local = {
    name: read(SETTINGS.localName),
    mac: given(SETTINGS.localMac),
    path: given(SETTINGS.localPath),
    subnet: read(SETTINGS.localSubnet),
  }
  if ((local.mac === null) === (local.path === null))
    complain(
      ['uplink', 'local', entry],
      `expected exactly one of mac and path, found ${local.mac === null ? 'neither' : 'both'}`,
    )
  return local
}

/** The value, or its default. Where there is a mistake the example stands in: the whole is thrown away then. */
function readSetting<T extends string | number>(
  root: Table,
  setting: Setting<T>,
  nameOrEntry: string,
  complain: Complain,
): T {
  const path = pathOf(setting.key, nameOrEntry)
  const value = valueAt(root, path)
  if (value === undefined) {
    if (setting.fallback === undefined)
      complain(path, `required, for example ${JSON.stringify(setting.example)}`)
    return setting.fallback ?? setting.example
  }
  const result = v.safeParse(setting.schema, value)
  if (result.success) return result.output
  complain(path, `expected ${result.issues[0].message}, found ${described(value)}`)
  return setting.example
}

function readLinkNames(root: Table, complain: Complain): string[] {
  const link = root['link'] ?? {}
  if (!isTable(link)) return []
  if (Object.keys(link).length === 0)
    complain(['link'], 'at least one link is required: [link.radio] with a device')
  const names = Object.keys(link).filter((name) => isTable(link[name]))
  if (names.length > MAX_LINKS)
    complain(['link'], `expected at most ${MAX_LINKS} links, found ${names.length}`)
  for (const name of names.filter((each) => !LINK_NAME.test(each)))
    complain(['link', name], `expected ${LINK_NAME_RULE}, found the text ${JSON.stringify(name)}`)
  return names
}

function valueAt(root: Table, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, part) => {
    if (isTable(at)) return at[part]
    return Array.isArray(at) ? (at as unknown[])[Number(part)] : undefined
  }, root)
}

function rejectUnknown(table: Table, path: readonly string[], complain: Complain): void {
  for (const [name, value] of Object.entries(table)) {
    const here = [...path, name]
    const kind = knownKind(here)
    if (kind === 'section' && isTable(value)) rejectUnknown(value, here, complain)
    else if (kind === 'list' && Array.isArray(value)) rejectUnknownEntries(value, here, complain)
    else if (kind === 'section' || kind === 'list')
      complain(here, `expected a ${kind} such as ${sectionExample(here)}, found ${described(value)}`)
    else if (kind === null) complain(here, `unknown key${nearestText(nearestKey(here, isTable(value)))}`)
  }
}

function rejectUnknownEntries(list: readonly unknown[], path: readonly string[], complain: Complain): void {
  for (const [at, entry] of list.entries()) {
    const here = [...path, String(at)]
    if (isTable(entry)) rejectUnknown(entry, here, complain)
    else complain(here, `expected an entry such as ${entryExample(path)}, found ${described(entry)}`)
  }
}

/** The keys of an entry, with examples: `{ name = "eth1", … }`. */
function entryExample(path: readonly string[]): string {
  const prefix = `${path.join('.')}[].`
  const first = ALL_SETTINGS.find(({ key }) => key.startsWith(prefix))
  return `{ ${first?.key.slice(prefix.length)} = ${JSON.stringify(first?.example)}, … }`
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof TomlDate)
}

function described(value: unknown): string {
  if (typeof value === 'string') return `the text ${JSON.stringify(value)}`
  if (typeof value === 'number') return `the number ${value}`
  if (typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return 'a list'
  return value instanceof TomlDate ? 'a date' : 'a section'
}
