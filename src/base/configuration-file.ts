/**
 * Configuration file: where the configuration lies, and what a person reads when it cannot be used.
 * Errors: `Fault` GL-CONF-01 no such file, GL-CONF-02 not readable, GL-CONF-03 not valid (all mistakes in one).
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { parseConfiguration, type Configuration, type Problem } from './configuration.js'
import { Fault, errnoOf, reasonOf } from './fault.js'

export const CONFIGURATION_PATH = '/etc/groundlock/groundlock.toml'

/** Far above any real file, so that a device or a log given by mistake ends soon (bytes). */
const MAX_FILE_BYTES = 65_536

const EXPLAIN = '`groundlock config explain` lists every key.'

export function loadConfiguration(path: string): Configuration {
  const parsed = parseConfiguration(readConfigurationText(path))
  if ('problems' in parsed) throw invalidFault(path, parsed.problems)
  return parsed.configuration
}

/** What is configured; the defaults and no link where the file cannot be used, and why it cannot. */
export interface FoundConfiguration {
  configuration: Configuration
  /** Null where the file is used. */
  trouble: string | null
}

/** For who looks at a machine also where nothing, or nothing usable, is configured. Errors: none. */
export function configurationOrDefaults(path: string): FoundConfiguration {
  try {
    const parsed = parseConfiguration(readConfigurationText(path))
    if ('configuration' in parsed) return { configuration: parsed.configuration, trouble: null }
    const [first] = parsed.problems
    const where = first?.line === null ? '' : ` in line ${first?.line}`
    const trouble = `${path} has a mistake${where}: ${first?.key} ${first?.message}`
    return { configuration: defaultConfiguration(), trouble }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { configuration: defaultConfiguration(), trouble: error.message }
  }
}

function defaultConfiguration(): Configuration {
  const parsed = parseConfiguration('[link.none]\ndevice = "/dev/null"\n')
  if ('problems' in parsed) throw new Error('the defaults are no configuration')
  return { ...parsed.configuration, links: [] }
}

/** The text of the file, without a byte order mark. Errors: `Fault` GL-CONF-01, GL-CONF-02. */
export function readConfigurationText(path: string): string {
  try {
    const bytes = readAtMost(path, MAX_FILE_BYTES + 1)
    if (bytes.length > MAX_FILE_BYTES) throw new Error(`larger than ${MAX_FILE_BYTES} bytes`)
    return bytes.toString('utf8').replace(/^\uFEFF/, '')
  } catch (cause) {
    throw errnoOf(cause) === 'ENOENT' ? missingFault(path, cause) : unreadableFault(path, cause)
  }
}

function readAtMost(path: string, maxBytes: number): Buffer {
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(maxBytes)
    let length = 0
    while (length < maxBytes) {
      const got = readSync(fd, bytes, length, maxBytes - length, null)
      if (got === 0) break
      length += got
    }
    return bytes.subarray(0, length)
  } finally {
    closeSync(fd)
  }
}

/** The one fault that lists everything wrong with a file. */
export function invalidFault(path: string, problems: readonly Problem[]): Fault {
  return new Fault({
    code: 'GL-CONF-03',
    op: 'use the configuration',
    subject: path,
    found: problems.length === 1 ? 'it has a mistake' : `it has ${problems.length} mistakes`,
    hint: [...problems.map(problemLine), EXPLAIN].join('\n'),
    recovery: 'user',
  })
}

function problemLine({ line, key, message }: Problem): string {
  return `${line === null ? '' : `line ${line}: `}${key === '' ? '' : `${key}: `}${message}`
}

function missingFault(path: string, cause: unknown): Fault {
  return new Fault({
    code: 'GL-CONF-01',
    op: 'read the configuration',
    subject: path,
    found: 'no such file',
    hint:
      'Name another with --config FILE, or make it; this is enough for a first one:\n' +
      `  [link.radio]\n  device = "/dev/ttyUSB0"\n${EXPLAIN}`,
    recovery: 'user',
    cause,
  })
}

function unreadableFault(path: string, cause: unknown): Fault {
  return new Fault({
    code: 'GL-CONF-02',
    op: 'read the configuration',
    subject: path,
    found: reasonOf(cause),
    hint: `It must be a plain text file that this user may read; see: ls -l ${path}`,
    recovery: 'user',
    cause,
  })
}
