/**
 * The tools that live as long as the door: its monitors, on real nftables, when one ends, has grown or cannot
 * begin.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { DrivenDoor, Namespace, otherTool } from '../support/door-lab.js'
import { describeNetwork } from '../support/lab/describe-network.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const ends: (() => void)[] = []
afterEach(() => ends.splice(0).forEach((end) => end()))

async function doorIn(environment?: NodeJS.ProcessEnv): Promise<{ inside: Namespace; door: DrivenDoor }> {
  const inside = await Namespace.make()
  ends.push(() => inside.end())
  inside.run('ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up')
  const door = new DrivenDoor(inside, temporaryFolder('door'), undefined, environment)
  ends.push(() => door.kill())
  await door.ready()
  return { inside, door }
}

describeNetwork(
  'what lives as long as the door',
  () => {
    it('a monitor that told much is replaced, and what happens in front of the next one is told as ever', async () => {
      const { inside, door } = await doorIn()
      const monitor = () => inside.run(`pgrep -f '^nft monitor$' -P ${door.process.pid} || true`)
      const first = monitor()
      expect(first).toMatch(/^\d+\n$/)
      const many = join(temporaryFolder('door'), 'many')
      const elements = Array.from({ length: 20_000 }, (_, mark) => mark).join()
      writeFileSync(many, `table ip other { set many { type mark; elements = { ${elements} }; }; }`)
      inside.run(`nft -f ${many}`)
      await expect.poll(monitor, { timeout: 30_000 }).not.toBe(first)
      await expect.poll(monitor).toMatch(/^\d+\n$/)
      expect(await door.read()).toMatchObject({ kernel: 'shut', problems: [] })
      expect(door.messages.filter(({ event }) => event === 'log' || event === 'foreign')).toEqual([])
      inside.run('nft delete table inet groundlock')
      await door.message(({ event }) => event === 'foreign')
    })

    it('what happens while no monitor is there is made good when the next one is', async () => {
      const folder = temporaryFolder('door')
      const much = `if [ "$1" = monitor ] && [ ! -e ${folder}/over ]; then
        while [ ! -e ${folder}/over ]; do sleep 0.05; done
        yes | head -n 20000
        exec sleep 1000
      fi`
      const { inside, door } = await doorIn(otherTool(much))
      inside.run(`nft delete table inet groundlock; touch ${folder}/over`)
      const tables = () => inside.run('nft list tables')
      await expect.poll(tables, { timeout: 30_000 }).toMatch(/^table inet groundlock$/m)
      expect(door.messages.filter(({ event }) => event === 'log' || event === 'foreign')).toEqual([])
    })
  },
  { timeout: 120_000 },
)
