/**
 * Configuration rules: what no single value can break, two of them together can. Asked once every value by itself is right.
 */
import { posix } from 'node:path'
import type { Complain, Configuration } from './configuration.js'
import { doSubnetsOverlap } from './local-network.js'

export function rejectContradictions(configuration: Configuration, complain: Complain): void {
  rejectSharedDevices(configuration, complain)
  rejectWrongLines(configuration, complain)
  rejectSharedInterfaces(configuration, complain)
  rejectOverlappingSubnets(configuration, complain)
  rejectUnreachablePort(configuration, complain)
  rejectSharedFolders(configuration, complain)
}

/** What of the switch, the lamp and the relay is on which line. */
export interface Wiring {
  switch: Configuration['switch']
  uplink: Pick<Configuration['uplink'], 'relayLine'>
}

/** The rules of the lines alone: also for who tries a wiring that no configuration has yet. */
export function rejectWrongLines(wiring: Wiring, complain: Complain): void {
  rejectSharedLines(wiring, complain)
  rejectLinesOutsideHeader(wiring, complain)
}

/** Two links on one device would steal each other's bytes. */
function rejectSharedDevices({ links }: Configuration, complain: Complain): void {
  for (const [index, { name, device }] of links.entries()) {
    const first = links.slice(0, index).find((link) => link.device === device)
    if (first) complain(['link', name, 'device'], `${device} is already the device of link.${first.name}`)
  }
}

/** The lines that are used. The shut line is free where one contact is all there is. */
function linesOf({ switch: { wiring, ...of }, uplink }: Wiring) {
  return [
    { path: ['switch', 'permit_line'], line: of.permitLine },
    { path: ['switch', 'shut_line'], line: wiring === 'single' ? null : of.shutLine },
    { path: ['switch', 'lamp_line'], line: of.lampLine },
    { path: ['uplink', 'relay_line'], line: uplink.relayLine },
  ]
}

/** One line is one contact, lamp or relay. */
function rejectSharedLines(wiring: Wiring, complain: Complain): void {
  const lines = linesOf(wiring)
  for (const [index, { path, line }] of lines.entries()) {
    const first = lines.slice(0, index).find((other) => line !== null && other.line === line)
    if (first) complain(path, `GPIO ${line} is already ${first.path.join('.')}`)
  }
}

/** The labels of the chips that have a Raspberry Pi's header. */
const HEADER_CHIP = /^pinctrl-(?:bcm2835|bcm2711|rp1)$/
/** The header's GPIO 0 and 1 are ID_SD and ID_SC: the firmware looks for an EEPROM there. Source: raspberrypi/hats. */
const FIRST_FREE_LINE = 2
const LAST_HEADER_LINE = 27

/** A Compute Module has more lines than the header, so a chip that is named may have them; another chip has its own. */
function rejectLinesOutsideHeader(wiring: Wiring, complain: Complain): void {
  const { chip, backend } = wiring.switch
  if (backend === 'simulated') return
  const isAuto = chip === 'auto'
  for (const { path, line } of linesOf(wiring)) {
    if (line === null) continue
    if ((isAuto || HEADER_CHIP.test(chip)) && line < FIRST_FREE_LINE)
      complain(path, `GPIO ${line} is for the ID EEPROM of a Raspberry Pi's header; free are 2 to 27`)
    else if (isAuto && line > LAST_HEADER_LINE)
      complain(
        path,
        `GPIO ${line} is not on a Raspberry Pi's header (2 to 27); for another chip, name it: switch.chip`,
      )
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

/** Two networks with the same addresses: an answer goes out by whichever route the kernel has first. */
function rejectOverlappingSubnets({ uplink: { locals } }: Configuration, complain: Complain): void {
  for (const [index, { subnet }] of locals.entries()) {
    const first = locals.slice(0, index).findIndex((other) => doSubnetsOverlap(other.subnet, subnet))
    if (first !== -1)
      complain(
        ['uplink', 'local', String(index), 'subnet'],
        `${subnet} overlaps ${locals[first]!.subnet} of uplink.local[${first}]`,
      )
  }
}

function rejectUnreachablePort({ uplink: { locals, sshPort } }: Configuration, complain: Complain): void {
  if (sshPort !== null && locals.length === 0)
    complain(['uplink', 'ssh_port'], 'no host could reach it: it is for local interfaces, and there is none')
}

/** Each program owns its folder. Whoever owns the folder of a file may remove the file, whosever that is. */
function rejectSharedFolders({ station, vault, guard }: Configuration, complain: Complain): void {
  if (posix.resolve(guard.runDir) === posix.resolve(station.runDir))
    complain(['guard', 'run_dir'], `${guard.runDir} is already station.run_dir`)
  const folders = [
    { key: 'guard.run_dir', folder: guard.runDir, owner: 'the guard' },
    { key: 'guard.state_dir', folder: guard.stateDir, owner: 'the guard' },
    { key: 'station.run_dir', folder: station.runDir, owner: 'the station' },
  ]
  const around = folders.find(({ folder }) => isInside(folder, guard.token))
  if (around)
    complain(
      ['guard', 'token'],
      `${guard.token} lies in ${around.key}, where ${around.owner} could remove it; give it a folder of its own`,
    )
  const isSame = (folder: string) => posix.resolve(folder) === posix.resolve(vault.dir)
  const under = folders.find(({ folder }) => isSame(folder) || isInside(folder, vault.dir))
  if (under)
    complain(
      ['vault', 'dir'],
      `${vault.dir} is or lies in ${under.key}; give the flights a folder of their own`,
    )
}

function isInside(folder: string, path: string): boolean {
  return posix.resolve(path).startsWith(`${posix.resolve(folder).replace(/\/$/, '')}/`)
}
