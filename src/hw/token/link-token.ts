/**
 * Link token: the kernel's lock by which the serial port and the uplink are never open both (SECURITY.md, "Never both").
 * The station holds it from before it opens a port until after it closed it, the guard while it permits.
 *
 *     open read-only ─▶ flock -xn 3 (a child, this descriptor is its 3) ─▶ is the path's file still this one? ─▶ mine
 *
 * The lock belongs to the open file, not to a process: it is free when the last copy of the descriptor is closed, so whoever
 * is given one as a child keeps it locked, and a process that is killed frees it as soon as none of its children has one.
 */
import type { ChildProcess } from 'node:child_process'
import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { Fault, reasonOf } from '../../base/fault.js'
import { fileFault, flockFault, openFault, replacedFault } from './token-fault.js'
import { isLocked, isSameFile, lookAtFile } from './token-file.js'

export type TokenLook = 'free' | 'mine' | 'other' | 'doubt'

/** Of util-linux, which every Debian has; Node has no flock of its own. */
const FLOCK = '/usr/bin/flock'

/** `flock -xn` does not wait for a lock, and is done in milliseconds; one that is not hangs (ms). */
const FLOCK_AT_MOST_MS = 2000

/** What `flock -n` says where somebody else has the lock (flock(1)). */
const CONFLICT = 1

export interface LinkTokenOptions {
  /** The program that locks; tests name one that hangs. */
  flock?: string
  flockAtMostMs?: number
}

export class LinkToken {
  readonly path: string
  readonly #flock: string
  readonly #flockAtMostMs: number
  #fd: number | undefined
  #fault: Fault | null = null
  #taking: Promise<boolean> | undefined
  /** Counts the calls of `free`: a taking that was under way then is given back. */
  #frees = 0

  /** Nothing is opened yet. The file is never made and never unlinked: that is for systemd-tmpfiles alone. */
  constructor(path: string, { flock = FLOCK, flockAtMostMs = FLOCK_AT_MOST_MS }: LinkTokenOptions = {}) {
    this.path = path
    this.#flock = flock
    this.#flockAtMostMs = flockAtMostMs
  }

  /** While it is held: the descriptor for children that can open a door. It must be among their stdio, as its number. */
  get fd(): number | undefined {
    return this.#fd
  }

  /** Why the last `take` or `look` was in doubt; null where it was not. */
  get fault(): Fault | null {
    return this.#fault
  }

  /**
   * Takes the token; true where it is held when this resolves, also if it was before. False where somebody else holds it, and
   * where anything is in doubt (`fault` says what). Never throws; resolves within the time that flock has.
   */
  async take(): Promise<boolean> {
    this.#taking ??= this.#takeNow().finally(() => (this.#taking = undefined))
    return this.#taking
  }

  /**
   * Gives the token back, also one that is just being taken (`take` resolves with false then). The lock is gone only when no
   * child that was given the descriptor lives any more.
   */
  free(): void {
    this.#frees++
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  /**
   * Who holds the token, without taking it, and never throws. 'doubt': the file is missing or not to be trusted, or it is no
   * longer the one that we hold.
   */
  async look(): Promise<TokenLook> {
    return this.#doubting('doubt', () => {
      const file = lookAtFile(this.path)
      if (this.#fd === undefined) return isLocked(file) ? 'other' : 'free'
      if (!isSameFile(fstatSync(this.#fd, { bigint: true }), file)) throw replacedFault(this.path)
      return 'mine'
    })
  }

  async #takeNow(): Promise<boolean> {
    if (this.#fd !== undefined) return (await this.look()) === 'mine'
    const fd = this.#doubting(undefined, () => openToken(this.path))
    if (fd === undefined) return false
    const frees = this.#frees
    const isHeld = (await this.#lock(fd)) && frees === this.#frees
    if (isHeld) this.#fd = fd
    else closeSync(fd)
    return isHeld
  }

  /** Locks `fd`, and sees that it still is the path's file: one that was replaced meanwhile can be locked by others. */
  async #lock(fd: number): Promise<boolean> {
    try {
      if (!(await runFlock(this.#flock, fd, this.path, this.#flockAtMostMs))) return false
    } catch (error) {
      return this.#doubting(false, () => {
        throw error
      })
    }
    return this.#doubting(false, () => {
      if (!isSameFile(fstatSync(fd, { bigint: true }), lookAtFile(this.path))) throw replacedFault(this.path)
      return true
    })
  }

  /** What `ask` says, or `doubt` with its fault kept where it throws one. */
  #doubting<T>(doubt: T, ask: () => T): T {
    try {
      const answer = ask()
      this.#fault = null
      return answer
    } catch (error) {
      this.#fault = error instanceof Fault ? error : openFault(this.path, error)
      return doubt
    }
  }
}

/**
 * Opens the file as it is: no O_CREAT, no link is followed, nothing is waited for (a FIFO in its place would hang).
 * Errors: a Fault, also where what was opened is not what was looked at.
 */
function openToken(path: string): number {
  const file: BigIntStats = lookAtFile(path)
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    throw openFault(path, cause)
  }
  if (isSameFile(file, fstatSync(fd, { bigint: true }))) return fd
  closeSync(fd)
  throw fileFault(path, 'it was replaced while it was opened')
}

/**
 * Locks `fd` by a child that has it as descriptor 3; the lock is ours as well, as it is of the same open file. False where
 * somebody else holds it. Errors: a Fault where the child cannot be started, fails, or does not end in time. One that is
 * killed for that and had locked it gives it back as it dies: nobody is given a lock that nobody holds.
 */
async function runFlock(flock: string, fd: number, path: string, atMostMs: number): Promise<boolean> {
  // Only here: it takes the station's start 2 ms, and without a token's file it is not needed.
  const { spawn } = await import('node:child_process')
  let child: ChildProcess
  try {
    child = spawn(flock, ['-xn', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] })
  } catch (cause) {
    throw flockFault(path, flock, reasonOf(cause), cause) // for want of memory
  }
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once('error', (cause) => reject(flockFault(path, flock, cause.message, cause)))
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'no code'))
  })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(flockFault(path, flock, `not done after ${atMostMs / 1000} s`))
    }, atMostMs)
  })
  const code = await Promise.race([ended, late]).finally(() => clearTimeout(timer))
  if (code === 0 || code === CONFLICT) return code === 0
  throw flockFault(path, flock, `ended with ${code}`)
}
