/**
 * The airlock, with both real programs: a serial port that is open and a permit that is live are never there together, and
 * nothing leaves while it is shut, whoever is killed or stopped, however late nft is, and whatever others do to the rules.
 * Told by the kernel alone: by the station's descriptors, the lease sets, and a capture outside (airlock-observer.ts).
 */
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { monotonicMs } from '../../src/base/clock.js'
import type { GuardStatus } from '../../src/base/guard-status.js'
import { LEASE_MS } from '../../src/hw/token/lease.js'
import { Airlock } from '../support/airlock.js'
import type { AirlockOptions } from '../support/airlock.js'
import { EventTally, becomeNormal, happen } from '../support/airlock-events.js'
import { heartbeatNumbers } from '../support/airlock-vehicle.js'
import { exportedFlight } from '../support/exported-flight.js'
import { SOAK_TIMEOUT_MS, amount, createProgress, randomFor, sayTable, seed } from '../support/soak.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { describeNetwork } from '../support/lab/describe-network.js'

const EVENTS = amount(30, 2000)
/** After so many events it is tried whether all comes back to normal (count). */
const NORMAL_EVERY = 100
/** What a directed scenario may take on a busy machine (ms). */
const SCENARIO_MS = 120_000
/** A lease, and a child that was just giving one as its guard was killed, on a busy machine (ms). */
const LEASE_AND_ROOM_MS = LEASE_MS + 2000
/** The kernel is read each second: one that was begun before is over, and another one too (ms). */
const READ_TWICE_MS = 2000

const folder = temporaryFolder('airlock')
/** Times of this run, for a person; how fast this machine is today is no test. */
const times: string[] = []
const allMade: Airlock[] = []

afterAll(async () => {
  await Promise.all(allMade.map((each) => each.close()))
  if (times.length > 0) process.stdout.write(`The airlock, as measured here:\n  ${times.join('\n  ')}\n`)
})

/**
 * Runs a scenario in an airlock, out of whose uplink something is sent all the time, by a user and by raw sockets; and expects
 * that never both doors were open, that the guard kept its token under a lease, and that no frame arrived while it was shut.
 */
async function expectNeverBoth(
  name: string,
  scenario: (airlock: Airlock) => Promise<void>,
  options?: AirlockOptions,
): Promise<void> {
  const dir = join(folder, name)
  mkdirSync(dir, { mode: 0o700 })
  const airlock = await Airlock.make(dir, options)
  allMade.push(airlock)
  try {
    await airlock.lab.traffic.ask({ op: 'hammer', rows: ['udp', 'raw'], device: 'up0', via: 0, everyMs: 10 })
    await airlock.untilGuard('the vehicle is heard', ({ station }) => station.vehicle === 'disarmed')
    await scenario(airlock)
    expect(airlock.observer.violations).toEqual([])
  } catch (error) {
    const { counts, violations, diary } = airlock.observer
    const seen = `${JSON.stringify(counts)}\n${violations.slice(0, 5).join('\n')}\n${diary.join('\n')}`
    throw new Error(
      `${String(error)}\n${seen}\nguard:\n${last(airlock.guard.log)}\nstation:\n${last(airlock.station.log)}`,
      { cause: error },
    )
  } finally {
    await airlock.close()
  }
}

const last = (log: string): string => log.split('\n').slice(-40).join('\n')
const isOpen = ({ isPortOpen }: { isPortOpen: boolean }): boolean => isPortOpen
const isShut = ({ isLeased }: { isLeased: boolean }): boolean => !isLeased

/** Permits, and waits until a frame has really come out: the capture sees something where there is something to see. */
async function permitted(airlock: Airlock): Promise<void> {
  await airlock.permit()
  await airlock.untilGuard('the permit is read back', ({ reading }) => reading?.kernel === 'leased')
  await airlock.until('a frame arrives outside', async () => (await airlock.lab.capture.seen()).total > 0)
}

/** Resolves when a chunk of the n-th flight of this vault is durable. */
async function storesInFlight(airlock: Airlock, n: number): Promise<void> {
  await airlock.untilStation('it stores', ({ stored }) => stored?.flight.endsWith(`-${n}`) === true)
}

describeNetwork(
  'the airlock',
  () => {
    test(
      'a guard that is killed: its permit lapses, and the station records',
      () =>
        expectNeverBoth('killed', async (airlock) => {
          await permitted(airlock)
          airlock.guard.isHeld = true
          const killedMs = monotonicMs()
          airlock.guard.kill('SIGKILL')
          await airlock.observer.until('the permit lapses', isShut)
          const opened = await airlock.observer.until('the station opens its port', isOpen)
          const shutMs = airlock.observer.lastFrameMs! - killedMs
          times.push(
            `guard killed: last frame outside after ${ms(shutMs)}, port open after ${ms(opened.atMs - killedMs)}`,
          )
          expect(shutMs).toBeLessThan(LEASE_AND_ROOM_MS)
        }),
      SCENARIO_MS,
    )

    test(
      'a guard that is stopped: its permit lapses, its watchdog ends it, and the station records',
      () =>
        expectNeverBoth('stopped', async (airlock) => {
          await permitted(airlock)
          const stoppedMs = monotonicMs()
          airlock.guard.kill('SIGSTOP')
          await airlock.observer.until('the permit lapses', isShut)
          const opened = await airlock.observer.until('the station opens its port', isOpen)
          await storesInFlight(airlock, 2)
          const shutMs = airlock.observer.lastFrameMs! - stoppedMs
          const storedMs = monotonicMs() - stoppedMs
          times.push(
            `guard stopped: last frame outside after ${ms(shutMs)}, port open after ${ms(opened.atMs - stoppedMs)}, chunk stored after ${ms(storedMs)}`,
          )
          expect(shutMs).toBeLessThan(LEASE_AND_ROOM_MS)
        }),
      SCENARIO_MS,
    )

    test(
      'PERMIT while armed stays shut and says why; disarmed, the station gives way and a packet arrives; SHUT, and it records anew',
      () =>
        expectNeverBoth('armed', async (airlock) => {
          airlock.vehicle.isArmed = true
          await airlock.untilGuard('it hears of it', ({ station }) => station.vehicle === 'armed')
          airlock.flip('permit')
          const refused = await airlock.untilGuard('it refuses', ({ row }) => row === 'armed')
          expect(refused).toMatchObject({
            door: 'blocked',
            reason: expect.stringContaining('the vehicle is armed'),
          })
          const later = await airlock.untilGuard('2 s later', ({ nowUs }) => nowUs - refused.nowUs > 2e6)
          expect(later).toMatchObject({ door: 'blocked', row: 'armed' })
          expect(airlock.observer.counts.permits).toBe(0)
          const disarmedMs = monotonicMs()
          airlock.vehicle.isArmed = false
          const permit = await airlock.observer.until('a permit', ({ isLeased }) => isLeased)
          await permitted(airlock)
          const shutMs = monotonicMs()
          airlock.flip('shut')
          const opened = await airlock.observer.until('the station opens its port', isOpen)
          times.push(
            `disarmed: permitted after ${ms(permit.atMs - disarmedMs)}; SHUT: port open after ${ms(opened.atMs - shutMs)}`,
          )
          await storesInFlight(airlock, 2)
          await expectAllRecorded(airlock, 2)
        }),
      SCENARIO_MS,
    )

    test(
      'a station that is killed while permitted waits for the token, and records after SHUT',
      () =>
        expectNeverBoth('station-killed', async (airlock) => {
          await permitted(airlock)
          airlock.station.kill('SIGKILL')
          await airlock.untilStation('it waits', ({ token }) => token === 'other')
          expect(airlock.observer.sight).toMatchObject({ isLeased: true, isPortOpen: false })
          airlock.flip('shut')
          await airlock.observer.until('the station opens its port', isOpen)
        }),
      SCENARIO_MS,
    )

    test(
      'a guard that is killed while the station records changes nothing for it, and permits when it is back',
      () =>
        expectNeverBoth('guard-restarted', async (airlock) => {
          const { flight, pid } = await airlock.untilStation('it stores', ({ stored }) => stored !== null)
          airlock.guard.kill('SIGKILL')
          const began = await airlock.untilGuard(
            'it is back',
            ({ station }) => station.vehicle === 'disarmed',
          )
          expect(began).toMatchObject({ door: 'blocked', station: { link: 'open' } })
          expect(airlock.stationStatus()).toMatchObject({ flight, pid, waitingFor: null })
          await airlock.untilGuard('it has seen SHUT', ({ switch: { shutSeen } }) => shutSeen)
          await permitted(airlock)
        }),
      SCENARIO_MS,
    )

    test(
      "another program's `nft flush ruleset`: nothing leaves while shut, and a permit goes on or ends, and SHUT shuts",
      () =>
        expectNeverBoth('flushed', async (airlock) => {
          const flush = (): Promise<string> => airlock.lab.station.run('nft', 'flush', 'ruleset')
          for (let i = 0; i < 20; i++) await flush()
          const toldUs = ({ events }: GuardStatus): number =>
            events.findLast(({ text }) => text.startsWith('changed by another program'))?.atUs ?? 0
          const flushedMs = monotonicMs()
          const { nowUs } = await airlock.untilGuard(
            'it is told, and the kernel was read behind it',
            (status) => toldUs(status) > 0 && status.nowUs / 1000 - flushedMs > READ_TWICE_MS,
          )
          await becomeNormal(airlock)
          await permitted(airlock)
          airlock.observer.excuseFrames()
          await flush()
          await airlock.untilGuard('it is told again', (status) => toldUs(status) > nowUs)
          await becomeNormal(airlock)
        }),
      SCENARIO_MS,
    )

    test(
      'a child that gives a lease after its guard was killed: the station waits for it, and for the lease',
      () =>
        expectNeverBoth(
          'late-child',
          async (airlock) => {
            airlock.late({ permit: '4.5' })
            airlock.flip('permit')
            await airlock.untilGuard('it permits', ({ door }) => door === 'permitted')
            await airlock.until('its child waits', () => airlock.hasWaited('permit'))
            airlock.guard.isHeld = true
            airlock.guard.kill('SIGKILL')
            const leased = await airlock.observer.until('the late permit', ({ isLeased }) => isLeased)
            const opened = await airlock.observer.until('the station opens its port', isOpen)
            times.push(`late child: port open ${ms(opened.atMs - leased.atMs)} after its permit`)
          },
          { restartShare: () => 1 },
        ),
      SCENARIO_MS,
    )

    test(
      'SHUT while nft is slow: the guard keeps the token until the kernel reads as shut',
      () =>
        expectNeverBoth(
          'slow-shutting',
          async (airlock) => {
            await permitted(airlock)
            airlock.late({ shutting: '1.5', resident: '1.5' })
            airlock.flip('shut')
            await airlock.untilGuard('it shuts', ({ door }) => door !== 'permitted')
            await airlock.observer.until('the permit is gone', isShut)
            airlock.late({ shutting: '0', resident: '0' })
            await becomeNormal(airlock)
          },
          { hasLateResident: true },
        ),
      SCENARIO_MS,
    )

    test(
      'a renewal that hangs: the permit lapses, says so, and the station records',
      () =>
        expectNeverBoth('hangs', async (airlock) => {
          await permitted(airlock)
          airlock.late({ permit: 'hang' })
          await airlock.untilGuard(
            'it gives up',
            ({ door, reason: why }) => door === 'blocked' && why.includes('permit'),
          )
          await airlock.observer.until('the station opens its port', isOpen)
          await becomeNormal(airlock)
        }),
      SCENARIO_MS,
    )

    test(
      `${EVENTS} random kills, stops, flips and delays: never both doors, and no frame while shut (seed ${seed})`,
      () =>
        expectNeverBoth(
          'random',
          async (airlock) => {
            const tally = new EventTally()
            const random = randomFor('airlock')
            const progress = createProgress('events', EVENTS)
            for (let done = 1; done <= EVENTS; done++) {
              await happen(airlock, random, tally)
              if (airlock.observer.violations.length > 0)
                throw new Error(`after ${done} events (seed ${seed})`)
              if (done % NORMAL_EVERY === 0) await becomeNormal(airlock)
              progress(done, JSON.stringify(airlock.observer.counts))
            }
            await becomeNormal(airlock)
            tell(airlock, tally)
            const { permits, openings, handOvers, framesOut, looks, voidLooks } = airlock.observer.counts
            expect(Math.min(permits, openings, handOvers, framesOut)).toBeGreaterThan(0)
            expect(voidLooks).toBeLessThan(looks / 2)
          },
          { restartShare: randomFor('airlock restarts') },
        ),
      SOAK_TIMEOUT_MS,
    )
  },
  { concurrent: true },
)

function tell(airlock: Airlock, tally: EventTally): void {
  sayTable(
    'Events, and what was open when they came',
    ['event', 'permitted', 'link open', 'neither'],
    Array.from(tally.counts, ([name, at]) => [name, at.permitted, at['link open'], at.neither]),
  )
  const { counts } = airlock.observer
  sayTable('Seen from outside', ['what', 'times'], Object.entries(counts))
  times.push(`${EVENTS} random events (seed ${seed}): ${JSON.stringify(counts)}`)
}

/**
 * Every heartbeat that was sent while the port was open is in a flight, in order and once. What a reader had not taken when
 * its port was closed goes down with it: that is the last of each reader, and no older than READ_WITHIN_MS.
 */
async function expectAllRecorded(airlock: Airlock, flightCount: number): Promise<void> {
  const READ_WITHIN_MS = 1000
  await airlock.vehicle.stop()
  await airlock.station.end('SIGTERM')
  const names = readdirSync(join(airlock.vault, 'flights')).filter((name) => name.endsWith('.glk'))
  expect(names).toHaveLength(flightCount)
  const recorded: number[] = []
  for (const name of names.toSorted())
    recorded.push(
      ...heartbeatNumbers((await exportedFlight(airlock.vault, name.slice(0, -'.glk'.length))).raw),
    )
  expect(recorded).toEqual([...new Set(recorded)].toSorted((a, b) => a - b))
  const { sent } = airlock.vehicle
  const missing = sent.filter(({ number }) => !recorded.includes(number))
  const lastOf = (reader: number): number => sent.findLast((each) => each.reader === reader)!.atMs
  times.push(`hand-over: ${sent.length} heartbeats sent, ${missing.length} went down with the port`)
  expect(missing.filter(({ atMs, reader }) => lastOf(reader) - atMs > READ_WITHIN_MS)).toEqual([])
}

const ms = (value: number): string => `${(value / 1000).toFixed(2)} s`
