/**
 * Network lab: a station, an outside and a local network, each a network namespace of its own, with a capture on the far
 * end of every uplink. Nothing of it is in the machine's own network, and nothing stays when the test ends.
 *
 *     station                                 outside: capture
 *       up0  198.18.0.2  2001:db8:0::2 ─veth─ far0  198.18.0.1  2001:db8:0::1   default route of the station
 *       up1  198.18.1.2  2001:db8:1::2 ─veth─ far1  198.18.1.1  2001:db8:1::1
 *       loc0 192.168.77.1              ─veth─ cli0  192.168.77.2                 local: capture of its own
 */
import { Place } from './lab/place.js'
import { Resident } from './lab/resident.js'

/** What has arrived at a place since the capture last forgot. */
export interface Arrived {
  /** Frames of any kind. */
  total: number
  /** By kind: `ipv4/udp`, `ipv6/icmpv6`, `arp`, `vlan`, `ethertype 88b5`. */
  kinds: Record<string, number>
  /** By the mark of the row of traffic that sent them. */
  marks: Record<string, number>
  /** By the device on which they arrived. */
  devices: Record<string, number>
  /** Marks by that device: a frame for a VLAN arrives at its lower device and at itself, and is counted at both. */
  marksOf: Record<string, Record<string, number>>
  /** The first few, as hex, for a person to read. */
  frames: string[]
  /** Time of the first and the last (ms of CLOCK_MONOTONIC, as `monotonicMs`, and performance.now() of no process). */
  firstMs: number | null
  lastMs: number | null
}

/** Counts what arrives. Both wait until every frame that the devices counted is seen, and fail if one is not. */
export class Capture {
  readonly #resident: Resident

  constructor(resident: Resident) {
    this.#resident = resident
  }

  /** What has arrived up to now. */
  seen(): Promise<Arrived> {
    return this.#ask('settle')
  }

  /** The same; counts from nothing afterwards. */
  take(): Promise<Arrived> {
    return this.#ask('forget')
  }

  /** The same, once so many have arrived (at `device`); what arrived at all, if they do not come within seconds. */
  async least(count: number, device: string | null = null): Promise<Arrived> {
    await this.#ask('await', { least: count, at: device })
    return this.take()
  }

  async #ask(op: string, more: Record<string, unknown> = {}): Promise<Arrived> {
    const answer = await this.#resident.ask<Arrived & { problem: string | null }>({ op, ...more })
    if (answer.problem !== null) throw new Error(`the capture is not complete: ${answer.problem}`)
    return answer
  }
}

/** What became of what was handed to the kernel: refusals by errno. */
export interface Sent {
  tried: number
  errors: Record<string, number>
}

export class NetworkLab {
  readonly station: Place
  readonly outside: Place
  readonly local: Place
  /** Of everything that reaches the outside. */
  readonly capture: Capture
  /** Of everything that reaches the local network. */
  readonly localCapture: Capture
  /** Sends from the station, as root: `{ op: 'send', row: 'udp', count: 3 }`; the rows are those of lab/traffic.py. */
  readonly traffic: Resident

  private constructor(
    places: readonly [Place, Place, Place],
    residents: readonly [Resident, Resident, Resident],
  ) {
    ;[this.station, this.outside, this.local] = places
    this.capture = new Capture(residents[0])
    this.localCapture = new Capture(residents[1])
    this.traffic = residents[2]
  }

  static async make(): Promise<NetworkLab> {
    const made: Place[] = []
    try {
      for (const name of ['station', 'outside', 'local']) made.push(await Place.make(name))
      const places = made as [Place, Place, Place]
      const residents = await Promise.all([
        Resident.start(places[1], 'capture.py'),
        Resident.start(places[2], 'capture.py'),
        Resident.start(places[0], 'traffic.py'),
      ])
      return new NetworkLab(places, residents)
    } catch (error) {
      await Promise.all(made.map((place) => place.close()))
      throw error
    }
  }

  /** Makes the uplink of that number, with addresses at both ends, up; `up0` gets the default routes. Returns its name. */
  async addUplink(number = 0, name = `up${number}`): Promise<string> {
    const far = `far${number}`
    await this.station.ip(
      `link add ${name} address ${mac(number, 2)} type veth \
        peer name ${far} address ${mac(number, 1)} netns ${this.outside.pid}`,
    )
    await this.dressFar(number, far)
    await this.dress(number, name)
    return name
  }

  /** The same for the device at the far end. */
  async dressFar(number: number, far: string): Promise<void> {
    await this.outside.ip(`
      link set ${far} up
      address replace 198.18.${number}.1/24 dev ${far}
      address replace 2001:db8:${number}::1/64 dev ${far} nodad
      neighbour replace 198.18.${number}.2 lladdr ${mac(number, 2)} nud permanent dev ${far}
      neighbour replace 2001:db8:${number}::2 lladdr ${mac(number, 2)} nud permanent dev ${far}`)
  }

  /**
   * Sets an uplink up and gives it what a network service would: addresses, routes, and the far end's address, so that
   * not a missing answer to ARP but only a door keeps something in. May be done again, also while the door is shut.
   */
  async dress(number = 0, name = `up${number}`): Promise<void> {
    const routes = ['0.0.0.0/0 via 198.18.0.1', '::/0 via 2001:db8:0::1']
    await this.station.ip(`
      link set ${name} up
      address replace 198.18.${number}.2/24 dev ${name}
      address replace 2001:db8:${number}::2/64 dev ${name} nodad
      neighbour replace 198.18.${number}.1 lladdr ${mac(number, 1)} nud permanent dev ${name}
      neighbour replace 2001:db8:${number}::1 lladdr ${mac(number, 1)} nud permanent dev ${name}
      ${number === 0 ? routes.map((route) => `route replace ${route} dev ${name}`).join('\n') : ''}`)
    await this.station.shell(untilUp(name))
  }

  /** Makes the local network: 192.168.77.1 is the station, 192.168.77.2 a client. Returns the interface's name. */
  async addLocal(name = 'loc0'): Promise<string> {
    await this.station.ip(`
      link add ${name} address ${LOCAL_MAC} type veth peer name cli0 address ${CLIENT_MAC} netns ${this.local.pid}
      address add 192.168.77.1/24 dev ${name}
      link set ${name} up
      neighbour replace 192.168.77.2 lladdr ${CLIENT_MAC} nud permanent dev ${name}`)
    await this.local.ip(`
      address add 192.168.77.2/24 dev cli0
      link set cli0 up
      neighbour replace 192.168.77.1 lladdr ${LOCAL_MAC} nud permanent dev cli0
      route add default via 192.168.77.1`)
    await this.station.shell(untilUp(name))
    return name
  }

  /** Sends rows of traffic from the station: out of `device`, toward the far end of uplink `via`. */
  send(row: string, count: number, where: Record<string, unknown> = {}): Promise<Sent> {
    return this.traffic.ask<Sent>({ op: 'send', row, count, device: 'up0', via: 0, ...where })
  }

  /** `tx_packets` of a device of the station, below every firewall. */
  async txPackets(device: string): Promise<number> {
    return Number(await this.station.run('cat', `/sys/class/net/${device}/statistics/tx_packets`))
  }

  /** Ends everybody who is in it. May be called twice. */
  async close(): Promise<void> {
    await Promise.all([this.station, this.outside, this.local].map((place) => place.close()))
  }
}

/** Of the local interface of the station; a configuration may name it by this. */
export const LOCAL_MAC = '02:00:00:00:77:01'

const CLIENT_MAC = '02:00:00:00:77:02'

/**
 * A device that was set up sends a moment later; until then the kernel drops what is sent to it. Fails if it is set down.
 * A tunnel or an ipvlan has a carrier from the start and never says more than `unknown`.
 */
function untilUp(device: string): string {
  const MOST_TIMES = 500
  return `
    cd /sys/class/net/${device}
    for each in $(seq ${MOST_TIMES}); do
      case $(cat operstate)$(cat carrier 2>/dev/null) in up? | unknown1) exit 0 ;; esac
      case $(cat flags) in *[02468ace]) break ;; esac
      sleep 0.01
    done
    echo "${device} does not stay up" >&2; exit 1`
}

/** `end` 1 is outside, 2 the station. */
export function mac(uplink: number, end: number): string {
  return `02:00:00:00:${(0x10 + uplink).toString(16)}:0${end}`
}
