/**
 * Kill chain: a station at full flow that is killed (SIGKILL) and started again, over and over, on one vault.
 *
 *     start ─▶ recover ─▶ first chunk stored ─▶ … ─▶ SIGKILL        one life; the next one begins at once
 *                             └── flights that earlier lives left are held against the wire
 */
import { mkdirSync, readdirSync, watch } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { SOCKET_FILE } from '../../src/station.js'
import { askStation } from '../../src/forward/station-socket.js'
import type { StationStatus } from '../../src/forward/station-status.js'
import { endOnWire, exportedFlight, lostInGaps } from './exported-flight.js'
import { FULL_FLOW_BYTES_PER_S, FullFlow } from './full-flow.js'
import { RunningStation } from './running-station.js'
import type { Random } from '../../src/simulator/random.js'

/** What the station was doing when it was killed. */
export type Phase = 'start' | 'recovery' | 'recording' | 'commit' | 'close'

/** What the chain means to kill it at, and how often in a hundred. */
const AIMS: readonly [Exclude<Phase, 'recovery'>, number][] = [
  ['start', 30],
  ['recording', 30],
  ['commit', 25],
  ['close', 15],
]

/** A process is up, and has recovered, within this time (ms); one that is killed at its start is killed by then. */
const START_MS = 900
/** Most of those that record are killed within the first of these times, some within the second (ms). */
const RECORDING_MS = [2500, 15_000] as const
const LONG_SHARE = 0.05
/** A segment is cut each megabyte: eight times the flow brings one in a second and a half. */
const COMMIT_FLOW = 8
/** A commit is some changes of the flight's file one after the other; the kill comes at one of them. */
const COMMIT_CHANGES = 16
/** Closing a flight is encoding and committing what it has (ms). */
const CLOSING_MS = 250
/** A commit that does not come is not waited for any longer (ms). */
const COMMIT_AT_MOST_MS = 10_000

export interface KillFigures {
  kills: Record<Phase, number>
  /** From the start of a process to its first stored chunk (ms), for those that lived so long. */
  firstStoredMs: number[]
  /** Published chunks that were looked for, which is one a life: the last. */
  publishedChecked: number
  /** Flights that `close` was answered for. */
  closesChecked: number
  flightsChecked: number
  bytesChecked: number
  /** What was on the wire and is in no flight, per life, as time of the line (ms). */
  missingMs: number[]
}

/** What of one life was visible outside when it ended. */
interface Life {
  stored: StationStatus['stored']
  /** Flights that it said are closed. */
  closed: string[]
}

export class KillChain {
  readonly figures: KillFigures = {
    kills: { start: 0, recovery: 0, recording: 0, commit: 0, close: 0 },
    firstStoredMs: [],
    publishedChecked: 0,
    closesChecked: 0,
    flightsChecked: 0,
    bytesChecked: 0,
    missingMs: [],
  }
  readonly #dir: string
  readonly #random: Random
  readonly #flow: FullFlow
  readonly #checked = new Set<string>()
  /** Lives whose flights are still to be looked at. */
  #unchecked: Life[] = []
  /** Which reader of the line the last flight was of, and where on the wire it ended. */
  #reader = 0
  #place = 0
  #station: RunningStation | undefined

  private constructor(dir: string, random: Random, flow: FullFlow) {
    this.#dir = dir
    this.#random = random
    this.#flow = flow
  }

  static async begin(dir: string, random: Random): Promise<KillChain> {
    mkdirSync(dir, { recursive: true })
    const seed = Math.floor(random() * 2 ** 31)
    return new KillChain(dir, random, await FullFlow.start({ link: join(dir, 'radio'), seed }))
  }

  /** One life: starts the station and kills it at some moment. Errors: what was found to be untrue. */
  async liveAndDie(): Promise<void> {
    const aim = this.#aim()
    const station = this.#start()
    if (aim === 'start') {
      await pause(this.#random() * START_MS)
      return this.#kill(station, aim, [])
    }
    await this.#untilStored(station)
    const closed: string[] = []
    if (aim === 'recording') await pause(this.#recordingMs())
    else if (aim === 'commit') await this.#untilCommit(station)
    else await this.#askToClose(closed)
    await this.#kill(station, aim, closed)
  }

  /** A last life that ends well; everything is looked at once more. */
  async end(): Promise<void> {
    const station = this.#start()
    await this.#untilStored(station)
    await this.#flow.stop()
    const code = await station.end('SIGTERM')
    if (code !== 0) throw new Error(`the station ended with ${code}:\n${station.log}`)
    await this.#check()
  }

  /** Whatever happened: no process and no device is left. */
  async abandon(): Promise<void> {
    await this.#station?.end('SIGKILL')
    await this.#flow.stop()
  }

  #aim(): Exclude<Phase, 'recovery'> {
    let left = this.#random() * AIMS.reduce((sum, [, share]) => sum + share, 0)
    return AIMS.find(([, share]) => (left -= share) < 0)?.[0] ?? 'recording'
  }

  #recordingMs(): number {
    const [most, some] = RECORDING_MS
    return this.#random() * (this.#random() < LONG_SHARE ? some : most)
  }

  #start(): RunningStation {
    this.#flow.bytesPerS = FULL_FLOW_BYTES_PER_S
    this.#station = new RunningStation(this.#dir, { baud: 921_600 })
    return this.#station
  }

  /** Waits for the first chunk on the card, and looks at what earlier lives left. */
  async #untilStored(station: RunningStation): Promise<void> {
    const startMs = performance.now()
    await station.untilStatus(({ stored }) => stored !== null)
    this.figures.firstStoredMs.push(performance.now() - startMs)
    await this.#check(station.status()?.flight ?? undefined)
  }

  /** A commit shows as changes of the flight's files. */
  async #untilCommit(station: RunningStation): Promise<void> {
    this.#flow.bytesPerS = COMMIT_FLOW * FULL_FLOW_BYTES_PER_S
    let left = Math.ceil(this.#random() * COMMIT_CHANGES)
    const watcher = watch(join(station.vault, 'flights'))
    await Promise.race([
      new Promise<void>((resolve) => watcher.on('change', () => --left === 0 && resolve())),
      pause(COMMIT_AT_MOST_MS),
    ])
    watcher.close()
  }

  async #askToClose(closed: string[]): Promise<void> {
    await pause(this.#random() * CLOSING_MS)
    const asked = askStation(join(this.#dir, 'run', SOCKET_FILE), 'close').then(
      (answer) => {
        if (typeof answer['closed'] === 'string') closed.push(answer['closed'])
      },
      () => undefined, // killed before it answered
    )
    await Promise.race([asked, pause(this.#random() * CLOSING_MS)])
  }

  async #kill(station: RunningStation, aim: Phase, closed: string[]): Promise<void> {
    const killed = station.end('SIGKILL')
    await this.#flow.replug()
    await killed
    // What stands there now is the last that was visible outside.
    const status = station.ownStatus()
    const recovering = aim === 'start' && status?.recovered === false
    this.figures.kills[recovering ? 'recovery' : aim]++
    this.#unchecked.push({ stored: status?.stored ?? null, closed })
  }

  /** Holds the flights that are over against the wire, and what was published against the flights. */
  async #check(current?: string): Promise<void> {
    const ids = readdirSync(join(this.#dir, 'vault', 'flights'))
      .filter((name) => name.endsWith('.glk'))
      .map((name) => name.slice(0, -'.glk'.length))
      .filter((id) => id !== current && !this.#checked.has(id))
      .toSorted((a, b) => numberOf(a) - numberOf(b))
    const lives = this.#unchecked
    this.#unchecked = []
    for (const { stored, closed } of lives) {
      for (const id of [...closed, ...(stored === null ? [] : [stored.flight])]) {
        if (!this.#checked.has(id) && !ids.includes(id)) throw new Error(`flight ${id} is not there`)
      }
    }
    for (const id of ids) await this.#checkFlight(id, lives)
  }

  async #checkFlight(id: string, lives: readonly Life[]): Promise<void> {
    const flight = await exportedFlight(join(this.#dir, 'vault'), id)
    const { info, raw, lastChunk } = flight
    this.#placeOnWire(id, () => endOnWire(this.#flow, flight, this.#place))
    for (const { stored, closed } of lives) {
      if (closed.includes(id)) {
        this.figures.closesChecked++
        if (info.closeReason !== 'asked')
          throw new Error(`flight ${id} was said to be closed: ${info.closeReason}`)
      }
      if (stored?.flight !== id) continue
      this.figures.publishedChecked++
      if (lastChunk < stored.sequence)
        throw new Error(`flight ${id} ends at chunk ${lastChunk}; ${stored.sequence} was published`)
      if (raw.length < stored.bytes)
        throw new Error(`flight ${id} has ${raw.length} bytes; ${stored.bytes} were published`)
    }
    if (info.bytesIn !== raw.length + lostInGaps(flight)) throw new Error(`flight ${id} does not add up`)
    this.#checked.add(id)
    this.figures.flightsChecked++
    this.figures.bytesChecked += raw.length
  }

  /** A flight goes on where the one before it ended, or begins with a later reader of the line. */
  #placeOnWire(id: string, end: () => number): void {
    const { readers } = this.#flow
    const reasons: string[] = []
    for (; this.#reader < readers.length; this.#reader++) {
      const { fromByte, toByte, bytesPerS } = readers[this.#reader]!
      try {
        this.#place = Math.max(this.#place, fromByte)
        const place = end()
        if (place > toByte) throw new Error(`it ends at ${place}, and only ${toByte} was sent`)
        this.#place = place
        return
      } catch (error) {
        reasons.push(`from ${this.#place} (${fromByte} to ${toByte}): ${String(error)}`)
      }
      this.figures.missingMs.push(((toByte - this.#place) / bytesPerS) * 1000)
    }
    throw new Error(`flight ${id} is not what was on the wire\n${reasons.join('\n')}`)
  }
}

const numberOf = (id: string): number => Number(id.slice(id.lastIndexOf('-') + 1))
