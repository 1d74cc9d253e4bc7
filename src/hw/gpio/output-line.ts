/**
 * Output line: one GPIO line that is driven while this process lives, and driven low and let go when it does not.
 * A shell of its own holds it through `gpioset`: it takes levels on its input, and when that closes, by whatever death of this
 * process, it drives the line low before it lets go. (Neither version of `gpioset` notices its parent's death, and Debian builds
 * version 2 without its interactive mode.) If the shell is killed too, the kernel lets go of the line; a Pi's then keeps its
 * level unless `dtparam=strict_gpiod` is set.
 */
import type { SwitchConfiguration } from '../../base/configuration.js'
import { Fault } from '../../base/fault.js'
import { pickChip } from './chip.js'
import { findGpiod, holdCommand, setCommand } from './gpiod-tools.js'
import { startSupervised } from './supervised-child.js'
import { findSysfs } from './sysfs-lines.js'

export type Level = 0 | 1

export interface OutputLine {
  /** Whether the line goes low when this process dies. */
  readonly fallsWithUs: boolean
  /**
   * False: refused, since the last level is still being driven. None ever waits in the pipe: a holder that is slow would go on
   * with them after this process's death.
   */
  drive(level: Level): boolean
  /** Low, then let go. Never rejects: a line that is gone is let go of. */
  stop(): Promise<void>
}

export interface OutputOptions {
  /** Low is driven twice, so that it is known whether it could be. */
  isConfirmed: boolean
  /** A level was driven; of 1, and of what is not confirmed, it is not known whether it could be. */
  onDriven?: (level: Level, isDriven: boolean) => void
  /** The holder is gone; why. */
  onEnd: (why: string) => void
  onComplaint: (line: string) => void
}

/** What the holder needs to drive low and end: three processes, on a card that stalls (ms). */
const CLOSE_TIMEOUT_MS = 2000

/** Opens the line low. With `auto` as the switch does it. Errors: `Fault` GL-SWITCH-02, -03, -04. */
export async function openOutputLine(
  { backend, chip }: Pick<SwitchConfiguration, 'backend' | 'chip'>,
  offset: number,
  options: OutputOptions,
): Promise<OutputLine> {
  if (backend === 'sysfs') return openSysfsOutput(chip, offset)
  try {
    return await openHeldOutput(chip, offset, options)
  } catch (error) {
    if (backend !== 'auto' || !(error instanceof Fault)) throw error
    return openSysfsOutput(chip, offset).catch(() => {
      throw error
    })
  }
}

async function openHeldOutput(label: string, offset: number, options: OutputOptions): Promise<OutputLine> {
  const tools = await findGpiod()
  const chip = pickChip(tools.chips, label, [offset])
  let isBusy = false
  const child = startSupervised({
    script: holder(holdCommand(tools, chip, offset), setCommand(tools, chip, offset), options.isConfirmed),
    fate: 'sees us end',
    onLine(line) {
      const said = /^([01]) (\d+)$/.exec(line)
      isBusy = false
      if (said !== null) options.onDriven?.(said[1] === '1' ? 1 : 0, said[2] === '0')
    },
    onEnd: options.onEnd,
    onComplaint: options.onComplaint,
  })
  const drive = (level: Level) => {
    if (isBusy) return false
    isBusy = child.write(String(level))
    return isBusy
  }
  drive(0)
  return {
    fallsWithUs: true,
    drive,
    stop: () => child.close(CLOSE_TIMEOUT_MS),
  }
}

/** Drives low once before holding it, for the exit code. */
const CONFIRM = `if [ "$1" = 0 ]; then set_once 0 </dev/null; status=$?; fi`

/** Ignores SIGTERM, so that systemd's end of the guard, which goes to all of its processes, leaves the time to drive low. */
function holder(hold: string, set: string, isConfirmed: boolean): string {
  return `
trap '' TERM HUP INT
held=
hold() { exec ${hold}; }
set_once() { ${set}; }
release() {
  [ -n "$held" ] || return 0
  kill -9 "$held" 2>/dev/null
  wait "$held" 2>/dev/null
  held=
}
put() {
  release
  status=0
${isConfirmed ? CONFIRM : ''}
  hold "$1" </dev/null >/dev/null &
  held=$!
  echo "$1 $status"
}
while read -r level; do put "$level"; done
release
set_once 0
`
}

async function openSysfsOutput(label: string, offset: number): Promise<OutputLine> {
  const sysfs = await findSysfs(label, [offset])
  const line = sysfs.open(offset, 'low')
  return {
    fallsWithUs: false,
    drive(level) {
      line.writeSync(level)
      return true
    },
    stop() {
      try {
        line.writeSync(0)
        line.unexport()
      } catch {
        // The line is gone, or another's: nothing of it is left to let go of.
      }
      return Promise.resolve()
    },
  }
}
