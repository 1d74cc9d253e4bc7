/** What a real guard writes of itself is what `status` and `doctor` read: in a network namespace, with a simulated switch. */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Finding } from '../../src/doctor/check.js'
import { GROUNDLOCK, groundlock } from '../support/groundlock.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder('guard-status')
const configuration = join(folder, 'groundlock.toml')
const runDir = join(folder, 'guard')
const token = join(folder, 'link')

const isPossible = spawnSync('unshare', ['-n', 'nft', 'list', 'tables']).status === 0

let guard: ChildProcess | undefined
afterAll(() => guard?.kill('SIGKILL'))

/** Starts a guard in a namespace of its own with one uplink; resolves when it has read it back as shut, and written so. */
async function startGuard(): Promise<ChildProcess> {
  mkdirSync(runDir)
  mkdirSync(join(folder, 'station'))
  writeFileSync(token, '')
  writeFileSync(join(folder, 'switch'), 'shut\n')
  writeFileSync(
    configuration,
    `[station]\nrun_dir = "${join(folder, 'station')}"\n[link.radio]\ndevice = "/dev/ttyUSB0"
[switch]\nbackend = "simulated"\nfile = "${join(folder, 'switch')}"
[guard]\nrun_dir = "${runDir}"\ntoken = "${token}"\n`,
  )
  const script =
    'mount -t sysfs sysfs /sys; ip link set lo up; ip link add up0 type veth peer name up1; exec "$1" guard --config "$2"'
  // Every step replaces the one before: the process that is spawned becomes the guard.
  guard = spawn('unshare', ['-n', '-m', 'sh', '-c', script, 'sh', GROUNDLOCK, configuration], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(guard, 'exit').then(([code]) => {
    throw new Error(`the guard ended with ${code}`)
  })
  await Promise.race([written('"phase": "blocked"'), ended])
  return guard
}

/** Resolves when the guard has said so of itself. */
async function written(text: string): Promise<void> {
  const watcher = watch(runDir)
  const file = join(runDir, 'guard.json')
  const isThere = () => existsSync(file) && readFileSync(file, 'utf8').includes(text)
  await new Promise<void>((resolve) => {
    watcher.on('change', () => isThere() && resolve())
    if (isThere()) resolve()
  })
  watcher.close()
}

describe.runIf(isPossible)('a guard that runs (needs root, unshare and nft)', () => {
  it('is shown by status and doctor, and when it was killed they do not show it as now', async () => {
    const child = await startGuard()
    const { stdout } = groundlock(['status', '--config', configuration])
    expect(stdout).toContain('BLOCKED  nothing leaves over an uplink')
    expect(stdout).toContain(`as process ${child.pid}`)

    const inside = [
      '-t',
      String(child.pid),
      '-n',
      '-m',
      GROUNDLOCK,
      'doctor',
      '--json',
      '--config',
      configuration,
    ]
    const told = spawnSync('nsenter', inside, { encoding: 'utf8' })
    const { findings } = JSON.parse(told.stdout) as { findings: Finding[] }
    const found = (check: string) => findings.filter((finding) => finding.check === check)
    expect(found('guard')).toMatchObject([{ verdict: 'pass' }])
    expect(found('base rules')).toMatchObject([
      { verdict: 'pass', found: expect.stringContaining('rule for rule') as string },
    ])
    expect(found('uplink').map(({ verdict, found: text }) => `${verdict} ${text}`)).toEqual([
      'pass up0 (virtual): link down, covered',
      'pass up1 (virtual): link down, covered',
    ])

    const stranger = createConnection(join(runDir, 'guard.sock')).resume()
    stranger.write('hello\n{"v":1,"op":"is shut","n":1}\n')
    await written('"unasked": 1')
    stranger.destroy()
    const forPrograms = groundlock(['status', '--json', '--config', configuration]).stdout
    expect(JSON.parse(forPrograms)).toMatchObject({
      guard: { status: { nonsense: { lines: 1, unasked: 1 } } },
    })

    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    const after = groundlock(['status', '--config', configuration])
    expect(after.code).toBe(3)
    expect(after.stdout).toContain(`process ${child.pid}, which wrote it, is gone`)
    expect(after.stdout).toMatch(/^Guard +DEAD$/m)
  })
})
