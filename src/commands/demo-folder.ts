/** Demo folder: where all of a demo is kept. It was made for it or was empty, so what is in it may go. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Fault, reasonOf } from '../base/fault.js'
import { makeFolder } from '../base/make-folder.js'

export interface DemoFolder {
  /** Absolute, as a configuration wants it. */
  path: string
  /** Leaves it as it was before the demo. */
  restore(): void
}

/** Opens the folder that is named, else a new one in the system's temporary one. Errors: `Fault` GL-DEMO-02. */
export function openDemoFolder(named: string | undefined): DemoFolder {
  if (named === undefined) {
    const path = attempt(tmpdir(), () => mkdtempSync(join(resolve(tmpdir()), 'groundlock-demo-')))
    return { path, restore: () => remove(path) }
  }
  const path = resolve(named)
  const made = attempt(path, () => makeFolder(path))
  if (attempt(path, () => readdirSync(path)).length > 0) throw folderFault(path, 'it is not empty')
  return {
    path,
    restore() {
      if (made === undefined) for (const name of readdirSync(path)) remove(join(path, name))
      else remove(made)
    },
  }
}

function remove(path: string): void {
  rmSync(path, { recursive: true, force: true })
}

function attempt<Value>(path: string, work: () => Value): Value {
  try {
    return work()
  } catch (error) {
    throw folderFault(path, reasonOf(error), error)
  }
}

function folderFault(path: string, found: string, cause?: unknown): Fault {
  return new Fault({
    code: 'GL-DEMO-02',
    op: 'keep the demo in',
    subject: path,
    found,
    hint: 'Name a folder with --dir that is empty, or one to be made where you may; the demo replaces nothing.',
    recovery: 'user',
    cause,
  })
}
