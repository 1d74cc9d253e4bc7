/** The built program, run as a person runs it: dist/groundlock.cjs as a process of its own. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export const REPOSITORY = join(import.meta.dirname, '..', '..')
export const GROUNDLOCK = join(REPOSITORY, 'dist', 'groundlock.cjs')

export interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs `groundlock ARGS…` to its end. */
export function groundlock(args: readonly string[], env: NodeJS.ProcessEnv = {}): Outcome {
  if (!existsSync(GROUNDLOCK)) throw new Error('dist/groundlock.cjs is missing: npm run build')
  const { status, stdout, stderr } = spawnSync(GROUNDLOCK, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  return { code: status, stdout, stderr }
}
