/**
 * Clock: the receive clock (monotonic µs of this boot) and the boot it belongs to.
 * It is never UTC: a Pi has no clock that keeps time while it is off, so UTC comes later, through anchors.
 */
import { readFileSync } from 'node:fs'

/** Now on CLOCK_MONOTONIC, µs since boot; the same in every thread and process of one boot. */
export function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1000n)
}

/** The same in ms, with its fractions. */
export function monotonicMs(): number {
  return monotonicUs() / 1000
}

/** The kernel's id of this boot (UUID without dashes, 32 hex digits). Source: random(4). */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().replaceAll('-', '')
}
