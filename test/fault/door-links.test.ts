/**
 * The door and what `ip` says of the interfaces, on real devices: lists that are cut short, odd names, and marks.
 */
import { afterEach, expect, it } from 'vitest'
import { DrivenDoor, Namespace, otherTool } from '../support/door-lab.js'
import { describeNetwork } from '../support/lab/describe-network.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const ends: (() => void)[] = []
afterEach(() => ends.splice(0).forEach((end) => end()))

async function namespace(more = ''): Promise<Namespace> {
  const inside = await Namespace.make()
  ends.push(() => inside.end())
  inside.run(`ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up\n${more}`)
  return inside
}

async function doorIn(inside: Namespace, environment?: NodeJS.ProcessEnv): Promise<DrivenDoor> {
  const door = new DrivenDoor(inside, temporaryFolder('door'), undefined, environment)
  ends.push(() => door.kill())
  await door.ready()
  return door
}

describeNetwork(
  'the door and its links',
  () => {
    it('asks again where the list changed while it was read, and says so where it always does', async () => {
      const folder = temporaryFolder('door')
      // A list that lacks the devices, for as many times as the file has lines.
      const cut = `case "$*" in *addr*) if [ -s ${folder}/cut ]; then
        sed -i 1d ${folder}/cut
        echo 'Dump was interrupted and may be inconsistent.' >&2
        exec /sbin/ip -j -d addr show lo
      fi;; esac`
      const inside = await namespace()
      const door = await doorIn(inside, otherTool(cut, 'ip', '/sbin/ip'))
      inside.run(`printf '\\n\\n' >${folder}/cut`)
      const reading = await door.read()
      expect(reading).toMatchObject({ kernel: 'shut', problems: [] })
      expect(reading.uplinks).toHaveLength(2)
      inside.run(`yes '' | head -n 1000 >${folder}/cut`)
      const trouble = 'ip: the interfaces change faster than they can be listed'
      const churned = await door.read()
      expect(churned).toMatchObject({ kernel: 'differs', problems: [trouble] })
      expect(churned.uplinks).toHaveLength(2)
      await expect(door.permit()).rejects.toThrow('GL-DOOR-01')
      inside.run(`rm ${folder}/cut`)
      expect(await door.read()).toMatchObject({ kernel: 'shut', problems: [] })
    })

    it('reads the list with a control character in an alias', async () => {
      const inside = await namespace(`ip link set up0 alias "$(printf 'a\\001b')"`)
      const door = await doorIn(inside)
      await door.permit()
      expect(await door.shut()).toMatchObject({ kernel: 'shut', problems: [] })
    })

    it('takes down the device that is meant, where another has `if` and its index for a second name', async () => {
      const inside = await namespace(
        'ip link property add dev lo altname if3; ip link property add dev up1 altname if99',
      )
      const door = await doorIn(inside)
      expect((await door.shut()).layers.linkDown).toBe(true)
      expect(inside.run('ip link show lo')).toContain(',UP')
      await door.permit()
      expect((await door.read()).uplinks.map(({ isUp }) => isUp)).toEqual([true, true])
    })

    it('takes up again what a guard before it took down that has an alias of its own, and leaves no mark', async () => {
      const inside = await namespace(
        'ip link set up0 alias WAN; ip link set up1 alias LAN; ip link set up1 down',
      )
      const first = await doorIn(inside)
      expect((await first.shut()).layers.linkDown).toBe(true)
      first.kill()
      const next = await doorIn(inside)
      // Taken up meanwhile and down again: it bears the mark already.
      inside.run('ip link set up0 up')
      expect(await next.ask('harder')).toMatchObject({ kernel: 'shut', problems: [] })
      await next.permit()
      expect((await next.read()).uplinks.map(({ name, isUp }) => [name, isUp])).toEqual([
        ['up1', false],
        ['up0', true],
      ])
      expect(inside.run('ip link show up0')).toContain('alias WAN')
      expect(inside.run('ip link')).not.toContain('groundlock')
      expect(next.messages.filter(({ event }) => event === 'log')).toEqual([])
    })
  },
  { timeout: 60_000 },
)
