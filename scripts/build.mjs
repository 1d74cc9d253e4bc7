#!/usr/bin/env node
/**
 * The build: the dialect table, then TypeScript to dist/, then the table beside it, then the bundle that people start.
 * Does nothing when nothing it reads has changed. A failed or interrupted build leaves the last good dist/ alone:
 * everything is made in dist.new/ and takes its place by a rename.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

process.chdir(join(import.meta.dirname, '..'))
const GENERATED = join('src', 'mavlink', 'generated')
const STAMP = join('dist', '.stamp')

/** Hash of all that goes in, by content: a checkout or a copy touches times without changing anything. */
function inputsHash() {
  const hash = createHash('sha256')
  const inputs = ['src', 'scripts'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => !path.startsWith(GENERATED))
      .sort(),
  )
  for (const path of [...inputs, 'tsconfig.json', 'package-lock.json'])
    hash.update(`${path}\0`).update(readFileSync(path)).update('\0')
  return hash.digest('hex')
}

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' })
  if (status === 0) return
  rmSync('dist.new', { recursive: true, force: true })
  process.exit(status ?? 1)
}

const hash = inputsHash()
if (existsSync(GENERATED) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === hash) process.exit(0)

console.log('Building dist/ …')
rmSync('dist.new', { recursive: true, force: true })
run(join('scripts', 'build-dialect.mjs'))
run(join('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json', '--outDir', 'dist.new')
cpSync(GENERATED, join('dist.new', 'mavlink', 'generated'), { recursive: true })
run(join('scripts', 'bundle.mjs'), 'dist.new')
writeFileSync(join('dist.new', '.stamp'), hash)
rmSync('dist', { recursive: true, force: true })
renameSync('dist.new', 'dist')
