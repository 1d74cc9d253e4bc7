/**
 * The door on real nftables, each in a network namespace of its own: what other programs do to it, and what it does then.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { DrivenDoor, Namespace, otherTool } from '../support/door-lab.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { describeNetwork } from '../support/lab/describe-network.js'

const ends: (() => void)[] = []
afterEach(() => ends.splice(0).forEach((end) => end()))

const VETH = 'ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up'

/** A namespace with two uplinks (a veth pair), and a door in it. */
async function doorIn(
  policy?: ConstructorParameters<typeof DrivenDoor>[2],
  environment?: NodeJS.ProcessEnv,
  before = VETH,
): Promise<{ inside: Namespace; door: DrivenDoor }> {
  const inside = await Namespace.make()
  ends.push(() => inside.end())
  inside.run(before)
  const door = new DrivenDoor(inside, temporaryFolder('door'), policy, environment)
  ends.push(() => door.kill())
  await door.ready()
  return { inside, door }
}

/** Without its monitor the door repairs nothing before it is asked. */
const BLIND = 'if [ "$1" = monitor ]; then exec sleep 1000; fi'

describeNetwork(
  'the door',
  () => {
    it('is shut when it is there, with every layer, and foreign tables are left alone', async () => {
      const others = 'nft "table inet filter { chain o { type filter hook output priority 0; counter; }; }"'
      const { inside, door } = await doorIn(undefined, undefined, `${VETH}; ${others}`)
      const reading = await door.read()
      expect(reading).toMatchObject({ kernel: 'shut', isRead: true, problems: [] })
      expect(reading.layers).toEqual({ base: true, netdev: true, twin: true, linkDown: true, rfkill: null })
      expect(reading.uplinks.map(({ name, isCovered, isUp }) => [name, isCovered, isUp])).toEqual([
        ['up1', true, false],
        ['up0', true, false],
      ])
      await door.ask('close')
      expect(inside.run('nft list table inet filter')).toContain('type filter hook output priority filter')
      expect(inside.run('nft list tables')).not.toContain('twin')
      expect(inside.run('nft list tables')).toContain('inet groundlock')
    })

    it('permits every uplink, and takes up again what it took down and nothing else', async () => {
      const { inside, door } = await doorIn(undefined, undefined, `${VETH}; ip tuntap add dev tun9 mode tun`)
      await door.permit()
      const open = await door.read()
      expect(open).toMatchObject({ kernel: 'leased', problems: [] })
      expect(open.uplinks.map(({ name, isLeased, isUp }) => [name, isLeased, isUp])).toEqual([
        ['up1', true, true],
        ['up0', true, true],
        ['tun9', true, false],
      ])
      expect(inside.run('ip link')).not.toContain('groundlock')
      const shut = await door.shut()
      expect(shut).toMatchObject({ kernel: 'shut', problems: [] })
      expect(shut.layers).toMatchObject({ twin: true, linkDown: true })
    })

    it('takes up again what a guard before it took down', async () => {
      const { inside, door } = await doorIn()
      door.kill()
      const next = new DrivenDoor(inside, temporaryFolder('door'))
      ends.push(() => next.kill())
      await next.ready()
      await next.permit()
      expect((await next.read()).uplinks.map(({ isUp }) => isUp)).toEqual([true, true])
    })

    it.each([
      ['the inet base', 'nft delete table inet groundlock', 'table inet groundlock is missing'],
      ['the arp base', 'nft delete table arp groundlock', 'table arp groundlock is missing'],
      ['the bridge base', 'nft delete table bridge groundlock', 'table bridge groundlock is missing'],
      ['a rule more', 'nft insert rule inet groundlock output accept', 'table inet groundlock differs'],
      [
        'another policy',
        'nft "add chain inet groundlock forward { policy accept; }"',
        'table inet groundlock differs',
      ],
      [
        'the drop that sleeps',
        'nft "table inet groundlock { flags dormant; }"',
        'inet groundlock has other flags',
      ],
      ['an egress drop', 'nft delete table netdev groundlock_3', 'uplink up0 (3) has no egress drop'],
      [
        'an egress rule',
        'nft insert rule netdev groundlock_3 egress accept',
        'uplink up0 (3) has another egress drop',
      ],
      ['a lease', 'nft add element inet groundlock leased { 3 }', 'inet groundlock has a lease for up0'],
      [
        'a lease without an end',
        'nft "add element bridge groundlock leased { 3 timeout 9h }"',
        'bridge groundlock has a lease without an end',
      ],
      [
        'a local interface',
        'nft "add element inet groundlock locals { 3 . 10.0.0.0/8 }"',
        'inet groundlock has other local interfaces',
      ],
    ])('notices %s, names it, and shutting mends it', async (_, damage, problem) => {
      const { inside, door } = await doorIn(undefined, otherTool(BLIND))
      inside.run(damage)
      const reading = await door.read()
      expect(reading.kernel).toBe('differs')
      expect(reading.problems.join('\n')).toContain(problem)
      expect(await door.shut()).toMatchObject({ kernel: 'shut', problems: [] })
    })

    it('puts back what another program flushed, says who did it, and keeps the twin meanwhile', async () => {
      const { inside, door } = await doorIn()
      expect(inside.run('nft flush ruleset; nft list tables')).toContain('inet groundlock_twin')
      const { what } = await door.message(({ event }) => event === 'foreign')
      expect(what).toMatch(/^nft \(process \d+\) changed .*inet groundlock/)
      expect(await door.read()).toMatchObject({ kernel: 'shut', problems: [] })
      expect((await door.read()).layers).toMatchObject({ base: true, netdev: true, twin: true })
    })

    it('does not take its own work for that of others', async () => {
      const { door } = await doorIn()
      for (let cycle = 0; cycle < 3; cycle++) {
        await door.permit()
        await door.permit()
        await door.shut()
      }
      expect(door.messages.filter(({ event }) => event === 'foreign')).toEqual([])
    })

    it('lapses by itself when its guard is killed', async () => {
      const { inside, door } = await doorIn()
      await door.permit()
      const left = () => inside.run('nft list ruleset').match(/expires/g)?.length ?? 0
      expect(left()).toBeGreaterThan(0)
      door.kill()
      while (left() > 0) await new Promise((resolve) => setTimeout(resolve, 50))
      // The base has stayed, and drops: a lease is all that was taken.
      expect(inside.run('nft list chain inet groundlock output')).toContain('policy drop')
    })

    it('a renewal that is under way when shutting comes opens nothing, however slow its nft', async () => {
      const folder = temporaryFolder('door')
      const slow = `case "$*" in *"add element"*) touch ${folder}/begun; sleep 1;; esac`
      const { inside, door } = await doorIn(undefined, otherTool(slow))
      inside.run(`nft monitor > ${folder}/changes 2>&1 & sleep 0.5`)
      const refused = door.permit().then(
        () => 'permitted',
        (error: unknown) => (error as Error).message,
      )
      inside.run(`while [ ! -e ${folder}/begun ]; do sleep 0.01; done`)
      expect(await door.shut()).toMatchObject({ kernel: 'shut' })
      expect(await refused).toBe('GL-DOOR-03')
      await new Promise((resolve) => setTimeout(resolve, 1500)) // longer than that nft would have slept
      expect(inside.run('nft list ruleset')).not.toContain('expires')
      const changes = readFileSync(`${folder}/changes`, 'utf8')
      expect(changes).toContain('groundlock_twin') // it did listen
      expect(changes).not.toContain('add element')
    })

    it('shutting empties the leases at once, whatever else has its turn', async () => {
      const folder = temporaryFolder('door')
      const slow = `case "$*" in *addr*) while [ -e ${folder}/slow ]; do sleep 0.01; done;; esac`
      const tools = [otherTool(BLIND), otherTool(slow, 'ip', '/sbin/ip')].map(
        (each) => each['PATH']!.split(':')[0],
      )
      const { inside, door } = await doorIn(undefined, { PATH: [...tools, process.env['PATH']].join(':') })
      await door.permit()
      // One that does not lapse while we look: what takes it away is the flush.
      inside.run(`touch ${folder}/slow; nft "add element inet groundlock leased { 99 timeout 1h }"`)
      const reading = door.read()
      const shut = door.shut()
      let isTurnOver = false
      void reading.then(() => (isTurnOver = true))
      const left = () => inside.run('nft list set inet groundlock leased').includes('99')
      while (left()) await new Promise((resolve) => setTimeout(resolve, 10))
      await new Promise((resolve) => setTimeout(resolve, 200)) // what was said is heard
      expect(isTurnOver).toBe(false)
      inside.run(`rm ${folder}/slow`)
      expect(await shut).toMatchObject({ kernel: 'shut', problems: [] })
      await reading
    })

    it('a resident that ends before it has its place is replaced all the same', async () => {
      const starts = join(temporaryFolder('door'), 'starts')
      // The first resident, the one that learns how nft lists, and the one that comes with the permit.
      const third = `if [ "$1" = -i ]; then echo >>${starts}; [ $(wc -l <${starts}) != 3 ] || exit 1; fi`
      const { door } = await doorIn(undefined, otherTool(third))
      await door.permit()
      await expect.poll(async () => (await door.shut()).layers.twin, { timeout: 10_000 }).toBe(true)
      expect(await door.shut()).toMatchObject({ kernel: 'shut', problems: [] })
    })

    it('a cover that udev makes for a device that appears takes no lease away', async () => {
      const { inside, door } = await doorIn()
      await door.permit()
      inside.run('nft "table netdev groundlock_9999 { }"')
      const { what } = await door.message(({ event }) => event === 'foreign')
      expect(what).toContain('udev')
      expect(await door.read()).toMatchObject({ kernel: 'leased' })
      expect(inside.run('nft list set inet groundlock leased')).toContain('expires')
    })

    it('a second permit renews the first', async () => {
      const { inside, door } = await doorIn()
      const leftS = () =>
        Number(/"expires": (\d+)/.exec(inside.run('nft -j list set inet groundlock leased'))?.[1] ?? 0)
      await door.permit()
      while (leftS() > 1) await new Promise((resolve) => setTimeout(resolve, 50))
      await door.permit()
      expect(leftS()).toBeGreaterThan(1)
    })

    it('covers a device that appears, one renamed, and one made again, and none inherits a lease', async () => {
      const { inside, door } = await doorIn()
      const covered = async () => (await door.read()).uplinks.map(({ name, isCovered }) => [name, isCovered])
      inside.run('ip link add new0 type veth peer name new1')
      expect(await covered()).toEqual([
        ['up1', true],
        ['up0', true],
        ['new1', true],
        ['new0', true],
      ])
      inside.run('ip link set new0 name other0')
      expect(await covered()).toContainEqual(['other0', true])
      await door.permit()
      inside.run('ip link del up0; ip link add up0 type veth peer name up1; ip link set up0 up')
      const again = await door.read()
      expect(again.uplinks.find(({ name }) => name === 'up0')).toMatchObject({
        isCovered: true,
        isLeased: false,
      })
      inside.run('ip link del up0; ip link add up0 index 77 type veth peer name up1; ip link set up0 up')
      await door.permit()
      expect((await door.read()).uplinks.find(({ name }) => name === 'up0')).toMatchObject({ isLeased: true })
      inside.run('ip link del up0; ip link add up0 index 77 type veth peer name up1; ip link set up0 up')
      const sameIndex = await door.read()
      expect(sameIndex.uplinks.find(({ ifindex }) => ifindex === 77)).toMatchObject({
        isCovered: true,
        isLeased: false,
      })
      expect((await door.shut()).problems).toEqual([])
      expect(inside.run('nft list tables netdev').match(/groundlock_/g)).toHaveLength(4)
    })

    it('takes a link down again that somebody takes up', async () => {
      const { inside, door } = await doorIn()
      inside.run('ip link set up0 up')
      const isUp = () => inside.run('ip link show up0').includes(',UP')
      while (isUp()) await new Promise((resolve) => setTimeout(resolve, 20))
      expect((await door.read()).layers.linkDown).toBe(true)
    })

    it('permits nothing while a device has a name that no rule can hold', async () => {
      const odd = `ip link add 'a"b' type veth peer name c0`
      const { door } = await doorIn(undefined, undefined, odd)
      await expect(door.permit()).rejects.toThrow('GL-DOOR-02')
      expect((await door.read()).problems.join()).toContain('a"b (3) has a name that no rule can hold')
    })

    it('says so and stays shut where nft is missing', async () => {
      const inside = await Namespace.make()
      ends.push(() => inside.end())
      const door = new DrivenDoor(inside, temporaryFolder('door'), undefined, { PATH: '/nowhere' })
      ends.push(() => door.kill())
      await door.ready()
      const reading = await door.shut()
      expect(reading).toMatchObject({ kernel: 'differs', isRead: false })
      expect(reading.problems).toEqual([expect.stringMatching(/^ip: /), expect.stringMatching(/^nft: /)])
      await expect(door.permit()).rejects.toThrow('GL-DOOR-01')
    })

    it('makes another resident, and another twin, when the resident is killed', async () => {
      const { inside, door } = await doorIn()
      const tables = () => inside.run('nft list tables')
      inside.run(`kill -9 $(pgrep -f '^nft -i$' -P ${door.process.pid})`)
      await door.message(({ text }) => text?.includes('the resident nft ended') ?? false)
      while (!tables().includes('inet groundlock_twin'))
        await new Promise((resolve) => setTimeout(resolve, 20))
      expect(await door.shut()).toMatchObject({ kernel: 'shut', problems: [] })
    })
  },
  { timeout: 120_000 },
)
