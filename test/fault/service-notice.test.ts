/** What systemd hears of the station, by the real `systemd-notify`. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { ServiceNotice } from '../../src/base/service-notice.js'
import { openPseudoTerminal } from '../../src/simulator/pseudo-terminal.js'
import { NotifySocket, whyNoNotices } from '../support/notify-socket.js'
import { RunningStation } from '../support/running-station.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const reason = whyNoNotices()

const dir = temporaryFolder('service-notice')
const sockets: NotifySocket[] = []
const stations: RunningStation[] = []

afterEach(async () => {
  for (const station of stations.splice(0)) await station.end('SIGKILL')
  for (const socket of sockets.splice(0)) socket.close()
})

describe.skipIf(reason !== '')(`systemd is told${reason === '' ? '' : ` (skipped: ${reason})`}`, () => {
  test('ready, then progress: as often as its watchdog needs, however often there is some', async () => {
    const systemd = await listen('paced')
    const notice = new ServiceNotice({ env: { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: '3600000000' } })
    notice.ready()
    expect(await systemd.next()).toBe('READY=1')
    const timer = setInterval(() => notice.progress(), 5)
    expect(await systemd.next()).toBe('WATCHDOG=1')
    clearInterval(timer)
    for (let i = 0; i < 100; i++) notice.progress()
    notice.ready()
    expect(await systemd.next()).toBe('READY=1')
  })

  test('what the system refuses to start is not told, and the next notice is', async () => {
    const systemd = await listen('refused')
    // The first time longer than the kernel takes a variable (128 KiB): Node throws that, as it does want of memory.
    const refusals = ['x'.repeat(200_000)]
    const env = {
      NOTIFY_SOCKET: systemd.path,
      WATCHDOG_USEC: '1000000',
      get REFUSED() {
        return refusals.pop()
      },
    }
    const notice = new ServiceNotice({ env })
    notice.ready()
    const timer = setInterval(() => notice.progress(), 5)
    expect(await systemd.next()).toBe('WATCHDOG=1')
    clearInterval(timer)
    expect(refusals).toEqual([])
  })

  test('the station: ready when its links are open, then progress', async () => {
    const systemd = await listen('station')
    const radio = await openPseudoTerminal({ link: join(dir, 'radio') })
    const station = startStation({ NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: '1000000' })
    expect(await systemd.next()).toBe('READY=1')
    await station.untilLogged(/nothing here keeps the uplinks shut/)
    expect([await systemd.next(), await systemd.next()]).toEqual(['WATCHDOG=1', 'WATCHDOG=1'])
    await radio.unplug()
  })
})

test('without systemd nothing is started', async () => {
  const mark = join(dir, 'started')
  const program = join(dir, 'notify')
  writeFileSync(program, `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 })
  const alone = new ServiceNotice({ env: { WATCHDOG_USEC: '1000' }, program })
  alone.ready()
  alone.progress()
  const others = new ServiceNotice({
    env: { NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' },
    program,
  })
  others.progress()
  const unwatched = new ServiceNotice({ env: { NOTIFY_SOCKET: '/x' }, program })
  unwatched.progress()
  // What would have been started before this is started before it.
  const told = new ServiceNotice({ env: { NOTIFY_SOCKET: '/x' }, program: join(dir, 'not-there') })
  told.ready()
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(existsSync(mark)).toBe(false)
})

async function listen(name: string): Promise<NotifySocket> {
  const socket = await NotifySocket.listen(join(dir, name))
  sockets.push(socket)
  return socket
}

function startStation(env: NodeJS.ProcessEnv): RunningStation {
  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const station = new RunningStation(dir, { under: ['env', ...words] })
  stations.push(station)
  return station
}
