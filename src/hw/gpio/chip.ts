/**
 * GPIO chip: found by its label. Its number is what the order of drivers made it at this boot: the header of a Pi 5 was
 * gpiochip4 and became gpiochip0 with a kernel update.
 */
import { Fault } from '../../base/fault.js'

export interface GpioChip {
  /** As the kernel names it now, `gpiochip0`. */
  name: string
  /** As the driver names itself, `pinctrl-bcm2711`. */
  label: string
  lineCount: number
}

/** The 40-pin header: of a Pi 5, of a Pi 4, and of those before and the Zeros. */
const HEADER_LABELS = ['pinctrl-rp1', 'pinctrl-bcm2711', 'pinctrl-bcm2835']

/** The chip with this label, or with `auto` the one that carries the header. Errors: `Fault` GL-SWITCH-03. */
export function pickChip<T extends GpioChip>(
  chips: readonly T[],
  wanted: string,
  lines: readonly number[],
): T {
  const labels = wanted === 'auto' ? HEADER_LABELS : [wanted]
  const label = labels.find((each) => chips.some((chip) => chip.label === each))
  const [chip, ...others] = chips.filter((each) => each.label === label)
  if (chip === undefined)
    throw chipFault(
      wanted,
      wanted === 'auto' ? 'no chip of a 40-pin header' : `no chip has this label`,
      chips,
    )
  if (others.length > 0)
    throw chipFault(wanted, `${others.length + 1} chips have the label ${chip.label}`, chips)
  const outside = lines.find((line) => line >= chip.lineCount)
  if (outside !== undefined)
    throw chipFault(chip.label, `it has ${chip.lineCount} lines, and no line ${outside}`, chips)
  return chip
}

function chipFault(wanted: string, found: string, chips: readonly GpioChip[]): Fault {
  const list = chips.map(({ name, label, lineCount }) => `${label} (${name}, ${lineCount} lines)`).join(', ')
  return new Fault({
    code: 'GL-SWITCH-03',
    op: 'use the GPIO chip',
    subject: wanted,
    found,
    hint:
      (list === '' ? 'None is seen here. ' : `Seen: ${list}. `) +
      "Name one by its label in [switch] chip. A chip that is missing may be another group's: ls -l /dev/gpiochip*",
    recovery: 'user',
  })
}
