/**
 * Never both: what may be relied on of a station beside a guard. The station is `groundlock run` as a process on a
 * pseudo-terminal; the guard is a stand-in with the real token and the real socket, in this process or one that is killed.
 * Whether a port is open is read from outside, from the kernel's list of the station's descriptors.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { StationStatus } from '../../src/forward/station-status.js'
import { openGuardServer } from '../../src/hw/protocol/guard-server.js'
import type { GuardServer } from '../../src/hw/protocol/guard-server.js'
import { LEASE_MS } from '../../src/hw/token/lease.js'
import { LinkToken } from '../../src/hw/token/link-token.js'
import { openPseudoTerminal } from '../../src/simulator/pseudo-terminal.js'
import type { PseudoTerminal } from '../../src/simulator/pseudo-terminal.js'
import { simulate } from '../../src/simulator/simulate.js'
import { REPOSITORY, groundlock } from '../support/groundlock.js'
import { RunningStation } from '../support/running-station.js'

let dir: string
let stations: RunningStation[]
let holders: ChildProcess[]
let guards: { close(): unknown }[]
let radio: PseudoTerminal | undefined

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'station-turn-'))
  stations = []
  holders = []
  guards = []
  radio = undefined
})

afterEach(async () => {
  for (const station of stations) await station.end('SIGKILL')
  for (const holder of holders) holder.kill('SIGKILL')
  for (const guard of guards) guard.close()
  await radio?.unplug()
  rmSync(dir, { recursive: true })
})

// The token's file has to be root's, as systemd-tmpfiles makes it.
describe.skipIf(process.getuid?.() !== 0)(
  "a station beside a guard (needs root: the token's file must be root's)",
  () => {
    test('no token: it records at once and says that nothing guards', async () => {
      radio = await plugIn()
      const station = start()
      const { token, guard, door } = await station.untilStatus(isOpen)
      expect([token, guard, door]).toEqual(['none', 'none', null])
      expect(station.log).toMatch(/there is no link token \(.*\): nothing here keeps the uplinks shut/)
    })

    test('a free token and nothing permitted in this boot: it opens at once, holds the token, and the guard is absent', async () => {
      install()
      radio = await plugIn()
      const station = start()
      const { token, guard } = await station.untilStatus(isOpen)
      expect([token, guard]).toEqual(['mine', 'absent'])
      expect(station.log).toMatch(/nothing was permitted in this boot: the links open/)
      expect(await new LinkToken(join(dir, 'token')).look()).toBe('other')
      await station.untilLogged(/the guard is absent: no uplink is opened/)
      expect(await station.end('SIGTERM')).toBe(0)
      expect(await new LinkToken(join(dir, 'token')).look()).toBe('free')
    })

    test('the guard holds the token: no port is open until it is free, and a full lease after that', async () => {
      install({ permitted: true })
      radio = await plugIn()
      const guard = await holdToken()
      const station = start()
      const { token, links, waitingFor } = await station.untilStatus((status) => status.token === 'other')
      expect([token, links[0]?.state]).toEqual(['other', 'waiting'])
      expect(waitingFor).toMatch(/the guard holds the link token/)
      for (let i = 0; i < 30; i++) {
        expect(openTerminals(station)).toEqual([])
        await pause(20)
      }
      expect(station.log.match(/the guard holds the link token/g)).toHaveLength(1)
      const freedMs = performance.now()
      guard.kill('SIGKILL')
      await station.untilLogged(/a full lease has passed: the links open/)
      expect(performance.now() - freedMs).toBeGreaterThanOrEqual(LEASE_MS)
      await station.untilStatus(isOpen)
      expect(openTerminals(station)).toHaveLength(1)
    })

    test('a child of a guard that was killed keeps the station waiting while it lives', async () => {
      install({ permitted: true })
      radio = await plugIn()
      const [guard, heir] = await holdTokenWithChild()
      const station = start()
      await station.untilStatus(({ token }) => token === 'other')
      guard.kill('SIGKILL')
      await once(guard, 'exit')
      await pause(LEASE_MS + 500)
      expect([station.ownStatus()?.token, openTerminals(station)]).toEqual(['other', []])
      process.kill(heir, 'SIGKILL')
      await station.untilStatus(({ token }) => token === 'mine')
      expect(openTerminals(station)).toEqual([])
    })

    test('hand-over: the guard verifies that all is shut, and the port opens without the wait', async () => {
      install({ permitted: true })
      radio = await plugIn()
      let asked = 0
      await serveGuard(async () => ++asked > 0)
      const station = start()
      await station.untilLogged(/the guard has verified that all uplinks are shut: the links open/)
      await station.untilStatus(isOpen)
      expect(asked).toBe(1)
      expect(station.log).not.toMatch(/a full lease/)
    })

    test('a guard that does not find all shut keeps the station waiting for the full lease, and no longer', async () => {
      install({ permitted: true })
      radio = await plugIn()
      const guard = await serveGuard(async () => false)
      const station = start()
      await until(() => guard.link === 'open')
      const takenMs = performance.now()
      await station.untilLogged(/a full lease has passed: the links open/)
      // The guard hears of it after it was taken.
      expect(performance.now() - takenMs).toBeGreaterThanOrEqual(LEASE_MS - 500)
    })

    test('asked to give way: flight closed, port closed, token free; then it comes back with a flight of its own, and of what was sent while it was open nothing is lost', async () => {
      install({ permitted: true })
      const guard = await serveGuard(async () => true)
      const station = start()
      const interrupt = new AbortController()
      const wireLog = join(dir, 'wire')
      const flying = simulate({
        link: join(dir, 'radio'),
        durationS: 60,
        seed: 3,
        wireLog,
        signal: interrupt.signal,
      })
      const before = await station.untilStatus(({ stored }) => (stored?.sequence ?? 0) >= 2)
      expect([guard.link, guard.vehicle]).toEqual(['open', 'disarmed'])

      const token = new LinkToken(join(dir, 'token'))
      expect(await guard.askToGiveWay()).toBe('gave way')
      expect([guard.link, guard.vehicle]).toEqual(['closed', 'none'])
      // A guard that takes its time finds it still free.
      await pause(600)
      expect(openTerminals(station)).toEqual([])
      expect(await token.take()).toBe(true)
      expect(shown(station, before.flight!)).toMatch(/gave way/)
      const away = await station.untilStatus(({ token: who }) => who === 'other')
      expect([away.flight, away.links[0]?.state]).toEqual([null, 'waiting'])

      token.free()
      const { flight } = await station.untilStatus((status) => status.flight !== null)
      expect(flight).not.toBe(before.flight)
      await station.untilStatus(({ stored }) => stored?.flight === flight)
      interrupt.abort()
      const flown = await flying
      expect(await station.end('SIGTERM')).toBe(0)
      const wire = readFileSync(wireLog)
      const ids = [before.flight!, flight!]
      expect(flights(station)).toEqual(ids.map((id) => `${id}.glk`).sort())
      for (const [index, { fromByte }] of flown.readers.entries()) {
        const raw = exportRaw(station, ids[index]!)
        expect(raw.equals(wire.subarray(fromByte, fromByte + raw.length))).toBe(true)
      }
      const last = flown.readers.at(-1)!
      expect(exportRaw(station, ids[1]!)).toHaveLength(wire.length - last.fromByte)
    })

    test('asked while it waits for the lease or for the guard, it gives way at once', async () => {
      install({ permitted: true })
      radio = await plugIn()
      const guard = await serveGuard(async () => false)
      const station = start()
      await until(() => guard.link === 'open')
      expect(await guard.askToGiveWay()).toBe('gave way')
      expect(guard.link).toBe('closed')
      const token = new LinkToken(join(dir, 'token'))
      expect(await token.take()).toBe(true)
      await station.untilStatus(({ token: who }) => who === 'other')
      expect(await guard.askToGiveWay()).toBe('gave way')
      expect(await token.look()).toBe('mine')
      expect(openTerminals(station)).toEqual([])
      token.free()
    })

    test('a token that the guard asked for and did not take is taken back', async () => {
      install({ permitted: true })
      radio = await plugIn()
      const guard = await serveGuard(async () => true)
      const station = start()
      await station.untilStatus(isOpen)
      expect(await guard.askToGiveWay()).toBe('gave way')
      const away = await station.untilStatus(({ waitingFor }) => waitingFor !== null)
      expect([away.token, away.waitingFor]).toEqual(['free', expect.stringMatching(/left to the guard/)])
      await station.untilLogged(
        /giving way[^]*the guard has verified that all uplinks are shut: the links open/,
      )
      expect(await new LinkToken(join(dir, 'token')).look()).toBe('other')
    })

    test('what a guard says that is no message is counted, and shown by status --json', async () => {
      install()
      const server = createServer((socket) => void socket.resume().write('hello\n{"v":9}\n'))
      server.listen(join(dir, 'guard', 'guard.sock'))
      guards.push(server)
      const station = start()
      await station.untilStatus(({ guardNonsense }) => guardNonsense === 2)
      const { stdout } = groundlock(['status', '--json', '--config', station.configuration])
      expect(JSON.parse(stdout)).toMatchObject({ station: { status: { guardNonsense: 2 } } })
    })

    test('SIGTERM while it waits ends it', async () => {
      install({ permitted: true })
      await holdToken()
      const station = start()
      await station.untilStatus(({ token }) => token === 'other')
      expect(await station.end('SIGTERM')).toBe(0)
    })

    test('SIGTERM as soon as it says anything ends it as later: the start is finished, and stopped', async () => {
      install()
      radio = await plugIn()
      const station = start()
      await station.untilLogged(/records into/)
      expect(await station.end('SIGTERM')).toBe(0)
      expect(station.log).toMatch(/SIGTERM: stopping[^]*stopped: all flights are stored and closed/)
      expect(await new LinkToken(join(dir, 'token')).look()).toBe('free')
    })

    test('a token that was taken away after something was permitted is no reason to open: it waits, and says what to do', async () => {
      install({ permitted: true })
      rmSync(join(dir, 'token'))
      radio = await plugIn()
      const station = start()
      await station.untilLogged(/GL-TOKEN-01 {2}cannot trust the link token .*: it is missing/)
      expect((await station.untilStatus(({ token }) => token === 'doubt')).links[0]?.state).toBe('waiting')
      expect(openTerminals(station)).toEqual([])
      writeToken()
      await station.untilStatus(isOpen)
    })

    test('a token that was replaced while it was held: the port closes, and opens by the rules with the new one', async () => {
      install()
      radio = await plugIn()
      const station = start()
      await station.untilStatus(isOpen)
      writeFileSync(join(dir, 'guard', 'permitted-once'), '')
      writeFileSync(join(dir, 'other'), '', { mode: 0o640 })
      renameSync(join(dir, 'other'), join(dir, 'token'))
      await station.untilLogged(/GL-TOKEN-02/)
      await station.untilStatus(({ links }) => links[0]?.state === 'waiting')
      expect(openTerminals(station)).toEqual([])
      await station.untilLogged(/a full lease has passed: the links open/)
      expect(await new LinkToken(join(dir, 'token')).look()).toBe('other')
    })

    test('a token that comes while it records unguarded is taken, and the port stays open where nothing was permitted', async () => {
      radio = await plugIn()
      const station = start()
      await station.untilStatus(isOpen)
      install()
      const { links } = await station.untilStatus(({ token }) => token === 'mine')
      expect(links[0]?.state).toBe('open')
    })

    test('a token that comes while it records unguarded, and is not free: the port closes', async () => {
      radio = await plugIn()
      const station = start()
      await station.untilStatus(isOpen)
      mkdirSync(join(dir, 'guard'))
      writeFileSync(join(dir, 'new'), '', { mode: 0o640 })
      const token = new LinkToken(join(dir, 'new'))
      await token.take()
      renameSync(join(dir, 'new'), join(dir, 'token'))
      await station.untilStatus((status) => status.token === 'other')
      expect(openTerminals(station)).toEqual([])
      token.free()
    })

    test('a station that was killed leaves the token free', async () => {
      install()
      radio = await plugIn()
      const station = start()
      await station.untilStatus(isOpen)
      await station.end('SIGKILL')
      expect(await new LinkToken(join(dir, 'token')).look()).toBe('free')
    })
  },
)

/** What systemd-tmpfiles and the guard make: the token, and the guard's folder. */
function install({ permitted = false } = {}): void {
  mkdirSync(join(dir, 'guard'))
  if (permitted) writeFileSync(join(dir, 'guard', 'permitted-once'), '')
  writeToken()
}

function writeToken(): void {
  writeFileSync(join(dir, 'token'), '', { mode: 0o640 })
}

function start(): RunningStation {
  const station = new RunningStation(dir)
  stations.push(station)
  return station
}

/** A line with nobody on it. */
async function plugIn(): Promise<PseudoTerminal> {
  return openPseudoTerminal({ link: join(dir, 'radio') })
}

async function serveGuard(verifyShut: () => Promise<boolean>): Promise<GuardServer> {
  const guard = await openGuardServer({
    path: join(dir, 'guard', 'guard.sock'),
    onStation: () => {},
    verifyShut,
  })
  guards.push(guard)
  return guard
}

/** Another process that holds the token, as a guard does while it permits. */
async function holdToken(...more: string[]): Promise<ChildProcess> {
  const [holder] = await holdTokenSaying(...more)
  return holder
}

async function holdTokenWithChild(): Promise<[ChildProcess, number]> {
  const [holder, said] = await holdTokenSaying('child')
  return [holder, Number(said.split(' ')[1])]
}

async function holdTokenSaying(...more: string[]): Promise<[ChildProcess, string]> {
  const script = join(REPOSITORY, 'test', 'support', 'token-holder.mjs')
  const holder = spawn(process.execPath, [script, join(dir, 'token'), ...more], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  holders.push(holder)
  const [said] = (await once(holder.stdout, 'data')) as [Buffer]
  expect(said.toString()).toMatch(/^mine/)
  return [holder, said.toString()]
}

function isOpen({ links }: StationStatus): boolean {
  return links[0]?.state === 'open'
}

/** The terminals that the station has open, by the kernel's list. */
function openTerminals(station: RunningStation): string[] {
  const fds = `/proc/${station.pid}/fd`
  return readdirSync(fds).flatMap((fd) => {
    try {
      const target = readlinkSync(join(fds, fd))
      return target.startsWith('/dev/pts/') || target.startsWith('/dev/tty') ? [target] : []
    } catch {
      // It was closed while the list was read.
      return []
    }
  })
}

function shown({ vault }: RunningStation, flight: string): string {
  return groundlock(['show', flight, '--vault', vault]).stdout
}

function flights({ vault }: RunningStation): string[] {
  return readdirSync(join(vault, 'flights'))
    .filter((name) => name.endsWith('.glk'))
    .sort()
}

function exportRaw({ vault }: RunningStation, flight: string): Buffer {
  const path = join(dir, 'raw')
  const args = ['export', flight, '--vault', vault, '--format', 'raw', '--out', path, '--force']
  expect(groundlock(args)).toMatchObject({ code: 0, stderr: '' })
  return readFileSync(path)
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await pause(10)
}
