/**
 * Port fault: why a serial device cannot be used, and what a person does about it.
 * The package gives no error codes, only the C library's words, so the words decide (Node sets no other locale).
 */
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { basename } from 'node:path'
import { Fault, reasonOf, type Recovery } from '../base/fault.js'

/** Codes of the link's faults, as docs/faults.md lists them. */
export const ABSENT = 'GL-LINK-01'
export const HUNG_UP = 'GL-LINK-02'
export const DENIED = 'GL-LINK-03'
export const BUSY = 'GL-LINK-04'
export const NOT_SERIAL = 'GL-LINK-05'
export const BAUD_REFUSED = 'GL-LINK-06'
export const NOT_OPENED = 'GL-LINK-07'

const READ_WRITE_BY_GROUP = 0o060

interface Cause {
  words: RegExp
  code: string
  found: string
  hint: (device: string) => string
  recovery: Recovery
}

/** What the package's `open` may say, the first match counts; a custom baud rate is named in other failures too. */
const CAUSES: readonly Cause[] = [
  {
    words: /no such (file or directory|device)|not a directory/i,
    code: ABSENT,
    found: 'no such device',
    hint: () =>
      'It is opened as soon as it is there. What is there: ls -l /dev/serial/by-id /dev/ttyA* /dev/ttyS*',
    recovery: 'retry',
  },
  {
    words: /permission denied/i,
    code: DENIED,
    found: 'permission denied',
    hint: groupHint,
    recovery: 'user',
  },
  {
    words: /operation not permitted/i,
    code: DENIED,
    found: 'operation not permitted',
    hint: sandboxHint,
    recovery: 'user',
  },
  {
    words: /cannot lock port|resource busy/i,
    code: BUSY,
    found: 'another program holds it',
    hint: (device) =>
      `Which one: sudo fuser -v ${device}\n` +
      'Often it is ModemManager (sudo systemctl disable --now ModemManager) or a serial console (sudo raspi-config).',
    recovery: 'user',
  },
  {
    words: /inappropriate ioctl|is a directory/i,
    code: NOT_SERIAL,
    found: 'not a serial device',
    hint: () => 'A link needs one, such as /dev/ttyUSB0, /dev/serial0 or a name in /dev/serial/by-id.',
    recovery: 'user',
  },
  {
    words: /baud rate/i,
    code: BAUD_REFUSED,
    found: 'the driver refuses this baud rate',
    hint: baudHint,
    recovery: 'user',
  },
]

/** The fault behind an error of the package's `open`. */
export function openFault(device: string, error: unknown): Fault {
  const reason = reasonOf(error)
  const cause = CAUSES.find(({ words }) => words.test(reason)) ?? {
    code: NOT_OPENED,
    found: reason,
    hint: () => 'It is tried again by itself. The kernel may know more: sudo dmesg | tail',
    recovery: 'retry',
  }
  const { code, found, recovery } = cause
  return new Fault({
    code,
    op: 'open',
    subject: device,
    found,
    hint: cause.hint(device),
    recovery,
    cause: error,
  })
}

/** The device took a rate of its own choice. */
export function baudFault(device: string, baud: number, actualBaud: number): Fault {
  return new Fault({
    code: BAUD_REFUSED,
    op: 'open',
    subject: device,
    found: `asked for ${baud} baud it runs at ${actualBaud}`,
    hint: baudHint(),
    recovery: 'user',
  })
}

/** The device went away while it was open. */
export function hangUpFault(device: string, error?: unknown): Fault {
  return new Fault({
    code: HUNG_UP,
    op: 'read',
    subject: device,
    found: error === undefined ? 'the device hung up' : `the device is gone (${reasonOf(error)})`,
    hint: 'Unplugged, or without power. It is opened again as soon as it is back.',
    recovery: 'retry',
    cause: error,
  })
}

function baudHint(): string {
  return 'Set the baud rate of the radio or telemetry port, mostly 57600, 115200 or 921600.'
}

/** Joining a group helps where the device is one's, and open to it; elsewhere who and what keeps the user out. */
function groupHint(device: string): string {
  const user = userName()
  const owner = ownerOf(device)
  const group = owner?.group ?? 'dialout'
  if (owner?.isOpenToGroup === false || (owner !== null && process.getgroups?.().includes(owner.gid)))
    return (
      `It is ${owner.user}:${group}'s with mode ${owner.mode}, which keeps '${user}' out.\n` +
      `Debian gives serial ports to root:dialout with mode 660; a simulated one is its maker's: make it as '${user}'.`
    )
  return (
    `The user '${user}' is not in group '${group}': sudo usermod -aG ${group} ${user}\n` +
    'It counts from the next login, for a service from its next start.'
  )
}

/**
 * systemd goes by kinds of device, and takes those that the kernel knew when the service started: systemd.resource-control(5).
 * A serial device's kind is its name without the number (`name` of the driver, tty_register_driver).
 */
function sandboxHint(device: string): string {
  return (
    `A sandbox refuses it. char-${kindOf(device)} must be in it: systemctl show -P DeviceAllow groundlock-station\n` +
    'If it is, the driver came after the start of the service: sudo systemctl restart groundlock-station'
  )
}

function kindOf(device: string): string {
  let path = device
  try {
    path = realpathSync(device)
  } catch {
    // Gone again: its own name then.
  }
  return basename(path).replace(/\d+$/, '')
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `#${process.geteuid?.() ?? 0}`
  }
}

interface Owner {
  user: string
  group: string
  gid: number
  /** As `chmod` takes it. */
  mode: string
  /** To one that may be joined: nobody should have to join root's, and one without a name nobody can (usermod(8)). */
  isOpenToGroup: boolean
}

/** Null where that cannot be seen. */
function ownerOf(device: string): Owner | null {
  try {
    const { uid, gid, mode } = statSync(device)
    const group = nameOf('/etc/group', gid)
    return {
      user: nameOf('/etc/passwd', uid) ?? `#${uid}`,
      group: group ?? `#${gid}`,
      gid,
      mode: (mode & 0o777).toString(8).padStart(3, '0'),
      isOpenToGroup: gid !== 0 && group !== undefined && (mode & READ_WRITE_BY_GROUP) === READ_WRITE_BY_GROUP,
    }
  } catch {
    return null
  }
}

/** passwd(5) and group(5): `name:password:id:…`. */
function nameOf(file: string, id: number): string | undefined {
  const lines = readFileSync(file, 'utf8').split('\n')
  const found = lines.map((line) => line.split(':')).find(([, , each]) => each === String(id))
  return found?.[0]
}
