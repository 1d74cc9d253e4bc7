/** Accounts: the users and groups of a machine, and whether one of them may use a file. Source: passwd(5), group(5). */
import type { Entry, Machine } from './machine.js'

export interface Account {
  name: string
  uid: number
  gid: number
}

export function findUser(machine: Machine, name: string): Account | null {
  const row = rows(machine, '/etc/passwd').find(([each]) => each === name)
  return row === undefined ? null : { name, uid: Number(row[2]), gid: Number(row[3]) }
}

export function findGroup(machine: Machine, name: string): number | null {
  const row = rows(machine, '/etc/group').find(([each]) => each === name)
  return row === undefined ? null : Number(row[2])
}

export function isMember(machine: Machine, user: Account, group: string): boolean {
  const row = rows(machine, '/etc/group').find(([each]) => each === group)
  if (row === undefined) return false
  return Number(row[2]) === user.gid || (row[3] ?? '').split(',').includes(user.name)
}

/** `groundlock:dialout`; numbers where nobody has them. */
export function ownerText(machine: Machine, { uid, gid }: Entry): string {
  const nameOf = (path: string, id: number) => rows(machine, path).find((row) => Number(row[2]) === id)?.[0]
  return `${nameOf('/etc/passwd', uid) ?? uid}:${nameOf('/etc/group', gid) ?? gid}`
}

/** Whether the permission bits let this user read and write (4 + 2), enter (1); access lists are not looked at. */
export function mayUse(machine: Machine, user: Account, entry: Entry, wanted: number): boolean {
  if (user.uid === 0) return true
  if (entry.uid === user.uid) return ((entry.mode >> 6) & wanted) === wanted
  const group = rows(machine, '/etc/group').find((row) => Number(row[2]) === entry.gid)?.[0]
  const isOfGroup = user.gid === entry.gid || (group !== undefined && isMember(machine, user, group))
  return ((isOfGroup ? entry.mode >> 3 : entry.mode) & wanted) === wanted
}

function rows(machine: Machine, path: string): string[][] {
  return (machine.text(path) ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':'))
}
