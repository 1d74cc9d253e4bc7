/** `groundlock status`: what an inspector reads, from files that a guard and a station wrote or did not write. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { monotonicUs } from '../../src/base/clock.js'
import type { GuardStatus } from '../../src/base/guard-status.js'
import { TABLE } from '../../src/hw/decide/table.js'
import { GROUNDLOCK, groundlock } from '../support/groundlock.js'
import { madeGuardStatus, madeStationStatus } from '../support/made-status.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder('status')
const guardFile = join(folder, 'guard', 'guard.json')
const stationFile = join(folder, 'station', 'station.json')
const configuration = join(folder, 'groundlock.toml')

beforeEach(() => {
  for (const name of ['guard', 'station']) {
    rmSync(join(folder, name), { recursive: true, force: true })
    mkdirSync(join(folder, name), { recursive: true })
  }
  const text = `[station]\nrun_dir = "${join(folder, 'station')}"\n[guard]\nrun_dir = "${join(folder, 'guard')}"\n[link.radio]\ndevice = "/dev/ttyUSB0"\n`
  writeFileSync(configuration, text)
})

const guardSays = (parts: Partial<GuardStatus> = {}) =>
  writeFileSync(guardFile, JSON.stringify(madeGuardStatus(parts)))
const stationSays = (parts: Parameters<typeof madeStationStatus>[0] = {}) =>
  writeFileSync(stationFile, JSON.stringify(madeStationStatus(parts)))

const status = (...args: string[]) => groundlock(['status', '--config', configuration, ...args])

describe('one screen', () => {
  it('says the door, why, since when, contacts, witness, layers, uplinks, link and recording', () => {
    guardSays()
    stationSays()
    const { code, stdout } = status()
    expect(code).toBe(0)
    expect(stdout).toContain('BLOCKED  nothing leaves over an uplink; for 4:12')
    expect(stdout).toContain('why: the switch is SHUT')
    expect(stdout).toContain('SHUT  contacts: permit open, shut closed (chardev)')
    expect(stdout).toContain('still  no uplink has sent a packet since it was shut; canary: dropped')
    expect(stdout).toContain('base: yes  netdev: yes  twin: yes  link down: yes  rfkill: no radio')
    expect(stdout).toContain('eth0  link down, covered, shut')
    expect(stdout).toContain('eth1  there')
    expect(stdout).toContain('held by the station')
    expect(stdout).toContain('to the guard: present, link open, vehicle armed')
    expect(stdout).toContain('RECORDING north-1-5f3a-1a2b3c4d-7; stored: 4.20 MB, chunk 1,234')
    expect(stdout).toContain('radio  open; 123,456 frames')
    expect(stdout).toContain('lamp on GPIO 22, no relay, as configured')
    expect(stdout.trimEnd().split('\n').length).toBeLessThanOrEqual(24)
  })

  it('names the interface and the count of a witness that grew, and a fault ends with exit code 3', () => {
    const growth = [{ ifindex: 2, name: 'eth0', packets: 3 }]
    guardSays({ door: 'fault', reason: 'eth0 sent 3 packets while shut', witness: { state: 'grew', growth } })
    const { code, stdout } = status()
    expect(code).toBe(3)
    expect(stdout).toContain('FAULT')
    expect(stdout).toContain('GREW  while shut: eth0 sent 3 packets')
  })

  it('says while permitted that it is', () => {
    const reading = madeGuardStatus().reading!
    const uplinks = [{ ...reading.uplinks[0]!, isUp: true, isLeased: true }]
    guardSays({
      door: 'permitted',
      reason: 'the switch is PERMIT',
      reading: { ...reading, kernel: 'leased', uplinks },
    })
    expect(status().stdout).toMatch(/PERMITTED {2}traffic may leave[^]*eth0 {2}up, covered, PERMITTED/)
  })

  it('says of a local interface that is not as configured that it is an uplink, and no more', () => {
    const reading = madeGuardStatus().reading!
    const up0 = { ...reading.uplinks[0]!, name: 'up0', isUp: true, isLeased: true }
    const local = { name: 'up0', isThere: true, mismatch: 'its mac is 02:00:00:00:00:02' }
    guardSays({
      door: 'permitted',
      reading: { ...reading, kernel: 'leased', uplinks: [up0], locals: [local] },
    })
    const { stdout } = status()
    expect(stdout).toMatch(/^Uplink +up0 {2}up, covered, PERMITTED$/m)
    expect(stdout).toMatch(/^Local +up0 {2}NOT AS CONFIGURED, so an uplink: its mac is 02:00:00:00:00:02$/m)
  })

  it('calls an uplink shut only by a cover, and nothing missing that was not read', () => {
    const reading = madeGuardStatus().reading!
    const bare = {
      ...reading,
      kernel: 'differs' as const,
      uplinks: [{ ...reading.uplinks[0]!, isCovered: false }],
    }
    guardSays({ reading: bare })
    expect(status().stdout).toMatch(/^Uplink +eth0 {2}link down, NOT COVERED$/m)
    const layers = { base: false, netdev: false, twin: false, linkDown: true, rfkill: null }
    guardSays({ reading: { ...bare, isRead: false, layers, problems: ['nft: not found'] } })
    const { stdout } = status()
    expect(stdout).toMatch(/^Kernel +NOT READ {2}what is loaded is not known$/m)
    expect(stdout).toMatch(/^Layers +not read$/m)
    expect(stdout).toMatch(/^Uplink +eth0 {2}not read$/m)
    expect(stdout).toMatch(/^Problem +nft: not found$/m)
    guardSays({ reading: { ...bare, isRead: false, layers, uplinks: [] } })
    expect(status().stdout).toMatch(/^Uplink +not read$/m)
  })

  it('reads a guard of before that does not say whether it could read', () => {
    const told = JSON.stringify(madeGuardStatus()).replace('"isRead":true,', '')
    expect(told).not.toContain('isRead')
    writeFileSync(guardFile, told)
    expect(status().stdout).toMatch(/^Uplink +eth0 {2}link down, covered, shut$/m)
  })

  it('says of a door that was told to shut that it is not read back yet', () => {
    guardSays({ phase: 'shutting', reason: 'the switch is moving' })
    expect(status().stdout).toMatch(/^Door +SHUTTING {2}told to be shut, not yet read back as shut/m)
    expect(status().stdout).not.toContain('nothing leaves')
    const json = groundlock(['status', '--json', '--config', configuration])
    expect(JSON.parse(json.stdout)).toMatchObject({ door: 'shutting' })
  })

  it('says of a fault whether it is kept shut', () => {
    for (const { name, next } of TABLE.filter((row) => row.next === 'fault')) {
      guardSays({ door: 'fault', phase: next, row: name })
      const isShut = ['fault: token in doubt', 'fault: switch in doubt', 'fault: waits for SHUT'].includes(
        name,
      )
      expect(status().stdout).toMatch(isShut ? /FAULT {2}kept shut/ : /FAULT {2}NOT read back as shut/)
    }
  })

  it('says where a station knows of no guard, and what its links wait for', () => {
    guardSays()
    const more = { guard: 'none', waitingFor: 'the link token\u001b[2J' }
    writeFileSync(stationFile, JSON.stringify({ ...madeStationStatus(), ...more }))
    const { stdout } = status()
    expect(stdout).toContain('NOTHING GUARDS as far as it knows')
    expect(stdout).toContain('its links wait: the link token?[2J')
    writeFileSync(stationFile, JSON.stringify({ ...madeStationStatus(), guard: 'present' }))
    expect(status().stdout).not.toContain('NOTHING GUARDS')
  })

  it('shows no control characters of others', () => {
    guardSays({ reason: 'a\u001b[2Jb\u0007\u009b31m' })
    stationSays({ flight: 'x\u001b]0;y' })
    const { stdout } = status()
    // eslint-disable-next-line no-control-regex
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
    expect(stdout).toContain('a?[2Jb??31m')
  })
})

describe('what is not now is never shown as now', () => {
  const expectNotKnown = (why: RegExp) => {
    const { code, stdout } = status()
    expect(code).toBe(3)
    expect(stdout).toContain('NOT KNOWN  the guard does not say')
    expect(stdout).toMatch(why)
    expect(stdout).not.toContain('BLOCKED')
    const told = JSON.parse(status('--json').stdout) as Record<string, unknown>
    expect(told).not.toMatchObject({ guard: { state: 'live' } })
    expect(told).toMatchObject({
      door: null,
      doorSaidBy: null,
      doorWhy: expect.stringMatching(/./) as string,
    })
    return stdout
  }

  it('older than 3 s, of a process that is there: hung', () => {
    guardSays({ nowUs: monotonicUs() - 3_100_000 })
    const why =
      /nothing was written for 3\.\d s, and process \d+ is there; it last said: blocked, the switch is SHUT/
    expect(expectNotKnown(why)).toMatch(/^Guard +HUNG$/m)
  })

  it('of a process that is gone: dead, and what it last said of the door is no verdict', () => {
    const { pid } = spawnSync('true')
    guardSays({ pid, door: 'permitted' })
    const stdout = expectNotKnown(new RegExp(`process ${pid}, which wrote it, is gone`))
    expect(stdout).toMatch(/^Guard +DEAD$/m)
    expect(JSON.parse(status('--json').stdout)).toMatchObject({ guard: { status: { door: 'permitted' } } })
  })

  it('of a process that was halted (SIGSTOP) some seconds ago: hung', async () => {
    const child = spawn('sleep', ['60'])
    onTestFinished(() => void child.kill('SIGKILL'))
    await once(child, 'spawn')
    child.kill('SIGSTOP')
    guardSays({ pid: child.pid!, nowUs: monotonicUs() - 5_000_000 })
    expect(expectNotKnown(new RegExp(`process ${child.pid} is there`))).toContain('HUNG')
  })

  it('of another boot', () => {
    guardSays({ bootId: '0'.repeat(32) })
    expectNotKnown(/written before the last boot/)
  })

  it('from the future', () => {
    guardSays({ nowUs: monotonicUs() + 60_000_000 })
    expectNotKnown(/a time that is still to come/)
  })

  it('absent, and perhaps nothing was ever loaded', () => {
    const stdout = expectNotKnown(/why: there is no .*guard\.json/)
    expect(stdout).toContain('what was loaded at boot, if anything, stays shut')
  })

  it.each([
    ['cut off', '{"v":1,'],
    ['empty', ''],
    ['of another version', JSON.stringify({ ...madeGuardStatus(), v: 2 })],
    ['with another door', JSON.stringify({ ...madeGuardStatus(), door: 'open' })],
    ['too long', ' '.repeat(300_000)],
  ])('%s', (_, text) => {
    writeFileSync(guardFile, text)
    expectNotKnown(/guard\.json(?: is not what this version reads)?: /)
  })

  it('a station that is gone, beside a guard that is not', () => {
    guardSays({ station: { state: 'absent', link: null, vehicle: null } })
    stationSays({ nowUs: monotonicUs() - 10_000_000 })
    const { code, stdout } = status()
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /HUNG {2}nothing was written for 10\.\d s, and process \d+ is there; the guard does not hear it/,
    )
    expect(stdout).not.toContain('RECORDING')
  })

  it('a station that was stopped is no crash, and one that was killed is', () => {
    guardSays({ station: { state: 'absent', link: null, vehicle: null } })
    const { pid } = spawnSync('true')
    stationSays({ pid, ended: true, flight: null, nowUs: monotonicUs() - 192_000_000 })
    expect(status().stdout).toMatch(
      /^Station +STOPPED {2}3:12 ago, as it was told to; the guard does not hear it$/m,
    )
    expect(JSON.parse(status('--json').stdout)).toMatchObject({ station: { state: 'stopped' } })
    stationSays({ pid, ended: true, bootId: '0'.repeat(32) })
    expect(status().stdout).toMatch(/^Station +STOPPED {2}it was stopped before the last boot/m)
    stationSays({ pid })
    expect(status().stdout).toMatch(/^Station +DEAD {2}process \d+, which wrote it, is gone/m)
  })

  it.skipIf(process.getuid?.() !== 0)(
    'a status that this user may not read (tried as nobody; needs root)',
    () => {
      guardSays()
      stationSays()
      chmodSync(folder, 0o755)
      chmodSync(join(folder, 'station'), 0o750)
      const { stdout } = spawnSync(process.execPath, [GROUNDLOCK, 'status', '--config', configuration], {
        encoding: 'utf8',
        uid: 65534,
        gid: 65534,
      })
      expect(stdout).toContain('BLOCKED')
      expect(stdout).toContain('NOT READABLE')
      expect(stdout).toContain('usermod -aG groundlock')
    },
  )
})

describe('for programs', () => {
  it('--json has both, with state, age and what was said', () => {
    guardSays()
    stationSays()
    const told = JSON.parse(status('--json').stdout) as Record<string, unknown>
    expect(told).toMatchObject({
      door: 'blocked',
      doorSaidBy: 'guard',
      doorWhy: 'the switch is SHUT',
      configurationPath: configuration,
      configurationTrouble: null,
      guard: { state: 'live', why: '', path: guardFile, status: { door: 'blocked', row: 'shut' } },
      station: { state: 'live', status: { flight: 'north-1-5f3a-1a2b3c4d-7' } },
    })
  })

  it('--watch --json gives a line each second', async () => {
    guardSays()
    const child = spawn(GROUNDLOCK, ['status', '--config', configuration, '--watch', '--json'])
    const lines: string[] = []
    for await (const line of createInterface({ input: child.stdout })) if (lines.push(line) === 2) break
    child.kill()
    expect(lines.map((line) => (JSON.parse(line) as { door: string }).door)).toEqual(['blocked', 'blocked'])
  })
})

describe('what is configured', () => {
  const statusOf = (text: string) => {
    const file = join(folder, 'other.toml')
    writeFileSync(file, `[station]\nrun_dir = "${join(folder, 'station')}"\n${text}`)
    return groundlock(['status', '--config', file]).stdout
  }
  const rest = () => `[guard]\nrun_dir = "${join(folder, 'guard')}"\n[link.radio]\ndevice = "/dev/ttyUSB0"\n`

  it('a relay is shown, and that a simulated switch has none', () => {
    expect(statusOf(`${rest()}[uplink]\nrelay_line = 23\n`)).toContain('lamp on GPIO 22, relay on GPIO 23')
    const simulated = `${rest()}[switch]\nbackend = "simulated"\n[uplink]\nrelay_line = 23\n`
    expect(statusOf(simulated)).toContain('no lamp and no relay: the switch is simulated')
  })

  it.each([
    ['no configuration', 'none.toml', null, 'no such file'],
    ['one with a mistake', 'wrong.toml', '[links]\n', 'has a mistake in line 1: links unknown key'],
  ])('with %s the default folders are looked at, and it says so', (_, name, text, why) => {
    const file = join(folder, name)
    if (text !== null) writeFileSync(file, text)
    const { code, stdout, stderr } = groundlock(['status', '--config', file])
    expect(stdout).toMatch(
      new RegExp(`^Config +DEFAULTS .*${why}.*; the default folders are looked at$`, 'm'),
    )
    const json = groundlock(['status', '--json', '--config', file])
    const told = JSON.parse(json.stdout) as { door: string | null; configurationTrouble: string }
    expect(told).toMatchObject({ guard: { path: '/run/groundlock/guard/guard.json' } })
    expect(told.configurationTrouble).toContain(why)
    // A guard may run on this machine: the exit code is what it says.
    const expected = told.door === 'blocked' || told.door === 'permitted' ? 0 : 3
    expect({ code, stderr, json: json.code }).toEqual({ code: expected, stderr: '', json: expected })
  })

  it('--help explains the words of the screen', () => {
    const { stdout } = groundlock(['status', '--help'])
    for (const word of ['witness', 'canary', 'twin', 'netdev', 'covered', 'lifted', 'lease'])
      expect(stdout).toContain(word)
  })
})

describe('colour', () => {
  /** On a pseudo-terminal, as script(1) makes one. */
  const onTerminal = (env: NodeJS.ProcessEnv) =>
    spawnSync('script', ['-qec', `${GROUNDLOCK} status --config ${configuration}`, '/dev/null'], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    }).stdout

  it('is on a terminal only, repeats what a word says, and NO_COLOR leaves it out', () => {
    guardSays()
    expect(status().stdout).not.toContain('\u001b')
    expect(onTerminal({ NO_COLOR: '' })).toContain('\u001b[1;32mBLOCKED\u001b[0m')
    const without = onTerminal({ NO_COLOR: '1' })
    expect(without).toContain('BLOCKED')
    expect(without).not.toContain('\u001b')
  })
})
