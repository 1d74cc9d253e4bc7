/**
 * Token file: whether the link token's file can be trusted, and whether somebody has it locked, without touching it.
 */
import { accessSync, constants, readFileSync, statSync, lstatSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { dirname } from 'node:path'
import { errnoOf } from '../../base/fault.js'
import { fileFault, openFault } from './token-fault.js'

/** systemd-tmpfiles makes the file and its folder for root; nobody else may be able to put another one in its place. */
const ROOT = 0

/** Whether both are of one file: a file that was replaced has another inode. */
export function isSameFile(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino
}

/**
 * What the path names now. Errors: a Fault where it is missing, is no plain file of root (a link would be followed to
 * somewhere else), or lies in a folder that is not root's or that this process can write. For root that last question is
 * meaningless, as it can write everywhere, and is not asked.
 */
export function lookAtFile(path: string): BigIntStats {
  const file = statOf(path, lstatSync)
  if (!file.isFile()) throw fileFault(path, 'it is no plain file')
  if (Number(file.uid) !== ROOT) throw fileFault(path, `it belongs to user ${file.uid}, not to root`)
  if ((file.mode & 0o022n) !== 0n) throw fileFault(path, 'others than root can write it')
  const folder = statOf(dirname(path), statSync)
  if (Number(folder.uid) !== ROOT)
    throw fileFault(path, `its folder belongs to user ${folder.uid}, not to root`)
  if (process.geteuid?.() !== ROOT && isWritable(dirname(path)))
    throw fileFault(path, 'this user can write its folder')
  return file
}

/**
 * Whether somebody has the file locked by flock, by the kernel's own list; nothing is taken for it. In a pid namespace of its own
 * a process does not see the locks of others there (proc_locks(5)), and where the list cannot be read nobody sees any:
 * false is a hint, only taking the token tells.
 */
export function isLocked(file: BigIntStats): boolean {
  try {
    return hasLock(readFileSync('/proc/locks', 'utf8'), file)
  } catch {
    return false
  }
}

/**
 * `1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF`; one that waits for another has `->` behind its number.
 * Source: proc_locks(5)
 */
export function hasLock(locks: string, { dev, ino }: { dev: bigint; ino: bigint }): boolean {
  const hex = (part: bigint): string => part.toString(16).padStart(2, '0')
  // As sysmacros.h takes a device number apart.
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n)
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n)
  const name = `${hex(major)}:${hex(minor)}:${ino}`
  return locks.split('\n').some((line) => {
    const [, kind, , , , file] = line.split(/\s+/)
    return kind === 'FLOCK' && file === name
  })
}

function statOf(path: string, stat: typeof lstatSync): BigIntStats {
  try {
    return stat(path, { bigint: true })
  } catch (cause) {
    throw errnoOf(cause) === 'ENOENT' ? fileFault(path, 'it is missing', cause) : openFault(path, cause)
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}
