/** The units: what systemd says of them, and what they load when somebody flushes, appears or dies. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DOWN_ALIAS, downAltname } from '../../src/hw/door/links.js'
import { coverText, rulesetText } from '../../src/hw/door/ruleset.js'
import { REPOSITORY } from '../support/groundlock.js'
import { Place } from '../support/lab/place.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { describeNetwork } from '../support/lab/describe-network.js'

const SYSTEMD = join(REPOSITORY, 'systemd')
const file = (name: string) => readFileSync(join(SYSTEMD, name), 'utf8')
const UNITS = readdirSync(SYSTEMD).filter((name) => name.endsWith('.service'))

const noAnalyze = spawnSync('systemd-analyze', ['--version']).status !== 0
if (noAnalyze) process.stdout.write('skipped: systemd-analyze is not here (apt-get install systemd)\n')
describe.skipIf(noAnalyze)('systemd takes them', () => {
  it('without a word, all that they start taken as there', () => {
    const folder = temporaryFolder('units')
    const paths = UNITS.map((name) => {
      const path = join(folder, name)
      // What is installed with them, and nft, is not on every machine that tests.
      writeFileSync(
        path,
        file(name).replace(/(?<=^Exec\w+=-?)\/usr\/(?:bin\/groundlock|lib|sbin)\S*/gm, '/bin/true'),
      )
      return path
    })
    expect(paths).toHaveLength(3)
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...paths], {
      encoding: 'utf8',
    })
    expect({ status, said: stderr.split('\n').filter((line) => line.includes('groundlock')) }).toEqual({
      status: 0,
      said: [],
    })
  })

  it('the drop-in for a vault elsewhere, with spaces in its path too', () => {
    const folder = temporaryFolder('units')
    const configuration = {
      station: { runDir: '/run/groundlock/station' },
      vault: { dir: '/mnt/my ssd/100%' },
      switch: { backend: 'auto' },
      guard: {
        runDir: '/run/groundlock/guard',
        stateDir: '/var/lib/groundlock-guard',
        token: '/run/groundlock/token/link',
      },
    }
    const places = join(REPOSITORY, 'scripts', 'pi', 'installed-places.mjs')
    const { stdout } = spawnSync(places, { input: JSON.stringify({ configuration }), encoding: 'utf8' })
    const [first, ...dropIn] = stdout.split('\n')
    expect(first).toBe('/mnt/my ssd/100%')
    const path = join(folder, 'groundlock-station.service')
    writeFileSync(path, file('groundlock-station.service').replace(/(?<=^ExecStart=)\S+/gm, '/bin/true'))
    mkdirSync(`${path}.d`)
    const verify = (text: string) => {
      writeFileSync(join(`${path}.d`, '50-vault.conf'), text)
      const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' })
      return stderr.split('\n').filter((line) => line.includes('50-vault.conf'))
    }
    expect(verify(dropIn.join('\n'))).toEqual([])
    // That it looks into the drop-in at all.
    expect(verify('[Service]\nReadWritePaths=mnt\n')).toHaveLength(1)
  })

  it.each([
    ['groundlock-station.service', 1],
    ['groundlock-guard.service', 2],
  ])('%s is exposed by at most %d of 10', (name, limit) => {
    const { stdout } = spawnSync(
      'systemd-analyze',
      ['security', '--offline=yes', '--no-pager', join(SYSTEMD, name)],
      {
        encoding: 'utf8',
      },
    )
    const level = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]
    expect(Number(level)).toBeLessThanOrEqual(limit)
  })
})

describe('what must be in them', () => {
  it('nothing stops the lockdown, and it needs neither Node nor the configuration', () => {
    const lockdown = file('groundlock-lockdown.service')
    expect(lockdown).not.toMatch(/^ExecStop/m)
    expect([...lockdown.matchAll(/^Exec\w+=(.*)/gm)].map(([, command]) => command)).toEqual([
      '/usr/sbin/nft -f /usr/lib/groundlock/base.nft',
      '/usr/sbin/nft -f /usr/lib/groundlock/base.nft',
    ])
  })

  // `DeviceAllow=` takes the devices that the kernel knows when the unit starts; scripts/vm-test shows that on a real one.
  it.each([
    ['station', 'usbserial', 'char-ttyUSB'],
    ['station', 'cdc_acm', 'char-ttyACM'],
    ['guard', 'rfkill', '/dev/rfkill'],
  ])('the %s has %s loaded before it may use %s', (name, module, device) => {
    const unit = file(`groundlock-${name}.service`)
    const names = (key: string) =>
      [...unit.matchAll(new RegExp(`^${key}=(.*)`, 'gm'))].flatMap(([, value]) => value!.split(' '))
    expect(names('DeviceAllow')).toContain(device)
    expect(names('Wants')).toContain(`modprobe@${module}.service`)
    expect(names('After')).toContain(`modprobe@${module}.service`)
  })

  it('the guard has one capability', () => {
    const guard = file('groundlock-guard.service')
    expect(
      [...guard.matchAll(/CAP_\w+/g)]
        .map(([name]) => name)
        .filter((name, at, all) => all.indexOf(name) === at),
    ).toEqual(['CAP_NET_ADMIN'])
  })
})

describe('the shut base that the lockdown loads', () => {
  const HEAD = `# The shut base: what the kernel enforces from boot on, until the guard has looked at switch and interfaces. No device is
# named, no setting changes it, and it is loaded as a whole or not at all, any number of times.
# Generated from src/hw/door/ruleset.ts: UPDATE=1 npx vitest run test/pipeline/units.test.ts
`
  it('is that of the guard, without ports and local interfaces', () => {
    const text = HEAD + rulesetText({ locals: [], ports: [] })
    if (process.env['UPDATE'] !== undefined) writeFileSync(join(SYSTEMD, 'base.nft'), text)
    expect(file('base.nft')).toBe(text)
  })

  // Debian without netbase has no /etc/protocols; then nft knows few names of protocols, and the whole base is refused.
  it('names no protocol that nft would have to look up', () => {
    expect(file('base.nft')).not.toMatch(/ipv6-icmp|l4proto \{[^}]*[a-z]/)
  })
})

describe('the cover that udev makes', () => {
  it("is the guard's own, to the letter", () => {
    const { stdout } = spawnSync(join(SYSTEMD, 'cover-uplink'), ['7', '--print', 'eth0'], {
      encoding: 'utf8',
    })
    expect(stdout).toBe(coverText({ ifindex: 7, name: 'eth0' }))
  })
})

describeNetwork('in a network of its own', () => {
  const folder = temporaryFolder('units')
  let place: Place

  /** A script or rules file as it is installed, but for the places of what it reads. */
  function placed(name: string): string {
    const path = join(folder, name)
    const text = file(name)
      .replaceAll('/usr/lib/groundlock', folder)
      .replaceAll('/etc/nftables.conf', join(folder, 'nftables.conf'))
    writeFileSync(path, text, { mode: 0o755 })
    return path
  }

  /** A lease in each of the four tables, for an hour. */
  const leases = (index: string) =>
    ['inet groundlock', 'arp groundlock', 'bridge groundlock', `netdev groundlock_${index}`]
      .map((table) => `nft "add element ${table} leased { ${index} timeout 1h }"`)
      .join('; ')
  const left = () => place.shell('nft list ruleset | grep -c expires || true')
  const isUp = async (name: string) =>
    (Number(await place.shell(`cat /sys/class/net/${name}/flags`)) & 1) === 1
  let ifindex = ''

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true })
    place = await Place.make('units')
    writeFileSync(
      join(folder, 'nftables.conf'),
      '#!/usr/sbin/nft -f\nflush ruleset\ntable inet filter {\n}\n',
    )
    for (const name of ['base.nft', 'nftables-start.nft', 'nftables-stop.nft', 'shut', 'cover-uplink'])
      placed(name)
    await place.shell(`
      nft -f ${folder}/base.nft
      ip link add up0 type veth peer name far0; ip link set far0 up
      ip link add lan0 type veth peer name far1; ip link set far1 up; ip link set lan0 up`)
    ifindex = (await place.shell('cat /sys/class/net/up0/ifindex')).trim()
  })
  afterAll(() => place.close())

  // Each transaction is a generation of the ruleset: there is one, so nobody sees the flush without what follows.
  it.each(['nftables-start.nft', 'nftables-stop.nft'])(
    '%s leaves no moment without the base',
    async (name) => {
      const monitor = join(folder, `${name}.monitor`) // of its own: it begins behind our back
      const said = await place.shell(`
      nft monitor >${monitor} & monitor=$!
      until grep -q before ${monitor}; do nft 'add table inet before; delete table inet before'; done
      nft add table inet first
      nft -f ${folder}/${name}
      nft add table inet last
      until grep -q 'inet last' ${monitor}; do sleep 0.01; done
      nft delete table inet last; kill $monitor
      sed -n '/add table inet first/,/add table inet last/p' ${monitor}`)
      // That of the first marker's own, and that of the load.
      expect(said.match(/^# new generation/gm)).toHaveLength(2)
      expect(await place.shell("nft list tables | grep -c '^table [a-z]* groundlock$'")).toBe('3\n')
    },
  )

  it('a device that appears is covered, also under another name', async () => {
    await place.shell(`${folder}/cover-uplink ${ifindex}`)
    expect(await place.shell(`nft list table netdev groundlock_${ifindex}`)).toMatch(/device "?up0"?/)
    await place.shell(`ip link set up0 name up9; ${folder}/cover-uplink ${ifindex}`)
    expect(await place.shell(`nft list table netdev groundlock_${ifindex}`)).toMatch(/device "?up9"?/)
    await place.shell(`ip link set up9 name up0; ${folder}/cover-uplink ${ifindex}`)
  })

  it('a device that is gone again is nothing to cover, and nonsense is refused', async () => {
    await place.shell(`${folder}/cover-uplink 9999`)
    await expect(place.shell(`${folder}/cover-uplink '7; flush ruleset'`)).rejects.toThrow('is no ifindex')
  })

  it('`shut` takes every lease back and sets the link down, but not the local one', async () => {
    const lan = (await place.shell('cat /sys/class/net/lan0/ifindex')).trim()
    await place.shell(
      `nft add element bridge groundlock locals { ${lan} }; ip link set up0 up; ${leases(ifindex)}`,
    )
    expect(await left()).toBe('4\n')
    await place.shell(
      `nft add table netdev groundlock_9999; ${folder}/shut; nft delete table netdev groundlock_9999`,
    )
    expect(await left()).toBe('0\n')
    expect(await isUp('up0')).toBe(false)
    expect(await isUp('lan0')).toBe(true)
  })

  it('what `shut` set down bears the mark by which the guard takes it up again; an alias of others stays', async () => {
    const alias = async () => (await place.shell('cat /sys/class/net/up0/ifalias')).trim()
    await place.shell(`ip link set up0 up alias ''; ${leases(ifindex)}; ${folder}/shut`)
    expect([await isUp('up0'), await alias()]).toEqual([false, DOWN_ALIAS])
    await place.shell(`ip link set up0 up alias 'to the office'; ${folder}/shut`)
    expect([await isUp('up0'), await alias()]).toEqual([false, 'to the office'])
    const mark = downAltname(Number(ifindex))
    expect(await place.shell('ip link show up0')).toContain(`altname ${mark}\n`)
    await place.shell(`ip link set up0 up; ${folder}/shut`)
    expect(await isUp('up0')).toBe(false)
    await place.shell(`ip link property del dev up0 altname ${mark}; ip link set up0 alias ''`)
  })

  it('`shut` loads the base where somebody has flushed it', async () => {
    await place.shell(`nft flush ruleset; ${folder}/shut`)
    expect(await place.shell("nft list tables | grep -c '^table [a-z]* groundlock$'")).toBe('3\n')
  })

  it('`shut` leaves links alone where nothing was ever permitted and nobody was let in', async () => {
    await place.shell(`ip link set up0 up; GROUNDLOCK_PERMITTED_ONCE=${folder}/none ${folder}/shut`)
    expect(await isUp('up0')).toBe(true)
    await place.shell(`touch ${folder}/once; GROUNDLOCK_PERMITTED_ONCE=${folder}/once ${folder}/shut`)
    expect(await isUp('up0')).toBe(false)
  })

  it('`shut` says so where it cannot', async () => {
    await expect(
      place.shell(`nft flush ruleset; GROUNDLOCK_BASE=${folder}/none ${folder}/shut`),
    ).rejects.toThrow('neither the leases could be flushed nor')
  })
})
