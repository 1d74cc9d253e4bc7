/** Install checks: units, drop-ins, udev rule, token and folders, users, each as the installation puts them. */
import { findGroup, findUser, isMember, ownerText } from './accounts.js'
import {
  fail,
  notApplicable,
  pass,
  warn,
  type Answer,
  type Check,
  type Context,
  type Group,
} from './check.js'
import { INSTALL, LOCKDOWN, UNITS, isInstalled } from './installation.js'
import type { Machine } from './machine.js'
import { NETWORK_UNITS } from './others.js'
import { mentions, readUnit, valuesOf, type Unit } from './unit-files.js'

export const INSTALL_GROUP: Group = {
  name: 'installation',
  checks: [
    { name: 'units', look: lookAtUnits },
    { name: 'drop-ins', look: lookAtDropIns },
    { name: 'nftables.service', look: lookAtNftablesService },
    { name: 'udev rule', look: lookAtUdev },
    { name: 'users', look: lookAtUsers },
    { name: 'link token', look: lookAtToken },
    { name: 'folders', look: lookAtFolders },
  ].map(whereInstalled),
}

/** Where nothing is installed the first line of all says so, and each of these would only say it again. */
function whereInstalled({ name, look }: { name: string; look: (context: Context) => Answer[] }): Check {
  return {
    name,
    look: (context) =>
      isInstalled(context.machine) ? look(context) : [notApplicable('nothing is installed')],
  }
}

function lookAtUnits({ machine }: Context): Answer[] {
  return UNITS.map(({ name, without }) => {
    const unit = readUnit(machine, name)
    if (unit === null) return fail(`${name} is not installed: ${without}`, INSTALL)
    if (unit.isMasked) return fail(`${name} is masked: ${without}`, `sudo systemctl unmask ${name}`)
    if (!unit.isEnabled)
      return fail(`${name} is not enabled: ${without}`, `sudo systemctl enable --now ${name}`)
    const stops = valuesOf(unit, 'ExecStop')
    if (name === LOCKDOWN && stops.length > 0)
      return fail(
        `${name} has an ExecStop, so stopping it would open: ${stops[0]}`,
        `Take it out: ${unit.dropIns.join(', ') || name}`,
      )
    return pass(`${name} is enabled`)
  })
}

/** No lockdown, no network: each network service needs it. */
function lookAtDropIns({ machine }: Context): Answer[] {
  const units = networkUnits(machine)
  if (units.length === 0) return [notApplicable('no network service is installed')]
  const bare = units.filter(
    (unit) => !mentions(unit, 'Requires', LOCKDOWN) || !mentions(unit, 'After', LOCKDOWN),
  )
  const names = (list: readonly Unit[]) => list.map(({ name }) => name).join(', ')
  if (bare.length === 0) return [pass(`${names(units)} cannot start without the lockdown`)]
  return [
    fail(
      `may start without the lockdown: ${names(bare)}`,
      `${INSTALL} gives each Requires= and After=${LOCKDOWN}`,
    ),
  ]
}

/** Those that are installed, of what the installation lists and of what we know. */
function networkUnits(machine: Machine): Unit[] {
  const listed = (machine.text('/usr/lib/groundlock/network-services') ?? '')
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
  return [...new Set([...listed, ...NETWORK_UNITS])]
    .map((name) => readUnit(machine, name))
    .filter((unit): unit is Unit => unit !== null && !unit.isMasked)
}

/** It flushes every table when it starts, reloads and stops. */
function lookAtNftablesService({ machine }: Context): Answer[] {
  const unit = readUnit(machine, 'nftables.service')
  if (unit === null) return [notApplicable('it is not installed')]
  if (unit.isMasked) return [pass('it is masked')]
  const bare = ['ExecStart', 'ExecReload', 'ExecStop'].filter(
    (key) =>
      ![key, `${key}Post`].some((each) => valuesOf(unit, each).some((value) => value.includes('groundlock'))),
  )
  if (bare.length === 0) return [pass('it loads the shut base with whatever it flushes')]
  const found = `its ${bare.join(', ')} would flush our rules`
  return unit.isEnabled
    ? [
        fail(
          `it is enabled, and ${found}`,
          `${INSTALL} gives it a drop-in; or: sudo systemctl disable nftables`,
        ),
      ]
    : [
        warn(
          `it is not enabled, but if started ${found}`,
          `${INSTALL} gives it a drop-in; or: sudo systemctl mask nftables`,
        ),
      ]
}

function lookAtUdev({ machine }: Context): Answer[] {
  const folders = ['/etc/udev/rules.d', '/run/udev/rules.d', '/usr/lib/udev/rules.d', '/lib/udev/rules.d']
  const texts = folders.flatMap((folder) =>
    machine.names(folder).map((name) => machine.text(`${folder}/${name}`) ?? ''),
  )
  const runs = texts
    .flatMap((text) => [...text.matchAll(/^[^#\n]*RUN\+?="(\/[^ "]*groundlock[^ "]*)/gm)])
    .map((match) => match[1]!)
  const [script] = runs
  if (script === undefined)
    return [
      fail(
        'there is none: raw frames of a device that appears are dropped only when the guard has seen it',
        INSTALL,
      ),
    ]
  const entry = machine.entry(script)
  if (entry === null || (entry.mode & 0o111) === 0)
    return [fail(`it runs ${script}, which is not there or not executable`, INSTALL)]
  if (entry.uid !== 0 || (entry.mode & 0o022) !== 0)
    return [
      fail(
        `${script} may be changed by others than root`,
        `sudo chown root: ${script}; sudo chmod 755 ${script}`,
      ),
    ]
  return [pass(`a device that appears is covered by ${script}`)]
}

function lookAtUsers({ machine }: Context): Answer[] {
  const wanted = [
    { name: 'groundlock', groups: ['dialout'] },
    { name: 'groundlock-guard', groups: ['groundlock', 'gpio'] },
  ]
  return wanted.map(({ name, groups }) => {
    const user = findUser(machine, name)
    if (user === null) return fail(`there is no user ${name}`, INSTALL)
    if (user.uid === 0) return fail(`${name} is root`, `${INSTALL} makes it a user without rights`)
    const missing = groups.filter(
      (group) => findGroup(machine, group) !== null && !isMember(machine, user, group),
    )
    if (missing.length > 0)
      return fail(
        `${name} is not in group ${missing.join(', ')}`,
        `sudo usermod -aG ${missing.join(',')} ${name}`,
      )
    return pass(`${name}, in ${groups.join(', ')}`)
  })
}

/** Neither program may write, replace or remove it: a lock on it is then a lock on the one there is. */
function lookAtToken({ machine, configuration }: Context): Answer[] {
  const path = configuration.guard.token
  const entry = machine.entry(path)
  const folder = path.slice(0, path.lastIndexOf('/')) || '/'
  const remedy = 'sudo systemd-tmpfiles --create; what makes it is /usr/lib/tmpfiles.d/groundlock.conf'
  if (entry === null)
    return [
      fail(
        `there is no ${path}: nothing is permitted, and a station may record as if nobody guarded`,
        remedy,
      ),
    ]
  if (entry.kind !== 'file' || machine.link(path) !== null) return [fail(`${path} is no plain file`, remedy)]
  const around = machine.entry(folder)
  const owner = ownerText(machine, entry)
  if (owner !== 'root:groundlock' || entry.mode !== 0o640)
    return [fail(`${path} is ${owner} ${modeText(entry.mode)}, not root:groundlock 640`, remedy)]
  if (around === null || around.uid !== 0 || (around.mode & 0o022) !== 0)
    return [
      fail(
        `others than root may replace what lies in ${folder}`,
        `sudo chown root:root ${folder}; sudo chmod 755 ${folder}`,
      ),
    ]
  return [pass(`${path} is ${owner} ${modeText(entry.mode)} in a folder of root`)]
}

function lookAtFolders({ machine, configuration }: Context): Answer[] {
  const wanted = [
    { path: configuration.guard.runDir, owner: 'groundlock-guard' },
    { path: configuration.station.runDir, owner: 'groundlock' },
  ]
  return wanted.map(({ path, owner }) => {
    const entry = machine.entry(path)
    const remedy = 'sudo systemd-tmpfiles --create'
    if (entry === null) return fail(`there is no ${path}`, remedy)
    const found = `${path} is ${ownerText(machine, entry)} ${modeText(entry.mode)}`
    if (findUser(machine, owner)?.uid !== entry.uid) return fail(`${found}, and not ${owner}'s`, remedy)
    if ((entry.mode & 0o022) !== 0) return fail(`${found}: others may write there`, `sudo chmod go-w ${path}`)
    return pass(found)
  })
}

function modeText(mode: number): string {
  return mode.toString(8).padStart(3, '0')
}
