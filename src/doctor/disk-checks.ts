/** Disk checks: where the vault lies, how much is free, and whether a flush there means what it says. */
import { JOIN_STATION_GROUP } from '../base/station-group.js'
import { findUser, mayUse, ownerText } from './accounts.js'
import { AS_ROOT, fail, notApplicable, pass, warn, type Answer, type Context, type Group } from './check.js'
import type { Machine } from './machine.js'

export const DISK_GROUP: Group = {
  name: 'disk',
  checks: [
    { name: 'vault', look: lookAtVault },
    { name: 'space', look: lookAtSpace },
    { name: 'file system', look: lookAtFileSystem },
    { name: 'card', look: lookAtCard },
  ],
}

/** A flight may have as much, so the next one may not fit (bytes). */
const LITTLE_BYTES = 1024 ** 3
/** Both tails and a segment's commit fit no more (bytes). */
const NONE_BYTES = 64 * 1024 ** 2
/** ext4 commits metadata this often by itself (s); what is longer keeps more of what was not flushed from a power cut. */
const USUAL_COMMIT_S = 5

const LOOK_THERE = `${AS_ROOT}; or ${JOIN_STATION_GROUP}`

/** File systems that keep what they flushed; others were not tried. */
const GOOD = ['ext4', 'xfs', 'btrfs', 'f2fs']
const BAD: Readonly<Record<string, string>> = {
  tmpfs: 'it is memory: all is gone with the power',
  ramfs: 'it is memory: all is gone with the power',
  overlay: 'what is written may lie in memory only',
  vfat: 'it loses files at a power cut',
  exfat: 'it loses files at a power cut',
  ntfs: 'it loses files at a power cut',
  ntfs3: 'it loses files at a power cut',
  nfs: 'it is a network',
  nfs4: 'it is a network',
  cifs: 'it is a network',
}

/** What the vault lies in: itself, also where this user may not look, or the nearest folder that is there. */
function placeOf(machine: Machine, path: string): string {
  const isMissing = (place: string) => machine.entry(place) === null && !machine.isHidden(place)
  let place = path
  while (place !== '/' && isMissing(place)) place = place.slice(0, place.lastIndexOf('/')) || '/'
  return place
}

function lookAtVault({ machine, configuration }: Context): Answer[] {
  const path = configuration.vault.dir
  const entry = machine.entry(path)
  if (machine.isHidden(path)) return [notApplicable(`${path}: this user may not look there`, LOOK_THERE)]
  if (entry === null) {
    const place = placeOf(machine, path)
    return [
      notApplicable(`${path} is not there yet (${place} is); the station makes it when it first starts`),
    ]
  }
  if (entry.kind !== 'folder') return [fail(`${path} is no folder`, 'Name another: [vault] dir')]
  const user = findUser(machine, 'groundlock')
  const found = `${path} is ${ownerText(machine, entry)} ${entry.mode.toString(8)}`
  if (user === null) return [notApplicable(`${found}; there is no user groundlock to write there`)]
  if (!mayUse(machine, user, entry, 0o7))
    return [
      fail(
        `${found}: the station's user groundlock may not write there`,
        `sudo chown -R groundlock:groundlock ${path}`,
      ),
    ]
  if ((entry.mode & 0o007) !== 0)
    return [warn(`${found}: everybody may look into it`, `sudo chmod o= ${path}`)]
  return [pass(found)]
}

function lookAtSpace({ machine, configuration }: Context): Answer[] {
  const place = placeOf(machine, configuration.vault.dir)
  const space = machine.space(place)
  if (space === null)
    return [notApplicable(`${place} cannot be measured`, machine.isHidden(place) ? LOOK_THERE : null)]
  const gib = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`
  const found = `${gib(space.freeBytes)} of ${gib(space.totalBytes)} free at ${place}`
  const remedy = 'Export flights and remove them here, or name a larger disk: [vault] dir'
  if (space.freeBytes < NONE_BYTES) return [fail(`${found}: nothing more can be stored`, remedy)]
  return [space.freeBytes < LITTLE_BYTES ? warn(`${found}, less than one long flight`, remedy) : pass(found)]
}

interface Mount {
  point: string
  type: string
  source: string
  options: string[]
}

/** The mount that a path lies on. Source: proc(5), /proc/self/mountinfo. */
export function mountOf(machine: Machine, path: string): Mount | null {
  const mounts = (machine.text('/proc/self/mountinfo') ?? '').split('\n').flatMap((line): Mount[] => {
    const [before = '', after = ''] = line.split(' - ')
    const [, , , , point = '', options = ''] = before.split(' ')
    const [type = '', source = '', more = ''] = after.split(' ')
    if (point === '') return []
    const plain = point.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)))
    return [{ point: plain, type, source, options: [...options.split(','), ...more.split(',')] }]
  })
  const holds = ({ point }: Mount) => point === '/' || path === point || path.startsWith(`${point}/`)
  // The longest; of two on one point the later one lies on top.
  return mounts
    .filter(holds)
    .reduce<Mount | null>(
      (best, mount) => (best && best.point.length > mount.point.length ? best : mount),
      null,
    )
}

function lookAtFileSystem({ machine, configuration }: Context): Answer[] {
  const mount = mountOf(machine, machine.real(placeOf(machine, configuration.vault.dir)))
  if (mount === null) return [notApplicable('the mounts cannot be read')]
  const { point, type, source, options } = mount
  const found = `${type} on ${source} at ${point}`
  const elsewhere = 'Put the vault on ext4: [vault] dir'
  const bad = BAD[type] ?? (type.startsWith('fuse') ? 'what a flush means there is not known' : null)
  if (bad !== null) return [fail(`${found}: ${bad}`, elsewhere)]
  if (options.includes('ro'))
    return [
      fail(
        `${found} is mounted read-only`,
        `sudo dmesg says whether it has errors; sudo mount -o remount,rw ${point}`,
      ),
    ]
  if (options.some((option) => /^(?:nobarrier|barrier=0)$/.test(option)))
    return [
      fail(
        `${found} has no barriers: a flush does not reach the disk`,
        'Take nobarrier and barrier=0 out of /etc/fstab.',
      ),
    ]
  const commitS = Number(
    options.find((option) => option.startsWith('commit='))?.slice('commit='.length) ?? USUAL_COMMIT_S,
  )
  if (commitS > USUAL_COMMIT_S)
    return [
      warn(
        `${found} has commit=${commitS}: what is stored is flushed all the same, everything else on it later`,
        'Take commit= out of /etc/fstab.',
      ),
    ]
  return [
    GOOD.includes(type) ? pass(`${found}, commit=${commitS}`) : warn(`${found} was not tried`, elsewhere),
  ]
}

/** What the kernel knows of an SD card or eMMC. Source: Documentation/driver-api/mmc, sysfs attributes. */
function lookAtCard({ machine, configuration }: Context): Answer[] {
  const mount = mountOf(machine, machine.real(placeOf(machine, configuration.vault.dir)))
  const disk = /^\/dev\/(mmcblk\d+)/.exec(machine.real(mount?.source ?? ''))?.[1]
  if (disk === undefined) return [notApplicable('the vault lies on no SD card')]
  const told = (name: string) => machine.text(`/sys/block/${disk}/device/${name}`)?.trim() ?? ''
  const found = `${disk}: ${told('type') || 'card'} ${told('name')}, made ${told('date') || 'at a time it does not say'}`
  if (machine.text(`/sys/block/${disk}/ro`)?.trim() === '1')
    return [fail(`${found} is write-protected`, 'Slide its lock, or replace it: many cards end like that.')]
  // Life time in tenths used, eMMC only: 0x0b is beyond its end.
  const used = Math.max(0, ...told('life_time').split(/\s+/).map(Number))
  if (used >= 9)
    return [
      warn(
        `${found}; ${used >= 11 ? 'its life is over' : `${used * 10} % of its life is used`}`,
        'Replace it.',
      ),
    ]
  return [pass(found)]
}
