/** A child where the machine has nothing left for it: a failure with its reason, as every other one. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { REPOSITORY } from '../support/groundlock.js'

/** Few enough to be used up at once, and enough for Node to start. */
const DESCRIPTORS = 64

it('a tool that no descriptor is left for is a failure with its reason', () => {
  const script = `
    const { runTool } = await import(${JSON.stringify(join(REPOSITORY, 'dist/hw/door/child.js'))})
    const { openSync, writeSync } = await import('node:fs')
    try { for (;;) openSync('/dev/null') } catch {}
    writeSync(1, JSON.stringify(await runTool('true', [], { input: '' })))`
  expect(said(script)).toEqual({ trouble: expect.stringMatching(/^true: .*EMFILE/) as string, stdout: '' })
})

it('a supervised child that no descriptor is left for has ended, and says why', () => {
  const script = `
    const { startChild } = await import(${JSON.stringify(join(REPOSITORY, 'dist/hw/gpio/supervised-child.js'))})
    const { openSync, writeSync } = await import('node:fs')
    const options = { script: 'true', fate: 'sees us end', onLine() {} }
    try { for (;;) openSync('/dev/null') } catch {}
    let ended
    const why = new Promise((resolve) => (ended = resolve))
    const child = startChild({ ...options, onEnd: ended })
    const took = child.write('a line')
    await child.close(60_000)
    const other = startChild({ ...options, onEnd: ended })
    const reason = await why
    await other.end()
    writeSync(1, JSON.stringify({ took, reason }))`
  expect(said(script)).toEqual({ took: false, reason: expect.stringContaining('EMFILE') as string })
})

/** What the script wrote, run with few descriptors. */
function said(script: string): unknown {
  const { stdout, stderr } = spawnSync(
    'prlimit',
    [`--nofile=${DESCRIPTORS}`, process.execPath, '--input-type=module', '--eval', script],
    { encoding: 'utf8', timeout: 20_000 },
  )
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}
