/** `groundlock doctor` and `groundlock door` as an integrator runs them: on this machine, and in network namespaces of the test's own. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Finding } from '../../src/doctor/check.js'
import { openMachine } from '../../src/doctor/machine.js'
import { TABLE } from '../../src/hw/decide/table.js'
import { GROUNDLOCK, groundlock, type Outcome } from '../support/groundlock.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder('doctor-command')
const configuration = join(folder, 'groundlock.toml')
writeFileSync(configuration, '[link.radio]\ndevice = "/dev/ttyUSB0"\n')

const isPossible = spawnSync('unshare', ['-n', 'nft', 'list', 'tables']).status === 0
const why = '(needs root, unshare and nft)'

/** A shell's line in a network namespace that is gone when it ends; `$1` is groundlock, `$2` a configuration. */
function inNamespace(script: string): Outcome {
  const mounted = `mount -t sysfs sysfs /sys; ${script}`
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['-n', '-m', 'sh', '-c', mounted, 'sh', GROUNDLOCK, configuration],
    { encoding: 'utf8' },
  )
  return { code: status, stdout, stderr }
}

/** What doctor --json found there, by the name of the check. */
function foundBy(check: string, { stdout }: Outcome): Finding[] {
  return (JSON.parse(stdout) as { findings: Finding[] }).findings.filter((finding) => finding.check === check)
}

/** All that could be changed in the network, as text. */
const STATE =
  '{ nft -s list ruleset; ip -br link; ip route show table all; sysctl -a 2>/dev/null | grep ^net | sort; }'

describe('doctor on this machine', () => {
  it('every check has a verdict, each that is not well says what to do, and the exit code tells', () => {
    const { code, stdout } = groundlock(['doctor', '--json', '--config', configuration])
    const { counts, findings } = JSON.parse(stdout) as { counts: Record<string, number>; findings: Finding[] }
    expect(code).toBe(counts['fail'] === 0 ? 0 : 3)
    expect(JSON.parse(stdout)).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      date: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      host: hostname(),
      configurationPath: configuration,
      configurationTrouble: null,
    })
    expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(findings.length)
    const mute = findings.filter(
      ({ verdict, todo }) => (verdict === 'fail' || verdict === 'warn') && todo === null,
    )
    expect(mute).toEqual([])
  })

  it('a configuration with a mistake is a finding, and the rest is looked at with the defaults', () => {
    const bad = join(folder, 'bad.toml')
    writeFileSync(bad, '[link.radio]\ndevice = "/dev/ttyUSB0"\n[switch]\npermit_lin = 3\n')
    const { code, stdout } = groundlock(['doctor', '--config', bad])
    expect(code).toBe(3)
    expect(stdout).toMatch(
      /FAIL {2}configuration .*bad.toml has a mistake in line 4: switch.permit_lin unknown key/,
    )
    expect(stdout).toMatch(/\d+ fail, \d+ warn, \d+ pass, \d+ not applicable/)
  })

  it.runIf(isPossible)(`as nobody it changes nothing and says what root would see ${why}`, () => {
    const { stdout } = spawnSync(process.execPath, [GROUNDLOCK, 'doctor'], {
      encoding: 'utf8',
      uid: 65534,
      gid: 65534,
    })
    expect(stdout).toContain('as root it sees more: sudo groundlock doctor')
    expect(stdout).toMatch(/n\/a +kernel features/)
  })

  it.runIf(isPossible)(`as nobody it does not call a vault missing that it may not look into ${why}`, () => {
    const closed = join(folder, 'closed')
    mkdirSync(join(closed, 'vault'), { recursive: true, mode: 0o700 })
    const file = join(folder, 'closed.toml')
    writeFileSync(file, `[link.radio]\ndevice = "/dev/ttyUSB0"\n[vault]\ndir = "${join(closed, 'vault')}"\n`)
    chmodSync(folder, 0o755)
    const ran = spawnSync(process.execPath, [GROUNDLOCK, 'doctor', '--json', '--config', file], {
      encoding: 'utf8',
      uid: 65534,
      gid: 65534,
    })
    expect(foundBy('vault', { code: ran.status, stdout: ran.stdout, stderr: ran.stderr })).toMatchObject([
      {
        verdict: 'not applicable',
        found: `${join(closed, 'vault')}: this user may not look there`,
        todo: expect.stringContaining('sudo usermod -aG groundlock') as string,
      },
    ])
  })
})

describe('the door as doctor sees it', () => {
  it.runIf(isPossible)(`nothing is changed: rules, links, routes and settings are as before ${why}`, () => {
    const { stdout } = inNamespace(
      `"$1" door rules --lockdown | nft -f -; ${STATE} >${folder}/before; "$1" doctor --config "$2" >/dev/null; ${STATE} | diff ${folder}/before - && echo same`,
    )
    expect(stdout).toBe('same\n')
  })

  it.runIf(isPossible)(`a base that is not loaded, one that is, one with a rule more ${why}`, () => {
    const doctor = '"$1" doctor --json --config "$2"'
    const load = '"$1" door rules --lockdown | nft -f -'
    expect(foundBy('base rules', inNamespace(doctor))).toMatchObject([{ verdict: 'fail' }])
    expect(foundBy('base rules', inNamespace(`${load}; ${doctor}`))).toMatchObject([
      { verdict: 'pass', found: 'loaded in inet, arp, bridge, rule for rule' },
    ])
    const opened = inNamespace(`${load}; nft add rule inet groundlock output accept; ${doctor}`)
    expect(foundBy('base rules', opened)).toMatchObject([
      {
        verdict: 'fail',
        found: expect.stringContaining('loaded in inet is not what this version loads') as string,
      },
    ])
    const policy = inNamespace(`${load}; nft 'chain arp groundlock output { policy accept; }'; ${doctor}`)
    expect(foundBy('base rules', policy)).toMatchObject([{ verdict: 'fail' }])
  })

  it.runIf(isPossible)(`other programs' tables are named ${why}`, () => {
    const found = inNamespace(
      'nft add table ip filter; nft add table inet groundlock_of_mine; "$1" doctor --json --config "$2"',
    )
    expect(foundBy('other tables', found)[0]!.found).toMatch(/^ip filter, inet groundlock_of_mine;/)
  })

  it.runIf(isPossible)(`an uplink without and with its cover ${why}`, () => {
    const veth = 'ip link add up0 type veth peer name up1'
    const doctor = '"$1" doctor --json --config "$2"'
    const uplinks = (found: Outcome) =>
      foundBy('uplink', found).map(({ verdict, found: text }) => `${verdict} ${text}`)
    expect(uplinks(inNamespace(`${veth}; ${doctor}`))).toContain('fail up0 (virtual): link down, not covered')
    const rules = '"$1" door rules --config "$2" | grep -v "flags owner" | nft -f -'
    expect(uplinks(inNamespace(`${veth}; ${rules}; ${doctor}`))).toContain(
      'warn up0 (virtual): link down, covered',
    )
  })

  it.runIf(isPossible)(`another card in the place of a local interface, with nothing loaded ${why}`, () => {
    const local = join(folder, 'other-card.toml')
    const entry = '{ name = "up0", mac = "02:00:00:00:00:01", subnet = "192.168.7.0/24" }'
    writeFileSync(local, `[link.radio]\ndevice = "/dev/ttyUSB0"\n[uplink]\nlocal = [${entry}]\n`)
    const doctor = `"$1" doctor --json --config ${local}`
    const wrong = 'ip link add up0 address 02:00:00:00:00:02 type veth peer name up1'
    const found = inNamespace(`${wrong}; ${doctor}`)
    expect(foundBy('uplink', found)).toContainEqual(
      expect.objectContaining({ verdict: 'fail', found: 'up0 (virtual): link down, not covered' }),
    )
    expect(foundBy('local', found)).toMatchObject([
      {
        verdict: 'fail',
        found:
          'up0 is not as configured, so an uplink: its hardware address is 02:00:00:00:00:02, not 02:00:00:00:00:01',
      },
    ])
    const right = wrong.replace('00:02', '00:01')
    const accepts = 'echo 1 > /proc/sys/net/ipv6/conf/up0/accept_ra'
    expect(foundBy('local', inNamespace(`${right}; ${accepts}; ${doctor}`))).toMatchObject([
      {
        verdict: 'pass',
        found:
          'up0 has the card and no default route, as configured; the guard, which looks at more, has not seen it',
      },
    ])
  })
})

describe('door', () => {
  it('table prints every row of the table that decides', () => {
    const { code, stdout } = groundlock(['door', 'table'])
    expect(code).toBe(0)
    for (const { name } of TABLE) expect(stdout).toContain(`  ${name}  (`)
    expect(JSON.parse(groundlock(['door', 'table', '--json']).stdout)).toHaveLength(TABLE.length)
  })

  it.runIf(isPossible)(`rules are what nft takes as they are, and printing loads none ${why}`, () => {
    const { code, stdout, stderr } = inNamespace(
      'ip link add up0 type veth peer name up1; "$1" door rules --config "$2" | nft -c -f - && nft list tables',
    )
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  it.runIf(isPossible)(
    `rules name each uplink that is here, and the local ones that are configured ${why}`,
    () => {
      const local = join(folder, 'local.toml')
      const entry = '{ name = "up1", mac = "02:00:00:00:00:01", subnet = "192.168.7.0/24" }'
      writeFileSync(local, `[link.radio]\ndevice = "/dev/ttyUSB0"\n[uplink]\nlocal = [${entry}]\n`)
      const { stdout } = inNamespace(
        `ip link add up0 type veth peer name up1; "$1" door rules --config ${local}`,
      )
      expect(stdout).toContain('# The cover of up0: what raw sockets send.')
      expect(stdout).not.toContain('The cover of up1')
      expect(stdout).toContain('# Local: up1, 192.168.7.0/24 only, if it is 02:00:00:00:00:01.')
      expect(stdout).toContain('192.168.7.0/24')
    },
  )

  it('rules --lockdown needs no configuration and is the same everywhere', () => {
    const { code, stdout } = groundlock(['door', 'rules', '--lockdown'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^table inet groundlock \{/)
    expect(stdout).not.toMatch(/device|netdev/)
  })
})

describe('the view of a machine', () => {
  it('follows links inside its root, and throws nothing', async () => {
    const root = join(folder, 'root')
    mkdirSync(join(root, 'usr', 'lib'), { recursive: true })
    mkdirSync(join(root, 'etc'), { recursive: true })
    writeFileSync(join(root, 'usr', 'lib', 'os-release'), 'ID=made\n')
    spawnSync('ln', ['-s', '/usr/lib/os-release', join(root, 'etc', 'os-release')])
    spawnSync('ln', ['-s', '/usr', join(root, 'all')])
    spawnSync('ln', ['-s', 'all/lib', join(root, 'more')])
    spawnSync('ln', ['-s', 'loop', join(root, 'loop')])
    spawnSync('mkfifo', [join(root, 'fifo')])
    const machine = openMachine(root)
    expect(machine.text('/etc/os-release')).toBe('ID=made\n')
    expect(machine.real('/etc/os-release')).toBe('/usr/lib/os-release')
    expect(machine.text('/more/os-release')).toBe('ID=made\n')
    expect(machine.text('/../../etc/os-release')).toBe('ID=made\n')
    expect([
      machine.text('/nothing'),
      machine.text('/loop'),
      machine.text('/fifo'),
      machine.entry('/loop'),
    ]).toEqual([null, null, '', null])
    expect(machine.names('/nothing')).toEqual([])
    expect(machine.isThere('/loop')).toBe(true)
    expect(await machine.run('no-such-tool-as-this', [])).toBeNull()
    expect(await machine.run('sh', ['-c', 'cat; exit 7'], 'in')).toEqual({
      code: 7,
      stdout: 'in',
      stderr: '',
    })
  })

  it('ends a tool that hangs, with what it started', async () => {
    // What it started holds the pipe, so that it is over only when that has ended too.
    const ran = await openMachine().run('sh', ['-c', 'sleep 600 & echo started; wait'])
    expect(ran).toMatchObject({ code: 124, stdout: 'started\n' })
  })
})
