/** The mark that something was permitted in this boot: only a plain "not there" in a folder that is there says no. */
import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { markPermitted, permittedOnce } from '../../../src/hw/token/permitted-once.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const dir = temporaryFolder('permitted')

function guardDir(name: string): string {
  mkdirSync(join(dir, name))
  return join(dir, name)
}

it('no before the mark is made, yes after it; a second mark changes nothing', () => {
  const guard = guardDir('guard')
  expect(permittedOnce(guard)).toBe('no')
  markPermitted(guard)
  expect([permittedOnce(guard), readdirSync(guard)]).toEqual(['yes', ['permitted-once']])
  const path = join(guard, 'permitted-once')
  expect(statSync(path).size).toBe(0)
  writeFileSync(path, 'kept')
  markPermitted(guard)
  expect(statSync(path).size).toBe(4)
})

it('unknown where no guard made its folder', () => {
  expect(permittedOnce(join(dir, 'none'))).toBe('unknown')
})

it('yes where nobody can tell: a folder that cannot be looked into', () => {
  writeFileSync(join(dir, 'file'), '')
  expect(permittedOnce(join(dir, 'file'))).toBe('yes')
  const guard = guardDir('looped')
  symlinkSync('permitted-once', join(guard, 'permitted-once'))
  expect(permittedOnce(guard)).toBe('yes')
})

it('a mark that cannot be made is an error: nothing is permitted then', () => {
  expect(() => markPermitted(join(dir, 'none'))).toThrow('ENOENT')
})
