/**
 * What a person may rely on of SIGTERM at any moment, the start and its recovery too, while a 921600-baud line never rests: the
 * station ends with 0, and each byte that it took from the line is in a flight, or is said not to be.
 */
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StationStatus } from '../../src/forward/station-status.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { exportedFlight, lostInGaps } from '../support/exported-flight.js'
import { FullFlow } from '../support/full-flow.js'
import { RunningStation } from '../support/running-station.js'
import { SOAK_TIMEOUT_MS, amount, createProgress, randomFor, sayTable } from '../support/soak.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** SIGTERMs, each of another process. */
const STOPS = amount(12, 500)
/** A process is up and has recovered within this time (ms), mostly. */
const START_MS = 600
/** Before each so many SIGTERMs a station is killed, so that there is something to recover. */
const STOPS_A_KILL = 3

/** The first ones, whatever the machine: in the middle of the start, and where something is stored for sure. */
const SURE_MOMENTS: readonly ((station: RunningStation) => Promise<unknown>)[] = [
  (station) => station.untilLogged(/records into/),
  (station) => station.untilStatus(({ stored }) => stored !== null),
]

const dir = temporaryFolder('stop')
const random = randomFor('stop')
const figures = { before: 0, recovering: 0, recording: 0, bytes: 0, outside: 0 }

let flow: FullFlow
let station: RunningStation | undefined

beforeAll(async () => {
  flow = await FullFlow.start({ link: join(dir, 'radio') })
})
afterAll(async () => {
  await station?.end('SIGKILL')
  await flow.stop()
})

test(
  `${STOPS} SIGTERMs at any moment: it ends well, and what came in is accounted for`,
  async () => {
    const progress = createProgress('stops', STOPS)
    for (let n = 0; n < STOPS; n++) {
      if (n % STOPS_A_KILL === 0) await liveAndBeKilled()
      await liveAndStop(n)
      progress(n + 1)
    }
    sayTable('SIGTERM at', ['moment', 'times'], Object.entries(figures))
    expect(figures.bytes).toBeGreaterThan(0)
  },
  SOAK_TIMEOUT_MS,
)

async function liveAndBeKilled(): Promise<void> {
  station = start()
  await station.untilStatus(({ stored }) => stored !== null)
  const killed = station.end('SIGKILL')
  await flow.replug()
  await killed
}

async function liveAndStop(n: number): Promise<void> {
  const vault = Vault.open(join(dir, 'vault'))
  const before = new Set(vault.flightIds())
  station = start()
  await (SURE_MOMENTS[n]?.(station) ?? pause(random() * START_MS))
  const isRecovered = station.ownStatus()?.recovered
  const end = await station.end('SIGTERM')
  // Before Node is up nobody hears of the signal, and nothing has begun.
  const isHeard = station.log !== ''
  expect(end).toBe(isHeard ? 0 : 'SIGTERM')
  if (!isHeard) return void figures.before++
  expect(station.log).toContain('stopped: all flights are stored and closed')
  figures[isRecovered === true ? 'recording' : 'recovering']++
  const recovered = /flight (\S+) had been cut off/.exec(station.log)?.[1]
  await addUp(
    station.ownStatus()!,
    vault.flightIds().filter((id) => !before.has(id) && id !== recovered),
  )
}

/** The ledger of the line against what its flights give out. */
async function addUp({ links, ended }: StationStatus, ids: readonly string[]): Promise<void> {
  const [link] = links
  let kept = 0
  for (const id of ids) {
    const flight = await exportedFlight(join(dir, 'vault'), id)
    expect(flight.info.closeReason).toBe('shutdown')
    kept += flight.raw.length + lostInGaps(flight)
  }
  expect(ended).toBe(true)
  expect(kept).toBe(link!.bytesIn - link!.outsideBytes)
  figures.bytes += kept
  figures.outside += link!.outsideBytes
}

function start(): RunningStation {
  return new RunningStation(dir, { baud: 921_600 })
}
