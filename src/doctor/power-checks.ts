/** Power checks: undervoltage and heat on a Pi, which cost bytes, cards and nerves before anybody thinks of them. */
import { isPi } from './boot-checks.js'
import { fail, notApplicable, pass, warn, type Answer, type Context, type Group } from './check.js'
import type { Machine } from './machine.js'

export const POWER_GROUP: Group = {
  name: 'power',
  checks: [
    { name: 'supply', look: lookAtSupply },
    { name: 'watchdog', look: lookAtWatchdog },
  ],
}

/** Bits of get_throttled. Source: Raspberry Pi documentation, vcgencmd. */
const NOW = { undervoltage: 1 << 0, 'the clock is capped': 1 << 1, throttled: 1 << 2, 'too hot': 1 << 3 }
const SINCE_BOOT = 16

async function lookAtSupply({ machine }: Context): Promise<Answer[]> {
  if (!isPi(machine)) return [notApplicable('it is no Raspberry Pi')]
  const bits = await throttledBits(machine)
  if (bits === null) return [alarmAnswer(machine)]
  const of = (shift: number) =>
    Object.entries(NOW)
      .filter(([, bit]) => (bits & (bit << shift)) !== 0)
      .map(([word]) => word)
  const remedy =
    'Take the supply that belongs to the board, a short thick cable, and power USB radios by a hub of their own.'
  if (of(0).length > 0) return [fail(`now: ${of(0).join(', ')}`, remedy)]
  if (of(SINCE_BOOT).length > 0) return [warn(`since boot: ${of(SINCE_BOOT).join(', ')}`, remedy)]
  return [pass('no undervoltage since boot')]
}

async function throttledBits(machine: Machine): Promise<number | null> {
  const file = machine.text('/sys/devices/platform/soc/soc:firmware/get_throttled')?.trim()
  if (file !== undefined && /^[0-9a-f]+$/i.test(file)) return parseInt(file, 16)
  const told = (await machine.run('vcgencmd', ['get_throttled']))?.stdout ?? ''
  const match = /throttled=0x([0-9a-f]+)/i.exec(told)
  return match === null ? null : parseInt(match[1]!, 16)
}

/** The kernel's own driver knows only of now and of undervoltage. */
function alarmAnswer(machine: Machine): Answer {
  const folder = '/sys/class/hwmon'
  const sensor = machine
    .names(folder)
    .find((name) => machine.text(`${folder}/${name}/name`)?.trim() === 'rpi_volt')
  const alarm = sensor === undefined ? undefined : machine.text(`${folder}/${sensor}/in0_lcrit_alarm`)?.trim()
  if (alarm === undefined)
    return notApplicable('it cannot be read by this user', 'sudo vcgencmd get_throttled: 0x0 is good')
  return alarm === '1'
    ? fail('undervoltage', 'Take the supply that belongs to the board and a short thick cable.')
    : pass('no undervoltage')
}

function lookAtWatchdog({ machine }: Context): Answer[] {
  if (!machine.isThere('/dev/watchdog')) return [notApplicable('there is none')]
  const texts = [
    '/etc/systemd/system.conf',
    ...machine.names('/etc/systemd/system.conf.d').map((name) => `/etc/systemd/system.conf.d/${name}`),
  ]
  const isFed = texts.some((path) => /^\s*RuntimeWatchdogSec=(?!0|off)\S+/m.test(machine.text(path) ?? ''))
  return isFed
    ? [pass('systemd feeds it: a kernel that hangs is restarted')]
    : [
        warn(
          'nobody feeds it: a kernel that hangs stays so',
          'RuntimeWatchdogSec=15 in /etc/systemd/system.conf.d/watchdog.conf',
        ),
      ]
}
