/** Installing over SSH: over which interface the line runs, whether it stays, and what else will be shut. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { REPOSITORY } from '../support/groundlock.js'
import { describeNetwork } from '../support/lab/describe-network.js'
import { Place } from '../support/lab/place.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const SCRIPTS = join(REPOSITORY, 'scripts')
const INSTALL = join(SCRIPTS, 'install')
const GROUNDLOCK = join(REPOSITORY, 'dist', 'groundlock.cjs')

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

  const TO_ETH9 = '10.9.0.2 50000 10.9.0.1 22'
  const LOCAL = `{ name = "eth9", mac = "${MAC}", subnet = "10.9.0.0/24" }`

  /** As under sudo, which takes the variable away: only the shell above has it. Always a dry run. */
  function install(configuration: string, connection = TO_ETH9): Promise<string> {
    writeFileSync(path, `[link.radio]\ndevice = "/dev/ttyS0"\n${configuration}`)
    return place.shell(`
      SSH_CONNECTION='${connection}' sh -c 'env -u SSH_CONNECTION ${INSTALL} --dry-run --config ${path}; exit $?'`)
  }

  /** Only what is said of the line, and `went on` if it does; by default as in a dry run. */
  function line(configuration: string, connection = TO_ETH9, how = ''): Promise<string> {
    writeFileSync(path, `[link.radio]\ndevice = "/dev/ttyS0"\n${configuration}`)
    return place.shell(`
      ${GROUNDLOCK} config check --json --config ${path} >${folder}/settings
      SSH_CONNECTION='${connection}' bash -euo pipefail -c '
        here=${SCRIPTS} dry=1 shut_line=0 root=
        ${how}
        source $here/pi/actions.sh; source $here/pi/ssh-line.sh
        mind_the_line ${folder}/settings; echo went on' </dev/null 2>&1 || true`)
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
      const said = await line('', connection)
      expect(said).toContain(`runs over one that cannot be told from "${connection}"`)
      expect(said).not.toContain('local = [')
    },
  )

  it('a network that is not private cannot keep it, and no lines are proposed', async () => {
    await place.shell('ip addr flush dev eth9; ip addr add 192.0.2.1/24 dev eth9')
    const said = await line('', '192.0.2.7 50000 192.0.2.1 22')
    await place.shell('ip addr flush dev eth9; ip addr add 10.9.0.1/24 dev eth9')
    expect(said).toContain('cannot be local as it is now: 192.0.2.0/24 is not a private network')
    expect(said).not.toContain('local = [')
  })

  it.each([
    ['is not configured', '', ''],
    [
      'is configured',
      `[uplink]\nlocal = [${LOCAL}]\nssh_port = 22\n`,
      ', though configured as local: it has a route to default',
    ],
  ])(
    'an interface with a gateway is shut, and how to be without one: it %s',
    async (_, configuration, why) => {
      await place.shell('ip route add default via 10.9.0.2 dev eth9')
      const said = await install(configuration)
      await place.shell('ip route del default')
      expect(said).toContain('this very connection runs over the interface eth9')
      expect(said).toContain('cannot be local as it is now: it has a route to default')
      expect(said).toContain('device show eth9)" ipv4.never-default yes')
      expect(said).toContain('interface eth9\n    nogateway\n    noipv6\n')
      expect(said).not.toContain('local = [')
      expect(/the uplinks are shut: (.*); and any/.exec(said)?.[1]).toContain(`eth9 (up${why})`)
    },
  )

  it('an address of IPv6 that leads further shuts it, and how to be without', async () => {
    await place.shell('ip addr add 2001:db8::9/64 dev eth9 nodad')
    const said = await line('')
    await place.shell('ip addr del 2001:db8::9/64 dev eth9')
    expect(said).toContain('it has the address 2001:db8::9/64, outside its subnet')
    expect(said).toContain('ipv6.method link-local')
    expect(said).not.toContain('local = [')
  })

  it.each([
    [
      'lies on an uplink',
      'ip link add link far9 name over9 type macvlan',
      'it lies on far9, which is not local',
    ],
    [
      'is a bridge of an uplink',
      'ip link add over9 type bridge; ip link add port9 master over9 type veth peer name port8',
      'its port port9 is not local',
    ],
    [
      'has another network',
      'ip link add over9 type veth peer name port9; ip addr add 10.7.0.1/24 dev over9',
      'it has the address 10.7.0.1/24, outside its subnet',
    ],
    [
      'has no hardware address',
      'ip tuntap add dev over9 mode tun',
      'neither mac nor path says which device it is',
    ],
  ])('one that %s is shut, and no gateway is blamed', async (_, made, why) => {
    await place.shell(`${made}; ip link set over9 up; ip addr add 10.8.0.1/24 dev over9`)
    const said = await line('', '10.8.0.2 50000 10.8.0.1 22')
    await place.shell('ip link del over9; ip link del port9 2>/dev/null || true')
    expect(said).toContain(`over9 cannot be local as it is now: ${why}`)
    expect(said).not.toContain('local = [')
    expect(said).not.toContain('nmcli')
  })

  it('says all that is in the way: a gateway, and what it lies on', async () => {
    await place.shell(`
      ip link add link far9 name over9 type macvlan; ip link set over9 up; ip addr add 10.8.0.1/24 dev over9
      ip route add default via 10.8.0.2`)
    const said = await line('', '10.8.0.2 50000 10.8.0.1 22')
    await place.shell('ip link del over9')
    expect(said).toContain('it has a route to default; it lies on far9, which is not local.')
    expect(said).not.toContain('nmcli')
  })

  it.each(['10.9.1.2', 'fe80::2'])('only hosts of its network are let in, and %s is none', async (client) => {
    const said = await line(`[uplink]\nlocal = [${LOCAL}]\nssh_port = 22\n`, `${client} 50000 10.9.0.1 22`)
    expect(said).toContain(
      `Only hosts of 10.9.0.0/24 are let in over eth9, by IPv4, and you come from ${client}`,
    )
    expect(said).not.toContain('a new one will be let in')
    expect(said).not.toContain('local = [')
  })

  it('keeps the other local interfaces in the lines that it gives, and gives none that cannot be used', async () => {
    const others = (subnet: string) =>
      `[uplink]\nlocal = [{ name = "eth8", path = "usb-1", subnet = "${subnet}" }]\nssh_port = 22\n`
    expect(await line(others('10.8.0.0/24'))).toContain(
      `local = [{ name = "eth8", path = "usb-1", subnet = "10.8.0.0/24" }, ${LOCAL}]\n`,
    )
    const said = await line(others('10.9.0.0/16'))
    expect(said).toContain('overlaps 10.9.0.0/16')
    expect(said).not.toContain('local = [')
  })

  it('goes no further, unless a person says so', async () => {
    expect(await line('', TO_ETH9, 'dry=0')).toMatch(
      /Nothing was changed. To go on all the same: --yes-shut-this-connection\n$/,
    )
    expect(await line('', TO_ETH9, 'dry=0 shut_line=1')).toMatch(/it will be shut.\nwent on\n$/)
    expect(await line(`[uplink]\nlocal = [${LOCAL}]\nssh_port = 22\n`, TO_ETH9, 'dry=0')).toMatch(
      /a new one will be let in.\nwent on\n$/,
    )
    await place.shell('ip route add default via 10.9.0.2 dev eth9')
    const said = await line(`[uplink]\nlocal = [${LOCAL}]\nssh_port = 22\n`, TO_ETH9, 'dry=0')
    await place.shell('ip route del default')
    expect(said).toContain('Nothing was changed.')
  })

  it('changes nothing to find out: it is taken as the guard will leave it, that accepts no routers', async () => {
    const setting = '/proc/sys/net/ipv6/conf/eth9/accept_ra'
    await place.shell(`echo 1 >${setting}`)
    expect(await install(`[uplink]\nlocal = [${LOCAL}]\nssh_port = 22\n`)).toContain('configured as local')
    expect(await place.shell(`cat ${setting}`)).toBe('1\n')
  })

  it('names the interfaces that will be shut: not lo, not the local one', async () => {
    const shut = (said: string) => /the uplinks are shut: (.*); and any/.exec(said)?.[1]
    expect(shut(await install(''))).toMatch(/\beth9 \(up\)/)
    const said = shut(await install(`[uplink]\nlocal = [${LOCAL}]\nssh_port = 22\n`))
    expect(said).toContain('far9 (up)')
    expect(said).not.toMatch(/eth9|\blo\b/)
  })

  it('believes the lines that it gave', async () => {
    const said = await line(`[uplink]\nlocal = [${LOCAL}]\nssh_port = 22\n`)
    expect(said).toContain('eth9, which is configured as local')
    expect(said).not.toContain('this very connection')
  })

  it('but not where no port is let in', async () => {
    expect(await line(`[uplink]\nlocal = [${LOCAL}]\n`)).toContain('this very connection')
  })

  it.each([
    ['another card', `{ name = "eth9", mac = "02:00:00:00:00:0a", subnet = "10.9.0.0/24" }`],
    ['another network', `{ name = "eth9", mac = "${MAC}", subnet = "10.8.0.0/24" }`],
    ['another name', `{ name = "eth8", mac = "${MAC}", subnet = "10.9.0.0/24" }`],
  ])('but not those of %s', async (_, local) => {
    expect(await line(`[uplink]\nlocal = [${local}]\nssh_port = 22\n`)).toContain('this very connection')
  })
})
