/** Children where the machine has nothing left for them: a value with its reason, as every other failure. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { REPOSITORY } from '../support/groundlock.js'

/** Few enough to be used up at once, and enough for Node to start. */
const DESCRIPTORS = 64

/** Runs a script that has no descriptor left from `useUp` on; what it tells, as JSON. */
function withoutDescriptors(file: string, script: string, before = ''): unknown {
  const whole = `
    ${before}
    const tool = await import(${JSON.stringify(join(REPOSITORY, 'dist', file))})
    const { closeSync, openSync, writeSync } = await import('node:fs')
    const held = []
    const useUp = () => { try { for (;;) held.push(openSync('/dev/null')) } catch {} }
    const tell = (what) => writeSync(1, JSON.stringify(what))
    ${script}`
  const { stdout, stderr } = spawnSync(
    'prlimit',
    [`--nofile=${DESCRIPTORS}`, process.execPath, '--input-type=module', '--eval', whole],
    { encoding: 'utf8' },
  )
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

it('a tool that no descriptor is left for is a failure with its reason', () => {
  const told = withoutDescriptors(
    'hw/door/child.js',
    `useUp(); tell(await tool.runTool('true', [], { input: '' }))`,
  )
  expect(told).toEqual({ trouble: expect.stringMatching(/^true: .*EMFILE/), stdout: '', stderr: '' })
})

it('a resident nft that no descriptor is left for is one that ended', () => {
  const told = withoutDescriptors(
    'hw/door/resident.js',
    `useUp()
    const resident = await new Promise((resolve) => { const it = new tool.Resident(() => resolve(it)) })
    await resident.end()
    tell([resident.isAlive, await resident.send('flush')])`,
  )
  expect(told).toEqual([false, 'nft: there is no resident'])
})

it('a monitor that no descriptor is left for is started when there is one', () => {
  const told = withoutDescriptors(
    'hw/door/line-monitor.js',
    `useUp()
    const lines = []
    let gaps = 0
    await new Promise((resolve) => {
      const heard = (line) => { lines.push(line); resolve() }
      const freed = () => { if (++gaps === 1) held.splice(0).forEach((each) => closeSync(each)) }
      const monitor = new tool.LineMonitor('sh', ['-c', 'echo there; exec sleep 60'], heard, freed)
      lines.close = () => monitor.close()
    })
    lines.close()
    tell([lines, gaps])`,
  )
  // At the first restart there is still none.
  expect(told).toEqual([['there'], 2])
})

it('a supervised child that no descriptor is left for is one that ended', () => {
  const told = withoutDescriptors(
    'hw/gpio/supervised-child.js',
    `useUp()
    const options = { script: 'cat', fate: 'sees us end', onLine: () => {} }
    let child
    const why = await new Promise((resolve) => { child = tool.startSupervised({ ...options, onEnd: resolve }) })
    await child.end()
    await child.close(1)
    tell([why, child.write('more')])`,
  )
  expect(told).toEqual([expect.stringContaining('EMFILE'), false])
})

it('a tool of doctor that no descriptor is left for is one that cannot be started', () => {
  const told = withoutDescriptors(
    'doctor/machine.js',
    `const { run } = tool.openMachine()
    useUp()
    tell(await run('true', []))`,
  )
  expect(told).toEqual({ code: 126, stdout: '', stderr: expect.stringContaining('EMFILE') })
})

/** Longer than the kernel takes an argument (128 KiB): Node throws that, as it does want of memory. */
const REFUSED = `process.env['REFUSED'] = 'x'.repeat(200_000)`

it.each([
  ['a resident nft', 'hw/door/resident.js', `new tool.Resident((resident) => tell(resident.isAlive))`, false],
  [
    'a monitor',
    'hw/door/line-monitor.js',
    `const monitor = new tool.LineMonitor('true', [], () => {}, () => { monitor.close(); tell('again') })`,
    'again',
  ],
  [
    'a supervised child',
    'hw/gpio/supervised-child.js',
    `tool.startSupervised({ script: 'cat', fate: 'sees us end', onLine: () => {}, onEnd: tell })`,
    expect.stringContaining('E2BIG'),
  ],
  [
    'a tool of doctor',
    'doctor/machine.js',
    `tell((await tool.openMachine().run('true', [])).stderr)`,
    expect.stringContaining('E2BIG'),
  ],
])('%s that the system refuses to start is one that ended', (_, file, script, expected) => {
  expect(withoutDescriptors(file, script, REFUSED)).toEqual(expected)
})
