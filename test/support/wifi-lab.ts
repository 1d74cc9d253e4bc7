/**
 * Wi-Fi lab: two simulated radios (mac80211_hwsim) in a network lab, which hear each other though they are in different
 * namespaces: the station's `wifi0` and `far8` outside, in a network without an access point (IBSS).
 */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Place } from './lab/place.js'
import { mac } from './network-lab.js'
import type { NetworkLab } from './network-lab.js'

export const WIFI = {
  device: 'wifi0',
  far: 'far8',
  local: 'wlocal',
  where: { number: 8, name: 'wifi0' },
} as const

const RADIOS = '/sys/class/ieee80211'

/** With a channel and a cell that are fixed nobody has to look for the others first. */
const CELL = 'lab 2412 fixed-freq 02:00:00:00:aa:aa'

/** Radios of the simulation that are in the machine's own namespace, and nowhere in use. */
function freeRadios(): string[] {
  try {
    const isSimulated = (radio: string) =>
      basename(readlinkSync(`${RADIOS}/${radio}/device/driver`)) === 'mac80211_hwsim'
    return readdirSync(RADIOS).filter(isSimulated).sort()
  } catch {
    return []
  }
}

/** Those of a lab that could not give them back come back when its namespaces have gone. */
async function untilFree(): Promise<[string, string]> {
  const MOST_MS = 10_000
  for (const deadline = Date.now() + MOST_MS; Date.now() < deadline; await pause(50)) {
    const [first, second] = freeRadios()
    if (first !== undefined && second !== undefined) return [first, second]
  }
  throw new Error('the simulated radios did not come back')
}

/** Or null. No real radio is ever touched. */
export function whyNoRadios(): string | null {
  return freeRadios().length >= 2 ? null : 'there are no simulated radios: modprobe mac80211_hwsim radios=2'
}

interface Radio {
  name: string
  /** Its number for rfkill. */
  index: number
  place: Place
}

export class WifiLab {
  readonly #near: Radio
  readonly #far: Radio

  private constructor(near: Radio, far: Radio) {
    this.#near = near
    this.#far = far
  }

  static async make({ station, outside }: NetworkLab): Promise<WifiLab> {
    const [first, second] = await untilFree()
    const near = await moved(first, station, WIFI.device, 2)
    const far = await moved(second, outside, WIFI.far, 1)
    const { number } = WIFI.where
    await outside.shell(up(WIFI.far))
    await outside.ip(addresses(WIFI.far, number, 1))
    await station.shell(up(WIFI.device))
    const lab = new WifiLab(near, far)
    await lab.#meet()
    return lab
  }

  /**
   * Gives the radios back. With the lab's namespaces they would come back as well, but a connection without an other end
   * keeps a namespace for minutes.
   */
  async close(): Promise<void> {
    for (const { place, name } of [this.#near, this.#far]) {
      await place.run('iw', 'phy', name, 'set', 'netns', String(process.pid))
    }
  }

  /** On, joined and with addresses, as after a permit. Errors: the radio is off, or taken away meanwhile. */
  async dress(): Promise<void> {
    await this.#near.place.shell(up(WIFI.device))
    await this.#near.place.ip(addresses(WIFI.device, WIFI.where.number, 2))
    await this.#meet()
  }

  /** The same against somebody who switches it off. */
  async dressByForce(): Promise<void> {
    await this.switchOn()
    await this.dress()
  }

  async switchOn(): Promise<void> {
    await this.#near.place.run('rfkill', 'unblock', String(this.#near.index))
  }

  async switchOff(): Promise<void> {
    await this.#near.place.run('rfkill', 'block', String(this.#near.index))
  }

  isBlocked(): Promise<boolean> {
    return isBlocked(this.#near)
  }

  isOtherBlocked(): Promise<boolean> {
    return isBlocked(this.#far)
  }

  /** Another interface of the same radio. Returns its hardware address. */
  async addLocal(): Promise<string> {
    const { place, name } = this.#near
    await place.run('iw', 'phy', name, 'interface', 'add', WIFI.local, 'type', 'managed')
    await place.ip(`address add 192.168.78.1/24 dev ${WIFI.local}`)
    return (await place.run('cat', `/sys/class/net/${WIFI.local}/address`)).trim()
  }

  /** A frame to one whom the radio does not know yet is not sent: each has to hear the other's beacon first. */
  async #meet(): Promise<void> {
    const MOST_TIMES = 200
    await this.#near.place.shell(`
      for each in $(seq ${MOST_TIMES}); do
        ! iw dev ${WIFI.device} station dump | grep -q '^Station' || exit 0
        case $(cat /sys/class/net/${WIFI.device}/flags) in *[02468ace]) break ;; esac
        sleep 0.02
      done
      echo "${WIFI.device} hears nobody" >&2; exit 1`)
  }
}

async function moved(name: string, place: Place, device: string, end: number): Promise<Radio> {
  const rfkill = readdirSync(`${RADIOS}/${name}`).find((each) => each.startsWith('rfkill'))
  const index = Number(readFileSync(`${RADIOS}/${name}/${rfkill}/index`, 'utf8'))
  // Whatever a lab before left on it: it begins with one interface, of our name.
  const left = readdirSync(`${RADIOS}/${name}/device/net`)
  await place.adoptRadio(name)
  for (const each of left) await place.run('iw', 'dev', each, 'del')
  await place.run('rfkill', 'unblock', String(index))
  await place.run('iw', 'phy', name, 'interface', 'add', device, 'type', 'ibss')
  await place.ip(`link set ${device} address ${mac(WIFI.where.number, end)}`)
  return { name, index, place }
}

/** Leaves a cell that it may be in: after a link that was down it is in none. */
function up(device: string): string {
  return `ip link set ${device} up; iw dev ${device} ibss leave || true; iw dev ${device} ibss join ${CELL}`
}

function addresses(device: string, number: number, end: 1 | 2): string {
  const other = end === 1 ? 2 : 1
  return `
    address replace 198.18.${number}.${end}/24 dev ${device}
    address replace 2001:db8:${number}::${end}/64 dev ${device} nodad
    neighbour replace 198.18.${number}.${other} lladdr ${mac(number, other)} nud permanent dev ${device}
    neighbour replace 2001:db8:${number}::${other} lladdr ${mac(number, other)} nud permanent dev ${device}`
}

async function isBlocked({ place, index }: Radio): Promise<boolean> {
  return (await place.run('cat', `/sys/class/rfkill/rfkill${index}/soft`)).trim() === '1'
}
