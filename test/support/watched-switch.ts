/** Watched switch: an open switch whose readings a test can wait for, by event. */
import { monotonicMs } from '../../src/base/clock.js'
import type { SwitchConfiguration } from '../../src/base/configuration.js'
import type { SwitchReading } from '../../src/hw/switch/reading.js'
import { openSwitch, type Switch } from '../../src/hw/switch/switch.js'
import { keptLog } from './fake-gpio.js'

export interface WatchedSwitch {
  device: Switch
  /** Every reading that was news, the one after opening first. */
  readings: SwitchReading[]
  log: string[]
  now(): SwitchReading
  /** The first reading from now on (or the present one) that it holds for. The test's own timeout is its end. */
  until(holds: (reading: SwitchReading) => boolean): Promise<SwitchReading>
}

export async function watchedSwitch(
  configuration: SwitchConfiguration,
  { isInstalledUnit = false } = {},
): Promise<WatchedSwitch> {
  const log = keptLog()
  const readings: SwitchReading[] = []
  const waiting = new Set<() => void>()
  const onChange = () => {
    readings.push(now())
    for (const each of waiting) each()
  }
  const device = await openSwitch(configuration, { log, onChange, isInstalledUnit })
  const now = () => device.read(monotonicMs())
  readings.push(now())
  return {
    device,
    readings,
    log: log.lines,
    now,
    until: (holds) =>
      new Promise((resolve) => {
        const look = () => {
          const reading = now()
          if (!holds(reading)) return
          waiting.delete(look)
          resolve(reading)
        }
        waiting.add(look)
        look()
      }),
  }
}

/** A reading's position is this. */
export const isAt = (position: SwitchReading['position']) => (reading: SwitchReading) =>
  reading.position === position
