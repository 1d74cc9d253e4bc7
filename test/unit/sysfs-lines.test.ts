/**
 * GPIO through sysfs: the number of a line, and the switch that is read there. Neither this kernel's sysfs nor the package is here:
 * the folder is made, and the package is a stand-in with the calls of onoff 6.0.3 that are used. The real ones run in a virtual machine.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { findSysfs, type SysfsPlace } from '../../src/hw/gpio/sysfs-lines.js'
import type { Contacts } from '../../src/hw/switch/reading.js'
import { openSysfs } from '../../src/hw/switch/sysfs-backend.js'
import { SWITCH, keptLog } from '../support/fake-gpio.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder('sysfs')
let count = 0

/** A sysfs with these chips, and what was done to its lines. */
function sysfs(chips: Record<string, [label: string, base: number, lines: number]>) {
  const root = join(folder, String(count++))
  mkdirSync(root)
  writeFileSync(join(root, 'export'), '')
  for (const [name, [label, base, lines]] of Object.entries(chips)) {
    mkdirSync(join(root, name))
    for (const [file, value] of Object.entries({ label, base, ngpio: lines }))
      writeFileSync(join(root, name, file), `${value}\n`)
  }
  const levels = new Map<number, 0 | 1 | 'gone'>()
  const watchers: (() => void)[] = []
  const events: string[] = []
  class Gpio {
    readonly line: number
    constructor(line: number, direction: string, edge?: string) {
      this.line = line
      if (levels.get(line) === 'gone') throw new Error("EINVAL: invalid argument, open 'export'")
      events.push(`open ${line} ${direction} ${edge}`)
    }
    readSync() {
      const level = levels.get(this.line) ?? 1
      if (level === 'gone') throw new Error('ENODEV: no such device, read')
      return level
    }
    writeSync(value: number) {
      events.push(`write ${this.line} ${value}`)
    }
    watch(callback: () => void) {
      watchers.push(callback)
    }
    unexport() {
      events.push(`unexport ${this.line}`)
    }
  }
  const place: SysfsPlace = { root, load: () => Promise.resolve({ Gpio }) }
  return { place, levels, events, edge: () => watchers.forEach((each) => each()) }
}

const PI5 = {
  gpiochip512: ['gpio-brcmstb@107d508500', 512, 32],
  gpiochip571: ['pinctrl-rp1', 571, 54],
} as const
const chips = PI5 as unknown as Record<string, [string, number, number]>

describe('a line of sysfs', () => {
  it('is numbered from the base of the chip with the label', async () => {
    const { place, events } = sysfs(chips)
    const found = await findSysfs('auto', [17], place)
    found.open(17, 'in', 'both')
    expect(events).toEqual(['open 588 in both'])
    const named = await findSysfs('gpio-brcmstb@107d508500', [3], place)
    named.open(3, 'low')
    expect(events.at(-1)).toBe('open 515 low undefined')
  })

  it('a kernel without sysfs says so', async () => {
    await expect(
      findSysfs('auto', [17], { ...sysfs(chips).place, root: join(folder, 'none') }),
    ).rejects.toMatchObject({ code: 'GL-SWITCH-04', found: expect.stringContaining('this kernel has no') })
  })

  it.each([
    ['is not installed', () => Promise.reject(new Error("Cannot find package 'onoff'"))],
    ['is another one', () => Promise.resolve({})],
  ])('a package that %s is a fault', async (_, load) => {
    const { place } = sysfs(chips)
    await expect(findSysfs('auto', [17], { ...place, load })).rejects.toMatchObject({ code: 'GL-SWITCH-04' })
  })

  it('a line that is taken is a fault', async () => {
    const { place, levels } = sysfs(chips)
    levels.set(588, 'gone')
    const found = await findSysfs('auto', [17], place)
    expect(() => found.open(17, 'in')).toThrow('cannot use GPIO through sysfs: line 17 (number 588)')
  })
})

describe('the switch through sysfs', () => {
  it('reads both levels at each edge, and every 100 ms', async () => {
    vi.useFakeTimers()
    const { place, levels, events, edge } = sysfs(chips)
    const samples: (Contacts | string)[] = []
    const listener = {
      sample: (contacts: Contacts) => void samples.push(contacts),
      trouble: (reason: string) => void samples.push(reason),
    }
    levels.set(571 + 27, 0)
    const backend = await openSysfs(SWITCH, { log: keptLog(), listener }, place)
    expect(backend.name).toBe('sysfs: pinctrl-rp1, lines 17 and 27')
    expect(samples.splice(0)).toEqual([{ permit: 'open', shut: 'closed' }])
    levels.set(588, 0).set(598, 1)
    edge()
    expect(samples.splice(0)).toEqual([
      { permit: 'closed', shut: 'open' },
      { permit: 'closed', shut: 'open' },
    ])
    vi.advanceTimersByTime(100)
    expect(samples.splice(0)).toEqual([{ permit: 'closed', shut: 'open' }])
    levels.set(598, 'gone')
    vi.advanceTimersByTime(100)
    expect(samples.splice(0)).toEqual(['a line is gone: no such device'])
    await backend.stop()
    vi.advanceTimersByTime(5000)
    vi.useRealTimers()
    expect(samples).toEqual([])
    expect(events.slice(-2)).toEqual(['unexport 588', 'unexport 598'])
  })

  it('where one line cannot be had the other is given back', async () => {
    const { place, levels, events } = sysfs(chips)
    levels.set(598, 'gone')
    const listener = { sample: () => undefined, trouble: () => undefined }
    await expect(openSysfs(SWITCH, { log: keptLog(), listener }, place)).rejects.toMatchObject({
      code: 'GL-SWITCH-04',
    })
    expect(events.at(-1)).toBe('unexport 588')
  })
})
