/** What the serialport package says when a device cannot be opened, and the fault that a person is told. */
import { chmodSync, chownSync, symlinkSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { faultLines } from '../../src/base/fault.js'
import { baudFault, hangUpFault, openFault } from '../../src/link/port-fault.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const DEVICE = '/dev/no-such-radio'

// The words are those of @serialport/bindings-cpp 13, serialport_unix.cpp, with strerror(3) of glibc.
test.each([
  ['Error: No such file or directory, cannot open X', 'GL-LINK-01', 'retry'],
  ['Error: No such device, cannot open X', 'GL-LINK-01', 'retry'],
  ['Error: No such device or address, cannot open X', 'GL-LINK-01', 'retry'],
  ['Error: Not a directory, cannot open X', 'GL-LINK-01', 'retry'],
  ['Error: Permission denied, cannot open X', 'GL-LINK-03', 'user'],
  ['Error: Operation not permitted, cannot open X', 'GL-LINK-03', 'user'],
  ['Error: Device or resource busy, cannot open X', 'GL-LINK-04', 'user'],
  ['Error Resource temporarily unavailable Cannot lock port', 'GL-LINK-04', 'user'],
  ['Error: Is a directory, cannot open X', 'GL-LINK-05', 'user'],
  ['Error: Inappropriate ioctl for device setting custom baud rate of 57600', 'GL-LINK-05', 'user'],
  ['Error: Inappropriate ioctl for device || while retrieving termios2 info', 'GL-LINK-05', 'user'],
  ['Error: Invalid argument || while setting custom baud rate of 12345', 'GL-LINK-06', 'user'],
  ['Error baud rate of 12345 is not supported on your platform', 'GL-LINK-06', 'user'],
  ['Error: Input/output error, cannot open X', 'GL-LINK-07', 'retry'],
])('%s → %s', (words, code, recovery) => {
  const fault = openFault(DEVICE, new Error(words))
  expect(fault).toMatchObject({ code, recovery, op: 'open', subject: DEVICE })
  expect(faultLines(fault)).toMatch(/^GL-LINK-\d\d {2}cannot open \/dev\/no-such-radio: .+\.\n {12}\S.+/)
})

test('a failure without a name of its own keeps the words of the system', () => {
  expect(openFault(DEVICE, new Error('Error: Input/output error, cannot open X')).found).toContain(
    'Input/output',
  )
})

test('a device that no group opens is told with whose it is, and one of a group with how to join it', () => {
  const device = join(temporaryFolder('port-fault'), 'ttyUSB0')
  writeFileSync(device, '')
  const user = userInfo().username
  const hintWith = (gid: number, mode: number) => {
    chownSync(device, process.getuid!(), gid)
    chmodSync(device, mode)
    return openFault(device, new Error('Error: Permission denied, cannot open X')).hint
  }
  const own = process.getgid!()
  expect(hintWith(own, 0o200)).toMatch(
    new RegExp(`^It is ${user}:\\S+'s with mode 200, which keeps '${user}' out\\.\n`),
  )
  expect(hintWith(own, 0o660)).toMatch(/^It is .* with mode 660/)
  if (process.getuid!() !== 0) return // only root gives a file to a group that it is not in
  // Every Debian has group 65534, and nobody is in it; 59999 has no name, so nobody can join it.
  expect(hintWith(65_534, 0o660)).toContain(
    `'${user}' is not in group 'nogroup': sudo usermod -aG nogroup ${user}`,
  )
  expect(hintWith(59_999, 0o660)).toMatch(
    new RegExp(`^It is ${user}:#59999's with mode 660, which keeps '${user}' out\\.\n`),
  )
})

test('what a sandbox refuses is told with its kind, also behind a name that lasts', () => {
  const folder = temporaryFolder('port-fault')
  writeFileSync(join(folder, 'ttyUSB12'), '')
  symlinkSync('ttyUSB12', join(folder, 'usb-radio-port0'))
  const refused = new Error('Error: Operation not permitted, cannot open X')
  expect(openFault(join(folder, 'usb-radio-port0'), refused).hint).toContain('char-ttyUSB must be in it')
  expect(openFault('/dev/ttyNone3', refused).hint).toContain('char-ttyNone must be in it')
})

test('a device that runs at another rate than asked, and one that went away', () => {
  expect(baudFault(DEVICE, 921_600, 115_200).message).toContain('asked for 921600 baud it runs at 115200')
  expect(hangUpFault(DEVICE).message).toBe(`cannot read ${DEVICE}: the device hung up`)
  expect(hangUpFault(DEVICE, new Error('EIO: i/o error, read')).message).toContain('i/o error')
})
