/** A tool's child where the machine has nothing left for it: a value with its reason, as every other failure. */
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
  const { stdout, stderr } = spawnSync(
    'prlimit',
    [`--nofile=${DESCRIPTORS}`, process.execPath, '--input-type=module', '--eval', script],
    { encoding: 'utf8' },
  )
  expect(stderr).toBe('')
  expect(JSON.parse(stdout)).toEqual({ trouble: expect.stringMatching(/^true: .*EMFILE/), stdout: '' })
})
