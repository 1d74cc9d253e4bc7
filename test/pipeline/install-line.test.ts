/** Installing over SSH: over which interface the line runs, whether it stays, and what else will be shut. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { REPOSITORY } from '../support/groundlock.js'
import { describeNetwork } from '../support/lab/describe-network.js'
import { Place } from '../support/lab/place.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const INSTALL = join(REPOSITORY, 'scripts', 'install')

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

  it('a network that is not private cannot keep it, and no lines are proposed', async () => {
    await place.shell('ip addr flush dev eth9; ip addr add 192.0.2.1/24 dev eth9')
    const said = await install('', '192.0.2.7 50000 192.0.2.1 22')
    await place.shell('ip addr flush dev eth9; ip addr add 10.9.0.1/24 dev eth9')
    expect(said).toContain('Its network, 192.0.2.0/24, cannot be local')
    expect(said).not.toContain('local = [')
  })

  it('names the interfaces that will be shut: not lo, not the local one', async () => {
    const shut = (said: string) => /the uplinks are shut: (.*); and any/.exec(said)?.[1]
    expect(shut(await install(''))).toMatch(/\beth9 \(up\)/)
    const local = `{ name = "eth9", mac = "${MAC}", subnet = "10.9.0.0/24" }`
    const said = shut(await install(`[uplink]\nlocal = [${local}]\nssh_port = 22\n`))
    expect(said).toContain('far9 (up)')
    expect(said).not.toMatch(/eth9|\blo\b/)
  })

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
