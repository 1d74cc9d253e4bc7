/**
 * Machine: what the checks of `doctor` may look at: files below a root, space on a disk, tools that only tell. Nothing here
 * changes anything, and none of it throws: what cannot be looked at is null, and a check says so.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import {
  lstatSync,
  openSync,
  closeSync,
  readSync,
  readdirSync,
  readlinkSync,
  statSync,
  statfsSync,
} from 'node:fs'
import type { Stats } from 'node:fs'
import { join, posix } from 'node:path'
import { errnoOf, reasonOf } from '../base/fault.js'
import { toolEnvironment } from '../base/tool-environment.js'

export interface Entry {
  kind: 'file' | 'folder' | 'character device' | 'other'
  uid: number
  gid: number
  /** Permission bits. */
  mode: number
}

export interface Space {
  freeBytes: number
  totalBytes: number
}

export interface Ran {
  code: number
  stdout: string
  stderr: string
}

export interface Machine {
  /** Who looks: some things only root may see. */
  readonly isRoot: boolean
  /** The text of a file; null where there is none, or none for this user. */
  text(path: string): string | null
  /** What a folder holds, sorted; empty where there is none. */
  names(folder: string): string[]
  /** Where a link points to, as written in it; null where it is none. */
  link(path: string): string | null
  /** The path with every link followed. */
  real(path: string): string
  /** What lies there, links followed; null where nothing does. */
  entry(path: string): Entry | null
  /** This user may not look whether anything lies there: what is null then may be there all the same. */
  isHidden(path: string): boolean
  /** Something has this name, be it a link that leads nowhere. */
  isThere(path: string): boolean
  space(path: string): Space | null
  /**
   * Runs a tool that only tells. null: it is not installed. One that hangs is ended, and has exit code 124; one that the system
   * refuses to start has 126.
   */
  run(command: string, args: readonly string[], input?: string): Promise<Ran | null>
}

/** Above any file that is looked at, so that a device read by mistake ends (bytes). */
const MAX_TEXT_BYTES = 1_048_576
/** A tool that only tells has ended long before (ms). */
const TOOL_LIMIT_MS = 5000
/** As timeout(1) has it. */
const TIMED_OUT = 124
/** As env(1) has it. */
const CANNOT_START = 126
const MAX_OUTPUT_BYTES = 4_194_304
/** As the kernel has it (path_resolution(7)). */
const MAX_LINKS_FOLLOWED = 40

/** Tools are also where only root's PATH leads. */
const TOOL_PATH = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`

/** This machine, or another one whose files lie below `root`; tools are those of this one unless `run` says otherwise. */
export function openMachine(root = '/', parts: Partial<Machine> = {}): Machine {
  const follow = (path: string) => join(root, realPath(root, path))
  const itself = (path: string) => join(follow(posix.dirname(path)), posix.basename(path))
  const machine: Machine = {
    isRoot: process.getuid?.() === 0,
    text: (path) => orNull(() => readBounded(follow(path))),
    names: (folder) => orNull(() => readdirSync(follow(folder)).sort()) ?? [],
    link: (path) => orNull(() => readlinkSync(itself(path))),
    real: (path) => realPath(root, path),
    entry: (path) => orNull(() => entryOf(statSync(follow(path)))),
    isHidden: (path) => isForbidden(() => statSync(follow(path))),
    isThere: (path) => orNull(() => lstatSync(itself(path))) !== null,
    space: (path) => orNull(() => spaceOf(follow(path))),
    run: runTool,
  }
  return { ...machine, ...parts }
}

function orNull<T>(look: () => T): T | null {
  try {
    return look()
  } catch (error) {
    if (errnoOf(error) === '') throw error
    return null
  }
}

function isForbidden(look: () => unknown): boolean {
  try {
    look()
    return false
  } catch (error) {
    return errnoOf(error) === 'EACCES'
  }
}

/** Links are followed inside the root, as they would be if it were the machine's own. */
function realPath(root: string, path: string): string {
  let real = '/'
  let links = 0
  const parts = path.split('/')
  while (parts.length > 0) {
    const next = posix.join(real, parts.shift()!)
    const target = linkTarget(join(root, next))
    if (target === null || ++links > MAX_LINKS_FOLLOWED) real = next
    else {
      parts.unshift(...target.split('/'))
      if (target.startsWith('/')) real = '/'
    }
  }
  return real
}

/** Asked first what it is: most are no links, and an exception each would make this slow. */
function linkTarget(path: string): string | null {
  return orNull(() =>
    lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true ? readlinkSync(path) : null,
  )
}

function readBounded(path: string): string {
  if (!statSync(path).isFile()) return ''
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(MAX_TEXT_BYTES)
    let length = 0
    // Files below /proc come in pieces, and have no size.
    for (let got = -1; got !== 0 && length < bytes.length; length += got)
      got = readSync(fd, bytes, length, bytes.length - length, null)
    return bytes.toString('utf8', 0, length)
  } finally {
    closeSync(fd)
  }
}

function entryOf(stats: Stats): Entry {
  const kind = stats.isFile()
    ? 'file'
    : stats.isDirectory()
      ? 'folder'
      : stats.isCharacterDevice()
        ? 'character device'
        : 'other'
  return { kind, uid: stats.uid, gid: stats.gid, mode: stats.mode & 0o7777 }
}

function spaceOf(path: string): Space {
  const { bavail, blocks, bsize } = statfsSync(path)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

function runTool(command: string, args: readonly string[], input = ''): Promise<Ran | null> {
  return new Promise((resolve) => {
    const env = { ...toolEnvironment(), PATH: TOOL_PATH }
    const refused = (error: unknown): Ran => ({ code: CANNOT_START, stdout: '', stderr: reasonOf(error) })
    let child: ChildProcess
    try {
      child = spawn(command, args, { env, detached: true, stdio: 'pipe' })
    } catch (error) {
      return resolve(refused(error)) // for want of memory
    }
    let [stdout, stderr, isLate] = ['', '', false]
    const timer = setTimeout(() => {
      isLate = true
      endGroup(child.pid)
    }, TOOL_LIMIT_MS)
    // Without a descriptor that is free there are no pipes: `error` follows.
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < MAX_OUTPUT_BYTES) stdout += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < MAX_OUTPUT_BYTES) stderr += text
    })
    child.on('error', (error) => {
      clearTimeout(timer)
      resolve(errnoOf(error) === 'ENOENT' ? null : refused(error))
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code: isLate ? TIMED_OUT : (code ?? 1), stdout, stderr })
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

/** The tool and what it started. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  orNull(() => process.kill(-pid, 'SIGKILL'))
}
