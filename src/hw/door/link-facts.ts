/**
 * Link facts: what must hold for a local interface and `ip` does not list: its udev path, and that it ignores routers.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Link } from './links.js'
import type { LinkFacts } from './locals.js'

/** Router advertisements would give a local interface a default route, so they are switched off, and that is read back. */
export function linkFacts(link: Link): LinkFacts {
  const setting = `/proc/sys/net/ipv6/conf/${link.name}/accept_ra`
  let accepts = content(setting)
  if (accepts !== null && accepts !== '0') {
    try {
      writeFileSync(setting, '0')
    } catch {
      // a read-only /proc/sys: what is read next decides
    }
    accepts = content(setting)
  }
  return { path: udevPath(link), ignoresRouters: accepts === null || accepts === '0' }
}

/** The socket that it is plugged into: written by udevd beside its database; `udevadm info` reads the same file. */
export function udevPath({ ifindex }: Link): string | null {
  return /^E:ID_PATH=(.*)$/m.exec(content(`/run/udev/data/n${ifindex}`) ?? '')?.[1] ?? null
}

function content(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return null
  }
}
