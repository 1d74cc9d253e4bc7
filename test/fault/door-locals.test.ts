/** The door and local interfaces: real ones, that become uplinks when something about them is not as configured. */
import { chmodSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import { DrivenDoor, Namespace } from '../support/door-lab.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { describeNetwork } from '../support/lab/describe-network.js'

const ends: (() => void)[] = []
afterEach(() => ends.splice(0).forEach((end) => end()))

const MAC = '02:00:00:00:00:07'
const POLICY = {
  locals: [{ name: 'loc0', mac: MAC, path: null, subnet: '192.168.7.0/24' }],
  ports: [{ protocol: 'tcp', port: 8080 } as const],
}
/** A namespace of the other end has no firewall: what arrives there got through. */
const LOCAL = `ip link add loc0 index 7 address ${MAC} type veth peer name cli0
  ip addr add 192.168.7.1/24 dev loc0; ip link set loc0 up
  echo 2 > /proc/sys/net/ipv6/conf/loc0/accept_ra`

/** A program with CAP_NET_ADMIN and nothing else, as the guard is started. */
const CAPABILITY = '-all,+net_admin'
const PLAIN_USER = [
  '/usr/bin/setpriv',
  '--reuid=65534',
  '--regid=65534',
  '--clear-groups',
  `--bounding-set=${CAPABILITY}`,
  `--inh-caps=${CAPABILITY}`,
  `--ambient-caps=${CAPABILITY}`,
]

async function doorWithLocal(
  prefix: string[] = [],
): Promise<{ inside: Namespace; client: Namespace; door: DrivenDoor }> {
  const [inside, client] = [await Namespace.make(), await Namespace.make()]
  ends.push(
    () => inside.end(),
    () => client.end(),
  )
  inside.run(LOCAL)
  inside.run(`ip link set cli0 netns ${client.pid}`)
  client.run('ip addr add 192.168.7.2/24 dev cli0; ip link set cli0 up')
  const folder = temporaryFolder('door')
  chmodSync(folder, 0o755)
  const door = new DrivenDoor(inside, folder, POLICY, {}, prefix)
  ends.push(() => door.kill())
  await door.ready()
  return { inside, client, door }
}

/** What a client gets from a port of ours: an answer, or nothing. */
function answer(server: Namespace, client: Namespace, port: number): string {
  server.run(
    `socat -u SYSTEM:"echo hello" TCP-LISTEN:${port},reuseaddr >/dev/null 2>&1 & echo $! > /dev/null`,
  )
  return client.run(
    `for i in 1 2 3 4 5; do socat -u TCP:192.168.7.1:${port},connect-timeout=1 - 2>/dev/null && break; sleep 0.1; done; true`,
  )
}

describeNetwork(
  'a local interface',
  () => {
    it('carries our ports while shut, and no others', async () => {
      const { inside, client, door } = await doorWithLocal()
      const reading = await door.read()
      expect(reading).toMatchObject({ kernel: 'shut', problems: [], uplinks: [] })
      expect(reading.locals).toEqual([{ name: 'loc0', isThere: true, mismatch: null }])
      expect(answer(inside, client, 8080)).toBe('hello\n')
      expect(answer(inside, client, 8081)).toBe('')
    })

    it('does so for a door of a plain user with CAP_NET_ADMIN alone', async () => {
      const { inside, client, door } = await doorWithLocal(PLAIN_USER)
      expect(await door.read()).toMatchObject({ kernel: 'shut', problems: [], uplinks: [] })
      inside.run('ip link add up0 type veth peer name up1; ip link set up0 up')
      expect((await door.read()).uplinks.map(({ name, isCovered }) => [name, isCovered])).toEqual([
        ['up1', true],
        ['up0', true],
      ])
      await door.permit()
      expect(await door.read()).toMatchObject({ kernel: 'leased', problems: [] })
      expect(await door.shut()).toMatchObject({ kernel: 'shut', problems: [] })
      expect(inside.run('cat /proc/sys/net/ipv6/conf/loc0/accept_ra')).toBe('0\n')
      expect(answer(inside, client, 8080)).toBe('hello\n')
    })

    it.each([
      ['gets a default route', 'ip route add default dev loc0', 'it has a route to default'],
      ['gets a wide address', 'ip addr add 192.168.7.9/5 dev loc0', 'it has the address 192.168.7.9/5'],
      ['gets another mac', 'ip link set loc0 address 02:00:00:00:00:08', 'its mac is 02:00:00:00:00:08'],
      [
        'becomes a port of a bridge',
        'ip link add br0 type bridge; ip link set loc0 master br0',
        'it is a port of br0',
      ],
    ])('is an uplink when it %s', async (_, change, why) => {
      const { inside, client, door } = await doorWithLocal()
      inside.run(change)
      const reading = await door.shut()
      expect(reading).toMatchObject({ kernel: 'shut', problems: [] })
      expect(reading.locals[0]!.mismatch).toContain(why)
      expect(reading.uplinks.find(({ name }) => name === 'loc0')).toMatchObject({
        isCovered: true,
        isUp: false,
      })
      inside.run(`ip link set loc0 up; (${change}) 2>/dev/null || true`)
      expect(answer(inside, client, 8080)).toBe('')
    })

    it('made again with the same name and mac is verified anew', async () => {
      const { inside, door } = await doorWithLocal()
      inside.run(LOCAL.replace('index 7', 'index 9').replace('ip link add', 'ip link del loc0; ip link add'))
      expect(await door.read()).toMatchObject({ kernel: 'shut', problems: [] })
      expect(inside.run('nft -j list set inet groundlock locals')).toContain('"loc0"')
      expect((await door.read()).locals[0]).toMatchObject({ isThere: true, mismatch: null })
    })

    it('a VLAN-like device on it is an uplink: nothing is inherited', async () => {
      const { inside, door } = await doorWithLocal()
      inside.run('ip link add mv0 link loc0 type macvlan')
      expect((await door.read()).uplinks.map(({ name, isCovered }) => [name, isCovered])).toEqual([
        ['mv0', true],
      ])
    })
  },
  { timeout: 120_000 },
)
