/**
 * Configuration rules: what no single value can break, two of them together can. Asked once every value by itself is right.
 */
import type { Complain, Configuration } from './configuration.js'

export function rejectContradictions(configuration: Configuration, complain: Complain): void {
  rejectSharedDevices(configuration, complain)
  rejectSharedLines(configuration, complain)
  rejectSharedInterfaces(configuration, complain)
}

/** Two links on one device would steal each other's bytes. */
function rejectSharedDevices({ links }: Configuration, complain: Complain): void {
  for (const [index, { name, device }] of links.entries()) {
    const first = links.slice(0, index).find((link) => link.device === device)
    if (first) complain(['link', name, 'device'], `${device} is already the device of link.${first.name}`)
  }
}

/** One line is one contact, lamp or relay. The shut line is free where one contact is all there is. */
function rejectSharedLines({ switch: { wiring, ...of }, uplink }: Configuration, complain: Complain): void {
  const lines = [
    { path: ['switch', 'permit_line'], line: of.permitLine },
    { path: ['switch', 'shut_line'], line: wiring === 'single' ? null : of.shutLine },
    { path: ['switch', 'lamp_line'], line: of.lampLine },
    { path: ['uplink', 'relay_line'], line: uplink.relayLine },
  ]
  for (const [index, { path, line }] of lines.entries()) {
    const first = lines.slice(0, index).find((other) => line !== null && other.line === line)
    if (first) complain(path, `GPIO ${line} is already ${first.path.join('.')}`)
  }
}

/** Two entries for one interface could give it two subnets. */
function rejectSharedInterfaces({ uplink: { locals } }: Configuration, complain: Complain): void {
  for (const [index, local] of locals.entries())
    for (const key of ['name', 'mac', 'path'] as const) {
      const first = locals.findIndex((other) => local[key] !== null && other[key] === local[key])
      if (first !== -1 && first < index)
        complain(
          ['uplink', 'local', String(index), key],
          `${local[key]} is already in uplink.local[${first}]`,
        )
    }
}
