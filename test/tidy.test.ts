/** The house is tidy: each rule holds for every file, and each rule is shown a planted violation that it must see. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { REPOSITORY } from './support/groundlock.js'
import * as rules from './support/tidy-rules.js'
import type { SourceFile } from './support/tidy-rules.js'

/** Made, fetched or not ours; the same as .gitignore. */
const NOT_OURS = /^(?:\.git|node_modules(?:\.new)?|dist(?:\.new)?|src\/mavlink\/generated|test\/fixtures)$/

function filesBelow(folder: string): SourceFile[] {
  return readdirSync(join(REPOSITORY, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (NOT_OURS.test(path)) return []
    if (entry.isDirectory()) return filesBelow(path)
    return entry.isFile() ? [{ path, text: readFileSync(join(REPOSITORY, path), 'utf8') }] : []
  })
}

const files = filesBelow('')
const code = files.filter(({ path }) => /\.(?:ts|mjs)$/.test(path))
const source = code.filter(({ path }) => path.startsWith('src/'))
const product = files.filter(({ path }) => /^(?:src|docs|scripts|systemd)\/|^[A-Z-]+(?:\.md)?$/.test(path))
const page = readFileSync(join(REPOSITORY, 'docs', 'faults.md'), 'utf8')
const manifest = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>
}
const dependencies = Object.keys(manifest.dependencies)

const plant = (path: string, text = ''): SourceFile => ({ path, text })
const lines = (count: number, indent = '') => `${indent}  step()\n`.repeat(count)

describe('imports point down the flow', () => {
  it('in every file', () => expect(source.flatMap(rules.importDirection)).toEqual([]))

  it.each([
    ['src/base/x.ts', "import { a } from '../link/frame.js'"],
    ['src/link/x.ts', "import type { a } from '../mavlink/dialect.js'"],
    ['src/link/x.ts', "import {\n  a,\n} from '../storage/ring.js'"],
    ['src/hw/x.ts', "export { a } from '../link/frame.js'"],
    ['src/storage/x.ts', "await import('../forward/client.js')"],
    ['src/storage/x.ts', "new Worker(new URL('../commands/run.js', import.meta.url))"],
    ['src/station.ts', "import './simulator/copter.js'"],
    ['src/mavlink/x.ts', "import { main } from '../main.js'"],
    ['src/attic/x.ts', ''],
  ])('seen: %s %s', (path, text) => expect(rules.importDirection(plant(path, text))).toHaveLength(1))

  it('its own room, and those below, are free', () => {
    const text = "import './ring.js'\nimport { a } from '../link/frame.js'\nimport fs from 'node:fs'"
    expect(rules.importDirection(plant('src/storage/x.ts', text))).toEqual([])
  })
})

describe('the program loads what is installed with it, and SQLite behind one file', () => {
  it('in every file', () => expect(rules.packageImports(source, dependencies)).toEqual([]))

  it('seen', () => {
    const planted = [
      plant('src/a.ts', "import x from 'sqlite3'"),
      plant('src/b.ts', "import y from 'sqlite3'\nimport z from '@a/b/c.js'"),
    ]
    expect(rules.packageImports(planted, ['sqlite3'])).toEqual([
      'src/b.ts: @a/b is no dependency of the package',
      'src/b.ts: another file imports sqlite3 already',
    ])
  })
})

describe('files and functions are short, or say why not', () => {
  it('every file', () => expect(code.flatMap(rules.fileLength)).toEqual([]))
  it('every function', () => expect(source.flatMap(rules.functionLength)).toEqual([]))

  it('seen: a long file', () => {
    expect(rules.fileLength(plant('src/a.ts', lines(400)))).toEqual([])
    expect(rules.fileLength(plant('src/a.ts', lines(401)))).toHaveLength(1)
    expect(rules.fileLength(plant('src/a.ts', `// long because it is a table\n${lines(401)}`))).toEqual([])
  })

  it.each([
    ['function', 'export async function a(b: number): Promise<void> {', '}'],
    ['parameters over several lines', 'function a(\n  b: number,\n): { c: number } {', '}'],
    ['arrow', 'const a = (b: number) => {', '}'],
    ['callback', "it('x', async () => {", '})'],
    ['method', '  private async b<T>(c: T): Promise<T> {', '  }'],
    ['constructor', '  constructor(c: number) {', '  }'],
    ['getter', '  get b(): number {', '  }'],
  ])('seen: a long %s', (_, head, end) => {
    const indent = /^ */.exec(head)![0]
    const whole = (count: number) => `${head}\n${lines(count, indent)}${end}\n`
    expect(rules.functionLength(plant('src/a.ts', whole(68)))).toEqual([])
    expect(rules.functionLength(plant('src/a.ts', whole(69)))).toHaveLength(1)
    const excuse = `${indent}/** Doc. */\n${indent}// long because it is one state machine\n`
    expect(rules.functionLength(plant('src/a.ts', excuse + whole(69)))).toEqual([])
    expect(rules.functionLength(plant('src/a.ts', `${excuse}const z = 1\n${whole(69)}`))).toHaveLength(1)
  })

  it.each([
    'if (a) {',
    'for (const a of b) {',
    'if (\n  a\n) {',
    'export class A {',
    'const a = {',
    'switch (a) {',
  ])('no function: %s', (head) =>
    expect(rules.functionLength(plant('src/a.ts', `${head}\n${lines(99)}}\n`))).toEqual([]),
  )
})

describe('names and words', () => {
  it('file names say what is in them', () => expect(code.flatMap(rules.fileName)).toEqual([]))
  it('every source says its noun first', () => expect(source.flatMap(rules.headComment)).toEqual([]))
  it('no word that promises too much', () => expect(product.flatMap(rules.forbiddenWords)).toEqual([]))
  it('no place of one machine', () => expect(files.flatMap(rules.foreignPlaces)).toEqual([]))

  it.each(['src/utils.ts', 'src/a/link-manager.ts', 'src/a/index.ts', 'test/support/helpers.ts'])(
    'seen: %s',
    (path) => expect(rules.fileName(plant(path))).toHaveLength(1),
  )

  it('seen: a head without its noun', () => {
    expect(rules.headComment(plant('src/a.ts', 'export const a = 1\n'.repeat(8) + '/** A. */'))).toHaveLength(
      1,
    )
  })

  it.each([
    ['README.md', 'a Kill-Switch'],
    ['docs/a.md', 'it is air-gapped'],
    ['src/link/a.ts', 'let lostPackets = 0'],
  ])('seen: %s: %s', (path, text) => expect(rules.forbiddenWords(plant(path, text))).toHaveLength(1))

  it('a packet is IP, and may be called so', () => {
    const text =
      "// §packet signing, see #packet_format\n'a pcapng capture; extract its packets'\n// one IP packet"
    expect(rules.forbiddenWords(plant('src/link/a.ts', text))).toEqual([])
  })

  it.each([
    [['', 'work', 'main'].join('/')],
    [['registry', 'example', 'org'].join('.')],
    [JSON.stringify({ resolved: 'x' })],
  ])('seen: %s', (text) => expect(rules.foreignPlaces(plant('docs/a.md', `see ${text}`))).toHaveLength(1))
})

describe('docs/faults.md has every fault that a person can meet', () => {
  it('once, and no other', () => expect(rules.faultRows(source, page)).toEqual([]))

  it('seen', () => {
    const planted = [plant('src/a.ts', "code: 'GL-LINK-01'"), plant('src/b.ts', "code: 'GL-LINK-02'")]
    expect(
      rules.faultRows(planted, '| `GL-LINK-01` | a |\n| GL-LINK-01 | b |\n| GL-LINK-03 | c |\n'),
    ).toEqual([
      'GL-LINK-02 is not in docs/faults.md',
      'docs/faults.md has GL-LINK-03, which no source uses',
      'docs/faults.md has GL-LINK-01 twice',
    ])
  })
})

describe('the linter', () => {
  const oxlint = join(REPOSITORY, 'node_modules', '.bin', 'oxlint')

  it.runIf(existsSync(oxlint))('sees what it is there for', () => {
    const folder = mkdtempSync(join(tmpdir(), 'groundlock-lint-'))
    const options = { strict: true, module: 'nodenext', target: 'es2023', types: [] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options }))
    const planted = readFileSync(join(REPOSITORY, 'test', 'support', 'planted.txt'), 'utf8')
    writeFileSync(join(folder, 'planted.ts'), planted)
    const args = ['-c', join(REPOSITORY, '.oxlintrc.json'), '--type-aware', '-f', 'unix', folder]
    const { stdout } = spawnSync(oxlint, args, { encoding: 'utf8' })
    rmSync(folder, { recursive: true })
    const missed = planted.split('\n').flatMap((line, index) => {
      const rule = / \/\/ ([\w-]+)$/.exec(line)?.[1]
      const seen =
        rule === undefined ||
        stdout
          .split('\n')
          .some((each) => each.includes(`planted.ts:${index + 1}:`) && each.includes(`(${rule})`))
      return seen ? [] : [line]
    })
    expect(missed).toEqual([])
  })
})
