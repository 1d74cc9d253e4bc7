/**
 * Airlock: both programs as they are built, in a network of their own, with a vehicle on the one side and an outside on the
 * other, started again when they end; and somebody who looks at both doors all the while.
 *
 *     vehicle ──pseudo-terminal──▶ station ──token── guard ──nftables──▶ up0 ──veth──▶ outside: capture
 *                                        ▲     ▲
 *                                        observer (the kernel's lists)
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { GuardStatus } from '../../src/base/guard-status.js'
import type { StationStatus } from '../../src/forward/station-status.js'
import { AirlockObserver } from './airlock-observer.js'
import { AirlockVehicle } from './airlock-vehicle.js'
import { NetworkLab } from './network-lab.js'
import { Supervised } from './supervised.js'
import { turnSwitch } from './switch-file.js'
import { IN_MEMORY } from './temporary-folder.js'

export interface AirlockOptions {
  /** Within 0 and 1, again and again: of the time that systemd may take to start a program again. */
  restartShare?: () => number
  /** The resident nft can be made late from its start on. */
  hasLateResident?: boolean
  /** For what is timed: nobody looks, nft is the machine's own, and no watchdog ends a stopped guard. */
  isPlain?: boolean
}

/** What a guard's nft is late for: seconds, or `hang`. */
export type LateNft = Partial<Record<'permit' | 'shutting' | 'resident', string>>

export class Airlock {
  readonly lab: NetworkLab
  readonly dir: string
  /**
   * In memory, as `/run` is: the switch, the token, what both say of themselves. On a disk turning the switch, a renaming, has
   * waited 0.4 s for the journal, and the guard's status would wait as long.
   */
  readonly #run = mkdtempSync(join(IN_MEMORY, 'groundlock-airlock-'))
  readonly guard: Supervised
  readonly station: Supervised
  readonly vehicle: AirlockVehicle
  #observer: AirlockObserver | undefined

  private constructor(lab: NetworkLab, dir: string, options: AirlockOptions) {
    const { restartShare = () => 0.1, isPlain = false } = options
    this.lab = lab
    this.dir = dir
    const place = lab.station
    const config = ['--config', join(dir, 'groundlock.toml')]
    this.guard = new Supervised({
      place,
      name: 'guard',
      args: ['guard', ...config],
      env: { PATH: `${join(dir, 'bin')}:${process.env['PATH']}` },
      hasWatchdog: !isPlain,
      restartShare,
    })
    this.station = new Supervised({
      place,
      name: 'station',
      args: ['run', ...config],
      hasWatchdog: false,
      restartShare,
    })
    this.vehicle = new AirlockVehicle(join(dir, 'radio'))
  }

  /** Resolves when the station records and the door is shut; the vehicle is disarmed, the switch SHUT. */
  static async make(dir: string, options: AirlockOptions = {}): Promise<Airlock> {
    const airlock = new Airlock(await NetworkLab.make(), dir, options)
    try {
      airlock.#prepareFolders(options)
      await airlock.#begin(options)
    } catch (error) {
      await airlock.close()
      throw new Error(`${String(error)}\nguard:\n${airlock.guard.log}\nstation:\n${airlock.station.log}`, {
        cause: error,
      })
    }
    return airlock
  }

  /** As systemd-tmpfiles makes them: the token is root's, in a folder of root's. */
  #prepareFolders({ hasLateResident = false, isPlain = false }: AirlockOptions): void {
    const bin = join(this.dir, 'bin')
    for (const folder of [this.#guardDir, bin]) mkdirSync(folder)
    writeFileSync(this.tokenPath, '', { mode: 0o640 })
    writeFileSync(this.#switchFile, 'shut')
    for (const what of ['permit', 'shutting', ...(hasLateResident ? ['resident'] : [])])
      writeFileSync(join(bin, what), '0\n')
    if (!isPlain) {
      copyFileSync(join(import.meta.dirname, 'late-nft.sh'), join(bin, 'nft'))
      chmodSync(join(bin, 'nft'), 0o755)
    }
    writeFileSync(join(this.dir, 'groundlock.toml'), this.#configuration)
  }

  get #configuration(): string {
    return `[station]
run_dir = "${this.#stationDir}"
[vault]
dir = "${this.vault}"
[link.radio]
device = "${join(this.dir, 'radio')}"
[switch]
backend = "simulated"
file = "${this.#switchFile}"
lamp_line = 0
[guard]
run_dir = "${this.#guardDir}"
token = "${this.tokenPath}"
`
  }

  async #begin({ isPlain = false }: AirlockOptions): Promise<void> {
    await this.lab.addUplink()
    this.vehicle.start()
    this.guard.start()
    await this.untilGuard('the guard shuts', ({ reading }) => reading?.kernel === 'shut')
    if (!isPlain)
      this.#observer = await AirlockObserver.start(this.lab, this.station, this.guard, this.tokenPath)
    this.station.start()
    await this.until('the station opens its port', () => this.isPortOpen)
  }

  /** Door one, as the kernel says it. */
  get isPortOpen(): boolean {
    return this.station.descriptors().some((path) => /^\/dev\/pts\/\d+/.test(path))
  }

  get tokenPath(): string {
    return join(this.#run, 'link')
  }

  get #switchFile(): string {
    return join(this.#guardDir, 'switch')
  }

  get #guardDir(): string {
    return join(this.#run, 'guard')
  }

  get #stationDir(): string {
    return join(this.#run, 'station')
  }

  get vault(): string {
    return join(this.dir, 'vault')
  }

  get observer(): AirlockObserver {
    if (this.#observer === undefined) throw new Error('nobody looks yet')
    return this.#observer
  }

  /** Returns the moment before it (ms of the monotonic clock). */
  flip(position: 'shut' | 'permit' | 'doubt'): number {
    return turnSwitch(this.#switchFile, position)
  }

  late(nft: LateNft): void {
    for (const [what, time] of Object.entries(nft)) {
      writeFileSync(join(this.dir, 'bin', what), `${time}\n`)
      rmSync(join(this.dir, 'bin', `${what}-waits`), { force: true })
    }
  }

  /** An nft waits, or has waited since `late` was told. */
  hasWaited(what: keyof LateNft): boolean {
    return existsSync(join(this.dir, 'bin', `${what}-waits`))
  }

  guardStatus(): GuardStatus | undefined {
    return readStatus(join(this.#guardDir, 'guard.json')) as GuardStatus | undefined
  }

  stationStatus(): StationStatus | undefined {
    return readStatus(join(this.#stationDir, 'station.json')) as StationStatus | undefined
  }

  async until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    await until(
      what,
      async () => (await isSo()) || undefined,
      () => true,
      undefined,
      () => 'no',
    )
  }

  /** The first status of the guard that lives now that fits. */
  untilGuard(what: string, fits: (status: GuardStatus) => boolean, atMostMs?: number): Promise<GuardStatus> {
    const read = (): GuardStatus | undefined => {
      const status = this.guardStatus()
      return status?.pid === this.guard.livingPid ? status : undefined
    }
    return until(what, read, fits, atMostMs, () => JSON.stringify(this.guardStatus()))
  }

  untilStation(
    what: string,
    fits: (status: StationStatus) => boolean,
    atMostMs?: number,
  ): Promise<StationStatus> {
    const read = (): StationStatus | undefined => {
      const status = this.stationStatus()
      return status?.pid === this.station.livingPid ? status : undefined
    }
    return until(what, read, fits, atMostMs, () => JSON.stringify(this.stationStatus()))
  }

  /** Turns the switch to PERMIT and waits for a lease in the kernel. */
  async permit(): Promise<void> {
    this.flip('permit')
    await this.observer.until('a permit', ({ isLeased }) => isLeased)
  }

  /** Whatever happened: no process and no device is left. */
  async close(): Promise<void> {
    await this.#observer?.stop()
    await Promise.all([this.guard.end(), this.station.end()])
    await this.vehicle.stop()
    await this.lab.close()
    rmSync(this.#run, { recursive: true, force: true })
  }
}

function readStatus(path: string): unknown {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}

async function until<T>(
  what: string,
  read: () => Promise<T | undefined> | T | undefined,
  fits: (value: T) => boolean,
  atMostMs = 20_000,
  last: () => string,
): Promise<T> {
  const LOOK_MS = 20
  for (const began = performance.now(); performance.now() - began < atMostMs;) {
    const value = await read()
    if (value !== undefined && fits(value)) return value
    await pause(LOOK_MS)
  }
  throw new Error(`${what}: not within ${atMostMs} ms; last seen: ${last()}`)
}
