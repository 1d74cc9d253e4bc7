/**
 * sysfs lines: GPIO through /sys/class/gpio and the package `onoff`, for kernels that still have it.
 * Lines are numbered over all chips there, from a base that is 0 on old kernels, 512 on newer ones and 571 on a Pi 5; so the
 * number is the base of the chip with the label, plus the offset. sysfs knows no bias: the board sets it at boot.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Fault, reasonOf } from '../../base/fault.js'
import { pickChip, type GpioChip } from './chip.js'

/** What is used of a line of `onoff` 6.0.3. */
export interface OnoffLine {
  readSync(): 0 | 1
  writeSync(value: 0 | 1): void
  /** At each edge, with the level read after it. An edge whose level cannot be read is an exception of the package. */
  watch(callback: (error: Error | null | undefined, value: 0 | 1) => void): void
  unexport(): void
}

export interface Onoff {
  Gpio: new (line: number, direction: 'in' | 'low', edge?: 'both') => OnoffLine
}

/** The place and the package, for those who have others. */
export interface SysfsPlace {
  root: string
  load: () => Promise<unknown>
}

/** No literal where it is loaded: most systems have no use for it, and neither compiler nor bundler should need it. */
const PACKAGE = 'onoff'

export const SYSFS: SysfsPlace = { root: '/sys/class/gpio', load: (): Promise<unknown> => import(PACKAGE) }

export interface SysfsLines {
  chip: GpioChip
  open(offset: number, direction: 'in' | 'low', edge?: 'both'): OnoffLine
}

/** Finds chip and package. Errors: `Fault` GL-SWITCH-03 no such chip, -04 no sysfs or no package. */
export async function findSysfs(
  wanted: string,
  offsets: readonly number[],
  { root, load }: SysfsPlace = SYSFS,
): Promise<SysfsLines> {
  if (!existsSync(join(root, 'export')))
    throw sysfsFault(
      `this kernel has no ${root}`,
      'Current Raspberry Pi OS has none any more: use the character device, backend = "auto" or "chardev".',
    )
  const chip = pickChip(chipsBelow(root), wanted, offsets)
  const onoff = await loadOnoff(load)
  return {
    chip,
    open(offset, direction, edge) {
      try {
        return new onoff.Gpio(chip.base + offset, direction, edge)
      } catch (cause) {
        const found = `line ${offset} (number ${chip.base + offset}): ${reasonOf(cause)}`
        throw sysfsFault(found, `Is another program using it? ls ${root}`, cause)
      }
    },
  }
}

function chipsBelow(root: string): (GpioChip & { base: number })[] {
  const text = (name: string, file: string) => readFileSync(join(root, name, file), 'utf8').trim()
  return readdirSync(root)
    .filter((name) => /^gpiochip\d+$/.test(name))
    .map((name) => ({
      name,
      label: text(name, 'label'),
      lineCount: Number(text(name, 'ngpio')),
      base: Number(text(name, 'base')),
    }))
}

async function loadOnoff(load: SysfsPlace['load']): Promise<Onoff> {
  try {
    const loaded: unknown = await load()
    if (isOnoff(loaded)) return loaded
    throw new Error('it has no Gpio')
  } catch (cause) {
    throw sysfsFault(
      `the package ${PACKAGE} cannot be loaded: ${reasonOf(cause).split('\n', 1)[0]}`,
      'It is compiled at installation: npm install onoff, with make and g++ there. Or use the character device.',
      cause,
    )
  }
}

function isOnoff(loaded: unknown): loaded is Onoff {
  return (
    typeof loaded === 'object' && loaded !== null && 'Gpio' in loaded && typeof loaded.Gpio === 'function'
  )
}

function sysfsFault(found: string, hint: string, cause?: unknown): Fault {
  return new Fault({
    code: 'GL-SWITCH-04',
    op: 'use',
    subject: 'GPIO through sysfs',
    found,
    hint,
    recovery: 'user',
    cause,
  })
}
