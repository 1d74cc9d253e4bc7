/**
 * Radio: of a Wi-Fi uplink, by its rfkill index. One that carries a local interface as well is left alone.
 * Source: Documentation/driver-api/rfkill.rst; `struct rfkill_event` of linux/rfkill.h.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { reasonOf } from '../../base/fault.js'

/** RFKILL_OP_CHANGE: one radio, by its index. */
const CHANGE = 2

/** Where the kernel shows and takes them. */
export interface RadioPlaces {
  sys: string
  device: string
}
export const PLACES: RadioPlaces = { sys: '/sys', device: '/dev/rfkill' }

interface Interface {
  ifindex: number
  name: string
}

/** Radios of uplinks, without those that a local interface uses as well. */
export function radiosOf(
  uplinks: readonly Interface[],
  locals: readonly Interface[],
  places: RadioPlaces = PLACES,
): number[] {
  const spared = new Set(locals.flatMap((each) => radios(each, places)))
  return [...new Set(uplinks.flatMap((each) => radios(each, places)))].filter((index) => !spared.has(index))
}

/** Every radio of the machine, by its rfkill index. */
export function allRadios({ sys }: RadioPlaces): number[] {
  return entries(`${sys}/class/rfkill`).flatMap(indexOf)
}

export function isBlocked(index: number, places: RadioPlaces = PLACES): boolean {
  return (
    content(`${places.sys}/class/rfkill/rfkill${index}/soft`) === '1' ||
    content(`${places.sys}/class/rfkill/rfkill${index}/hard`) === '1'
  )
}

/** Blocks or frees one radio; what failed, or null. */
export function setBlocked(
  index: number,
  isBlockedThen: boolean,
  places: RadioPlaces = PLACES,
): string | null {
  const event = Buffer.alloc(8)
  event.writeUInt32LE(index, 0)
  event.writeUInt8(CHANGE, 5)
  event.writeUInt8(isBlockedThen ? 1 : 0, 6)
  try {
    writeFileSync(places.device, event, { flag: 'r+' })
    return null
  } catch (error) {
    return `rfkill${index}: ${reasonOf(error)}`
  }
}

/** /sys may be that of another namespace: an interface counts only where it has the same index there. */
function radios({ ifindex, name }: Interface, { sys }: RadioPlaces): number[] {
  if (name.includes('/') || content(`${sys}/class/net/${name}/ifindex`) !== String(ifindex)) return []
  return entries(`${sys}/class/net/${name}/phy80211`).flatMap(indexOf)
}

function indexOf(entry: string): number[] {
  const index = /^rfkill(\d+)$/.exec(entry)?.[1]
  return index === undefined ? [] : [Number(index)]
}

function content(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return null
  }
}

function entries(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return [] // no radio
  }
}
