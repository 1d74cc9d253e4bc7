/** Clock checks: how far the system's time can be trusted. Flights are recorded on a clock of their own; UTC comes to them later. */
import { notApplicable, pass, warn, type Answer, type Context, type Group } from './check.js'

export const CLOCK_GROUP: Group = {
  name: 'clock',
  checks: [
    { name: 'time', look: lookAtTime },
    { name: 'synchronised', look: lookAtSync },
    { name: 'real-time clock', look: lookAtRtc },
  ],
}

/** This program was not there before: a clock that says so is wrong. */
const FIRST_YEAR = 2025

/** The boot's time as the kernel has it now (proc(5), btime of /proc/stat): a made-up machine has one of its own. */
function lookAtTime({ machine }: Context): Answer[] {
  const bootS = Number(/^btime (\d+)$/m.exec(machine.text('/proc/stat') ?? '')?.[1] ?? NaN)
  if (Number.isNaN(bootS)) return [notApplicable('it cannot be read')]
  const year = new Date(bootS * 1000).getUTCFullYear()
  return year >= FIRST_YEAR
    ? [
        pass(
          `booted ${new Date(bootS * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC by its own clock`,
        ),
      ]
    : [
        warn(
          `it says ${year}`,
          'Nothing is lost: UTC comes from GPS, or set it: sudo date -us "2026-01-31 12:00"',
        ),
      ]
}

async function lookAtSync({ machine }: Context): Promise<Answer[]> {
  if (machine.isThere('/run/systemd/timesync/synchronized')) return [pass('by systemd-timesyncd')]
  const ran = await machine.run('timedatectl', ['show', '-p', 'NTPSynchronized', '--value'])
  if (ran?.stdout.trim() === 'yes') return [pass('by a time service')]
  if (ran?.stdout.trim() !== 'no') return [notApplicable('nobody says')]
  return [
    warn(
      'no: a station that is shut off has nobody to ask',
      'Nothing must be done where vehicles send GPS time; else add a real-time clock or a GPS receiver.',
    ),
  ]
}

function lookAtRtc({ machine }: Context): Answer[] {
  const [first] = machine.names('/sys/class/rtc')
  if (first === undefined)
    return [
      warn(
        'there is none: after each power-off the time is wrong until GPS or somebody sets it',
        'A Pi 5 takes a battery (J5); others a module such as DS3231 with dtoverlay=i2c-rtc,ds3231',
      ),
    ]
  const name = machine.text(`/sys/class/rtc/${first}/name`)?.trim() ?? first
  const since = machine.text(`/sys/class/rtc/${first}/date`)?.trim() ?? ''
  if (since !== '' && Number(since.slice(0, 4)) < FIRST_YEAR)
    return [
      warn(
        `${name} says ${since}: it lost its battery or was never set`,
        'Put a battery in; sudo hwclock --systohc',
      ),
    ]
  return [pass(name)]
}
