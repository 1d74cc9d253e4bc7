/**
 * What systemd hears of the station: by the real `systemd-notify`, on a real unix datagram socket, which Node cannot make and
 * Python can.
 */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Interface } from 'node:readline'
import type { Readable } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import { ServiceNotice } from '../../src/base/service-notice.js'
import { openPseudoTerminal } from '../../src/simulator/pseudo-terminal.js'
import { RunningStation } from '../support/running-station.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** Prints each datagram on a line. What comes with it, a descriptor to wait by, is dropped: that ends the waiting. */
const LISTEN = `
import socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
print('ready', flush=True)
while True:
    print(listener.recv(4096).decode(), flush=True)
`

const hasPython = spawnSync('python3', ['--version']).status === 0
const hasNotify = existsSync('/usr/bin/systemd-notify')
const reason = [hasPython ? '' : 'no python3', hasNotify ? '' : 'no systemd-notify']
  .filter(Boolean)
  .join(', ')

const dir = temporaryFolder('service-notice')
const listeners: ChildProcessByStdio<null, Readable, null>[] = []
const stations: RunningStation[] = []

afterEach(async () => {
  for (const station of stations.splice(0)) await station.end('SIGKILL')
  for (const listener of listeners.splice(0)) listener.kill('SIGKILL')
})

describe.skipIf(reason !== '')(`systemd is told${reason === '' ? '' : ` (skipped: ${reason})`}`, () => {
  test('ready, then progress: as often as its watchdog needs, however often there is some', async () => {
    const { path, next } = await listen('paced')
    const notice = new ServiceNotice({ env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '3600000000' } })
    notice.ready()
    expect(await next()).toBe('READY=1')
    const timer = setInterval(() => notice.progress(), 5)
    expect(await next()).toBe('WATCHDOG=1')
    clearInterval(timer)
    for (let i = 0; i < 100; i++) notice.progress()
    notice.ready()
    expect(await next()).toBe('READY=1')
  })

  test('the station: ready when its links are open, then progress', async () => {
    const { path, next } = await listen('station')
    const radio = await openPseudoTerminal({ link: join(dir, 'radio') })
    const station = startStation({ NOTIFY_SOCKET: path, WATCHDOG_USEC: '1000000' })
    expect(await next()).toBe('READY=1')
    await station.untilLogged(/nothing here keeps the uplinks shut/)
    expect([await next(), await next()]).toEqual(['WATCHDOG=1', 'WATCHDOG=1'])
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

async function listen(name: string): Promise<{ path: string; next: () => Promise<string> }> {
  const path = join(dir, name)
  const listener = spawn('python3', ['-c', LISTEN, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  listeners.push(listener)
  const lines: Interface = createInterface({ input: listener.stdout })
  const all = lines[Symbol.asyncIterator]()
  const line = async (): Promise<string> => String((await all.next()).value)
  expect(await line()).toBe('ready')
  // systemd-notify asks to be told when all before was taken; that is none of ours.
  const next = async (): Promise<string> => {
    const said = await line()
    return said === 'BARRIER=1' ? next() : said
  }
  return { path, next }
}

function startStation(env: NodeJS.ProcessEnv): RunningStation {
  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const station = new RunningStation(dir, { under: ['env', ...words] })
  stations.push(station)
  return station
}
