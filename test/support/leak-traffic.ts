/**
 * Leak traffic: the means to try everything against a door: all rows of traffic at once, on and on, and on links that are
 * taken up by force.
 */
import { Resident } from './lab/resident.js'
import type { Arrived, NetworkLab, Sent } from './network-lab.js'

/** IP of every kind, and what the kernel says by itself: these are kept in on every device, present and future. */
export const IP_ROWS: readonly string[] = [
  'udp',
  'tcp new',
  'tcp kept',
  'icmp',
  'multicast',
  'broadcast',
  'igmp',
  'fragments',
  'arp',
  'udp6',
  'tcp6 new',
  'icmpv6',
  'multicast6',
  'fragments6',
]

/** What raw sockets send: kept in on every uplink that is covered. */
export const RAW_ROWS: readonly string[] = ['raw', 'raw bypass', 'raw ip', 'raw vlan', 'raw arp']

/** The same for a tunnel, whose frames have no Ethernet header. */
export const BARE_ROWS: readonly string[] = ['raw bare', 'raw bare bypass']

export const ALL_ROWS: readonly string[] = [...IP_ROWS, ...RAW_ROWS]

/** Rows that never wait for an answer, for sending on and on. */
export const FAST_ROWS: readonly string[] = [
  'udp',
  'tcp kept',
  'icmp',
  'udp6',
  'icmpv6',
  'raw',
  'raw bypass',
  'raw ip',
]

/** What never came to a device, because there was none, it was down, or nobody was connected. */
const NOT_SENT: readonly string[] = [
  'ENETDOWN',
  'ENETUNREACH',
  'ENODEV',
  'ENXIO',
  'EADDRNOTAVAIL',
  'EHOSTUNREACH',
  'ENOTCONN',
  'EPIPE',
  'ECONNRESET',
]

/** Who is where, and who listens: sent by the kernel itself. */
const BY_THE_KERNEL: readonly string[] = ['arp', 'igmp']

/** How often a link is taken up by force for rows that did not get through to it (count): the door takes it down again. */
const ROUNDS = 8

/** What was handed to a device that was up, by row. */
type SentRows = Record<string, number>

export class LeakTraffic {
  readonly net: NetworkLab
  #traffic: Resident

  constructor(net: NetworkLab) {
    this.net = net
    this.#traffic = net.traffic
  }

  ask<T>(order: Record<string, unknown>): Promise<T> {
    return this.#traffic.ask<T>({ device: 'up0', via: 0, ...order })
  }

  /** Kills the programs that send, with all their connections, and starts another. */
  async restartTraffic(): Promise<void> {
    await this.#traffic.stop()
    this.#traffic = await Resident.start(this.net.station, 'traffic.py')
  }

  /** All of `rows` once; what of it came to a device that was up. */
  async sendAll(
    rows: readonly string[],
    count: number,
    more: Record<string, unknown> = {},
  ): Promise<SentRows> {
    const sent = await this.ask<Record<string, Sent>>({ op: 'send all', rows, count, ...more })
    return Object.fromEntries(Object.entries(sent).map(([row, each]) => [row, handedOver(each)]))
  }

  /**
   * The same on an uplink that is taken up by force as often as it takes, for the door takes it down again: until `least` of
   * each row were handed to a device that was up, so that not the link alone is what keeps them in.
   * @param dress takes it up, where that is more than one link and its addresses.
   */
  async force(
    rows: readonly string[],
    least: number,
    { number, name }: { number: number; name: string } = { number: 0, name: 'up0' },
    dress: () => Promise<unknown> = () => this.net.dress(number, name),
  ): Promise<SentRows> {
    const all: SentRows = Object.fromEntries(rows.map((row) => [row, 0]))
    for (let round = 0; round < ROUNDS; round++) {
      const missing = rows.filter((row) => all[row]! < least && !(row === 'tcp kept' && round > 0))
      if (missing.length === 0) break
      await dress().catch(() => undefined) // taken down while it was dressed: the next round
      const sent = await this.sendAll(missing, least, { device: name, via: number })
      for (const [row, count] of Object.entries(sent)) all[row] = all[row]! + count
    }
    return all
  }

  /**
   * Each row by itself, and waits for what arrives at `far` (any device, where it is not named): `onRow` is told. Of what the
   * kernel sends when it likes one frame is enough. What bears no mark of its row counts as all that arrived.
   */
  async eachRow(
    rows: readonly string[],
    count: number,
    onRow: (row: string, sent: number, arrived: number) => void,
    { far, ...where }: { far?: string; device?: string; via?: number } = {},
  ): Promise<void> {
    for (const row of rows) {
      await this.net.capture.take()
      const { [row]: sent } = await this.sendAll([row], count, where)
      const awaited = BY_THE_KERNEL.includes(row) ? 1 : sent!
      const { total, marks, marksOf, devices } = await this.net.capture.least(awaited, far)
      const [ofRow, all] = far === undefined ? [marks[row], total] : [marksOf[far]?.[row], devices[far]]
      onRow(row, sent!, ofRow ?? all ?? 0)
    }
  }

  /** Sends on and on from now, one row after the other. */
  async hammer(rows: readonly string[], everyMs: number, more: Record<string, unknown> = {}): Promise<void> {
    await this.ask({ op: 'hammer', rows, everyMs, ...more })
  }

  /** What it sent up to now, refused or not. */
  async hammered(): Promise<number> {
    return (await this.ask<Sent>({ op: 'hammered' })).tried
  }

  async rest(): Promise<Sent> {
    return this.ask<Sent>({ op: 'stop' })
  }

  /** Waits until no TCP connection of the station has bytes in its queue any more: sent, or dead. */
  async untilQueuesAreEmpty(): Promise<void> {
    const MOST_S = 20
    await this.net.station.run(
      ...(['timeout', String(MOST_S), 'sh', '-c'] as const),
      `while ss -Htn | awk '$3 > 0' | grep -q .; do sleep 0.05; done`,
    )
  }
}

function handedOver({ tried, errors }: Sent): number {
  return tried - NOT_SENT.reduce((sum, name) => sum + (errors[name] ?? 0), 0)
}

/** Frames that may never get out while shut, whatever was done to devices or rules: all but what raw sockets sent. */
export function ipFrames({ total, marks }: Arrived): number {
  return total - rawFrames({ marks })
}

export function rawFrames({ marks }: Pick<Arrived, 'marks'>): number {
  return [...RAW_ROWS, ...BARE_ROWS].reduce((sum, row) => sum + (marks[row] ?? 0), 0)
}

export function sumOf(sent: SentRows): number {
  return Object.values(sent).reduce((all, each) => all + each, 0)
}
