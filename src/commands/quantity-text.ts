/**
 * Quantity text: counts, sizes, durations and times as people read them.
 */
import { isBelievable } from '../storage/import/tlog.js'
import { utcText } from '../storage/export/utc-text.js'

/** 50136 → `50,136`. */
export function countText(count: number): string {
  return count.toLocaleString('en-US')
}

/** `1 frame`, `1,502 frames`. */
export function pluralText(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`
}

const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** 290816 → `291 kB`; three digits. */
export function sizeText(bytes: number): string {
  let size = bytes
  let unit = 0
  while (size >= 999.5 && unit < SIZE_UNITS.length - 1) {
    size /= 1000
    unit++
  }
  const digits = unit === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2
  return `${size.toFixed(digits)} ${SIZE_UNITS[unit]}`
}

/** 3725.4 s → `1:02:05`. */
export function durationText(us: number | null): string {
  if (us === null) return '-'
  const seconds = Math.floor(us / 1e6)
  const two = (value: number): string => String(value).padStart(2, '0')
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

/** `2023-04-18 11:03:34`, or `-` where the time is not known. */
export function utcSecondText(utcUs: number | null): string {
  if (utcUs === null || !isBelievable(utcUs)) return '-'
  return utcText(utcUs).slice(0, 19).replace('T', ' ')
}

/** ISO 8601 with microseconds, or null where the time is not known. */
export function utcOrNull(utcUs: number | null): string | null {
  return utcUs === null || !isBelievable(utcUs) ? null : utcText(utcUs)
}

/** 0.01234 → `1.2 %`; nothing lost is `0 %`, and a little is never written as nothing. */
export function percentText(part: number): string {
  if (part === 0) return '0 %'
  return part < 0.001 ? '<0.1 %' : `${(100 * part).toFixed(1)} %`
}
