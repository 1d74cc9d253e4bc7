/** Installing: into a folder, twice, and off again; what it says before it changes anything. */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { REPOSITORY } from '../support/groundlock.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const INSTALL = join(REPOSITORY, 'scripts', 'install')
const UNINSTALL = join(REPOSITORY, 'scripts', 'uninstall')
/** Copies thirty megabytes (ms). */
const LONG = 60_000

const noSystemctl = spawnSync('systemctl', ['--version']).status !== 0
if (noSystemctl) process.stdout.write('skipped: systemctl, which enables units, is not here\n')

function run(program: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return { status, stdout, stderr }
}

/** Every file below, with what tells that it was changed. */
function tree(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .sort()
    .map((path) => {
      const { mode, size, mtimeMs, ino } = lstatSync(join(folder, path))
      return `${path} ${mode.toString(8)} ${size} ${mtimeMs} ${ino}`
    })
}

describe.skipIf(noSystemctl)('installing into a folder', () => {
  const root = temporaryFolder('install')
  const at = (path: string) => join(root, path)
  let first: ReturnType<typeof run>
  beforeAll(() => {
    first = run(INSTALL, '--root', root)
  }, LONG)

  it('says what it does and does it', () => {
    expect(first).toMatchObject({ status: 0, stderr: '' })
    expect(first.stdout).toContain('write /usr/lib/systemd/system/groundlock-guard.service')
    expect(run(at('usr/bin/groundlock'), '--version')).toMatchObject({ status: 0, stderr: '' })
    expect(run(at('usr/bin/groundlock'), 'simulate', '--help').status).toBe(0)
  })

  it('every service that brings a network up requires the lockdown, and comes after it', () => {
    const services = readFileSync(join(REPOSITORY, 'systemd', 'network-services'), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
    expect(services).toContain('NetworkManager.service')
    for (const service of services) {
      const text = readFileSync(at(`usr/lib/systemd/system/${service}.d/50-groundlock.conf`), 'utf8')
      expect(text).toMatch(/^Requires=groundlock-lockdown.service\nAfter=groundlock-lockdown.service$/m)
    }
  })

  it('all three services are enabled, the lockdown before any network', () => {
    const wants = (target: string) => readdirSync(at(`etc/systemd/system/${target}.target.wants`)).sort()
    expect(wants('sysinit')).toEqual(['groundlock-lockdown.service'])
    expect(wants('multi-user')).toEqual(['groundlock-guard.service', 'groundlock-station.service'])
  })

  it('whatever the units start is there and can be started', () => {
    const units = readdirSync(join(REPOSITORY, 'systemd')).filter((name) => name.endsWith('.service'))
    const texts = [
      ...units.map((name) => `usr/lib/systemd/system/${name}`),
      'usr/lib/udev/rules.d/60-groundlock.rules',
    ]
    const named = texts.flatMap((path) => [
      ...readFileSync(at(path), 'utf8').matchAll(
        /(?:^Exec\w+=-?|RUN\+="|PROGRAM=")(\/usr\/(?:lib|bin)\/groundlock\S*)/gm,
      ),
    ])
    expect(named.length).toBeGreaterThanOrEqual(6)
    for (const [, path] of named) expect(lstatSync(at(path!)).mode & 0o111).not.toBe(0)
  })

  it('nobody but its owner may change what is installed', () => {
    const loose = readdirSync(root, { recursive: true })
      .map(String)
      .filter((path) => !lstatSync(at(path)).isSymbolicLink() && (lstatSync(at(path)).mode & 0o022) !== 0)
    expect(loose).toEqual([])
  })

  it('what messages and units name as documentation is there', () => {
    expect(readFileSync(at('usr/share/doc/groundlock/README.md'), 'utf8')).toContain('# Groundlock')
    expect(existsSync(at('usr/share/doc/groundlock/docs/switch.md'))).toBe(true)
    expect(existsSync(at('usr/share/doc/groundlock/docs/switch-antivalent.svg'))).toBe(true)
  })

  it('the example is said to be one, and which packages are not in it', () => {
    expect(first.stdout).toContain('Now edit /etc/groundlock/groundlock.toml')
    expect(first.stdout).toMatch(/once these packages are in it, which are not: nodejs nftables .*gpiod/)
  })

  it(
    'once more changes nothing, and says no heading of nothing',
    () => {
      const before = tree(root)
      for (const args of [['--dry-run'], []]) {
        const { stdout } = run(INSTALL, '--root', root, ...args)
        expect(stdout).toContain('Nothing to do')
        expect(stdout).not.toMatch(/^(?:The program|Units|Configuration|Services|Now edit)/m)
      }
      expect(tree(root)).toEqual(before)
    },
    LONG,
  )

  it(
    'a vault elsewhere may be written to, and no longer when it is back',
    () => {
      const toml = at('etc/groundlock/groundlock.toml')
      const dropIn = at('etc/systemd/system/groundlock-station.service.d/50-vault.conf')
      const before = readFileSync(toml, 'utf8')
      writeFileSync(toml, '[link.radio]\ndevice = "/dev/ttyS9"\n[vault]\ndir = "/mnt/my ssd/100%/"\n')
      expect(run(INSTALL, '--root', root).stdout).toContain('/mnt/my ssd/100% has to be there and belong to')
      expect(readFileSync(dropIn, 'utf8')).toContain('ReadWritePaths="/mnt/my ssd/100%%"\n')
      expect(readFileSync(dropIn, 'utf8')).toContain('RequiresMountsFor="/mnt/my ssd/100%%"\n')
      expect(run(UNINSTALL, '--root', root, '--dry-run').stdout).toContain('/mnt/my ssd/100% (the flights)')
      writeFileSync(toml, before)
      expect(run(INSTALL, '--root', root).status).toBe(0)
      expect(existsSync(dropIn)).toBe(false)
    },
    LONG,
  )

  it('a configuration that is there already is not replaced, and that is said', () => {
    const { stdout } = run(INSTALL, '--dry-run', '--root', root, '--config', '/dev/null')
    expect(stdout).toContain('There is a configuration already, and it stays')
    expect(stdout).toContain('/dev/null is not taken')
  })

  it(
    'what is damaged is put right, what an older version left is removed, the configuration stays',
    () => {
      const unit = at('usr/lib/systemd/system/groundlock-guard.service')
      const wanted = readFileSync(unit, 'utf8')
      writeFileSync(unit, '[Service]\n')
      writeFileSync(
        at('etc/groundlock/groundlock.toml'),
        '[station]\nname = "mine"\n[link.radio]\ndevice = "/dev/ttyS9"\n',
      )
      writeFileSync(at('usr/lib/systemd/system/groundlock-old.service'), '')
      const manifest = at('usr/lib/groundlock/installed-files')
      writeFileSync(
        manifest,
        `${readFileSync(manifest, 'utf8')}/usr/lib/systemd/system/groundlock-old.service\n`,
      )
      expect(run(INSTALL, '--root', root)).toMatchObject({ status: 0, stderr: '' })
      expect(readFileSync(unit, 'utf8')).toBe(wanted)
      expect(existsSync(at('usr/lib/systemd/system/groundlock-old.service'))).toBe(false)
      expect(readFileSync(at('etc/groundlock/groundlock.toml'), 'utf8')).toContain('mine')
    },
    LONG,
  )

  it('taken off, the flights and the configuration stay and nothing else', () => {
    mkdirSync(at('var/lib/groundlock/vault'), { recursive: true })
    writeFileSync(at('var/lib/groundlock/vault/a-1.glk'), 'a flight')
    const dry = tree(root)
    const said = run(UNINSTALL, '--dry-run', '--root', root).stdout
    expect(said).toContain('remove /usr/lib/groundlock')
    expect(said).toMatch(/That would be \d+ changes\. To make them: sudo \S+uninstall --root /)
    expect(tree(root)).toEqual(dry)
    expect(run(UNINSTALL, '--root', root)).toMatchObject({ status: 0, stderr: '' })
    const files = readdirSync(root, { recursive: true }).map(String)
    expect(files.filter((path) => !lstatSync(at(path)).isDirectory()).sort()).toEqual([
      'etc/groundlock/groundlock.toml',
      'var/lib/groundlock/vault/a-1.glk',
    ])
    expect(existsSync(at('usr/share/doc/groundlock'))).toBe(false)
    const { stdout } = run(UNINSTALL, '--root', root)
    expect(stdout).toContain('Nothing to do')
    expect(stdout).not.toContain('Files')
    expect(stdout).toContain('Left as they are: /var/lib/groundlock (the flights), /etc/groundlock.')
  })

  it('of what is not there it does not say that it is left', () => {
    expect(run(UNINSTALL, '--root', temporaryFolder('install')).stdout).not.toContain('Left')
  })
})

const noSysusers = spawnSync('systemd-sysusers', ['--version']).status !== 0
if (noSysusers) process.stdout.write('skipped: systemd-sysusers, which makes users, is not here\n')
describe.skipIf(noSystemctl || noSysusers || process.getuid?.() !== 0)('installing into an image', () => {
  it(
    'makes the users in its own lists, once',
    () => {
      const root = temporaryFolder('install')
      mkdirSync(join(root, 'etc'))
      writeFileSync(join(root, 'etc', 'passwd'), 'root:x:0:0:root:/root:/bin/bash\n')
      writeFileSync(join(root, 'etc', 'group'), 'root:x:0:\ndialout:x:20:\n')
      const first = run(INSTALL, '--root', root)
      expect(first.status).toBe(0)
      expect(first.stdout).toContain('make the users')
      const passwd = readFileSync(join(root, 'etc', 'passwd'), 'utf8')
      expect(passwd).toMatch(/^groundlock:.*\ngroundlock-guard:/m)
      expect(readFileSync(join(root, 'etc', 'group'), 'utf8')).toContain('dialout:x:20:groundlock\n')
      expect(run(INSTALL, '--root', root).stdout).toContain('Nothing to do')
      expect(run(UNINSTALL, '--root', root).stdout).toContain('the users groundlock and groundlock-guard.')
    },
    LONG,
  )
})

describe('what installing asks for first', () => {
  it('a dry run into a folder leaves it as it was', () => {
    const root = temporaryFolder('install')
    const { status, stdout } = run(INSTALL, '--dry-run', '--root', root)
    expect(status).toBe(0)
    expect(stdout).toContain('write /usr/lib/groundlock (')
    expect(readdirSync(root)).toEqual([])
  })

  it.each([
    [['--froot'], 'There is no option --froot.'],
    [['extra'], 'It takes options only, not "extra".'],
    [['--root'], '--root needs a folder after it.'],
  ])('arguments that it knows: %j', (args, wrong) => {
    for (const script of [INSTALL, UNINSTALL]) {
      const { status, stderr } = run(script, ...args)
      expect(status).toBe(2)
      expect(stderr.startsWith(`${wrong}\n`)).toBe(true)
    }
  })

  it('a folder and a file that are there', () => {
    expect(run(INSTALL, '--config').stderr).toContain('--config needs a file after it.')
    expect(run(INSTALL, '--root', '/nowhere/at/all')).toMatchObject({ status: 1 })
  })

  it('a system of the machine that the packages are compiled for', () => {
    const root = temporaryFolder('install')
    mkdirSync(join(root, 'bin'))
    // The beginning of an ELF file for 32-bit SPARC: class, byte order, version; at 18 the machine (elf(5)).
    const shell = Buffer.alloc(64)
    shell.write('\x7fELF\x01\x01\x01', 'latin1')
    shell.writeUInt16LE(2, 18)
    writeFileSync(join(root, 'bin', 'dash'), shell)
    const { status, stderr } = run(INSTALL, '--dry-run', '--root', root)
    expect(status).toBe(1)
    expect(stderr).toMatch(/found \w+ here, expected ELF machine 2 /)
    copyFileSync(process.execPath, join(root, 'bin', 'dash'))
    expect(run(INSTALL, '--dry-run', '--root', root)).toMatchObject({ status: 0, stderr: '' })
  })

  it('what it says to type has all that was given', () => {
    const root = temporaryFolder('install of two words')
    const example = join(REPOSITORY, 'systemd', 'groundlock.toml')
    const { stdout } = run(INSTALL, '--config', example, '--dry-run', '--root', root)
    expect(stdout).toContain(`To make them: sudo ${INSTALL} --config ${example} --root `)
  })

  it.each([
    [
      '[station]\nrun_dir = "/run/elsewhere"',
      'station.run_dir: found "/run/elsewhere", expected "/run/ground',
    ],
    ['[guard]\nrun_dir = "/run/elsewhere"', 'guard.run_dir: found'],
    ['[guard]\nstate_dir = "/var/elsewhere"', 'guard.state_dir: found'],
    [
      '[guard]\ntoken = "/run/token"',
      'guard.token: found "/run/token", expected "/run/groundlock/token/link"',
    ],
    ['[switch]\nbackend = "simulated"\nfile = "/tmp/switch"', 'switch.file: found "/tmp/switch", expected'],
    ['[vault]\ndir = "/home/pi/flights"', 'vault.dir: found "/home/pi/flights", expected'],
    ['[vault]\ndir = "/usr/../tmp/v"', 'vault.dir: found "/usr/../tmp/v", expected'],
    ["[vault]\ndir = '/mnt/a\"b'", 'vault.dir: found'],
  ])('places that the units can use: %s', (lines, trouble) => {
    const root = temporaryFolder('install')
    const path = join(root, 'places.toml')
    writeFileSync(path, `[link.radio]\ndevice = "/dev/ttyS0"\n${lines}\n`)
    const { status, stderr } = run(INSTALL, '--dry-run', '--root', root, '--config', path)
    expect(status).toBe(1)
    expect(stderr).toContain(trouble)
    expect(stderr).toContain('Installed, it cannot work')
  })

  it('a configuration without mistakes', () => {
    const root = temporaryFolder('install')
    const path = join(root, 'wrong.toml')
    writeFileSync(path, '[link.radio]\ndevise = "/dev/ttyS0"\n')
    const { status, stderr } = run(INSTALL, '--dry-run', '--root', root, '--config', path)
    expect(status).toBe(1)
    expect(stderr).toContain('has mistakes')
  })
})

describe('a vault elsewhere', () => {
  const pi = join(REPOSITORY, 'scripts', 'pi')
  /** What the installation would do with this folder, as a dry run. */
  const ready = (vault: string) =>
    run(
      'bash',
      '-euc',
      `dry=1 root='' vault=$1; source ${pi}/actions.sh; source ${pi}/vault.sh; mind_the_vault; ready_vault`,
      'bash',
      vault,
    )

  it('is made where it is not there, and said on which file system', () => {
    const vault = join(temporaryFolder('vault'), 'a', 'b')
    expect(ready(vault).stdout).toMatch(/make \S+\/a\/b for the flights, groundlock's \(on the .* at \/.*\)/)
    expect(existsSync(vault)).toBe(false)
  })

  it('is given to the station where it is empty', () => {
    const vault = temporaryFolder('vault')
    expect(ready(vault).stdout).toContain(`give ${vault}, which is empty and was `)
  })

  it("is left alone where it is somebody else's and not empty, or no folder", () => {
    const vault = temporaryFolder('vault')
    writeFileSync(join(vault, 'theirs'), '')
    for (const path of [vault, join(vault, 'theirs')]) {
      const { status, stderr } = ready(path)
      expect(status).toBe(1)
      expect(stderr).toContain(`vault.dir: found ${path}, `)
      expect(stderr).toContain('It is left alone')
    }
  })

  it('is none of its business where the unit makes it', () =>
    expect(ready('')).toEqual({ status: 0, stdout: '', stderr: '' }))
})
