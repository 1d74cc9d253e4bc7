/**
 * What leaves a station whose door is shut: nothing, of any kind of traffic, whoever is killed or hangs. A capture outside
 * counts; it sees each kind while the door is permitted. The long form (`npm run soak:door`) does 10,000 door cycles.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ALL_ROWS, FAST_ROWS, LeakLab } from '../support/leak-lab.js'
import { LeakTable, percentiles } from '../support/leak-table.js'
import type { Column } from '../support/leak-table.js'
import { monotonicMs } from '../support/network-lab.js'
import { SOAK_TIMEOUT_MS, amount, createProgress, randomFor, say, seed } from '../support/soak.js'
import { describeNetwork } from '../support/lab/describe-network.js'

/** Of each row in each state. */
const FRAMES = 5
/** What DESIGN promises of a guard that is killed or hangs: a lease of 3 s, and half a second for the last renewal. */
const LAPSE_MS = 3500
const CYCLES = amount(5, 10_000)
/** Between two frames of the hammer (ms): fine enough to see when the last one left. */
const HAMMER_MS = 0.5

describeNetwork('a shut door', () => {
  let lab: LeakLab

  beforeEach(async () => {
    lab = await LeakLab.make()
  })

  afterEach(() => lab.close())

  /** Everything by force on a link that is up; nothing may arrive. */
  async function tryAll(table: LeakTable, column: Column): Promise<void> {
    await lab.net.capture.take()
    const sent = await lab.force(ALL_ROWS, FRAMES)
    const arrived = await lab.net.capture.take()
    for (const row of ALL_ROWS) {
      if (row !== 'tcp kept' || sent[row]! > 0) table.add(row, column, sent[row]!, arrived.marks[row] ?? 0)
    }
    table.add(
      'of any kind',
      column,
      Object.values(sent).reduce((sum, each) => sum + each, 0),
      arrived.total,
    )
  }

  async function opened(): Promise<void> {
    await lab.permit()
    await lab.ask({ op: 'hang up' })
    await lab.ask({ op: 'connect' })
  }

  /** The guard is killed or stopped while the door is permitted and everything is sent: when did the last frame leave? */
  async function lapse(table: LeakTable, signal: 'SIGKILL' | 'SIGSTOP', column: Column): Promise<number> {
    await opened()
    await lab.hammer(FAST_ROWS, HAMMER_MS)
    await lab.net.capture.take()
    const fromMs = monotonicMs()
    lab.driver.signal(signal)
    // The lease is a clock: there is nothing else to wait for.
    await new Promise((resolve) => setTimeout(resolve, LAPSE_MS))
    const until = await lab.net.capture.take()
    await lab.rest()
    await tryAll(table, column)
    await lab.restartDriver()
    expect((await lab.open()).kernel).toBe('shut')
    expect(until.total).toBeGreaterThan(0)
    return until.lastMs! - fromMs
  }

  test(
    'lets nothing out, of any kind of traffic, also when the guard is killed or hangs',
    async () => {
      const table = new LeakTable([...ALL_ROWS, 'of any kind'])
      await lab.open()
      await tryAll(table, 'shut')

      await opened()
      for (const row of ALL_ROWS) {
        await lab.net.capture.take()
        const { [row]: sent } = await lab.sendAll([row], FRAMES)
        const arrived = await lab.net.capture.least(row === 'arp' || row === 'igmp' ? 1 : sent!)
        table.add(row, 'permitted', sent!, arrived.marks[row] ?? arrived.total)
        expect({ row, arrived: arrived.total }).toEqual({
          row,
          arrived: expect.toSatisfy((all: number) => all > 0),
        })
      }
      await lab.shut()
      await tryAll(table, 'just shut')

      const killedMs = await lapse(table, 'SIGKILL', 'guard killed')
      const stoppedMs = await lapse(table, 'SIGSTOP', 'guard stopped')

      await opened()
      await lab.hammer(FAST_ROWS, HAMMER_MS)
      await lab.shut()
      await lab.restartTraffic()
      await tryAll(table, 'station killed')

      const grew = await lab.grew()
      table.print('What leaves')
      say(
        `last frame after the guard was killed: ${killedMs.toFixed(0)} ms, stopped: ${stoppedMs.toFixed(0)} ms`,
      )
      expect(table.leaks()).toEqual([])
      expect(table.untried()).toEqual([])
      expect(grew).toEqual([])
      expect(killedMs).toBeLessThanOrEqual(LAPSE_MS)
      expect(stoppedMs).toBeLessThanOrEqual(LAPSE_MS)
    },
    SOAK_TIMEOUT_MS,
  )

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
        all.sent += tried + Object.values(sent).reduce((sum, each) => sum + each, 0)
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
