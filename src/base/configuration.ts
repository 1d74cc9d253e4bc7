/**
 * Configuration: what the integrator has decided, checked against the settings table.
 * Guarantees: a `Configuration` holds no value that the table does not allow, and every default is filled in;
 * a text with mistakes yields all of them at once, each with its line where one can be named.
 */
import { TomlDate, TomlError, parse } from 'smol-toml'
import * as v from 'valibot'
import {
  LINK_NAME,
  LINK_NAME_RULE,
  MAX_LINKS,
  SETTINGS,
  knownKind,
  nearestKey,
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

export interface Configuration {
  station: { name: string; runDir: string }
  vault: { dir: string }
  links: LinkConfiguration[]
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
type Complain = (path: readonly string[], message: string) => void

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
    void problems.push({ line: lineOf(text, path), key: path.join('.'), message })
  rejectUnknown(root, [], complain)
  const configuration = readConfiguration(root, complain)
  if (problems.length === 0) rejectSharedDevices(configuration.links, complain)
  if (problems.length === 0) return { configuration }
  return { problems: problems.sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity)) }
}

function readConfiguration(root: Table, complain: Complain): Configuration {
  const read = <T extends string | number>(setting: Setting<T>, linkName = '') =>
    readSetting(root, setting, linkName, complain)
  return {
    station: { name: read(SETTINGS.stationName), runDir: read(SETTINGS.runDir) },
    vault: { dir: read(SETTINGS.vaultDir) },
    links: readLinkNames(root, complain).map((name) => ({
      name,
      device: read(SETTINGS.linkDevice, name),
      baud: read(SETTINGS.linkBaud, name),
    })),
  }
}

/** The value, or its default. Where there is a mistake the example stands in: the whole is thrown away then. */
function readSetting<T extends string | number>(
  root: Table,
  setting: Setting<T>,
  linkName: string,
  complain: Complain,
): T {
  const path = setting.key.split('.').map((part) => (part === '*' ? linkName : part))
  const value = path.reduce<unknown>((at, part) => (isTable(at) ? at[part] : undefined), root)
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

function rejectUnknown(table: Table, path: readonly string[], complain: Complain): void {
  for (const [name, value] of Object.entries(table)) {
    const here = [...path, name]
    const kind = knownKind(here)
    if (kind === 'section' && isTable(value)) rejectUnknown(value, here, complain)
    else if (kind === 'section')
      complain(here, `expected a section such as ${sectionExample(here)}, found ${described(value)}`)
    else if (kind === null)
      complain(
        here,
        `unknown key; the nearest known one is ${nearestKey(here, isTable(value) ? 'section' : 'value')}`,
      )
  }
}

/** Two links on one device would steal each other's bytes. */
function rejectSharedDevices(links: readonly LinkConfiguration[], complain: Complain): void {
  for (const [index, { name, device }] of links.entries()) {
    const first = links.slice(0, index).find((link) => link.device === device)
    if (first) complain(['link', name, 'device'], `${device} is already the device of link.${first.name}`)
  }
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
