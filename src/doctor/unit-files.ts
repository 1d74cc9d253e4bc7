/**
 * Unit files: what systemd would start, read from its files, so that it can be said of a machine that does not run.
 * Source: systemd.unit(5), "unit file load path" and drop-ins.
 */
import type { Machine } from './machine.js'

/** The earlier one wins. */
const UNIT_FOLDERS = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
]

export interface Unit {
  name: string
  isMasked: boolean
  /** Something wants or requires it at boot. */
  isEnabled: boolean
  /** Its own text, then its drop-ins' in the order of their names. */
  text: string
  dropIns: string[]
}

/** The unit of this name; null where none is installed. */
export function readUnit(machine: Machine, name: string): Unit | null {
  const path = namesOf(name)
    .flatMap((each) => UNIT_FOLDERS.map((folder) => `${folder}/${each}`))
    .find((each) => machine.isThere(each))
  if (path === undefined) return null
  const isMasked = machine.real(path) === '/dev/null'
  const dropIns = dropInsOf(machine, name)
  const texts = [path, ...dropIns].map((each) => machine.text(each) ?? '')
  return { name, isMasked, isEnabled: !isMasked && isWanted(machine, name), text: texts.join('\n'), dropIns }
}

/** An instance is what its template says. */
function namesOf(name: string): string[] {
  return [...new Set([name, name.replace(/@.*\./, '@.')])]
}

/** Names of installed units that begin like this: instances and templates. */
export function unitNames(machine: Machine, pattern: RegExp): string[] {
  const names = UNIT_FOLDERS.flatMap((folder) => machine.names(folder)).filter((name) => pattern.test(name))
  return [...new Set(names)].sort()
}

/** Paths of a unit's drop-ins, by name; one in an earlier folder hides those of that name in later ones. */
function dropInsOf(machine: Machine, name: string): string[] {
  const byName = new Map<string, string>()
  for (const folder of UNIT_FOLDERS)
    for (const owner of namesOf(name))
      for (const file of machine.names(`${folder}/${owner}.d`))
        if (file.endsWith('.conf') && !byName.has(file)) byName.set(file, `${folder}/${owner}.d/${file}`)
  return [...byName.keys()].sort().map((file) => byName.get(file)!)
}

function isWanted(machine: Machine, name: string): boolean {
  return UNIT_FOLDERS.some((folder) =>
    machine
      .names(folder)
      .filter((entry) => /\.(?:wants|requires)$/.test(entry))
      .some((entry) => machine.isThere(`${folder}/${entry}/${name}`)),
  )
}

/** All values of a setting, in order; an empty one takes back what came before (systemd.syntax(7)). */
export function valuesOf({ text }: Unit, key: string): string[] {
  let values: string[] = []
  for (const line of text.replace(/\\\n/g, ' ').split('\n')) {
    const match = /^\s*([A-Za-z]+)\s*=\s*(.*?)\s*$/.exec(line)
    if (match?.[1] !== key) continue
    if (match[2] === '') values = []
    else values.push(match[2]!)
  }
  return values
}

/** The unit names another one in one of these settings, `Requires` or `After`. */
export function mentions(unit: Unit, key: string, other: string): boolean {
  return valuesOf(unit, key).some((value) => value.split(/\s+/).includes(other))
}

export type Activity = 'active' | 'inactive' | 'failed' | 'not known'

export async function activityOf(machine: Machine, name: string): Promise<Activity> {
  const ran = await machine.run('systemctl', ['is-active', name])
  const word = ran?.stdout.trim() ?? ''
  if (word === 'active' || word === 'reloading' || word === 'activating') return 'active'
  if (word === 'failed') return 'failed'
  return word === 'inactive' || word === 'deactivating' ? 'inactive' : 'not known'
}
