/**
 * Link down: takes uplinks down while shut, which empties the queue that a slow one still holds, and later up again those
 * that were taken down by us. That we did it is written on the device itself, as its alias: it outlives the guard.
 */
import { runTool } from './child.js'
import { DOWN_ALIAS, linkHandle } from './links.js'
import type { Link } from './links.js'
import type { Uplink } from './ruleset.js'

/** A program that takes a link up again and again gets an answer this often (ms), and no storm. */
export const AGAIN_MS = 1000

export class LinkDown {
  /** When each was last taken down, by ifindex (monotonic ms). */
  readonly #downAtMs = new Map<number, number>()
  /** Taken down by this process, where the alias was somebody else's. */
  readonly #unmarked = new Set<number>()

  /** Those that are up and whose turn it is. */
  due(uplinks: readonly (Uplink & { isUp: boolean })[], nowMs: number): Uplink[] {
    return uplinks.filter(
      ({ ifindex, isUp }) => isUp && nowMs - (this.#downAtMs.get(ifindex) ?? -Infinity) >= AGAIN_MS,
    )
  }

  /** Takes them down, whatever their state; resolves with what failed. */
  async down(uplinks: readonly Uplink[], links: readonly Link[], nowMs: number): Promise<string | null> {
    if (uplinks.length === 0) return null
    const lines = uplinks.map((uplink) => {
      this.#downAtMs.set(uplink.ifindex, nowMs)
      const link = links.find(({ ifindex }) => ifindex === uplink.ifindex)
      const isFree = link?.alias === '' || link?.alias === DOWN_ALIAS
      if (link?.isUp === true && !isFree) this.#unmarked.add(uplink.ifindex)
      // Only one that was up is marked: what somebody took down stays down at the next permit.
      const mark = link?.isUp === true && isFree ? ` alias "${DOWN_ALIAS}"` : ''
      return `link set dev ${linkHandle(uplink, links)} down${mark}`
    })
    return batch(lines)
  }

  /** For `ip -batch`: takes those up again that are ours. */
  upLines(links: readonly Link[]): string[] {
    const ours = links.filter(({ alias, ifindex }) => alias === DOWN_ALIAS || this.#unmarked.has(ifindex))
    const lines = ours.map(
      (link) => `link set dev ${linkHandle(link, links)} up${link.alias === DOWN_ALIAS ? ' alias ""' : ''}`,
    )
    this.#unmarked.clear()
    this.#downAtMs.clear()
    return lines
  }
}

/** `-force`: one that has just gone does not keep the others up. */
async function batch(lines: readonly string[]): Promise<string | null> {
  const { trouble } = await runTool('ip', ['-force', '-batch', '-'], { input: `${lines.join('\n')}\n` })
  return trouble
}
