/**
 * What leaves a door that is opened and shut thousands of times, without a guard and so without its waits: nothing while it is
 * shut, of any kind of traffic, nor afterwards of what was written while it was. A capture outside counts; it sees frames while
 * the door is permitted. The long form (`npm run soak:door`) does 10,000 door cycles.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LeakLab } from '../support/leak-lab.js'
import { percentiles } from '../support/leak-table.js'
import { ALL_ROWS, FAST_ROWS, sumOf } from '../support/leak-traffic.js'
import { SOAK_TIMEOUT_MS, amount, createProgress, randomFor, say, seed } from '../support/soak.js'
import { describeNetwork } from '../support/lab/describe-network.js'

/** Written to each connection. */
const FRAMES = 5
const CYCLES = amount(5, 10_000)
/** Between two frames of the hammer (ms): fine enough to see when the last one left. */
const HAMMER_MS = 0.5

describeNetwork('a shut door', () => {
  let lab: LeakLab

  beforeEach(async () => {
    lab = await LeakLab.make()
  })

  afterEach(() => lab.close())

  async function opened(): Promise<void> {
    await lab.permit()
    await lab.ask({ op: 'hang up' })
    await lab.ask({ op: 'connect' })
  }

  test.each([
    ['on a link taken up by force', (): Promise<void> => lab.net.dress()],
    ['on a link that is down', (): Promise<void> => Promise.resolve()],
  ] as const)(
    'what was written to a connection while shut, %s, does not leave at the next opening',
    async (_, prepare) => {
      await lab.open()
      for (const isProgramKilled of [false, true]) {
        await opened()
        await lab.shut()
        await prepare()
        await lab.net.capture.take()
        const { queued } = await lab.sendAll(['queued'], FRAMES)
        if (isProgramKilled) await lab.restartTraffic()
        expect((await lab.net.capture.take()).total).toBe(0)
        await lab.permit()
        await lab.untilQueuesAreEmpty()
        const { marks } = await lab.net.capture.take()
        expect({ isProgramKilled, wasSent: queued! > 0, arrived: marks['queued'] ?? 0 }).toEqual({
          isProgramKilled,
          wasSent: true,
          arrived: 0,
        })
        await lab.shut()
      }
    },
  )

  test(
    `${CYCLES} times opened and shut, it lets nothing out`,
    async () => {
      say(`seed ${seed}`)
      const random = randomFor('door cycles')
      const progress = createProgress('door cycles', CYCLES)
      const lastMs: number[] = []
      const shutMs: number[] = []
      const all = { permitted: 0, sent: 0, queued: 0 }
      await lab.open()
      for (let cycle = 0; cycle < CYCLES; cycle++) {
        await opened()
        await lab.hammer(FAST_ROWS, HAMMER_MS)
        const opening = await lab.net.capture.take()
        const permitted = await lab.net.capture.least(10)
        all.permitted += permitted.total
        all.queued += (opening.marks['queued'] ?? 0) + (permitted.marks['queued'] ?? 0)
        const span = await lab.shut()
        const until = await lab.net.capture.take()
        // What was sent before the door answered may have left; nothing may have later.
        expect(until.lastMs ?? span.fromMs).toBeLessThanOrEqual(span.toMs)
        expect(span).toMatchObject({ kernel: 'shut', problems: [] })
        lastMs.push(Math.max(0, (until.lastMs ?? span.fromMs) - span.fromMs))
        shutMs.push(span.toMs - span.fromMs)
        const { tried } = await lab.rest()
        await lab.sendAll(['queued'], 1)
        const rows = ALL_ROWS.filter(() => random() < 0.3)
        const sent = await lab.force(rows, 2)
        all.sent += tried + sumOf(sent)
        expect({ cycle, ...(await lab.net.capture.take()) }).toMatchObject({ cycle, total: 0, marks: {} })
        progress(cycle + 1, percentiles(lastMs))
      }
      expect(await lab.grew()).toEqual([])
      expect(all.permitted).toBeGreaterThanOrEqual(10 * CYCLES)
      expect(all.queued).toBe(0)
      say(
        `\n${CYCLES} cycles: ${all.permitted} frames arrived while permitted, 0 of ${all.sent} sent while shut`,
      )
      say(`from the order to shut to the last frame outside: ${percentiles(lastMs)}`)
      say(`from the order to shut to "shut, verified": ${percentiles(shutMs)}`)
    },
    SOAK_TIMEOUT_MS,
  )
})
