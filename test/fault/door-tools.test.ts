/**
 * The tools that live as long as the door: its resident and its monitors, on real nftables, when one ends, has grown or cannot
 * begin.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { DrivenDoor, Namespace, otherTool } from '../support/door-lab.js'
import { REPOSITORY } from '../support/groundlock.js'
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
    it('a resident that ends as soon as it is there is told once and started again seldom', async () => {
      const folder = temporaryFolder('door')
      const ending = `if [ "$1" = -i ] && [ -e ${folder}/starts ]; then date +%s%3N >>${folder}/starts; exit 1; fi`
      const { inside, door } = await doorIn(otherTool(ending))
      inside.run(`touch ${folder}/starts; kill -9 $(pgrep -f 'nft -i$' -P ${door.process.pid})`)
      const starts = () => readFileSync(`${folder}/starts`, 'utf8').trim().split('\n').map(Number)
      await expect.poll(() => starts().length, { timeout: 60_000 }).toBeGreaterThan(4)
      // At most two follow at once, those after them a second each; half of it leaves room for a busy machine.
      const pausesMs = starts().map((startMs, at, all) => startMs - (all[at - 1] ?? 0))
      for (const pauseMs of pausesMs.slice(2)) expect(pauseMs).toBeGreaterThan(500)
      expect((await door.shut()).layers).toMatchObject({ base: true, netdev: true, twin: false })
      const told = (what: string) => door.messages.filter(({ text }) => text?.includes(what)).length
      expect(told('the resident nft ended')).toBe(1)
      expect(told('the twin of the base cannot be loaded')).toBe(1)
      inside.run(`rm ${folder}/starts`)
      await expect.poll(async () => (await door.shut()).layers.twin, { timeout: 10_000 }).toBe(true)
    })

    it('how nft lists the ruleset is learnt later where it could not be at the start', async () => {
      const folder = temporaryFolder('door')
      // The first is the resident.
      const refused = `if [ "$1" = -i ]; then
        echo >>${folder}/starts
        [ $(wc -l <${folder}/starts) = 1 ] || [ -e ${folder}/memory ] || { echo 'no memory' >&2; exit 1; }
      fi`
      const { inside, door } = await doorIn(otherTool(refused))
      for (let count = 0; count < 2; count++) {
        expect((await door.read()).problems).toContain(
          'this nft or kernel cannot load the ruleset: sudo groundlock doctor',
        )
      }
      expect(door.messages.filter(({ event }) => event === 'log').map(({ text }) => text)).toEqual([
        'error the ruleset cannot be learnt: nft: no memory',
      ])
      inside.run(`touch ${folder}/memory`)
      expect(await door.read()).toMatchObject({ kernel: 'shut', problems: [] })
      await door.permit()
      expect(await door.shut()).toMatchObject({ kernel: 'shut', problems: [] })
    })

    it('without a working nft each trouble is told once, however often it is tried', async () => {
      const folder = temporaryFolder('door')
      const { inside, door } = await doorIn(otherTool(`[ -e ${folder}/gone ] && { echo gone; exit 1; }`))
      inside.run(`touch ${folder}/gone; pkill -9 -f 'nft -i$' -P ${door.process.pid}`)
      for (let count = 0; count < 5; count++) {
        expect((await door.shut()).kernel).toBe('differs')
      }
      const troubles = door.messages.filter(({ event }) => event === 'log').map(({ text }) => text)
      for (const what of ['the inet base', 'the arp base', 'the bridge base', 'the local interfaces']) {
        expect(troubles.filter((text) => text?.includes(`${what} cannot be loaded`)).length).toBeLessThan(2)
      }
      expect(troubles.some((text) => text?.includes('the inet base cannot be loaded'))).toBe(true)
    })

    it('a resident that was told much is replaced, twin and all, and stays where no other can be had', async () => {
      const folder = temporaryFolder('door')
      const refused = `if [ "$1" = -i ] && [ -e ${folder}/refused ]; then exit 1; fi`
      const inside = await Namespace.make()
      ends.push(() => inside.end())
      const script = `
        import { rmSync, writeFileSync } from 'node:fs'
        import { execFileSync } from 'node:child_process'
        import { Tables } from '${REPOSITORY}/dist/hw/door/tables.js'
        const said = []
        const log = { info: (text) => said.push(text), warn: (text) => said.push(text), error: (text) => said.push(text) }
        const tables = new Tables({ locals: [], ports: [] }, log, () => said.push('gone'))
        const residents = () => execFileSync('pgrep', ['-f', '^nft -i$|/nft -i$', '-P', process.pid], { encoding: 'utf8' }).trim()
        const isTwinThere = () => execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).includes('inet groundlock_twin')
        await tables.loadBase()
        await tables.ensureTwin([])
        const seen = [[residents(), isTwinThere()]]
        const look = async () => { await tables.ensureTwin([]); seen.push([residents(), isTwinThere()]) }
        for (let count = 0; count < 2000; count += 20) await Promise.all(Array.from({ length: 20 }, () => tables.flush()))
        writeFileSync('${folder}/refused', '')
        await look()
        rmSync('${folder}/refused')
        await look()
        await look()
        await tables.close()
        console.log(JSON.stringify({ seen, said }))`
      const [program, ...args] = [...inside.enter, process.execPath, '--input-type=module', '--eval', script]
      const env = { ...process.env, ...otherTool(refused) }
      const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env })
      expect(stderr).toBe('')
      const { seen, said } = JSON.parse(stdout) as { seen: [string, boolean][]; said: string[] }
      const [first, , third] = seen.map(([pid]) => pid)
      expect(third).toMatch(/^\d+$/)
      expect(third).not.toBe(first)
      expect(seen).toEqual([first, first, third, third].map((pid) => [pid, true]))
      expect(said).toEqual([])
    })

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
