/**
 * What a person may rely on of a station that records, as a process of its own on a real pseudo-terminal: what was
 * stored stays stored, what came in is accounted for, and each fault is a line that says what to do.
 */
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { askStation } from '../../src/forward/station-socket.js'
import { openPseudoTerminal } from '../../src/simulator/pseudo-terminal.js'
import { simulate } from '../../src/simulator/simulate.js'
import { groundlock } from '../support/groundlock.js'
import { RunningStation, writeStationConfiguration } from '../support/running-station.js'

let dir: string
let stations: RunningStation[]

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'station-'))
  stations = []
})

afterEach(async () => {
  for (const station of stations) await station.end('SIGKILL')
  rmSync(dir, { recursive: true })
})

test('Byte-exact and Counted: a flight with byte loss and an unplug comes out as it was on the wire', async () => {
  const station = start()
  const flown = await simulate({
    link: join(dir, 'radio'),
    durationS: 30,
    speed: 4,
    seed: 11,
    byteLoss: 0.002,
    unplugs: [{ atS: 12, forS: 6 }],
    wireLog: join(dir, 'wire'),
  })
  const { links } = await station.untilStatus(
    ({ links: [link] }) => link?.state === 'waiting' && link.heldBytes === 0,
  )
  const [link] = links
  expect(link!.bytesIn).toBe(link!.framedBytes + link!.noiseBytes + link!.lostBytes + link!.outsideBytes)
  expect(link!.noiseBytes).toBeGreaterThan(0)
  expect(await station.end('SIGTERM')).toBe(0)

  const wire = readFileSync(join(dir, 'wire'))
  const raw = exportRaw(station)
  const resumedAt = flown.readers.at(-1)!.fromByte
  const beforeUnplug = raw.length - (wire.length - resumedAt)
  expect(raw.length).toBe(link!.bytesIn)
  expect(raw.subarray(0, beforeUnplug).equals(wire.subarray(0, beforeUnplug))).toBe(true)
  expect(raw.subarray(beforeUnplug).equals(wire.subarray(resumedAt))).toBe(true)
})

test('SIGKILL while recording: what was published as stored is there, and the next start closes the flight', async () => {
  const first = start()
  const interrupt = new AbortController()
  const wireLog = join(dir, 'wire')
  const flying = simulate({
    link: join(dir, 'radio'),
    durationS: 60,
    speed: 4,
    seed: 3,
    wireLog,
    signal: interrupt.signal,
  })
  const { stored, flight } = await first.untilStatus((status) => (status.stored?.sequence ?? 0) >= 3)
  await first.end('SIGKILL')
  interrupt.abort()
  await flying

  const second = start()
  await second.untilLogged(/had been cut off: recovered and closed/)
  expect(await second.end('SIGTERM')).toBe(0)
  expect(readdirSync(join(second.vault, 'flights'))).toEqual([`${flight}.glk`])
  const raw = exportRaw(second)
  expect(raw.length).toBeGreaterThanOrEqual(stored!.bytes)
  expect(readFileSync(wireLog).subarray(0, raw.length).equals(raw)).toBe(true)
  expect(groundlock(['show', 'last', '--vault', second.vault]).stdout).toMatch(/recovered/)
})

test('a flight that is still being recorded can be listed, shown and exported', async () => {
  const station = start()
  const interrupt = new AbortController()
  const wireLog = join(dir, 'wire')
  const flying = simulate({
    link: join(dir, 'radio'),
    durationS: 60,
    speed: 4,
    seed: 3,
    wireLog,
    signal: interrupt.signal,
  })
  const { stored, flight } = await station.untilStatus((status) => (status.stored?.sequence ?? 0) >= 2)
  const flights = JSON.parse(groundlock(['flights', '--vault', station.vault, '--json']).stdout) as {
    id: string
    state: string
  }[]
  expect(flights.map(({ id, state }) => ({ id, state }))).toEqual([{ id: flight, state: 'recording' }])
  const raw = exportRaw(station)
  expect(raw.length).toBeGreaterThanOrEqual(stored!.bytes)
  expect(readFileSync(wireLog).subarray(0, raw.length).equals(raw)).toBe(true)
  interrupt.abort()
  await flying
})

test('close ends the flight; the next heartbeat begins another one', async () => {
  const station = start()
  const interrupt = new AbortController()
  const flying = simulate({
    link: join(dir, 'radio'),
    durationS: 60,
    speed: 4,
    seed: 5,
    signal: interrupt.signal,
  })
  const { flight } = await station.untilStatus((status) => status.flight !== null)
  const closed = groundlock(['close', '--config', station.configuration])
  expect(closed).toEqual({ code: 0, stdout: `Flight ${flight} is closed.\n`, stderr: '' })
  await station.untilStatus((status) => status.flight !== null && status.flight !== flight)
  interrupt.abort()
  await flying
  expect(await station.end('SIGTERM')).toBe(0)
  expect(readdirSync(join(station.vault, 'flights')).filter((name) => name.endsWith('.glk'))).toHaveLength(2)
})

test('a device that comes late, and a clean stop without any flight', async () => {
  const station = start()
  await station.untilLogged(/GL-LINK-01 {2}cannot open .*radio: no such device/)
  const radio = await openPseudoTerminal({ link: join(dir, 'radio') })
  await station.untilLogged(/radio is open at 57600 baud/)
  await radio.opened
  await radio.write(new Uint8Array([1, 2, 3]))
  await station.untilStatus(({ links: [link] }) => link?.outsideBytes === 3)
  await radio.unplug()
  expect(station.ownStatus()?.ended).toBe(false)
  expect(await station.end('SIGTERM')).toBe(0)
  expect(station.ownStatus()?.ended).toBe(true)
  expect(station.log).toMatch(/SIGTERM: stopping[^]*stopped/)
  expect(readdirSync(join(station.vault, 'flights'))).toEqual([])
})

test('a start that fails behind the socket ends the process, which systemd may start again', async () => {
  mkdirSync(join(dir, 'vault', 'station'), { recursive: true })
  const station = start()
  expect(await station.ended()).toBe(1)
  expect(station.log).toMatch(/GL-VAULT-01[^]*vault/)
})

test('a second station on the same vault is refused, and says why', async () => {
  const first = start()
  await first.untilStatus(({ recovered }) => recovered)
  const other = mkdtempSync(join(tmpdir(), 'station-'))
  try {
    const text = readFileSync(writeStationConfiguration(dir), 'utf8')
    const configuration = join(other, 'groundlock.toml')
    writeFileSync(configuration, text.replace(join(dir, 'run'), join(other, 'run')))
    const second = groundlock(['run', '--config', configuration])
    expect(second.code).toBe(1)
    expect(second.stderr).toMatch(
      /GL-VAULT-03 {2}cannot record into the vault .*: another station records into it/,
    )
  } finally {
    rmSync(other, { recursive: true })
  }
  const third = groundlock(['run', '--config', first.configuration])
  expect(third.code).toBe(1)
  expect(third.stderr).toMatch(/GL-STATION-01 .*a station is running already/)
})

test('a client that holds the socket does not keep the station from stopping', async () => {
  const station = start()
  await station.untilStatus(({ recovered }) => recovered)
  const client = createConnection(join(dir, 'run', 'station.sock'))
  await once(client, 'connect')
  const hungUp = once(client, 'close')
  expect(await station.end('SIGTERM')).toBe(0)
  await hungUp
})

test('clients that ask and hang up without reading, time and again: it answers others and records all the while', async () => {
  const station = start()
  const socketPath = join(dir, 'run', 'station.sock')
  await station.untilStatus(({ recovered }) => recovered)
  const flying = simulate({ link: join(dir, 'radio'), durationS: 8, speed: 4, seed: 7 })
  await station.untilStatus(({ flight }) => flight !== null)
  for (let round = 0; round < 100; round++) {
    const client = createConnection(socketPath)
    // Its answer stays with the kernel: hanging up then is a reset to the station, and before the answer a broken pipe.
    client.pause()
    await once(client, 'connect')
    await new Promise((resolve) => client.write('{"op":"status"}\n'.repeat(1 + (round % 3)), resolve))
    if (round % 2 === 0) await askStation(socketPath, 'status')
    client.destroy()
  }
  expect(await askStation(socketPath, 'status')).toMatchObject({ ok: true, pid: station.pid })
  const flown = await flying
  expect(await station.end('SIGTERM')).toBe(0)
  expect(exportRaw(station)).toHaveLength(flown.wireBytes)
})

test('a status file that cannot be written is told once, and recording goes on', async () => {
  const station = start()
  await station.untilStatus(({ recovered }) => recovered)
  rmSync(join(dir, 'run', 'station.json'))
  mkdirSync(join(dir, 'run', 'station.json'))
  await station.untilLogged(/cannot write the status file .*; all else goes on/)
  const flown = await simulate({ link: join(dir, 'radio'), durationS: 8, speed: 4, seed: 3 })
  expect(await station.end('SIGTERM')).toBe(0)
  expect(station.log.match(/cannot write the status file/g)).toHaveLength(1)
  expect(exportRaw(station)).toHaveLength(flown.wireBytes)
})

test('a wrong configuration is refused with every mistake and its line', () => {
  const path = join(dir, 'wrong.toml')
  writeFileSync(path, '[link.radio]\ndevise = "/dev/ttyUSB0"\nbaud = "fast"\n')
  const { code, stderr } = groundlock(['run', '--config', path])
  expect(code).toBe(1)
  expect(stderr).toMatch(/GL-CONF-03/)
  expect(stderr).toMatch(/devise/)
  expect(stderr).toMatch(/baud/)
})

test('a vault that cannot be made is said to be', () => {
  writeFileSync(join(dir, 'vault'), 'a file where the vault should be')
  const { code, stderr } = groundlock(['run', '--config', writeStationConfiguration(dir)])
  expect(code).toBe(1)
  expect(stderr).toMatch(/GL-VAULT-01 {2}cannot write to the vault/)
})

function start(): RunningStation {
  const station = new RunningStation(dir)
  stations.push(station)
  return station
}

function exportRaw({ vault }: RunningStation): Buffer {
  const path = join(dir, 'raw')
  const { code, stderr } = groundlock([
    'export',
    'last',
    '--vault',
    vault,
    '--format',
    'raw',
    '--out',
    path,
    '--force',
  ])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return readFileSync(path)
}
