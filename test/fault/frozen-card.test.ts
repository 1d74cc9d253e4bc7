/**
 * What a person may rely on of a card that hangs, at the full flow of a 921600-baud line: as long as memory lasts nothing
 * is lost, and what is lost when it does not is exactly what the gaps say.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { askStation } from '../../src/forward/station-socket.js'
import type { StationStatus } from '../../src/forward/station-status.js'
import { SOCKET_FILE } from '../../src/station.js'
import { endOnWire, exportedFlight, lostInGaps } from '../support/exported-flight.js'
import { FULL_FLOW_BYTES_PER_S, FullFlow } from '../support/full-flow.js'
import { LoopCard, loopCardReason } from '../support/loop-card.js'
import { RunningStation } from '../support/running-station.js'
import { SOAK_TIMEOUT_MS, amount, sayTable, seed } from '../support/soak.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** How long the card hangs (s). */
const FROZEN_S = amount(3, 30)
/** More than memory can take (bytes/s): the ring, made for a minute of the full flow, is full in a few seconds. */
const TOO_MUCH_BYTES_PER_S = 16 * FULL_FLOW_BYTES_PER_S
/** The card hangs until so much is lost (bytes). */
const LOST_BYTES = amount(1, 8) * 1024 * 1024
/** Segments, and two tails of 4 MiB (MiB). */
const CARD_MB = 96

const folder = temporaryFolder('frozen-card')
const skipped = loopCardReason === null ? '' : ` (skipped: ${loopCardReason})`

let tests = 0
let dir: string
let card: LoopCard
let flow: FullFlow
let station: RunningStation

beforeEach(async ({ skip }) => {
  if (loopCardReason !== null) skip()
  dir = join(folder, `${++tests}`)
  mkdirSync(dir)
  card = LoopCard.insert(join(dir, 'vault'), CARD_MB)
  flow = await FullFlow.start({ link: join(dir, 'radio'), seed })
  station = new RunningStation(dir, { baud: 921_600 })
})

afterEach(async () => {
  if (loopCardReason !== null) return
  card.thaw()
  await station.end('SIGKILL')
  await flow.stop()
  await card.remove()
})

test(
  `a card that hangs for ${FROZEN_S} s at full flow: nothing is lost, and the station answers meanwhile${skipped}`,
  async () => {
    const before = await station.untilStatus(({ stored }) => (stored?.sequence ?? 0) >= 2)
    card.freeze()
    const answers: StationStatus[] = []
    for (let s = 0; s < FROZEN_S; s++) {
      await pause(1000)
      answers.push(await answer())
    }
    card.thaw()
    const sentBytes = flow.sentBytes
    await station.untilStatus(({ stored }) => stored!.bytes >= sentBytes)
    const { raw, flight, link } = await finish()

    // One chunk may have been under way.
    for (const { stored } of answers)
      expect(stored!.sequence).toBeLessThanOrEqual(before.stored!.sequence + 2)
    const backlogs = answers.map(({ backlogBytes }) => backlogBytes)
    expect(backlogs).toEqual(backlogs.toSorted((a, b) => a - b))
    expect(backlogs.at(-1)).toBeGreaterThan(((FROZEN_S - 2) * FULL_FLOW_BYTES_PER_S) / 2)
    expect(flight.gaps).toEqual([])
    expect(link.lostBytes).toBe(0)
    expect(raw.length).toBe(flow.sentBytes)
    sayTable(
      'A card that hangs at full flow',
      ['seconds', 'most backlog (bytes)', 'sent', 'stored', 'lost', 'longest wait of the line (ms)'],
      [
        [
          FROZEN_S,
          Math.max(...backlogs),
          flow.sentBytes,
          raw.length,
          link.lostBytes,
          Math.round(flow.longestWaitMs),
        ],
      ],
    )
  },
  SOAK_TIMEOUT_MS,
)

test(
  `Counted: a card that hangs for longer than memory lasts: what is missing is exactly what the gaps say${skipped}`,
  async () => {
    await station.untilStatus(({ stored }) => stored !== null)
    flow.bytesPerS = TOO_MUCH_BYTES_PER_S
    card.freeze()
    const frozenMs = performance.now()
    await station.untilStatus(({ links }) => links[0]!.lostBytes >= LOST_BYTES)
    const full = await answer()
    card.thaw()
    const thawedMs = performance.now()
    flow.bytesPerS = FULL_FLOW_BYTES_PER_S
    await station.untilStatus(({ stored }) => stored!.sequence > full.stored!.sequence + 40)
    const { raw, flight, link } = await finish()

    expect(lostInGaps(flight)).toBeGreaterThanOrEqual(LOST_BYTES)
    expect(lostInGaps(flight)).toBe(link.lostBytes)
    sayTable(
      'A card that hangs for longer than memory lasts',
      ['seconds', 'most backlog (bytes)', 'sent', 'stored', 'lost', 'gaps', 'sent - stored - lost'],
      [
        [
          Math.round((thawedMs - frozenMs) / 1000),
          full.backlogBytes,
          flow.sentBytes,
          raw.length,
          lostInGaps(flight),
          flight.gaps.length,
          flow.sentBytes - raw.length - lostInGaps(flight),
        ],
      ],
    )
  },
  SOAK_TIMEOUT_MS,
)

const answer = async (): Promise<StationStatus> =>
  (await askStation(join(dir, 'run', SOCKET_FILE), 'status')) as unknown as StationStatus

/** Lets the line be silent, ends the station well, and holds all that there is against the wire. */
async function finish() {
  flow.pause()
  await station.untilStatus(({ links }) => links[0]!.bytesIn === flow.sentBytes)
  expect(await station.end('SIGTERM')).toBe(0)
  const status = station.ownStatus()!
  const flight = await exportedFlight(station.vault, status.stored!.flight)
  const link = status.links[0]!
  expect(link.bytesIn).toBe(link.framedBytes + link.noiseBytes + link.lostBytes + link.outsideBytes)
  expect(link.outsideBytes).toBe(0)
  expect(flight.info.closeReason).toBe('shutdown')
  expect(flight.info.bytesIn).toBe(link.bytesIn)
  expect(flight.info.framedBytes).toBe(link.framedBytes)
  expect(endOnWire(flow, flight, 0)).toBe(flow.sentBytes)
  return { raw: flight.raw, flight, link }
}
