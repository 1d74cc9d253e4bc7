/**
 * What may be relied on of the link token: one process at a time, freed by the kernel however its holder ends, and every
 * doubt about its file is a doubt, never a token. Real processes, real flock, the real /proc/locks.
 */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LinkToken } from '../../src/hw/token/link-token.js'
import { hasLock, isSameFile } from '../../src/hw/token/token-file.js'
import { REPOSITORY } from '../support/groundlock.js'

const HOLDER = join(REPOSITORY, 'test', 'support', 'token-holder.mjs')

let dir: string
let path: string
let holders: ChildProcessByStdio<Writable, Readable, null>[]

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'token-'))
  path = join(dir, 'link')
  writeFileSync(path, '', { mode: 0o640 })
  holders = []
})

afterEach(() => {
  for (const holder of holders) holder.kill('SIGKILL')
  rmSync(dir, { recursive: true })
})

// The file has to be root's, as systemd-tmpfiles makes it: another user's own files are none that it may trust.
describe.skipIf(process.getuid?.() !== 0)("the link token (needs root: its file must be root's)", () => {
  it('is taken by one, seen by all, given back, and nobody makes or unlinks the file', async () => {
    const [one, other] = [new LinkToken(path), new LinkToken(path)]
    expect(await one.look()).toBe('free')
    expect(await one.take()).toBe(true)
    expect(await one.take()).toBe(true)
    expect([await one.look(), await other.look()]).toEqual(['mine', 'other'])
    expect(await other.take()).toBe(false)
    expect([other.fault, other.fd, typeof one.fd]).toEqual([null, undefined, 'number'])
    one.free()
    one.free()
    expect(existsSync(path)).toBe(true)
    expect([await one.look(), await other.look()]).toEqual(['free', 'free'])
    expect(await other.take()).toBe(true)
    other.free()
  })

  it('two who ask the same object at once get one lock, which one free gives back', async () => {
    const token = new LinkToken(path)
    expect(await Promise.all([token.take(), token.take(), token.take()])).toEqual([true, true, true])
    token.free()
    expect(await new LinkToken(path).look()).toBe('free')
  })

  it('a token that is given back while it is being taken is not kept', async () => {
    const token = new LinkToken(path)
    const taking = token.take()
    token.free()
    expect(await taking).toBe(false)
    expect([token.fd, token.fault, await token.look()]).toEqual([undefined, null, 'free'])
    expect(await token.take()).toBe(true)
    token.free()
  })

  it('of two processes one has it; SIGKILL frees it', async () => {
    const [first] = await hold()
    expect(first.said).toMatch(/^mine/)
    const [second] = await hold()
    expect(second.said).toMatch(/^refused/)
    const ours = new LinkToken(path)
    expect(await ours.look()).toBe('other')
    expect(await ours.take()).toBe(false)
    await kill(first.process)
    expect(await ours.look()).toBe('free')
    expect(await ours.take()).toBe(true)
    ours.free()
  })

  it('a child that was given the descriptor keeps it locked when its parent is killed, until it ends, too', async () => {
    const [{ process: parent, said }] = await hold('child')
    const heir = Number(said.split(' ')[1])
    await kill(parent)
    const ours = new LinkToken(path)
    expect(await ours.look()).toBe('other')
    expect(await ours.take()).toBe(false)
    process.kill(heir, 'SIGKILL')
    await until(async () => (await ours.look()) === 'free')
    expect(await ours.take()).toBe(true)
    ours.free()
  })

  it('a file that is replaced is a doubt for who holds the old one, until that is given back and the new one taken', async () => {
    const token = new LinkToken(path)
    await token.take()
    replace()
    expect(await token.look()).toBe('doubt')
    expect(token.fault?.code).toBe('GL-TOKEN-02')
    expect(await token.take()).toBe(false)
    token.free()
    expect(await token.take()).toBe(true)
    expect(token.fault).toBeNull()
    token.free()
  })

  it('a file that is replaced between opening and locking is not taken', async () => {
    const slow = program('slow', `mv ${join(dir, 'new')} ${path}; exec /usr/bin/flock "$@"`)
    writeFileSync(join(dir, 'new'), '', { mode: 0o640 })
    const token = new LinkToken(path, { flock: slow })
    expect(await token.take()).toBe(false)
    expect([token.fault?.code, token.fd]).toEqual(['GL-TOKEN-02', undefined])
    expect(await new LinkToken(path).look()).toBe('free')
  })

  it('a file that is missing, or was unlinked while it was held, is a doubt', async () => {
    const held = new LinkToken(path)
    await held.take()
    rmSync(path)
    expect(await held.look()).toBe('doubt')
    expect(held.fault?.message).toMatch(/it is missing/)
    held.free()
    expect(await held.take()).toBe(false)
    expect(await held.look()).toBe('doubt')
    expect(existsSync(path)).toBe(false)
    writeFileSync(path, '')
  })

  it.each([
    ['a link', () => replaceBy((at) => symlinkSync('/etc/hostname', at)), /no plain file/],
    ['a folder', () => replaceBy((at) => mkdirSync(at)), /no plain file/],
    ['a FIFO', () => replaceBy((at) => void spawnSync('mkfifo', [at])), /no plain file/],
    ['a file of another user', () => void spawnSync('chown', ['65534', path]), /belongs to user 65534/],
    ['a file that others can write', () => chmodSync(path, 0o666), /others than root can write it/],
    [
      'a folder of another user',
      () => void spawnSync('chown', ['65534', dir]),
      /its folder belongs to user 65534/,
    ],
  ])('%s in its place is a doubt, and is not taken', async (_, put, found) => {
    put()
    const token = new LinkToken(path)
    expect(await token.look()).toBe('doubt')
    expect(await token.take()).toBe(false)
    expect(token.fault?.code).toBe('GL-TOKEN-01')
    expect(token.fault?.message).toMatch(found)
  })

  it('a user that can write the folder does not trust the file; one that cannot, takes it', () => {
    const asNobody = (): string =>
      spawnSync('setpriv', ['--reuid', '65534', '--clear-groups', process.execPath, HOLDER, path], {
        encoding: 'utf8',
        input: '',
      }).stdout
    chmodSync(path, 0o644)
    chmodSync(dir, 0o777)
    expect(asNobody()).toBe('refused this user can write its folder\n')
    chmodSync(dir, 0o755)
    expect(asNobody()).toMatch(/^mine/)
  })

  it('a file that the system does not let us look at is a doubt, in its words', async () => {
    const token = new LinkToken(join(path, 'link'))
    expect(await token.look()).toBe('doubt')
    expect([token.fault?.code, token.fault?.found]).toEqual(['GL-TOKEN-01', 'not a directory'])
  })

  it('nothing runs on when it is taken: a program that ends then is not held up', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    const token = new LinkToken(path)
    await token.take()
    expect(timers()).toBe(before)
    token.free()
  })

  it('a flock that hangs is ended in time and leaves nothing locked', async () => {
    const token = new LinkToken(path, {
      flock: program('hung', '/usr/bin/flock "$@"; exec sleep 60'),
      flockAtMostMs: 300,
    })
    expect(await token.take()).toBe(false)
    expect(token.fault?.code).toBe('GL-TOKEN-03')
    expect(token.fault?.message).toMatch(/not done after 0.3 s/)
    await until(async () => (await token.look()) === 'free')
  })

  it.each([
    ['is not there', () => join(dir, 'none'), /ENOENT/],
    ['fails', () => program('failing', 'exit 71'), /ended with 71/],
    ['is killed', () => program('killed', 'kill -9 $$'), /ended with SIGKILL/],
    // Node throws that, as it does want of memory.
    ['the system refuses to start', () => join(dir, 'x'.repeat(5000)), /ENAMETOOLONG/],
  ])('a flock that %s is a fault, and no token', async (_, make, found) => {
    const token = new LinkToken(path, { flock: make() })
    expect(await token.take()).toBe(false)
    expect(token.fault?.code).toBe('GL-TOKEN-03')
    expect(token.fault?.message).toMatch(found)
    expect(await token.look()).toBe('free')
  })
})

it('two files are the same by inode and device: each device counts its own inodes', () => {
  const file = statSync(REPOSITORY, { bigint: true })
  const like = (changes: object) => Object.assign(Object.create(file), changes) as typeof file
  expect(isSameFile(file, like({}))).toBe(true)
  expect(isSameFile(file, like({ ino: file.ino + 1n }))).toBe(false)
  expect(isSameFile(file, like({ dev: file.dev + 1n }))).toBe(false)
})

describe('the list of locks', () => {
  const file = { dev: 0xfe00n, ino: 131n }
  const locks = (line: string): string => `1: POSIX  ADVISORY  WRITE 9 08:01:7 0 EOF\n${line}\n`

  it.each([
    ['2: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF', true],
    ['2: FLOCK  ADVISORY  READ 4711 fe:00:131 0 EOF', true],
    ['2: -> FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF', false],
    ['2: POSIX  ADVISORY  WRITE 4711 fe:00:131 0 EOF', false],
    ['2: FLOCK  ADVISORY  WRITE 4711 fe:00:1310 0 EOF', false],
    ['2: FLOCK  ADVISORY  WRITE 4711 fe:01:131 0 EOF', false],
    ['', false],
  ])('%s', (line, isHeld) => expect(hasLock(locks(line), file)).toBe(isHeld))

  it('a device with large numbers', () => {
    const line = '2: FLOCK  ADVISORY  WRITE 4711 1003:45678:131 0 EOF'
    // makedev(0x1003, 0x45678), as the C library puts it together.
    const dev = (0x003n << 8n) | (0x1000n << 32n) | 0x78n | (0x45600n << 12n)
    expect(hasLock(locks(line), { dev, ino: 131n })).toBe(true)
  })
})

interface Holder {
  process: ChildProcessByStdio<Writable, Readable, null>
  said: string
}

/** Starts a process that tries to take the token; resolves when it has said how that went. */
async function hold(...more: string[]): Promise<[Holder]> {
  const child = spawn(process.execPath, [HOLDER, path, ...more], { stdio: ['pipe', 'pipe', 'inherit'] })
  holders.push(child)
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  return [{ process: child, said: said.toString() }]
}

async function kill(child: Holder['process']): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

/** Until the kernel has cleaned up behind a process that we cannot wait for. */
async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 5))
}

function replace(): void {
  replaceBy((at) => writeFileSync(at, '', { mode: 0o640 }))
}

function replaceBy(make: (at: string) => void): void {
  make(join(dir, 'other'))
  rmSync(path)
  renameSync(join(dir, 'other'), path)
}

/** A shell script in place of flock. */
function program(name: string, lines: string): string {
  const at = join(dir, name)
  writeFileSync(at, `#!/bin/sh\n${lines}\n`, { mode: 0o755 })
  return at
}
