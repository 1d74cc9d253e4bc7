/** What a person may rely on of `import` with a folder of hundreds of files: each is done, or said why not, once. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT_CODE } from '../../src/commands/exit-code.js'
import { progressText } from '../../src/commands/progress-line.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { importFile } from '../../src/storage/import/import.js'
import { listRecordings } from '../../src/storage/import/recording-list.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { HEARTBEAT, filler, known } from '../support/frames.js'
import { GROUNDLOCK, groundlock } from '../support/groundlock.js'
import { amount, randomFor } from '../support/soak.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { longRecording, tlogRecord } from '../support/tlog.js'

const folder = temporaryFolder('import-many')
const COUNT = amount(300, 3_000)
/** 2024-01-01, µs. */
const START_US = 1_704_067_200_000_000n

const random = randomFor('import-many')

/** A recording that no other is like. */
function recording(number: number): Buffer {
  const beats = Array.from({ length: 5 + Math.floor(random() * 200) }, (_, i) => {
    const beat = known(HEARTBEAT, { seq: i & 0xff })
    return number % 3 === 0
      ? beat
      : tlogRecord(START_US + BigInt(number) * 86_400_000_000n + BigInt(i) * 1_000_000n, beat)
  })
  // A raw stream has no times to differ by.
  return Buffer.concat([...beats, filler(20, number + 1)])
}

interface Said {
  file: string
  status: string
  id: string
  fault: string
}

const flightsOf = (vault: string): string[] => readdirSync(join(vault, 'flights'))

describe('a folder of recordings, with all that lies in such folders', () => {
  const place = join(folder, 'stick')
  const vault = join(folder, 'vault')
  const good: string[] = []
  const bad = new Map<string, string>()
  const copies: string[] = []

  beforeAll(() => {
    for (let n = 0; n < COUNT; n++) {
      const own = join(place, ['2023', '2024/spring', '.'][n % 3]!)
      mkdirSync(own, { recursive: true })
      const path = join(own, `${String(n).padStart(4, '0')}.${n % 3 === 0 ? 'RAW' : 'tlog'}`)
      writeFileSync(path, recording(n))
      good.push(path)
    }
    for (const n of [3, 7]) {
      copies.push(join(place, `zz copy of ${n}.tlog`))
      copyFileSync(good[n]!, copies.at(-1)!)
    }
    const put = (name: string, bytes: string | Uint8Array, fault?: string): void => {
      writeFileSync(join(place, name), bytes)
      if (fault !== undefined) bad.set(join(place, name), fault)
    }
    put('empty.tlog', '', 'GL-IMPORT-02')
    put('text.tlog', 'Dear pilot', 'GL-IMPORT-02')
    put('0000 zeros.tlog', new Uint8Array(100_000), 'GL-IMPORT-02')
    put('dataflash.bin', Uint8Array.from([0xa3, 0x95, 1, 2]))
    put('other.bin', Uint8Array.from([0xa3, 0x95, 1, 2]))
    put('notes', 'mine')
    put('._0001.tlog', filler(300))
    mkdirSync(join(place, '.Trash'))
    copyFileSync(good[0]!, join(place, '.Trash', 'gone.tlog'))
    symlinkSync(place, join(place, 'loop'))
    symlinkSync(join(place, 'absent'), join(place, 'dangling.tlog'))
    bad.set(join(folder, 'absent.tlog'), 'GL-IMPORT-01')
  })

  const run = (...more: string[]): ReturnType<typeof groundlock> =>
    groundlock(['import', place, join(folder, 'absent.tlog'), '--vault', vault, ...more])

  test('each good one is imported, each bad one is said why not, a copy is there already', () => {
    const { code, stdout, stderr } = run('--json')
    expect(code).toBe(EXIT_CODE.fault)
    const said = JSON.parse(stdout) as Said[]
    const filesOf = (status: string): string[] =>
      said
        .filter((each) => each.status === status)
        .map(({ file }) => join(file))
        .toSorted()
    expect(filesOf('already there')).toEqual(copies.toSorted())
    expect(filesOf('imported')).toEqual(good.map((path) => join(path)).toSorted())
    expect(new Map(said.filter(({ fault }) => fault).map(({ file, fault }) => [file, fault]))).toEqual(bad)
    expect(flightsOf(vault)).toHaveLength(COUNT)
    // At the end all that failed stands together.
    const end = stderr.split('\n').slice(-bad.size - 2)
    expect(end[0]).toBe(`${bad.size} of ${COUNT + copies.length + bad.size} files could not be imported.`)
    for (const [file, fault] of bad) expect(end.join('\n')).toContain(`  ${fault}  ${file}: `)
    const some = said.find(({ file }) => file === good[4])!
    const out = join(folder, 'again')
    groundlock(['export', some.id, '--vault', vault, '--format', 'original', '--out', out])
    expect(readFileSync(out).equals(readFileSync(good[4]!))).toBe(true)
  })

  test('a second run leaves all of it alone, and sums up', () => {
    const before = flightsOf(vault)
    const { code, stdout } = run()
    expect(code).toBe(EXIT_CODE.fault)
    const lines = stdout.trimEnd().split('\n')
    expect(lines.slice(-3)).toEqual([
      expect.stringMatching(
        new RegExp(
          `^${(COUNT + 5 + 1).toLocaleString('en-US')} files in \\d+:\\d\\d: 0 imported, ${(COUNT + 2).toLocaleString('en-US')} in the vault already, 4 failed$`,
        ),
      ),
      '0 messages; 0 B stored in 0 B',
      '6 other files in the folders were left out: 2 .bin, 2 without an ending, 1 hidden, 1 no plain file',
    ])
    // One line a file, not two.
    expect(lines).toHaveLength(COUNT + 2 + 3)
    expect(flightsOf(vault)).toEqual(before)
  })

  test('no file stays open', async () => {
    const open = (): number => readdirSync('/proc/self/fd').length
    const options = {
      vault: Vault.openOrCreate(join(folder, 'vault-open')),
      station: 'test-0000',
      dialect: loadDialect(),
      format: 'auto' as const,
    }
    const all = [...good.slice(0, 40), ...bad.keys()]
    const importAll = async (paths: readonly string[]): Promise<void> => {
      for (const path of paths) await importFile(path, options).catch(() => {})
    }
    // The first takes what stays for good: the pools of SQLite and the compressor.
    await importAll(good.slice(40, 42))
    const before = open()
    await importAll(all)
    expect(open()).toBeLessThanOrEqual(before)
    expect(flightsOf(join(folder, 'vault-open'))).toHaveLength(42)
  })
})

test('Ctrl-C in the middle keeps what is done, and the next run does the rest', async () => {
  const place = join(folder, 'interrupted')
  const vault = join(folder, 'vault-interrupted')
  mkdirSync(place)
  mkdirSync(join(vault, 'flights'), { recursive: true })
  const files = 200
  for (let n = 0; n < files; n++) writeFileSync(join(place, `${n}.tlog`), recording(10_000 + n))
  const child = spawn(GROUNDLOCK, ['import', place, '--vault', vault], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stderr = ''
  let stdout = ''
  child.stderr.on('data', (data) => (stderr += String(data)))
  child.stdout.on('data', (data) => (stdout += String(data)))
  const watcher = watch(join(vault, 'flights'))
  const seen = new Set<string>()
  await new Promise<void>((resolve) => {
    watcher.on('change', (_, name) => {
      if (String(name).endsWith('.glk')) seen.add(String(name))
      if (seen.size === 5) resolve()
    })
  })
  watcher.close()
  child.kill('SIGINT')
  const [code] = (await once(child, 'close')) as [number]
  expect(code).toBe(EXIT_CODE.interrupted)
  const there = flightsOf(vault)
  expect(there.filter((name) => !name.endsWith('.glk'))).toEqual([])
  expect(there.length).toBeGreaterThanOrEqual(5)
  expect(there.length).toBeLessThan(files)
  expect(stdout).toContain(`${there.length} imported`)
  expect(stderr).toContain(
    `${there.length} of ${files} files were done, and stay. Run the same command again to go on`,
  )
  const again = groundlock(['import', place, '--vault', vault])
  expect(again.code).toBe(EXIT_CODE.ok)
  expect(again.stdout).toContain(`${files - there.length} imported, ${there.length} in the vault already`)
  expect(flightsOf(vault)).toHaveLength(files)
})

describe('a vault that is full', () => {
  const place = join(folder, 'full')
  const vault = join(folder, 'small-disk')
  mkdirSync(vault)
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', vault])
  afterAll(() => {
    if (status === 0) spawnSync('umount', [vault])
  })

  test.skipIf(status !== 0)('(mounted by root) stops the rest, and what is done stays', () => {
    mkdirSync(place)
    for (let n = 0; n < 8; n++) writeFileSync(join(place, `small-${n}.tlog`), recording(20_000 + n))
    writeFileSync(join(place, 'small-8 large.tlog'), Buffer.concat([longRecording(20_000), noisy(6_000_000)]))
    for (let n = 0; n < 5; n++) writeFileSync(join(place, `tail-${n}.tlog`), recording(30_000 + n))
    const { code, stdout, stderr } = groundlock(['import', place, '--vault', vault, '--json'])
    expect(code).toBe(EXIT_CODE.fault)
    const said = JSON.parse(stdout) as Said[]
    expect(said.map((each) => each.status)).toEqual([
      ...Array.from({ length: 8 }, () => 'imported'),
      'failed',
      ...Array.from({ length: 5 }, () => 'not tried'),
    ])
    expect(said[8]).toMatchObject({
      fault: 'GL-IMPORT-07',
      message: expect.stringContaining('the disk is full'),
    })
    expect(stderr).toContain('5 files after that were not tried')
    expect(flightsOf(vault).toSorted()).toEqual(
      said
        .slice(0, 8)
        .map(({ id }) => `${id}.glk`)
        .toSorted(),
    )
  })

  /** Bytes that do not become smaller. */
  const noisy = (bytes: number): Uint8Array =>
    Uint8Array.from({ length: bytes }, () => Math.floor(random() * 256))
})

describe('a file that is not what it was', () => {
  const options = () => ({
    vault: Vault.openOrCreate(join(folder, 'vault-changing')),
    station: 'test-0000',
    dialect: loadDialect(),
    format: 'auto' as const,
  })
  const given = (name: string): string => {
    const path = join(folder, name)
    writeFileSync(path, Buffer.concat([longRecording(20_000)]))
    return path
  }

  test('that grows while it is read is not imported', async () => {
    const path = given('growing.tlog')
    let grown = false
    const onProgress = (): void => {
      if (!grown) appendFileSync(path, tlogRecord(START_US, known(HEARTBEAT)))
      grown = true
    }
    await expect(importFile(path, { ...options(), onProgress })).rejects.toMatchObject({
      code: 'GL-IMPORT-03',
    })
    expect(await importFile(path, options())).toMatchObject({ kind: 'imported', frames: 20_004 })
  })

  test('that vanishes after it was listed is said to be gone', async () => {
    const path = given('vanishing.tlog')
    const { files } = listRecordings([folder])
    expect(files.map((file) => file.path)).toContain(path)
    renameSync(path, `${path}.away`)
    await expect(importFile(path, options())).rejects.toMatchObject({ code: 'GL-IMPORT-01' })
    rmSync(`${path}.away`)
  })

  test('that is a named pipe does not make it wait for ever', () => {
    const path = join(folder, 'pipe.tlog')
    spawnSync('mkfifo', [path])
    const { code, stderr } = groundlock(['import', path, '--vault', join(folder, 'vault-pipe')])
    expect(code).toBe(EXIT_CODE.fault)
    expect(stderr).toContain(`GL-IMPORT-01  cannot read the recording ${path}: it is no plain file.`)
  })

  test('that is a folder without recordings is a fault that says what is looked for', () => {
    const path = join(folder, 'photos')
    mkdirSync(path)
    writeFileSync(join(path, 'a.jpg'), 'x')
    const { code, stdout, stderr } = groundlock(['import', path, '--vault', join(folder, 'vault-pipe')])
    expect(code).toBe(EXIT_CODE.fault)
    expect(stderr).toContain('GL-IMPORT-06')
    expect(stderr).toContain('no file in that folder is called .tlog, .raw, .rlog')
    expect(stdout).toBe('1 other file in the folders was left out: 1 .jpg\n')
  })
})

describe('a format that contradicts the file', () => {
  const tlog = Array.from({ length: 50 }, (_, i) =>
    tlogRecord(START_US + BigInt(i), known(HEARTBEAT, { seq: i })),
  )
  const raw = Array.from({ length: 50 }, (_, i) => known(HEARTBEAT, { seq: i }))

  test.each([
    ['tlog', tlog, 'raw'],
    ['raw', raw, 'tlog'],
  ])('a %s is said to look like one, and how to have it right', (looksLike, parts, format) => {
    const path = join(folder, `taken-as-${format}`)
    const vault = join(folder, `vault-taken-as-${format}`)
    writeFileSync(path, Buffer.concat(parts))
    const { code, stdout } = groundlock(['import', path, '--vault', vault, '--format', format])
    expect(code).toBe(EXIT_CODE.ok)
    expect(stdout).toContain(`It looks like ${looksLike}, and was taken as ${format}.`)
    const [, remove] = /: rm (\S+), and import it again without --format/.exec(stdout)!
    rmSync(remove!)
    const again = groundlock(['import', path, '--vault', vault, '--json'])
    expect(JSON.parse(again.stdout)).toMatchObject([{ status: 'imported', format: looksLike }])
    expect(again.stdout).not.toContain('looksLike')
    expect(flightsOf(vault)).toEqual([basename(remove!)])
  })

  test('is not said of one that is what it was said to be', () => {
    const path = join(folder, 'right')
    writeFileSync(path, Buffer.concat(tlog))
    const args = ['import', path, '--vault', join(folder, 'vault-right'), '--format', 'tlog']
    expect(groundlock(args).stdout).not.toContain('It looks like')
  })
})

test.each([
  [0, 0, 'importing 100 %'],
  [1000, 0, 'importing   0 %'],
  [1000, 250, 'importing  25 %, 0:30 left'],
  [1000, 1000, 'importing 100 %, 0:00 left'],
])('the progress of %d bytes of which %d are done', (all, done, text) => {
  expect(progressText('importing', done, all, all === 0 ? 0 : 10_000)).toBe(text)
})
