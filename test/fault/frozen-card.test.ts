/**
 * What a person may rely on of a card that hangs, at the full flow of a 921600-baud line: as long as memory lasts nothing
 * is lost, and what is lost when it does not is exactly what the gaps say.
 */
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { StationStatus } from '../../src/forward/station-status.js'
import { endOnWire, lostInGaps } from '../support/exported-flight.js'
import { FULL_FLOW_BYTES_PER_S } from '../support/full-flow.js'
import { loopCardReason } from '../support/loop-card.js'
import { SOAK_TIMEOUT_MS, amount, sayTable } from '../support/soak.js'
import { StationOnCard } from '../support/station-on-card.js'
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
let on: StationOnCard | undefined

beforeEach(async () => {
  if (loopCardReason === null) on = await StationOnCard.start(join(folder, `${++tests}`), CARD_MB)
})

afterEach(() => on?.abandon())

test.skipIf(loopCardReason !== null)(
  `a card that hangs for ${FROZEN_S} s at full flow: nothing is lost, and the station answers meanwhile${skipped}`,
  async () => {
    const { station, card, flow } = on!
    await station.untilStatus(({ stored }) => (stored?.sequence ?? 0) >= 2)
    card.freeze()
    const answers: StationStatus[] = []
    for (let s = 0; s < FROZEN_S; s++) {
      await pause(1000)
      answers.push(await on!.status())
    }
    card.thaw()
    await on!.untilStored()
    const { link, flights } = await on!.finish()

    // That of a chunk which was under way may have come late; then none.
    expect(new Set(answers.slice(1).map(({ stored }) => stored!.sequence)).size).toBe(1)
    const backlogs = answers.map(({ backlogBytes }) => backlogBytes)
    expect(backlogs).toEqual(backlogs.toSorted((a, b) => a - b))
    expect(backlogs.at(-1)).toBeGreaterThan(((FROZEN_S - 2) * FULL_FLOW_BYTES_PER_S) / 2)
    expect(flights.map(({ gaps }) => gaps)).toEqual([[]])
    expect(link.outsideBytes + link.lostBytes).toBe(0)
    expect(endOnWire(flow, flights[0]!, 0)).toBe(flow.sentBytes)
    expect(flights[0]!.raw.length).toBe(flow.sentBytes)
    sayTable(
      'A card that hangs at full flow',
      ['seconds', 'most backlog (bytes)', 'sent', 'stored', 'lost', 'longest wait of the line (ms)'],
      [
        [
          FROZEN_S,
          Math.max(...backlogs),
          flow.sentBytes,
          flights[0]!.raw.length,
          link.lostBytes,
          Math.round(flow.longestWaitMs),
        ],
      ],
    )
  },
  SOAK_TIMEOUT_MS,
)

test.skipIf(loopCardReason !== null)(
  `Counted: a card that hangs for longer than memory lasts: what is missing is exactly what the gaps say${skipped}`,
  async () => {
    const { station, card, flow } = on!
    await station.untilStatus(({ stored }) => stored !== null)
    flow.bytesPerS = TOO_MUCH_BYTES_PER_S
    card.freeze()
    const frozenMs = performance.now()
    await station.untilStatus(({ links }) => links[0]!.lostBytes >= LOST_BYTES)
    const full = await on!.status()
    card.thaw()
    const frozenS = (performance.now() - frozenMs) / 1000
    flow.bytesPerS = FULL_FLOW_BYTES_PER_S
    await on!.untilStored()
    const { link, flights } = await on!.finish()

    const [flight] = flights
    expect(flights).toHaveLength(1)
    expect(lostInGaps(flight!)).toBeGreaterThanOrEqual(LOST_BYTES)
    expect(lostInGaps(flight!)).toBe(link.lostBytes)
    expect(link.outsideBytes).toBe(0)
    expect(endOnWire(flow, flight!, 0)).toBe(flow.sentBytes)
    sayTable(
      'A card that hangs for longer than memory lasts',
      ['seconds', 'most backlog (bytes)', 'sent', 'stored', 'lost', 'gaps', 'sent - stored - lost'],
      [
        [
          Math.round(frozenS),
          full.backlogBytes,
          flow.sentBytes,
          flight!.raw.length,
          lostInGaps(flight!),
          flight!.gaps.length,
          flow.sentBytes - flight!.raw.length - lostInGaps(flight!),
        ],
      ],
    )
  },
  SOAK_TIMEOUT_MS,
)
