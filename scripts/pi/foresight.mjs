/**
 * Foresight: what the guard will make of the interfaces of this machine as they are now. By its own functions, from the program that
 * is about to be installed: what the installation promises of an interface, the guard keeps.
 */
import { udevPath } from '../../dist/hw/door/link-facts.js'
import { survey } from '../../dist/hw/door/links.js'
import { sortLinks } from '../../dist/hw/door/locals.js'

/** The interfaces with their addresses and routes. Errors: it ends the process with 1, and says what failed. */
export async function surveyNow() {
  const found = await survey(true)
  if ('trouble' in found) {
    console.error(found.trouble)
    process.exit(1)
  }
  return found
}

/** How the guard sorts what was surveyed. That no routers are accepted (accept_ra) it sees to itself, so it is taken for granted. */
export function sortedBy(locals, found) {
  const facts = found.links.map((link) => [link.ifindex, { path: udevPath(link), ignoresRouters: true }])
  return sortLinks({ locals, ports: [] }, found, new Map(facts))
}
