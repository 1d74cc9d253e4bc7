/**
 * Supervised child: a short shell script that speaks by lines, with its whole process group.
 * Guarantees: `end` ends all of the group, and resolves when the kernel has taken back what it held; where the guard
 * itself is killed the kernel ends the child too (PR_SET_PDEATHSIG), or systemd does with the unit, unless it asks to see its
 * input closed instead.
 */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { reasonOf } from '../../base/fault.js'
import { toolEnvironment } from '../../base/tool-environment.js'

export interface SupervisedChild {
  /** Writes a line; false: it is gone. */
  write(line: string): boolean
  /** SIGKILL to the group: the tools hold nothing that a signal could save, and one that hangs would not hear another. */
  end(): Promise<void>
  /** Closes its input, and waits for it to end by itself; after the time (ms) it is ended. */
  close(withinMs: number): Promise<void>
}

export interface SupervisedOptions {
  /** Of `/bin/sh`. */
  script: string
  /** `ends with us`: killed when this process dies. `sees us end`: it lives on and finds its input closed. */
  fate: 'ends with us' | 'sees us end'
  onLine: (line: string) => void
  /** It ended, and nobody asked it to; why, in words. Not called after `end` or `close`. */
  onEnd: (why: string) => void
  /** What it says on stderr, by lines. */
  onComplaint?: (line: string) => void
}

/** What is kept of a complaint (characters). */
const MAX_COMPLAINT = 200

const PDEATHSIG = ['setpriv', '--pdeathsig', 'KILL'] as const

let works: boolean | undefined

/**
 * Newer versions of setpriv apply capabilities in any case, which the filter of system calls of the installed unit refuses
 * (capset). There systemd ends what a guard leaves behind, before it starts another.
 */
function setprivWorks(): boolean {
  const [command, ...args] = PDEATHSIG
  if (works !== undefined) return works
  const { error, status } = spawnSync(command, [...args, 'true'], { stdio: 'ignore', env: toolEnvironment() })
  // What could not be started for want of a descriptor says nothing of later.
  if (error === undefined) works = status === 0
  return status === 0
}

/** A child that cannot be started is one that ended: `onEnd` tells of it, never before this returns. */
export function startSupervised({
  script,
  fate,
  onLine,
  onEnd,
  onComplaint,
}: SupervisedOptions): SupervisedChild {
  const shell = ['/bin/sh', '-c', script]
  const words = fate === 'ends with us' && setprivWorks() ? [...PDEATHSIG, ...shell] : shell
  const { child, why: refusal } = started(words)
  let isWanted = true
  let hasEnded = false
  let complaint = ''
  const ended = new Promise<void>((resolve) => {
    const finish = (why: string) => {
      if (isWanted) onEnd(complaint === '' ? why : complaint)
      isWanted = false
      hasEnded = true
      resolve()
    }
    child?.once('error', (error) => finish(error.message))
    child?.once('close', (code, signal) => finish(`it ended (${signal ?? `exit code ${code}`})`))
    if (refusal !== undefined) process.nextTick(() => finish(refusal))
  })
  // Without a descriptor that is free there are no pipes: `error` follows.
  eachLine(child?.stdout, (line) => {
    if (isWanted) onLine(line)
  })
  eachLine(child?.stderr, (line) => {
    complaint = line.slice(0, MAX_COMPLAINT)
    if (isWanted) onComplaint?.(complaint)
  })
  // A pipe whose reader died: `onEnd` tells of it.
  child?.stdin?.on('error', () => undefined)
  const kill = () => {
    try {
      if (child?.pid !== undefined && !hasEnded) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // ESRCH: none of the group is left.
    }
  }
  return {
    write(line) {
      if (child?.stdin?.writable !== true) return false
      child.stdin.write(`${line}\n`)
      return child.stdin.writable
    },
    async end() {
      isWanted = false
      kill()
      await ended
    },
    async close(withinMs) {
      isWanted = false
      const timer = setTimeout(kill, withinMs)
      child?.stdin?.end()
      await ended
      clearTimeout(timer)
    },
  }
}

/** Readline hands on a pipe's errors as its own, and one that nobody hears ends the guard; `onEnd` tells of the end. */
function eachLine(pipe: Readable | null | undefined, onLine: (line: string) => void): void {
  if (!pipe) return
  createInterface(pipe)
    .on('line', onLine)
    .on('error', () => undefined)
}

/** For want of memory: what the system then refuses Node throws. */
function started([command, ...args]: readonly string[]): { child?: ChildProcess; why?: string } {
  try {
    const child = spawn(command!, args, {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: toolEnvironment(),
    })
    return { child }
  } catch (error) {
    return { why: reasonOf(error) }
  }
}
