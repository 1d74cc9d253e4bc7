/**
 * What a person may rely on of a card that is full, at the full flow of a 921600-baud line: what still fits is stored,
 * what does not is counted by gaps to the byte, and the flight goes on when there is space, without a restart.
 */
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { endOnWire, lostInGaps } from '../support/exported-flight.js'
import { FULL_FLOW_BYTES_PER_S } from '../support/full-flow.js'
import { loopCardReason } from '../support/loop-card.js'
import { SOAK_TIMEOUT_MS, amount, createProgress, isLong, sayTable } from '../support/soak.js'
import { StationOnCard } from '../support/station-on-card.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** How long the card stays full, and until something is lost (s). At full flow tails and memory last two to three minutes. */
const FULL_S = amount(3, 600)
/** How fast it flows meanwhile (bytes/s): the short form has no minutes to fill tails and memory. */
const BYTES_PER_S = (isLong ? 1 : 16) * FULL_FLOW_BYTES_PER_S
/** Room for two tails of 4 MiB and some segments (MiB). */
const CARD_MB = 48

const folder = temporaryFolder('full-card')
const skipped = loopCardReason === null ? '' : ` (skipped: ${loopCardReason})`

let tests = 0
let on: StationOnCard | undefined

beforeEach(async () => {
  if (loopCardReason === null) on = await StationOnCard.start(join(folder, `${++tests}`), CARD_MB)
})

afterEach(() => on?.abandon())

test.skipIf(loopCardReason !== null)(
  `Counted: a card that is full for ${FULL_S} s and more: the loss is what the gaps say, and the flight goes on${skipped}`,
  async () => {
    const { station, card, flow } = on!
    await station.untilStatus(({ stored }) => stored !== null)
    const filledMs = performance.now()
    card.fill()
    flow.bytesPerS = BYTES_PER_S
    const progress = createProgress('seconds full', FULL_S)
    for (let s = 0; s < FULL_S; s++) {
      await pause(1000)
      progress(s)
    }
    const full = await station.untilStatus(({ links }) => links[0]!.lostBytes > 0)
    card.free()
    const fullS = (performance.now() - filledMs) / 1000
    flow.bytesPerS = FULL_FLOW_BYTES_PER_S
    await station.untilLogged(/GL-VAULT-02 is over/)
    await on!.untilStored()
    const { link, flights } = await on!.finish()

    const [flight] = flights
    expect(flights).toHaveLength(1)
    expect(flight!.info.closeReason).toBe('shutdown')
    expect(flight!.gaps.length).toBeGreaterThan(0)
    expect(lostInGaps(flight!)).toBe(link.lostBytes)
    expect(link.outsideBytes).toBe(0)
    expect(endOnWire(flow, flight!, 0)).toBe(flow.sentBytes)
    for (const code of ['GL-VAULT-02', 'GL-VAULT-04']) {
      expect(station.log.match(new RegExp(`${code} {2}cannot`, 'g'))).toHaveLength(1)
      expect(station.log.match(new RegExp(`${code} is over`, 'g'))).toHaveLength(1)
    }
    sayTable(
      'A card that is full',
      ['seconds', 'backlog (bytes)', 'sent', 'stored', 'lost', 'gaps', 'sent - stored - lost'],
      [
        [
          Math.round(fullS),
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

test.skipIf(loopCardReason !== null)(
  `a flight that is asked to end while memory is full: the answer comes when it is stored, with its gaps${skipped}`,
  async () => {
    const { station, card, flow } = on!
    await station.untilStatus(({ stored }) => stored !== null)
    card.fill()
    flow.bytesPerS = 16 * FULL_FLOW_BYTES_PER_S
    const { flight } = await station.untilStatus(({ links }) => links[0]!.lostBytes > 0)
    let answered = false
    const closing = on!.close().finally(() => (answered = true))
    await station.untilStatus((status) => status.flight !== flight)
    expect(answered).toBe(false)
    card.free()
    flow.bytesPerS = FULL_FLOW_BYTES_PER_S
    expect(await closing).toBe(flight)
    await station.untilStatus((status) => status.stored!.flight !== flight)
    const { link, flights } = await on!.finish()

    expect(flights.map(({ info }) => info.closeReason)).toEqual(['asked', 'shutdown'])
    expect(link.outsideBytes).toBe(0)
    const first = endOnWire(flow, flights[0]!, 0)
    expect(endOnWire(flow, flights[1]!, first)).toBe(flow.sentBytes)
  },
  SOAK_TIMEOUT_MS,
)
