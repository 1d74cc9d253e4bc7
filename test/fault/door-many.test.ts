/**
 * A door with many uplinks, on real nftables: each nft reads all tables, so the more there are, the fewer nfts may run.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { DrivenDoor, Namespace, otherTool } from '../support/door-lab.js'
import { describeNetwork } from '../support/lab/describe-network.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const ends: (() => void)[] = []
afterEach(() => ends.splice(0).forEach((end) => end()))

/** Without its monitor the door repairs nothing before it is asked. */
const BLIND = 'if [ "$1" = monitor ]; then exec sleep 1000; fi'

/** `pairCount` veth pairs, all uplinks, and a door. */
async function doorIn(
  pairCount: number,
  environment: NodeJS.ProcessEnv,
): Promise<{ inside: Namespace; door: DrivenDoor }> {
  const inside = await Namespace.make()
  ends.push(() => inside.end())
  inside.run(
    `for n in $(seq ${pairCount}); do echo "link add up$n type veth peer name far$n"; done | ip -batch -`,
  )
  const door = new DrivenDoor(inside, temporaryFolder('door'), undefined, environment)
  ends.push(() => door.kill())
  await door.ready()
  return { inside, door }
}

describeNetwork(
  'a door with many uplinks',
  () => {
    it('spawns no nft for each of them, even when the resident does not answer', async () => {
      const folder = temporaryFolder('door')
      const counting = `if [ "$1" = -f ]; then
        mkdir ${folder}/running.$$
        ls ${folder} | grep -c running >>${folder}/counts
        /usr/sbin/nft "$@"; code=$?
        rmdir ${folder}/running.$$
        exit $code
      fi`
      const { inside, door } = await doorIn(60, otherTool(counting))
      await door.permit()
      inside.run(`kill -STOP $(pgrep -f 'nft -i$' -P ${door.process.pid})`)
      const { uplinks } = await door.shut()
      expect(uplinks).toHaveLength(120)
      expect(uplinks.filter(({ isCovered, isLeased }) => !isCovered || isLeased)).toEqual([])
      const counts = readFileSync(join(folder, 'counts'), 'utf8').trim().split('\n').map(Number)
      // One for the base and one for the covers.
      expect(Math.max(...counts)).toBeLessThanOrEqual(2)
      await expect.poll(async () => (await door.shut()).kernel, { timeout: 20_000 }).toBe('shut')
    })

    it('takes the leases of all others away at once where one cover is missing, and makes that again', async () => {
      const folder = temporaryFolder('door')
      const slow = `case "$*" in *addr*) while [ -e ${folder}/slow ]; do sleep 0.01; done;; esac`
      const tools = [otherTool(BLIND), otherTool(slow, 'ip', '/sbin/ip')].map(
        (each) => each['PATH']!.split(':')[0],
      )
      const { inside, door } = await doorIn(3, { PATH: [...tools, process.env['PATH']].join(':') })
      await door.permit()
      // Those that do not lapse while we look: what takes them away is the flush.
      const lasting = [2, 3, 5, 6, 7].map(
        (n) => `add element netdev groundlock_${n} leased { 99 timeout 1h }`,
      )
      inside.run(`touch ${folder}/slow; nft "delete table netdev groundlock_4; ${lasting.join('; ')}"`)
      const reading = door.read()
      const shut = door.shut()
      let isTurnOver = false
      void reading.then(() => (isTurnOver = true))
      await expect.poll(() => inside.run('nft list ruleset'), { timeout: 4000 }).not.toContain('expires')
      expect(isTurnOver).toBe(false)
      inside.run(`rm ${folder}/slow`)
      expect(await shut).toMatchObject({ kernel: 'shut', problems: [] })
    })
  },
  { timeout: 180_000 },
)
