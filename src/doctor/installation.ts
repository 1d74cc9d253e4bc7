/** Installation: whether Groundlock is installed as a service here; where it is not, that is told once and nothing is asked of it. */
import type { Machine } from './machine.js'
import { readUnit } from './unit-files.js'

export const LOCKDOWN = 'groundlock-lockdown.service'
export const INSTALL = 'sudo ./scripts/install'

/** The units of the installation, and what is not done without each. */
export const UNITS = [
  { name: LOCKDOWN, without: 'the network comes up before anything is shut' },
  { name: 'groundlock-guard.service', without: 'nobody reads the switch' },
  { name: 'groundlock-station.service', without: 'nothing is recorded after a boot' },
]

/** One unit is enough: what is missing of the others is then told for each. */
export function isInstalled(machine: Machine): boolean {
  return UNITS.some(({ name }) => readUnit(machine, name) !== null)
}

/** What a person types to have a guard run here. */
export function startGuardCommand(machine: Machine): string {
  return isInstalled(machine) ? 'sudo systemctl start groundlock-guard' : INSTALL
}
