/**
 * What a person may rely on of the two threads and the ring between them while the card takes nothing: memory does not
 * grow, and of all that came in each byte, event and clock anchor is stored or counted.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type * as FlightGateModule from '../../src/storage/intake/flight-gate.js'
import type { FlightGate } from '../../src/storage/intake/flight-gate.js'
import type * as RecorderModule from '../../src/storage/recorder/recorder.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { MAX_WAITING_NOTES } from '../../src/storage/recorder/recorder.js'
import type { Recorder } from '../../src/storage/recorder/recorder.js'
import { CONTROL_RESERVE_BYTES, RING_BYTES } from '../../src/storage/recorder/ring.js'
import type { Stored } from '../../src/storage/recorder/vault-writer.js'
import { recover } from '../../src/storage/recorder/recovery.js'
import { NOISE } from '../../src/storage/segment/records.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { HEAD } from '../support/chunks.js'
import { exportedFlight, lostInGaps } from '../support/exported-flight.js'
import type { ExportedFlight } from '../support/exported-flight.js'
import { filler } from '../support/frames.js'
import { REPOSITORY } from '../support/groundlock.js'
import { LoopCard, loopCardReason } from '../support/loop-card.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const S = 1e6
/** A record of noise (bytes); as odd as frames are. */
const RECORD_BYTES = 997
/** Two tails and some segments (MiB). */
const CARD_MB = 48
/** The least that an event takes of what the ring keeps for such (bytes). */
const LEAST_NOTE_BYTES = 64

const folder = temporaryFolder('recorder')
const skipped = loopCardReason === null ? '' : ` (skipped: ${loopCardReason})`
const built = (path: string): Promise<unknown> => import(pathToFileURL(join(REPOSITORY, 'dist', path)).href)

let tests = 0
let card: LoopCard
let recorder: Recorder
let gate: FlightGate
let stored: Stored[]
let closed: string[]
let fatal: unknown
let ready: Promise<void>

/** A full card, on which a worker waits, and a flight that is on. */
beforeEach(async () => {
  if (loopCardReason !== null) return
  mkdirSync(join(folder, `${++tests}`))
  card = LoopCard.insert(join(folder, `${tests}`, 'vault'), CARD_MB)
  mkdirSync(join(card.dir, 'flights'))
  card.fill()
  stored = []
  closed = []
  fatal = undefined
  const { Recorder: Built } = (await built('storage/recorder/recorder.js')) as typeof RecorderModule
  const { FlightGate: Gate } = (await built('storage/intake/flight-gate.js')) as typeof FlightGateModule
  ready = new Promise((resolve) => {
    recorder = new Built({
      vaultDir: card.dir,
      onReady: resolve,
      onStored: (each) => stored.push(each),
      onClosed: (id, reason) => closed.push(`${id} ${reason}`),
      onFatal: (error) => (fatal = error),
    })
    recorder.start()
  })
  gate = new Gate({
    open: () => recorder.open(HEAD),
    record: (kind, link, timeUs, bytes, start, end) =>
      recorder.record(kind, link, Number(timeUs), bytes, start, end),
    event: (event) => recorder.event(event),
    close: (closing) => recorder.close(closing),
  })
  gate.heartbeat(1, true, S)
})

afterEach(async () => {
  if (loopCardReason !== null) return
  card.thaw()
  await card.remove()
})

test.skipIf(loopCardReason !== null)(
  `Bounded, Counted: a full ring takes no more, and each byte and event of two links is stored or in a gap${skipped}`,
  async () => {
    const sent = [send(0, 12_000), send(1, 500)]
    const EVENTS = 5000
    for (let n = 1; n < EVENTS; n++) gate.event('reboot', `${n}`, 3 * S)
    expect(recorder.backlogBytes).toBeLessThanOrEqual(RING_BYTES)
    card.free()
    await ready
    // A line that is silent from now on: nothing but the worker's progress makes the recorder tell what it owes.
    await untilTold()
    const { lostBytes: lost0 } = gate.ledger(0)
    expect(lostInGaps(await exportedFlight(card.dir, HEAD.id))).toBe(lost0 + gate.ledger(1).lostBytes)
    gate.close('asked', 9 * S)
    const flight = await stop()

    for (const link of [0, 1]) {
      const { noiseBytes, lostBytes, framedBytes } = gate.ledger(link)
      expect(noiseBytes + lostBytes + framedBytes).toBe(sent[link])
      expect(lostBytes).toBeGreaterThan(0)
      expect(lostInGaps({ gaps: flight.gaps.filter((gap) => gap.link === link) })).toBe(lostBytes)
    }
    expect(flight.info.noiseBytes).toBe(gate.ledger(0).noiseBytes + gate.ledger(1).noiseBytes)
    expect(stored.at(-1)!.bytes).toBe(flight.info.noiseBytes)
    // The one that says that the vehicle is armed came before.
    expect(flight.events.length + countedNotes(flight)).toBe(EVENTS)
    expect(flight.events.length).toBeLessThanOrEqual(
      CONTROL_RESERVE_BYTES / LEAST_NOTE_BYTES + MAX_WAITING_NOTES,
    )
    expect(flight.events.map(({ detail }) => detail).slice(1)).toEqual(
      flight.events.slice(1).map((_, n) => `${n + 1}`),
    )
  },
)

test.skipIf(loopCardReason !== null)(
  `Counted: a flight whose end finds no room goes on, and ends with all its gaps when there is some${skipped}`,
  async () => {
    send(0, 9000)
    // Of long ones some wait where the end of the flight alone would still fit.
    const LONG_EVENTS = 30
    for (let n = 0; n < LONG_EVENTS; n++) gate.event('reboot', 'x'.repeat(4000), 3 * S)
    const ANCHORS = 2000
    for (let n = 0; n < ANCHORS; n++) recorder.anchor({ recvTimeUs: n, utcUs: n, source: 'system' })
    expect(gate.close('asked', 4 * S)).toBe(true)
    gate.tick(5 * S)
    expect(gate.isOpen).toBe(true)
    send(0, 10)
    card.free()
    await ready
    for (let s = 6; gate.isOpen; s++) {
      await pause(20)
      gate.tick(s * S)
    }
    const flight = await stop()
    expect(closed).toEqual([`${HEAD.id} asked`])
    expect(lostInGaps(flight)).toBe(gate.ledger(0).lostBytes)
    expect(flight.info.noiseBytes).toBe(gate.ledger(0).noiseBytes)
    expect(flight.events).toHaveLength(1 + LONG_EVENTS)
    expect(flight.anchors.length + countedNotes(flight)).toBe(ANCHORS)
    expect(gate.ledger(0).outsideBytes).toBe(0)
  },
)

test.skipIf(loopCardReason !== null)(
  `Stored: a stop that comes before the worker is ready stores all that came by then${skipped}`,
  async () => {
    const sent = send(0, 100)
    gate.close('shutdown', 4 * S)
    card.free()
    const flight = await stop()
    expect(flight.info.noiseBytes).toBe(sent)
    expect(closed).toEqual([`${HEAD.id} shutdown`])
  },
)

test.skipIf(loopCardReason !== null)(
  `Counted: a stop while the card takes nothing does not wait for it, and says what is left${skipped}`,
  async () => {
    const sent = send(0, 100)
    gate.close('shutdown', 4 * S)
    const leftBytes = await recorder.stop()
    expect(leftBytes).toBe(recorder.backlogBytes)
    expect(leftBytes).toBeGreaterThan(sent)
    expect(fatal).toBe(undefined)
  },
)

test.skipIf(loopCardReason !== null)(
  `Counted: what could not be told by the stop is said to be left, and in no gap as well${skipped}`,
  async () => {
    send(0, 9000)
    // Events go first, into what is kept for the end of a flight as well.
    for (let n = 0; n < 3000; n++) gate.event('reboot', 'x'.repeat(100), 3 * S)
    gate.close('shutdown', 4 * S)
    expect(gate.isOpen).toBe(true)
    card.free()
    const leftBytes = await recorder.stop()
    const { noiseBytes, lostBytes } = gate.ledger(0)
    expect(leftBytes).toBeGreaterThan(0)
    await recover(Vault.open(card.dir), loadDialect())
    const flight = await exportedFlight(card.dir, HEAD.id)
    expect(leftBytes + lostInGaps(flight)).toBe(lostBytes)
    expect(flight.info.noiseBytes).toBe(noiseBytes)
  },
)

/** Sends records of noise on a link; returns how many bytes. */
function send(link: number, count: number): number {
  const bytes = filler(RECORD_BYTES, link + 1)
  for (let n = 0; n < count; n++) gate.record(NOISE, link, BigInt(2 * S), bytes, 0, bytes.length)
  return count * RECORD_BYTES
}

/** Waits until the ring is empty, which it is when all that was owed went through it. */
async function untilTold(): Promise<void> {
  for (let quiet = 0; quiet < 3; quiet++) {
    const before = stored.length
    await pause(1000)
    if (stored.length !== before || recorder.backlogBytes > 0) quiet = -1
  }
}

async function stop(): Promise<ExportedFlight> {
  expect(fatal).toBe(undefined)
  expect(await recorder.stop()).toBe(0)
  return exportedFlight(card.dir, HEAD.id)
}

/** Events and anchors that a gap says were dropped. */
const countedNotes = ({ gaps }: ExportedFlight): number =>
  gaps.reduce((sum, { reason }) => sum + Number(/with it (\d+) events/.exec(reason)?.[1] ?? 0), 0)
