/**
 * Link down: takes uplinks down while shut, which empties the queue that a slow one still holds, and later up again those
 * that were taken down by us. That we did it is written on the device itself, as its alias or a second name: it outlives the guard.
 */
import { runTool } from './child.js'
import { DOWN_ALIAS, downAltname, isMarkedDown, linkHandle } from './links.js'
import type { Link } from './links.js'
import type { Uplink } from './ruleset.js'

/** A program that takes a link up again and again gets an answer this often (ms), and no storm. */
export const AGAIN_MS = 1000

export class LinkDown {
  /** When each was last taken down, by ifindex (monotonic ms). */
  readonly #downAtMs = new Map<number, number>()

  /** Those that are up and whose turn it is. */
  due(uplinks: readonly (Uplink & { isUp: boolean })[], nowMs: number): Uplink[] {
    return uplinks.filter(
      ({ ifindex, isUp }) => isUp && nowMs - (this.#downAtMs.get(ifindex) ?? -Infinity) >= AGAIN_MS,
    )
  }

  /** Takes them down, whatever their state; resolves with what failed. */
  async down(uplinks: readonly Uplink[], links: readonly Link[], nowMs: number): Promise<string | null> {
    if (uplinks.length === 0) return null
    const lines = uplinks.flatMap((uplink) => {
      this.#downAtMs.set(uplink.ifindex, nowMs)
      const down = `link set dev ${linkHandle(uplink, links)} down`
      const link = links.find(({ ifindex }) => ifindex === uplink.ifindex)
      // Only one that was up is marked: what somebody took down stays down at the next permit.
      if (link?.isUp !== true) return [down]
      if (link.alias === '' || link.alias === DOWN_ALIAS) return [`${down} alias "${DOWN_ALIAS}"`]
      return isMarkedDown(link) ? [down] : [altnameLine('add', link, links), down]
    })
    return batch(lines)
  }

  /** For `ip -batch`: takes those up again that are ours. */
  upLines(links: readonly Link[]): string[] {
    const lines = links.filter(isMarkedDown).flatMap((link) => {
      const up = `link set dev ${linkHandle(link, links)} up${link.alias === DOWN_ALIAS ? ' alias ""' : ''}`
      return link.altnames.includes(downAltname(link.ifindex)) ? [up, altnameLine('del', link, links)] : [up]
    })
    this.#downAtMs.clear()
    return lines
  }
}

function altnameLine(verb: 'add' | 'del', link: Link, links: readonly Link[]): string {
  return `link property ${verb} dev ${linkHandle(link, links)} altname ${downAltname(link.ifindex)}`
}

/** `-force`: one that has just gone does not keep the others up. */
async function batch(lines: readonly string[]): Promise<string | null> {
  const { trouble } = await runTool('ip', ['-force', '-batch', '-'], { input: `${lines.join('\n')}\n` })
  return trouble
}
