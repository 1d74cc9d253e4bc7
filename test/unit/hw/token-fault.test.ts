/** What a person reads when something is wrong with the link token. */
import { expect, it } from 'vitest'
import { faultLines } from '../../../src/base/fault.js'
import { fileFault, flockFault, openFault, replacedFault } from '../../../src/hw/token/token-fault.js'

const PATH = '/run/groundlock/link'

it('a file that cannot be trusted: what was found, what it must be, and how it is made again', () => {
  const cause = new Error('why')
  const fault = fileFault(PATH, 'it is missing', cause)
  expect(faultLines(fault)).toBe(
    [
      'GL-TOKEN-01  cannot trust the link token /run/groundlock/link: it is missing.',
      '             It must be a plain file of root in a folder that only root can write. ' +
        'Make it again with: sudo systemd-tmpfiles --create groundlock.conf',
    ].join('\n'),
  )
  expect([fault.recovery, fault.cause]).toEqual(['retry', cause])
})

it('a file that the system refuses: in its words', () => {
  const cause = new Error("EACCES: permission denied, open '/run/groundlock/link'")
  const fault = openFault(PATH, cause)
  expect([fault.code, fault.message, fault.cause]).toEqual([
    'GL-TOKEN-01',
    'cannot trust the link token /run/groundlock/link: permission denied',
    cause,
  ])
})

it('a file that was replaced: what that means, and that it is taken anew', () => {
  const fault = replacedFault(PATH)
  expect(faultLines(fault)).toBe(
    [
      'GL-TOKEN-02  cannot rely on the link token /run/groundlock/link: the file was replaced after it was locked, so that ' +
        'somebody else can lock it, too.',
      '             Nothing may touch this file while Groundlock runs; find out what did. The token is taken anew.',
    ].join('\n'),
  )
  expect(fault.recovery).toBe('retry')
})

it('a program that does not lock: which, what it did, and what it is part of', () => {
  const cause = new Error('why')
  const fault = flockFault(PATH, '/usr/bin/flock', 'ended with 71', cause)
  expect(faultLines(fault)).toBe(
    [
      'GL-TOKEN-03  cannot lock the link token /run/groundlock/link: /usr/bin/flock: ended with 71.',
      '             The program is part of util-linux: sudo apt install util-linux. It is tried again.',
    ].join('\n'),
  )
  expect([fault.recovery, fault.cause]).toEqual(['retry', cause])
})
