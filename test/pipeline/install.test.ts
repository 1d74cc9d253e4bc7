/** Installing: into a folder, twice, and off again; what it says before it changes anything. */
import { spawnSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { REPOSITORY } from '../support/groundlock.js'
import { Place } from '../support/lab/place.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { describeNetwork } from '../support/lab/describe-network.js'

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

  it(
    'once more changes nothing',
    () => {
      const before = tree(root)
      expect(run(INSTALL, '--root', root, '--dry-run').stdout).toContain('That would be 0 changes.')
      expect(run(INSTALL, '--root', root).stdout).toContain('Done: 0 changes.')
      expect(tree(root)).toEqual(before)
    },
    LONG,
  )

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
    expect(run(UNINSTALL, '--dry-run', '--root', root).stdout).toContain('remove /usr/lib/groundlock')
    expect(tree(root)).toEqual(dry)
    expect(run(UNINSTALL, '--root', root)).toMatchObject({ status: 0, stderr: '' })
    const files = readdirSync(root, { recursive: true }).map(String)
    expect(files.filter((path) => !lstatSync(at(path)).isDirectory()).sort()).toEqual([
      'etc/groundlock/groundlock.toml',
      'var/lib/groundlock/vault/a-1.glk',
    ])
    expect(run(UNINSTALL, '--root', root).stdout).toContain('Nothing to do')
  })
})

describe('what installing asks for first', () => {
  it('a dry run into a folder leaves it as it was', () => {
    const root = temporaryFolder('install')
    const { status, stdout } = run(INSTALL, '--dry-run', '--root', root)
    expect(status).toBe(0)
    expect(stdout).toContain('write /usr/lib/groundlock (')
    expect(readdirSync(root)).toEqual([])
  })

  it('arguments that it knows', () => {
    for (const args of [['--froot'], ['--root'], ['--config']]) expect(run(INSTALL, ...args).status).toBe(2)
    expect(run(UNINSTALL, '--root').status).toBe(2)
    expect(run(INSTALL, '--root', '/nowhere/at/all')).toMatchObject({ status: 1 })
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

describeNetwork('installing over SSH', () => {
  const folder = temporaryFolder('install-ssh')
  const path = join(folder, 'groundlock.toml')
  const MAC = '02:00:00:00:00:09'
  let place: Place
  beforeAll(async () => {
    place = await Place.make('ssh')
    await place.shell(`
      ip link add eth9 address ${MAC} type veth peer name far9
      ip link set far9 up; ip link set eth9 up; ip addr add 10.9.0.1/24 dev eth9`)
  })
  afterAll(() => place.close())

  /** As under sudo, which takes the variable away: only the shell above has it. Always a dry run. */
  function install(configuration: string, connection = '10.9.0.2 50000 10.9.0.1 22'): Promise<string> {
    writeFileSync(path, `[link.radio]\ndevice = "/dev/ttyS0"\n${configuration}`)
    return place.shell(`
      SSH_CONNECTION='${connection}' sh -c 'env -u SSH_CONNECTION ${INSTALL} --dry-run --config ${path}; exit $?'`)
  }

  it('says over which interface, and the lines that name it local', async () => {
    const said = await install('')
    expect(said).toContain('this very connection runs over the interface eth9')
    expect(said).toContain(
      `    [uplink]\n    local = [{ name = "eth9", mac = "${MAC}", subnet = "10.9.0.0/24" }]\n    ssh_port = 22\n`,
    )
  })

  it.each(['x', '10.9.0.2 50000 10.9.0.1 $(id)', '10.9.0.2 50000 10.9.0.77 22'])(
    'says that it cannot tell the interface: %j',
    async (connection) => {
      const said = await install('', connection)
      expect(said).toContain(`runs over one that cannot be told from "${connection}"`)
      expect(said).not.toContain('local = [')
    },
  )

  it('believes the lines that it gave', async () => {
    const said = await install(
      `[uplink]\nlocal = [{ name = "eth9", mac = "${MAC}", subnet = "10.9.0.0/24" }]\nssh_port = 22\n`,
    )
    expect(said).toContain('eth9, which is configured as local')
    expect(said).not.toContain('this very connection')
  })

  it('but not where no port is let in', async () => {
    const local = `{ name = "eth9", mac = "${MAC}", subnet = "10.9.0.0/24" }`
    expect(await install(`[uplink]\nlocal = [${local}]\n`)).toContain('this very connection')
  })

  it.each([
    ['another card', `{ name = "eth9", mac = "02:00:00:00:00:0a", subnet = "10.9.0.0/24" }`],
    ['another network', `{ name = "eth9", mac = "${MAC}", subnet = "10.8.0.0/24" }`],
    ['another name', `{ name = "eth8", mac = "${MAC}", subnet = "10.9.0.0/24" }`],
  ])('but not those of %s', async (_, local) => {
    expect(await install(`[uplink]\nlocal = [${local}]\nssh_port = 22\n`)).toContain('this very connection')
  })
})
