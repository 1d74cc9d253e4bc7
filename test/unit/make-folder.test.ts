/** Make folder: folders that are missing are made, and what cannot be made is said at once. */
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../../src/base/make-folder.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder('make-folder')

test('a folder is made with those above it, and the highest that was made is told', () => {
  const path = join(folder, 'a', 'b', 'c')
  expect(makeFolder(path, 0o750)).toBe(join(folder, 'a'))
  expect(statSync(path).mode & 0o777).toBe(0o750)
  expect(makeFolder(path)).toBe(undefined)
  expect(makeFolder(join(folder, 'a', 'd'))).toBe(join(folder, 'a', 'd'))
})

test('where there can be none, the system says why, and nothing is tried for ever', () => {
  writeFileSync(join(folder, 'file'), '')
  expect(() => makeFolder(join(folder, 'file', 'x'))).toThrow(/ENOTDIR/)
  expect(() => makeFolder(join(folder, 'file'))).toThrow(/EEXIST/)
  expect(() => makeFolder('/proc/no-such-folder/x')).toThrow(/ENOENT/)
})
