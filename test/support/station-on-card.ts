/** Station on a card: a station at full flow whose vault is a file system of its own, for what can go wrong with one. */
import { deepStrictEqual } from 'node:assert'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { askStation } from '../../src/forward/station-socket.js'
import type { LinkStatus, StationStatus } from '../../src/forward/station-status.js'
import { SOCKET_FILE } from '../../src/station.js'
import { exportedFlight } from './exported-flight.js'
import type { ExportedFlight } from './exported-flight.js'
import { FullFlow } from './full-flow.js'
import { LoopCard } from './loop-card.js'
import { RunningStation } from './running-station.js'
import { seed } from './soak.js'

export class StationOnCard {
  readonly card: LoopCard
  readonly flow: FullFlow
  readonly station: RunningStation
  readonly #socket: string

  private constructor(dir: string, card: LoopCard, flow: FullFlow) {
    this.card = card
    this.flow = flow
    this.station = new RunningStation(dir, { baud: 921_600 })
    this.#socket = join(dir, 'run', SOCKET_FILE)
  }

  static async start(dir: string, cardMb: number): Promise<StationOnCard> {
    mkdirSync(dir)
    const card = LoopCard.insert(join(dir, 'vault'), cardMb)
    try {
      return new StationOnCard(dir, card, await FullFlow.start({ link: join(dir, 'radio'), seed }))
    } catch (error) {
      await card.remove()
      throw error
    }
  }

  /** What it answers on its socket. */
  async status(): Promise<StationStatus> {
    return (await askStation(this.#socket, 'status')) as unknown as StationStatus
  }

  /** Asks it to end the flight; which one it ended. */
  async close(): Promise<unknown> {
    return (await askStation(this.#socket, 'close'))['closed']
  }

  /** Resolves when all that is on the wire by now is on the card, or lost. */
  async untilStored(): Promise<void> {
    const sentBytes = this.flow.sentBytes
    await this.station.untilStatus(
      ({ stored, links }) => (stored?.bytes ?? 0) + links[0]!.lostBytes >= sentBytes,
    )
  }

  /** Lets the line be silent, ends the station well, and adds up; returns its flights. */
  async finish(): Promise<{ link: LinkStatus; flights: ExportedFlight[] }> {
    const { flow, station } = this
    flow.pause()
    await station.untilStatus(({ links }) => links[0]!.bytesIn === flow.sentBytes)
    deepStrictEqual(await station.end('SIGTERM'), 0)
    const link = station.ownStatus()!.links[0]!
    const { bytesIn, framedBytes, noiseBytes, lostBytes, outsideBytes } = link
    deepStrictEqual(bytesIn, framedBytes + noiseBytes + lostBytes + outsideBytes)
    const ids = [...station.log.matchAll(/flight (\S+) began/g)].map(([, id]) => id!)
    const flights: ExportedFlight[] = []
    for (const id of ids) flights.push(await exportedFlight(station.vault, id))
    const sum = (of: (flight: ExportedFlight) => number): number =>
      flights.reduce((all, each) => all + of(each), 0)
    const stored = {
      framedBytes: sum(({ info }) => info.framedBytes),
      noiseBytes: sum(({ info }) => info.noiseBytes),
      lostBytes: sum(({ info }) => info.bytesLost),
    }
    deepStrictEqual(stored, { framedBytes, noiseBytes, lostBytes })
    return { link, flights }
  }

  /** Whatever happened: nothing is left that hangs or is mounted. */
  async abandon(): Promise<void> {
    this.card.thaw()
    await this.station.end('SIGKILL')
    await this.flow.stop()
    await this.card.remove()
  }
}
