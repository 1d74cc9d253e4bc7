/**
 * Loop card: a small ext4 of its own, on a file, that can be made to hang and to be full, like the card of a Pi.
 *
 *     file ── loop device ── ext4, mounted at a folder          a guard undoes it all when its maker ends, however it ends
 */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, truncateSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errnoOf } from '../../src/base/fault.js'

/** Who writes to a frozen file system cannot be killed, so it thaws by itself after this long (s) whatever happens. */
const FROZEN_AT_MOST_S = 120

/**
 * Waits for the end of its input, which is that of its maker, then leaves nothing behind. In a session of its own: a
 * Ctrl-C is not for it. Arguments: mount point, image.
 */
const GUARD = 'cat >/dev/null; fsfreeze -u "$0" 2>/dev/null; umount "$0" || umount -l "$0"; rm -f "$1"'
const THAW_LATER = `sleep ${FROZEN_AT_MOST_S}; fsfreeze -u "$0"`

/** Pieces in which a card is filled (bytes), the last ones smaller. */
const FILL_BYTES = [1024 * 1024, 4096, 512]

export class LoopCard {
  /** Where it is mounted. */
  readonly dir: string
  readonly #guard: ChildProcess
  #thawing: ChildProcess | undefined

  private constructor(dir: string, guard: ChildProcess) {
    this.dir = dir
    this.#guard = guard
  }

  /** Mounts a new card at `dir`, which is made. */
  static insert(dir: string, sizeMb: number): LoopCard {
    const image = `${dir}.image`
    mkdirSync(dir, { recursive: true })
    closeSync(openSync(image, 'w'))
    truncateSync(image, sizeMb * 1024 * 1024)
    // No blocks are kept for root, who runs these tests.
    execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', image], { stdio: 'pipe' })
    execFileSync('mount', ['-o', 'loop', image, dir], { stdio: 'pipe' })
    const stdio = ['pipe', 'ignore', 'ignore'] as const
    return new LoopCard(dir, spawn('setsid', ['sh', '-c', GUARD, dir, image], { stdio: [...stdio] }))
  }

  /** From now on whoever writes to it hangs. */
  freeze(): void {
    this.#thawing = spawn('sh', ['-c', THAW_LATER, this.dir], { stdio: 'ignore', detached: true })
    execFileSync('fsfreeze', ['-f', this.dir])
  }

  thaw(): void {
    if (this.#thawing?.pid === undefined) return
    execFileSync('fsfreeze', ['-u', this.dir])
    process.kill(-this.#thawing.pid)
    this.#thawing = undefined
  }

  /** Takes all the space that is left. */
  fill(): void {
    const file = openSync(join(this.dir, 'big'), 'a')
    try {
      for (const size of FILL_BYTES) writeUntilFull(file, new Uint8Array(size))
    } finally {
      closeSync(file)
    }
  }

  /** Gives back what `fill` took. */
  free(): void {
    rmSync(join(this.dir, 'big'))
  }

  /** Unmounts it. Nobody may have anything on it open any more. */
  async remove(): Promise<void> {
    if (this.#guard.exitCode !== null) return
    const gone = once(this.#guard, 'exit')
    this.thaw()
    this.#guard.stdin?.end()
    await gone
  }
}

function writeUntilFull(file: number, bytes: Uint8Array): void {
  try {
    for (;;) writeSync(file, bytes)
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error
  }
}

/** Why there are no loop cards here, for the name of what is skipped; null where there are. */
export const loopCardReason: string | null = await whyNot()

async function whyNot(): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'only root can mount a card'
  const folder = mkdtempSync(join(tmpdir(), 'groundlock-card-'))
  try {
    const card = LoopCard.insert(join(folder, 'card'), 8)
    try {
      card.freeze()
    } finally {
      await card.remove()
    }
    return null
  } catch (error) {
    return `no ext4 can be mounted and frozen: ${String(error).split('\n')[0]}`
  } finally {
    rmSync(folder, { recursive: true })
  }
}
