/**
 * Leak lab: a network lab with a door in its station, driven by a process that can be killed and stopped, and with the means
 * to try everything against it. It opens and shuts at once, without a guard: for tests that do so thousands of times.
 */
import type { Growth } from '../../src/hw/witness/witness.js'
import { Resident } from './lab/resident.js'
import { LeakTraffic } from './leak-traffic.js'
import { NetworkLab } from './network-lab.js'

/** Of every reading of the driver. */
export interface Reading {
  kernel: 'shut' | 'leased' | 'differs'
  problems: string[]
  uplinks: { ifindex: number; name: string; isUp: boolean; isCovered: boolean; isLeased: boolean }[]
  locals: { name: string; mismatch: string | null }[]
  layers: { base: boolean; netdev: boolean; twin: boolean; linkDown: boolean; rfkill: boolean | null }
}

/** When the order came, and when it was carried out and read back (ms of CLOCK_MONOTONIC). */
interface Span {
  fromMs: number
  toMs: number
}

export class LeakLab extends LeakTraffic {
  #driver: Resident

  private constructor(net: NetworkLab, driver: Resident) {
    super(net)
    this.#driver = driver
  }

  static async make(): Promise<LeakLab> {
    const net = await NetworkLab.make()
    try {
      await net.addUplink()
      await net.addLocal()
      return new LeakLab(net, await Resident.start(net.station, 'leak-driver.mjs'))
    } catch (error) {
      await net.close()
      throw error
    }
  }

  // ── the door ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  open(policy: unknown = { locals: [], ports: [] }, radiosFile: string | null = null): Promise<Reading> {
    return this.#order('open', { policy, radiosFile })
  }

  /** Returns once the first permit is given and the uplink is up with its addresses. */
  async permit(): Promise<Span> {
    const span = await this.#order<Span>('permit')
    await this.net.dress()
    return span
  }

  shut(harder = false): Promise<Span & Reading> {
    return this.#order('shut', { harder })
  }

  read(): Promise<Reading> {
    return this.#order('read')
  }

  /** What the witness saw grow while shut since it was asked last. */
  async grew(): Promise<Growth[]> {
    return (await this.#order<{ grew: Growth[] }>('grew')).grew
  }

  get driver(): Resident {
    return this.#driver
  }

  /** Ends the driver as it stands, and starts another; the door is not opened by it. */
  async restartDriver(): Promise<void> {
    await this.#driver.stop()
    this.#driver = await Resident.start(this.net.station, 'leak-driver.mjs')
  }

  async #order<T>(op: string, more: Record<string, unknown> = {}): Promise<T> {
    const answer = await this.#driver.ask<T & { error?: string }>({ op, ...more })
    if (answer.error !== undefined) throw new Error(`the door: ${answer.error}`)
    return answer
  }

  close(): Promise<void> {
    return this.net.close()
  }
}
