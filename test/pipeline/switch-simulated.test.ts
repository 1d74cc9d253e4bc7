/** The simulated switch: a file, real watches, real time. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { contactsOf } from '../../src/hw/switch/simulated-backend.js'
import { openSwitch } from '../../src/hw/switch/switch.js'
import { SWITCH, keptLog } from '../support/fake-gpio.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { isAt, watchedSwitch, type WatchedSwitch } from '../support/watched-switch.js'

const folder = temporaryFolder('simulated')
let count = 0

function pipeInPlaceOf(file: string): void {
  rmSync(file)
  execFileSync('mkfifo', [file])
}
let opened: WatchedSwitch | undefined

async function simulated(text: string | null, isInstalledUnit = false) {
  const dir = join(folder, String(count++))
  mkdirSync(dir)
  const file = join(dir, 'switch')
  if (text !== null) writeFileSync(file, text)
  opened = await watchedSwitch({ ...SWITCH, backend: 'simulated', file }, { isInstalledUnit })
  return { watched: opened, file }
}

afterEach(async () => {
  await opened?.device.stop()
  opened = undefined
})

describe('a simulated switch', () => {
  it('is read before it is given out', async () => {
    const { watched, file } = await simulated('shut\n')
    expect(watched.now()).toMatchObject({ position: 'shut', reason: 'the switch is SHUT', shutSeen: true })
    expect(watched.device.backend).toBe(`simulated: ${file}`)
  })

  it('goes to PERMIT after 500 ms and to SHUT at once', async () => {
    const { watched, file } = await simulated('shut')
    writeFileSync(file, 'permit')
    const settling = await watched.until(({ contacts }) => contacts.permit === 'closed')
    expect(settling).toMatchObject({ position: 'shut', reason: 'PERMIT is not stable yet' })
    const writtenMs = performance.now()
    expect(await watched.until(isAt('permit'))).toMatchObject({ position: 'permit' })
    expect(performance.now() - writtenMs).toBeGreaterThan(400)
    writeFileSync(file, 'shut')
    expect(await watched.until(isAt('shut'))).toMatchObject({ reason: 'the switch is SHUT' })
    // Empty for a moment, as a file is between its truncation and its text, it was never in doubt.
    expect(watched.readings.filter(isAt('doubt'))).toEqual([])
  })

  it('sees a file that took the place of another', async () => {
    const { watched, file } = await simulated('shut')
    writeFileSync(`${file}.new`, 'permit=closed shut=closed')
    renameSync(`${file}.new`, file)
    expect((await watched.until(isAt('doubt'))).reason).toContain('both contacts are closed')
  })

  it.each([
    ['that is gone', (file: string) => rmSync(file), 'no file'],
    ['that says doubt', (file: string) => writeFileSync(file, 'doubt'), 'says doubt'],
    ['that says anything else', (file: string) => writeFileSync(file, 'permit!'), 'nothing that is known'],
    ['that is empty', (file: string) => writeFileSync(file, ''), 'nothing that is known'],
    ['in whose place is a pipe that nobody writes', pipeInPlaceOf, 'is not a file'],
  ])('a file %s is doubt, and PERMIT after it is new', async (_, damage, reason) => {
    const { watched, file } = await simulated('permit')
    await watched.until(isAt('permit'))
    damage(file)
    expect((await watched.until(isAt('doubt'))).reason).toContain(reason)
    rmSync(file, { force: true })
    writeFileSync(file, 'permit')
    expect((await watched.until(isAt('shut'))).reason).toBe('PERMIT is not stable yet')
    await watched.until(isAt('permit'))
  })

  it('a file that is not there yet is doubt, not a fault', async () => {
    const { watched } = await simulated(null)
    expect(watched.now()).toMatchObject({ position: 'doubt', shutSeen: false })
  })

  it('without its folder it is a fault', async () => {
    const file = join(folder, 'nowhere', 'switch')
    await expect(
      openSwitch(
        { ...SWITCH, backend: 'simulated', file },
        { log: keptLog(), onChange: () => undefined, isInstalledUnit: false },
      ),
    ).rejects.toMatchObject({ code: 'GL-SWITCH-05' })
  })

  it('under the installed unit that is doubt, until the switch can be had', async () => {
    const file = join(folder, 'later', 'switch')
    opened = await watchedSwitch({ ...SWITCH, backend: 'simulated', file }, { isInstalledUnit: true })
    expect(opened.now()).toMatchObject({ position: 'doubt', shutSeen: false })
    expect(opened.now().reason).toMatch(/^GL-SWITCH-05, /)
    expect(opened.log.join('\n')).toMatch(/guarding without a switch: .*sudo mkdir -p/s)
    mkdirSync(join(folder, 'later'))
    writeFileSync(file, 'shut')
    expect(await opened.until(isAt('shut'))).toMatchObject({ reason: 'the switch is SHUT', shutSeen: true })
    await vi.waitFor(() => expect(opened?.device.backend).toBe(`simulated: ${file}`))
  }, 30_000)

  it('under the installed unit that is stopped before the switch can be had', async () => {
    const file = join(folder, 'never', 'switch')
    const waiting = await watchedSwitch({ ...SWITCH, backend: 'simulated', file }, { isInstalledUnit: true })
    await waiting.device.stop()
    expect(waiting.device.backend).toBe('none yet')
  })

  it('under the installed unit: only where root and the guard alone may write, and with a warning', async () => {
    const { watched, file } = await simulated('shut', true)
    expect(watched.now().position).toBe('shut')
    expect(watched.log.join()).toContain('SIMULATED')
    chmodSync(file, 0o666)
    expect((await watched.until(isAt('doubt'))).reason).toContain('others may write')
  })
})

describe('the text of a simulated switch', () => {
  it.each([
    ['shut', { permit: 'open', shut: 'closed' }],
    [' permit \n', { permit: 'closed', shut: 'open' }],
    ['permit=open shut=open', { permit: 'open', shut: 'open' }],
  ])('%j', (text, contacts) => expect(contactsOf(text)).toEqual(contacts))

  it.each(['', 'PERMIT', 'permit shut', 'permit=closed', 'permit=closed shut=closed!'])('not %j', (text) =>
    expect(contactsOf(text)).toBeTypeOf('string'),
  )
})
