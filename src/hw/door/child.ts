/**
 * Child: one run of a tool, bounded in time and output, ended with all that it started.
 * Errors: none thrown; a tool that is missing, fails or is too slow is a value with its reason.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess, StdioOptions } from 'node:child_process'
import { reasonOf } from '../../base/fault.js'
import { toolEnvironment } from '../../base/tool-environment.js'

/** Longest a tool may take before it is ended (ms): on a loaded Pi nft needs a fifth of it. */
export const TOOL_LIMIT_MS = 5000

/** Most that is read of a tool (bytes): a ruleset of a container host is some hundred kB; what is longer is cut and fails. */
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024

export interface Outcome {
  /** What failed, in one line; null if nothing did. */
  trouble: string | null
  stdout: string
  stderr: string
}

export interface Child {
  readonly pid: number | undefined
  /** Resolves when no process of it lives any more; never rejects. */
  readonly ended: Promise<Outcome>
  /** Ends it and what it started. Safe to call at any time. */
  end(): void
}

export interface ToolOptions {
  input?: string
  /** Descriptor that becomes the child's 3: Node passes none on by itself. */
  carriedFd?: number
  limitMs?: number
}

/**
 * Starts `command`. It leads a process group of its own, so that a wrapper and what it waits for end together.
 * Guarantees: `ended` waits for the end of its pipes, so also for a grandchild that still holds them.
 */
export function startTool(
  command: string,
  args: readonly string[],
  { input, carriedFd, limitMs = TOOL_LIMIT_MS }: ToolOptions = {},
): Child {
  const stdio: StdioOptions = [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe']
  if (carriedFd !== undefined) stdio.push(carriedFd)
  let child: ChildProcess
  try {
    child = spawn(command, args, { stdio, detached: true, env: toolEnvironment() })
  } catch (error) {
    return neverStarted(`${command}: ${reasonOf(error)}`)
  }
  const out: Buffer[] = []
  const errors: Buffer[] = []
  let held = 0
  let trouble: string | null = null
  const end = (why: string) => {
    trouble ??= why
    endGroup(child.pid)
  }
  const gather = (pieces: Buffer[]) => (piece: Buffer) => {
    held += piece.length
    if (held > MAX_OUTPUT_BYTES) end('it said more than can be read')
    else pieces.push(piece)
  }
  // Without a descriptor that is free there are no pipes: `error` follows.
  child.stdout?.on('data', gather(out))
  child.stderr?.on('data', gather(errors))
  const timer = setTimeout(() => end(`no answer in ${limitMs} ms`), limitMs)
  const ended = new Promise<Outcome>((resolve) => {
    child.on('error', (error) => {
      trouble ??= reasonOf(error)
      if (child.pid === undefined) resolve({ trouble: `${command}: ${trouble}`, stdout: '', stderr: '' })
    })
    child.on('close', (code, signal) => {
      const stderr = Buffer.concat(errors).toString()
      if (code !== 0)
        trouble ??= firstLine(stderr) || (signal === null ? `it ended with ${code}` : `ended by ${signal}`)
      const stdout = Buffer.concat(out).toString()
      resolve({ trouble: trouble === null ? null : `${command}: ${trouble}`, stdout, stderr })
    })
  }).finally(() => clearTimeout(timer))
  if (input !== undefined) {
    child.stdin?.on('error', () => {}) // it ended before it read all: `close` says why
    child.stdin?.end(input)
  }
  return { pid: child.pid, ended, end: () => end('it was ended') }
}

/** For want of memory: what the system then refuses Node throws. */
function neverStarted(trouble: string): Child {
  return { pid: undefined, ended: Promise.resolve({ trouble, stdout: '', stderr: '' }), end: () => {} }
}

export function runTool(
  command: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<Outcome> {
  return startTool(command, args, options).ended
}

/** SIGKILL to a process group. Its leader may be gone already, or never have been. */
export function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // gone: that is what was wanted
  }
}

function firstLine(text: string): string {
  return text.split('\n').find((line) => line.trim() !== '') ?? ''
}
