/** What a person may rely on of what `export` writes: it is there whole or not at all, and replaces nothing unasked. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, readdirSync, readlinkSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { EXIT_CODE } from '../../src/commands/exit-code.js'
import { Fault } from '../../src/base/fault.js'
import { OutputFiles, OutputFolder } from '../../src/storage/export/output.js'
import { FRAME } from '../../src/storage/segment/records.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { HEARTBEAT, known } from '../support/frames.js'
import { GROUNDLOCK, groundlock } from '../support/groundlock.js'
import type { TestRecord } from '../support/recordings.js'
import { storeFlight } from '../support/stored-flight.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { longRecording, readTlog } from '../support/tlog.js'

const folder = temporaryFolder('export-output')
const vaultDir = join(folder, 'vault')
const vault = Vault.openOrCreate(vaultDir)
const SHORT = 'short'

beforeAll(async () => {
  const records = [0, 1, 2, 3, 4].map((seq): TestRecord => ({
    kind: FRAME,
    link: 0,
    timeUs: BigInt(seq),
    bytes: known(HEARTBEAT, { seq }),
  }))
  await storeFlight(vault, { head: { id: SHORT, links: ['radio'] }, segments: [records] })
})

describe('what is there already', () => {
  const into = (out: string, format: string, ...more: string[]) =>
    groundlock(['export', SHORT, '--vault', vaultDir, '--format', format, '--out', out, ...more])

  test('is left alone, unless --force says otherwise', () => {
    const out = join(folder, 'mine.tlog')
    writeFileSync(out, 'mine')
    expect(into(out, 'tlog')).toMatchObject({
      code: EXIT_CODE.fault,
      stderr: expect.stringContaining('GL-EXPORT-01'),
    })
    expect(readFileSync(out, 'utf8')).toBe('mine')
    expect(into(out, 'tlog', '--force').code).toBe(EXIT_CODE.ok)
    expect(readTlog(readFileSync(out))).toHaveLength(5)
  })

  test('a folder is replaced only if it is an earlier export', () => {
    const out = join(folder, 'tables')
    mkdirSync(out)
    writeFileSync(join(out, 'OLD.csv'), 'old')
    writeFileSync(join(out, 'diary.txt'), 'mine')
    expect(into(out, 'csv', '--force').code).toBe(EXIT_CODE.fault)
    expect(readdirSync(out).toSorted()).toEqual(['OLD.csv', 'diary.txt'])
    const tables = join(folder, 'earlier')
    expect(into(tables, 'csv').code).toBe(EXIT_CODE.ok)
    writeFileSync(join(tables, 'OLD.csv'), 'old')
    expect(into(tables, 'csv', '--force').code).toBe(EXIT_CODE.ok)
    expect(readdirSync(tables)).toEqual(['HEARTBEAT.csv'])
  })

  test('a device is never replaced', () => {
    expect(into('/dev/null', 'tlog', '--force')).toMatchObject({
      code: EXIT_CODE.fault,
      stderr: expect.stringContaining('there is a device of that name'),
    })
  })
})

describe('an export that does not come to its end leaves nothing', () => {
  const long = join(folder, 'long.tlog')
  let id = ''

  beforeAll(() => {
    writeFileSync(long, longRecording(400_000))
    const { stdout } = groundlock(['import', long, '--vault', vaultDir, '--json'])
    id = (JSON.parse(stdout) as { id: string }[])[0]!.id
  })

  test.each([
    ['SIGINT', 'csv', EXIT_CODE.interrupted],
    ['SIGINT', 'tlog', EXIT_CODE.interrupted],
    ['SIGTERM', 'tlog', EXIT_CODE.terminated],
  ] as const)('%s while %s is written', async (signal, format, exitCode) => {
    const place = join(folder, `${signal}-${format}`)
    mkdirSync(place)
    const begun = once(watch(place), 'change')
    const args = ['export', id, '--vault', vaultDir, '--format', format, '--out', join(place, 'out')]
    const child = spawn(GROUNDLOCK, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (data) => (stderr += String(data)))
    await begun
    child.kill(signal)
    const [code] = (await once(child, 'close')) as [number]
    expect({ code, stderr }).toEqual({
      code: exitCode,
      stderr: 'Interrupted; nothing is left half-written.\n',
    })
    expect(readdirSync(place)).toEqual([])
  })

  test('Ctrl-C while the standard output is written: what was read is not taken back, and not said to be', async () => {
    const args = ['export', id, '--vault', vaultDir, '--format', 'tlog', '--out', '-']
    const child = spawn(GROUNDLOCK, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (data) => (stderr += String(data)))
    // Nobody reads on, so that it cannot come to its end.
    await once(child.stdout, 'readable')
    child.kill('SIGINT')
    await once(child.stderr, 'data')
    child.stdout.resume()
    const [code] = (await once(child, 'close')) as [number]
    expect({ code, stderr }).toEqual({
      code: EXIT_CODE.interrupted,
      stderr: 'Interrupted; what went to the standard output is not all.\n',
    })
  })

  test('a disk that takes no more', () => {
    const place = join(folder, 'full')
    mkdirSync(place)
    // 512 kB is as much as this shell's children may write to a file.
    const command = `trap '' XFSZ; ulimit -f 512; exec "$0" "$@"`
    const args = ['export', id, '--vault', vaultDir, '--format', 'tlog', '--out', join(place, 'out')]
    const { status, stderr } = spawnSync('bash', ['-c', command, GROUNDLOCK, ...args], { encoding: 'utf8' })
    expect(stderr).toMatch(/^GL-EXPORT-02 {2}cannot write .*out: .*\n {14}Nothing is left of this export/)
    expect(status).toBe(EXIT_CODE.fault)
    expect(readdirSync(place)).toEqual([])
  })

  test('a folder that is not there', () => {
    const args = [
      'export',
      id,
      '--vault',
      vaultDir,
      '--format',
      'csv',
      '--out',
      join(folder, 'absent', 'out'),
    ]
    expect(groundlock(args)).toMatchObject({
      code: EXIT_CODE.fault,
      stderr: expect.stringContaining('there is no such folder'),
    })
  })
})

describe('an output that fails', () => {
  test('names the files that it had published, and leaves nothing else', () => {
    const place = join(folder, 'half')
    mkdirSync(place)
    const output = new OutputFiles(false)
    for (const name of ['a', 'b', 'c']) output.create(join(place, name)).write(Buffer.from(name))
    // A folder in its place: the second file cannot get its name.
    mkdirSync(join(place, 'b'))
    const fault = faultOf(() => output.commit())
    output.discard()
    expect(fault.message).toContain(`cannot write ${join(place, 'b')}`)
    expect(fault.hint).toContain(`nothing is left but what is whole already: ${join(place, 'a')}.`)
    expect(readdirSync(place).toSorted()).toEqual(['a', 'b'])
    expect(readFileSync(join(place, 'a'), 'utf8')).toBe('a')
  })

  test('holds no file open', () => {
    const place = join(folder, 'dropped')
    mkdirSync(place)
    const files = new OutputFiles(false)
    files.create(join(place, 'one'))
    const tables = new OutputFolder(join(place, 'tables'), false)
    tables.create('two.csv')
    expect(openUnder(place)).toHaveLength(2)
    files.discard()
    tables.discard()
    expect(openUnder(place)).toEqual([])
    expect(readdirSync(place)).toEqual([])
  })
})

describe('an export that is killed', () => {
  const dead = spawnSync('true').pid
  const NOBODYS = 2 ** 30

  test('leaves a partial file, which the next to that place removes', async () => {
    const place = join(folder, 'killed')
    mkdirSync(place)
    const begun = once(watch(place), 'change')
    const args = ['--vault', vaultDir, '--format', 'tlog', '--out', join(place, 'out')]
    const long = join(folder, 'killed.tlog')
    writeFileSync(long, longRecording(400_001))
    const { stdout } = groundlock(['import', long, '--vault', vaultDir, '--json'])
    const [{ id }] = JSON.parse(stdout) as [{ id: string }]
    const child = spawn(GROUNDLOCK, ['export', id, ...args], { stdio: 'ignore' })
    await begun
    child.kill('SIGKILL')
    await once(child, 'close')
    expect(readdirSync(place)).toEqual([`.out.partial-${child.pid}`])
    expect(groundlock(['export', SHORT, ...args]).code).toBe(EXIT_CODE.ok)
    expect(readdirSync(place)).toEqual(['out'])
  })

  test.each(['tlog', 'csv'])('and nothing else that bears such a name is touched: %s', (format) => {
    const place = join(folder, `names-${format}`)
    mkdirSync(place)
    const stale = [`.out.partial-${dead}`, `.out.partial-${NOBODYS}`]
    const kept = [
      `.out.partial-${process.pid}`,
      `.other.partial-${dead}`,
      `.out.partial-${dead}-old`,
      `.out.partial-${dead}x`,
      `.out.partial-`,
      `out.partial-${dead}`,
    ]
    for (const name of [...stale, ...kept]) writeFileSync(join(place, name), 'cut')
    mkdirSync(join(place, '.out.partial-999999998'))
    writeFileSync(join(place, '.out.partial-999999998', 'HEARTBEAT.csv'), 'cut')
    mkdirSync(join(place, '.out.partial-999999999'))
    writeFileSync(join(place, '.out.partial-999999999', 'diary.txt'), 'mine')
    const args = ['export', SHORT, '--vault', vaultDir, '--format', format, '--out', join(place, 'out')]
    expect(groundlock(args).code).toBe(EXIT_CODE.ok)
    expect(readdirSync(place).toSorted()).toEqual([...kept, '.out.partial-999999999', 'out'].toSorted())
  })

  test('what it was about to replace is removed only when its place is taken', () => {
    const place = join(folder, 'replacing')
    const old = join(place, `.out.partial-${dead}-old`)
    mkdirSync(old, { recursive: true })
    writeFileSync(join(old, 'HEARTBEAT.csv'), 'earlier')
    const args = ['export', SHORT, '--vault', vaultDir, '--format', 'csv', '--out', join(place, 'out')]
    expect(groundlock(args).code).toBe(EXIT_CODE.ok)
    expect(readFileSync(join(old, 'HEARTBEAT.csv'), 'utf8')).toBe('earlier')
    expect(groundlock([...args, '--force']).code).toBe(EXIT_CODE.ok)
    expect(readdirSync(place)).toEqual(['out'])
  })
})

function faultOf(work: () => unknown): Fault {
  try {
    work()
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
  throw new Error('no fault')
}

/** The files under the folder that this process holds open, removed ones too. */
function openUnder(place: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(join('/proc/self/fd', fd))
      return path.startsWith(`${place}/`) ? [path] : []
    } catch {
      // The descriptor that listed the folder.
      return []
    }
  })
}
