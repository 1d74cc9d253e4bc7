/** Switch checks: the GPIO backend, the chip and its lines. They are listed, never requested: a request would set their bias. */
import { Fault } from '../base/fault.js'
import { pickChip, type GpioChip } from '../hw/gpio/chip.js'
import { chipsOf } from '../hw/gpio/gpiod-tools.js'
import { BOOT_FOLDERS, isPi } from './boot-checks.js'
import { fail, notApplicable, pass, warn, type Answer, type Context, type Group } from './check.js'
import { firstLine } from './kernel-checks.js'

export const SWITCH_GROUP: Group = {
  name: 'switch',
  checks: [
    { name: 'reading', look: lookAtReading },
    { name: 'backend', look: lookAtBackend },
    { name: 'lines', look: lookAtLines },
    { name: 'relay', look: lookAtRelay },
  ],
}

function lookAtReading({ guard }: Context): Answer[] {
  if (guard.state !== 'live' || guard.status === null)
    return [notApplicable('only a guard that runs reads it')]
  const { position, reason, backend, shutSeen } = guard.status.switch
  if (position === 'doubt')
    return [
      fail(
        `in doubt: ${reason} (${backend})`,
        'Look at the wiring: docs/switch.md says what each wire does when cut.',
      ),
    ]
  const found = `${position === 'shut' ? 'SHUT' : 'PERMIT'}: ${reason} (${backend})`
  return shutSeen ? [pass(found)] : [warn(`${found}; SHUT was not yet seen`, 'Turn it to SHUT once.')]
}

async function lookAtBackend(context: Context): Promise<Answer[]> {
  const { backend, file } = context.configuration.switch
  if (backend === 'simulated')
    return [
      warn(
        `simulated by ${file}: a file decides and no switch`,
        'For real work set [switch] backend = "auto".',
      ),
    ]
  const chips = await chipsHere(context)
  const sysfs = context.machine.isThere('/sys/class/gpio/export')
  if (backend === 'sysfs')
    return sysfs
      ? [pass('sysfs')]
      : [
          fail(
            'this kernel has no /sys/class/gpio',
            'Set [switch] backend = "auto" and install gpiod: sudo apt install gpiod',
          ),
        ]
  if (Array.isArray(chips)) return [chipAnswer(chosen(context, chips))]
  if (backend === 'auto' && sysfs) return [pass(`sysfs; the character device not, for ${chips.found}`)]
  return [chips]
}

/** The chips as gpiodetect lists them, or why it does not. */
async function chipsHere({ machine }: Context): Promise<GpioChip[] | Answer> {
  const ran = await machine.run('gpiodetect', [])
  if (ran === null)
    return fail(
      "libgpiod's tools are not installed",
      'sudo apt install gpiod. Without a board: [switch] backend = "simulated"',
    )
  const chips = chipsOf(ran.stdout)
  if (chips.length > 0) return chips
  const why = ran.code === 0 ? 'there is no GPIO chip here' : `gpiodetect: ${firstLine(ran.stderr)}`
  return fail(why, 'Is it a board with GPIO, and may this user use it? ls -l /dev/gpiochip*; group gpio')
}

/** The chip that the guard takes, or why it takes none. */
function chosen({ configuration }: Context, chips: readonly GpioChip[]): GpioChip | Answer {
  try {
    return pickChip(chips, configuration.switch.chip, [])
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return fail(error.message, error.hint)
  }
}

function chipAnswer(chip: GpioChip | Answer): Answer {
  if ('verdict' in chip) return chip
  return pass(`chardev, chip ${chip.label} (${chip.name}, ${chip.lineCount} lines)`)
}

/** Who uses a line of ours, by gpioinfo of libgpiod 1 (`"gpiomon" input`) or 2 (`consumer="gpiomon"`). */
async function lookAtLines(context: Context): Promise<Answer[]> {
  const { switch: wired, uplink } = context.configuration
  if (wired.backend === 'simulated') return [notApplicable('the switch is simulated')]
  const chips = await chipsHere(context)
  const chip = Array.isArray(chips) ? chosen(context, chips) : chips
  if ('verdict' in chip) return [notApplicable('no chip is known')]
  const lines = {
    permit: wired.permitLine,
    shut: wired.wiring === 'single' ? null : wired.shutLine,
    lamp: wired.lampLine,
    relay: uplink.relayLine,
  }
  const ours = Object.entries(lines).flatMap(([use, line]) => (line === null ? [] : [{ use, line }]))
  const outside = ours.filter(({ line }) => line >= chip.lineCount)
  if (outside.length > 0)
    return outside.map(({ use, line }) =>
      fail(`${chip.label} has no line ${line} (${use})`, 'Mend [switch] in the configuration.'),
    )
  const info = (await context.machine.run('gpioinfo', [chip.name]))?.stdout ?? ''
  const info2 =
    info === '' ? ((await context.machine.run('gpioinfo', ['--chip', chip.name]))?.stdout ?? '') : info
  const taken = ours.flatMap(({ use, line }) => {
    const user = consumerOf(info2, line)
    return user === null || /^(?:gpio(?:mon|get|set)|groundlock|sysfs)/.test(user)
      ? []
      : [`${line} (${use}) by ${user}`]
  })
  if (taken.length > 0)
    return [
      fail(
        `in use: ${taken.join(', ')}`,
        'Take other lines, or free them: dtoverlay and dtparam lines in config.txt take some.',
      ),
    ]
  return [pass(ours.map(({ use, line }) => `${use} on GPIO ${line}`).join(', '))]
}

function consumerOf(info: string, line: number): string | null {
  const row = info.split('\n').find((each) => new RegExp(`^\\s*line\\s+${line}:`).test(each)) ?? ''
  const second = /consumer="?([^"\s]+)/.exec(row)?.[1]
  if (second !== undefined) return second
  // Version 1: name, consumer, direction; each in quotes or one of unnamed, unused, kernel.
  return /^\s*line\s+\d+:\s+(?:"[^"]*"|unnamed)\s+"([^"]+)"/.exec(row)?.[1] ?? null
}

/**
 * A Pi's kernel leaves a line that was let go at the level it had, unless it is told otherwise in config.txt: the relay
 * would stay energised. Source: the kernel's overlays/README, strict_gpiod. Sections such as [pi4] are not told apart.
 */
function lookAtRelay({ machine, configuration }: Context): Answer[] {
  const { switch: wired, uplink } = configuration
  if (uplink.relayLine === null) return [notApplicable('none is configured')]
  if (wired.backend === 'simulated') return [notApplicable('the switch is simulated, so there is no relay')]
  if (!isPi(machine)) return [notApplicable('it is no Raspberry Pi; a line let go must fall by itself')]
  const files = BOOT_FOLDERS.map((folder) => `${folder}/config.txt`)
  const file = files.find((each) => machine.text(each) !== null)
  if (file === undefined)
    return [
      warn(`${files.join(' and ')} cannot be read`, 'It must have dtparam=strict_gpiod: docs/switch.md'),
    ]
  if (STRICT_GPIOD.test(machine.text(file) ?? '')) return [pass(`${file} has dtparam=strict_gpiod`)]
  return [
    fail(
      `${file} has no dtparam=strict_gpiod: the relay may stay energised when the guard dies`,
      `Add the line dtparam=strict_gpiod to ${file} and boot again: docs/switch.md`,
    ),
  ]
}

/** Alone or in a list of parameters; with no value, or with one that means yes. */
const STRICT_GPIOD = /^[ \t]*dtparam=(?:[^#\n]*,)?strict_gpiod(?:=(?:on|yes|y|true|1))?[ \t]*(?:,|#|\r?$)/m
