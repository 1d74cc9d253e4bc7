/**
 * What leaves a station whose door is shut by the real guard, told by a contact alone: nothing, of any kind of traffic, whichever
 * program is killed or hangs; and how soon after the contact the last frame was seen outside. A capture outside counts; it
 * sees each kind while the door is permitted. The long form (`npm run soak:door`) turns the contact 1,000 times.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { LEASE_MS } from '../../src/hw/token/lease.js'
import { describeNetwork } from '../support/lab/describe-network.js'
import { LeakAirlock } from '../support/leak-airlock.js'
import { LeakTable, percentiles } from '../support/leak-table.js'
import type { Column } from '../support/leak-table.js'
import { ALL_ROWS, FAST_ROWS, IP_ROWS, ipFrames, sumOf } from '../support/leak-traffic.js'
import { SOAK_TIMEOUT_MS, amount, createProgress, say } from '../support/soak.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** Of each row in each state. */
const FRAMES = 5
/** What SECURITY.md promises of a guard that is killed: a lease of 3 s, and half a second for the last renewal (ms). */
const LAPSE_MS = 3500
/** The last lease was given less than a second before the contact: what ends sooner than this was not left to it (ms). */
const NOT_THE_LEASE_MS = LEASE_MS - 1000
const TURNS = amount(3, 1000)
/** A connection that is refused once is gone: it is kept for what comes after. */
const WITHOUT_TCP = FAST_ROWS.filter((row) => row !== 'tcp kept')
/** Through the IP stack, and past it. */
const DENSE_ROWS = ['udp', 'raw']
/** Between two frames (ms): fine enough to see when the last one left. */
const DENSE_MS = 0.2
/** Frames outside that show that the door is open (count). */
const SHOWN = 20

const ANY = 'of any kind'
const APPEARS = 'a device that appears: IP and ARP'
const table = new LeakTable([...ALL_ROWS, ANY, APPEARS, 'contact'])
const folder = temporaryFolder('leak-contact')
let made = 0

/** From the contact to the last frame and to the station's open port; and how far apart the frames were. */
interface Turned {
  lastMs: number
  portMs: number
  spacingMs: number
}

describeNetwork('a door that a contact shuts', () => {
  let lab: LeakAirlock

  beforeEach(async () => {
    const dir = join(folder, String(++made))
    mkdirSync(dir, { mode: 0o700 })
    lab = await LeakAirlock.make(dir)
  }, 60_000)

  afterEach(() => lab.close())

  afterAll(() => table.print('What leaves, with both programs'))

  /** Everything by force on a link that is up; what arrives is the table's to judge. */
  async function tryAll(column: Column): Promise<void> {
    await lab.net.capture.take()
    const sent = await lab.force(ALL_ROWS, FRAMES)
    const arrived = await lab.net.capture.take()
    for (const row of ALL_ROWS) table.add(row, column, sent[row]!, arrived.marks[row] ?? 0)
    table.add(ANY, column, sumOf(sent), arrived.total)
  }

  async function opened(): Promise<void> {
    await lab.permit()
    await lab.ask({ op: 'hang up' })
    await lab.ask({ op: 'connect' })
  }

  async function tryEachPermitted(): Promise<void> {
    await lab.eachRow(ALL_ROWS, FRAMES, (row, sent, arrived) => {
      table.add(row, 'permitted', sent, arrived)
      table.add(ANY, 'permitted', sent, arrived)
      expect({ row, arrived: arrived > 0 }).toEqual({ row, arrived: true })
    })
  }

  /** The guard is killed or stopped while the door is permitted and everything is sent: when did the last frame leave? */
  async function lapse(signal: 'SIGKILL' | 'SIGSTOP', column: Column): Promise<number> {
    await opened()
    await lab.hammer(WITHOUT_TCP, DENSE_MS)
    await lab.net.capture.take()
    const fromMs = lab.endGuard(signal)
    // The lease is a clock: there is nothing else to wait for.
    await pause(LAPSE_MS)
    const until = await lab.net.capture.take()
    await lab.rest()
    await tryAll(column)
    await lab.restartGuard()
    expect(until.total).toBeGreaterThan(0)
    return until.lastMs! - fromMs
  }

  test(
    'lets nothing out, of any kind of traffic, whichever program is killed or hangs',
    async () => {
      await opened()
      await tryEachPermitted()
      await lab.shut()
      await tryAll('just shut')
      await opened()
      await lab.shut()
      await lab.atRest()
      await tryAll('shut')
      await lab.expectNoFault()
      const killedMs = await lapse('SIGKILL', 'guard killed')
      const stoppedMs = await lapse('SIGSTOP', 'guard stopped')
      say(
        `last frame after the guard was killed: ${killedMs.toFixed(0)} ms, stopped: ${stoppedMs.toFixed(0)} ms`,
      )

      await opened()
      await lab.airlock.station.end()
      await lab.shutAlone()
      await tryAll('station killed')
      await lab.expectNoFault()

      expect(table.leaks()).toEqual([])
      expect(table.untried()).toEqual([])
      expect(killedMs).toBeLessThanOrEqual(LAPSE_MS)
      expect(stoppedMs).toBeLessThanOrEqual(LAPSE_MS)
    },
    SOAK_TIMEOUT_MS,
  )

  test.each([
    ['SIGKILL', 'guard killed'],
    ['SIGSTOP', 'guard stopped'],
  ] as const)(
    'a device that appears after the guard got %s sends no IP and no ARP',
    async (signal, column) => {
      lab.endGuard(signal)
      // The twin goes with its owner; what is left is the base alone, for nobody covers a new device or takes it down.
      const hasTwin = async () => (await lab.net.station.run('nft', 'list', 'tables')).includes('twin')
      await expect.poll(hasTwin, { timeout: 5000 }).toBe(signal === 'SIGSTOP')
      await lab.net.capture.take()
      await lab.net.addUplink(1)
      const sent = await lab.sendAll(IP_ROWS, FRAMES, { device: 'up1', via: 1 })
      const arrived = await lab.net.capture.take()
      table.add(APPEARS, column, sumOf(sent), ipFrames(arrived))
      expect({ sent: sumOf(sent) > 0, arrived: arrived.total, frames: arrived.frames }).toEqual({
        sent: true,
        arrived: 0,
        frames: [],
      })
    },
    SOAK_TIMEOUT_MS,
  )

  /** Opens, sees frames outside, turns the contact. */
  async function turn(): Promise<Turned> {
    await lab.permit()
    await lab.net.capture.take()
    await lab.hammer(DENSE_ROWS, DENSE_MS)
    const { total, marks } = await lab.net.capture.least(SHOWN)
    expect(Object.keys(marks).toSorted()).toEqual(DENSE_ROWS.toSorted())
    table.add('contact', 'permitted', await lab.hammered(), total)

    const { contactMs, shutMs } = await lab.shut()
    const until = await lab.net.capture.take()
    expect(until.total).toBeGreaterThan(0)
    expect(until.lastMs!).toBeLessThanOrEqual(shutMs)
    expect(until.lastMs! - contactMs).toBeLessThan(NOT_THE_LEASE_MS)

    await lab.rest()
    const sent = await lab.force(FAST_ROWS, 2)
    const arrived = await lab.net.capture.take()
    table.add('contact', 'just shut', sumOf(sent), arrived.total)
    expect(arrived).toMatchObject({ total: 0, frames: [] })
    return {
      lastMs: Math.max(0, until.lastMs! - contactMs),
      portMs: shutMs - contactMs,
      spacingMs: (until.lastMs! - until.firstMs!) / until.total,
    }
  }

  test(
    `${TURNS} times turned to PERMIT and to SHUT, it lets nothing out after that`,
    async () => {
      const progress = createProgress('turns of the contact', TURNS)
      const turned: Turned[] = []
      const text = (what: keyof Turned) => percentiles(turned.map((each) => each[what]))
      for (let i = 0; i < TURNS; i++) {
        turned.push(await turn())
        progress(i + 1, text('lastMs'))
      }
      await lab.expectNoFault()
      say(`from the contact to the last frame outside: ${text('lastMs')}; a frame each ${text('spacingMs')}`)
      say(`from the contact to the station's open port: ${text('portMs')}`)
      expect(table.leaks()).toEqual([])
      expect(table.untried()).toEqual([])
    },
    SOAK_TIMEOUT_MS,
  )
})
