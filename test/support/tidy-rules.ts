/**
 * Tidy rules: what a reviewer would tire of. Each takes texts and yields violations as lines to read; none touches
 * the disk, so each can be shown a planted violation. What a linter can say is in .oxlintrc.json instead.
 */
import { posix } from 'node:path'

export interface SourceFile {
  /** From the top of the repository, with slashes: `src/link/frame.ts`. */
  path: string
  text: string
}

const MAX_FILE_LINES = 400
const MAX_FUNCTION_LINES = 70
/** Lines in which a file has said what its one noun is. */
const HEAD_LINES = 8

/** What each room may import besides itself: base ← link ← mavlink ← storage ← forward ← the roots ← commands. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  link: ['base'],
  mavlink: ['base', 'link'],
  storage: ['base', 'link', 'mavlink'],
  forward: ['base', 'link', 'mavlink', 'storage'],
  hw: ['base'],
  ledger: ['base'],
  simulator: ['base', 'link', 'mavlink'],
  station: ['base', 'link', 'mavlink', 'storage', 'forward', 'hw'],
  guard: ['base', 'hw', 'ledger'],
  doctor: ['base', 'hw'],
  commands: [
    'base',
    'link',
    'mavlink',
    'storage',
    'forward',
    'hw',
    'ledger',
    'simulator',
    'station',
    'guard',
    'doctor',
  ],
  main: ['base', 'commands'],
}

const IMPORT =
  /^(?:import '|(?:import|export|\}).* from ')([^']+)'|import\('([^']+)'\)|new URL\('([^']+\.js)'/gm

function importsOf({ text }: SourceFile): string[] {
  return [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? match[3] ?? '')
}

/** `src/link/frame.ts` → link, `src/station.ts` → station. */
function roomOf(path: string): string {
  return (path.split('/')[1] ?? '').replace(/\.[jt]s$/, '')
}

export function importDirection(file: SourceFile): string[] {
  const room = roomOf(file.path)
  const allowed = MAY_IMPORT[room]
  if (allowed === undefined) return [`${file.path}: '${room}' is no room of the house`]
  return importsOf(file)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => roomOf(posix.join(posix.dirname(file.path), specifier)))
    .filter((target) => target !== room && !allowed.includes(target))
    .map((target) => `${file.path}: ${room} must not import ${target}`)
}

/** Packages that the program loads have to be installed with it; and SQLite stays behind one file. */
export function packageImports(files: readonly SourceFile[], dependencies: readonly string[]): string[] {
  const uses = files.flatMap((file) =>
    importsOf(file)
      .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
      .map((specifier) => ({
        path: file.path,
        name: specifier
          .split('/')
          .slice(0, specifier.startsWith('@') ? 2 : 1)
          .join('/'),
      })),
  )
  const undeclared = uses.filter(({ name }) => !dependencies.includes(name))
  const [, ...more] = new Set(uses.filter(({ name }) => name === 'sqlite3').map(({ path }) => path))
  return [
    ...undeclared.map(({ path, name }) => `${path}: ${name} is no dependency of the package`),
    ...more.map((path) => `${path}: another file imports sqlite3 already`),
  ]
}

export function fileLength({ path, text }: SourceFile): string[] {
  const lines = text.trimEnd().split('\n')
  const excused = lines.some((line) => line.startsWith('// long because '))
  return lines.length > MAX_FILE_LINES && !excused
    ? [`${path}: ${lines.length} lines (at most ${MAX_FILE_LINES})`]
    : []
}

/**
 * Reads the formatter's layout, not the grammar: a function's head ends in `{`, and its end is the next line at the
 * same indent that begins with `}`. `prettier --check` runs before the tests, so that layout can be relied on.
 */
export function functionLength({ path, text }: SourceFile): string[] {
  const lines = text.split('\n')
  return lines.flatMap((line, index) => {
    if (!opensFunction(lines, index)) return []
    const indent = indentOf(line)
    const length = lines.slice(index).findIndex((end, at) => at > 0 && end.startsWith(`${indent}}`)) + 1
    if (length <= MAX_FUNCTION_LINES || excuseAbove(lines, headOf(lines, index))) return []
    return [`${path}:${index + 1}: a function of ${length} lines (at most ${MAX_FUNCTION_LINES})`]
  })
}

const CONTROL = /^\s*(?:\} )?(?:if|else|for|while|switch|catch|with|do|try|finally)\b/
const METHOD =
  /^\s*(?:(?:static|async|override|private|protected|public|get|set) )*[*#]?[\w$]+(?:<.*>)?\(.*\)(?:: .+)? \{$/

function opensFunction(lines: readonly string[], index: number): boolean {
  const head = lines[headOf(lines, index)]!
  const line = lines[index]!
  if (!line.endsWith('{') || CONTROL.test(head)) return false
  return (
    line.endsWith('=> {') ||
    /\bfunction\b/.test(head) ||
    /^\s*\)(?:: .+)? \{$/.test(line) ||
    METHOD.test(line)
  )
}

/** The first line of a head that is spread over several: `push(`, … `): void {`. */
function headOf(lines: readonly string[], index: number): number {
  const line = lines[index]!
  if (!/^\s*\)/.test(line)) return index
  const above = lines
    .slice(0, index)
    .findLastIndex((each) => each !== '' && indentOf(each) === indentOf(line))
  return above === -1 ? index : above
}

function excuseAbove(lines: readonly string[], head: number): boolean {
  const comments = lines.slice(0, head).reverse()
  const end = comments.findIndex((line) => !/^\s*(?:\/\/|\/?\*)/.test(line))
  return comments.slice(0, end === -1 ? undefined : end).some((line) => /^\s*\/\/ long because /.test(line))
}

function indentOf(line: string): string {
  return /^ */.exec(line)![0]
}

export function fileName({ path }: SourceFile): string[] {
  const words = posix.basename(path).split('.')[0]!.split('-')
  const empty = words.filter((word) => /^(?:utils?|helpers?|common|managers?|misc|index)$/.test(word))
  return empty.map((word) => `${path}: '${word}' says nothing of what is in it`)
}

export function headComment({ path, text }: SourceFile): string[] {
  const head = text.split('\n', HEAD_LINES)
  return head.some((line) => line.startsWith('/**'))
    ? []
    : [`${path}: no doc comment in the first ${HEAD_LINES} lines`]
}

/**
 * Claims that we never make; and in the MAVLink rooms a frame is a frame, for a packet is IP (which a line about pcap
 * or IP may say; titles and addresses of the specification are excepted too).
 */
export function forbiddenWords({ path, text }: SourceFile): string[] {
  const claims = text.match(/kill[ -]switch|air[ -]gapped|unhackable|tamper[ -]proof/gi) ?? []
  const mavlink = /^src\/(?:link|mavlink|storage)\//.test(path)
  const packets = mavlink ? (text.match(/(?<!\bpcap(?:ng)? .*|\bIP |[§/#])packets?/gi) ?? []) : []
  return [...claims, ...packets].map((word) => `${path}: the word '${word}'`)
}

/** Paths and hosts of the machine that it was written on mean nothing elsewhere. */
export function foreignPlaces({ path, text }: SourceFile): string[] {
  const found =
    text.match(/(?<![\w.-])\/(?:work|farm)\/\S*|\bregistry\.[a-z0-9-]+\.[a-z]+|"resolved"\s*:\s*".*"/g) ?? []
  return found.map((place) => `${path}: ${place}`)
}

/** Each fault code of the source has one row in the page of faults, and each row a code. */
export function faultRows(sources: readonly SourceFile[], page: string): string[] {
  const used = new Set(sources.flatMap(({ text }) => text.match(/\bGL-[A-Z]+-\d\d\b/g) ?? []))
  const rows = [...page.matchAll(/^\| `?(GL-[A-Z]+-\d\d)\b/gm)].map((match) => match[1]!)
  return [
    ...[...used].filter((code) => !rows.includes(code)).map((code) => `${code} is not in docs/faults.md`),
    ...rows
      .filter((code) => !used.has(code))
      .map((code) => `docs/faults.md has ${code}, which no source uses`),
    ...rows.filter((code, at) => rows.indexOf(code) !== at).map((code) => `docs/faults.md has ${code} twice`),
  ]
}
