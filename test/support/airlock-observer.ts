/**
 * Airlock observer: looks at both doors from outside, on and on: at the lease sets in the kernel, and at the descriptors of the
 * station's process. Neither program is asked anything.
 *
 *     leases? ──yes──▶ port open? guard's token? ──▶ leases still? ──yes──▶ both doors are open
 *
 * Two readings cannot be made in one instant. A permit that is there before the port is seen open, and also after it, was
 * there with it: between its end and the next one the switch alone would take 500 ms. A look that took longer is void.
 */
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { monotonicMs } from '../../src/base/clock.js'
import type { Arrived, NetworkLab } from './network-lab.js'
import type { Supervised } from './supervised.js'

/** Between two looks (ms): whatever is open too long is open for longer than this, or the kernel's clock would not tell it. */
const EVERY_MS = 10
/** PERMIT has to be stable for so long, so no permit ends and another begins within it (ms). */
const SURE_WITHIN_MS = 500
/** A frame that was let out before a lease ended may be stamped so much later outside, on a busy machine (ms). */
const ON_THE_WAY_MS = 50
/** The guard hears of a flush within some ms; a busy machine may need longer (ms). */
const EXCUSED_MS = 2000

/** Kept of the diary (entries): some minutes. */
const MAX_DIARY = 60

export interface Sight {
  atMs: number
  isLeased: boolean
  isPortOpen: boolean
}

export class AirlockObserver {
  readonly #lab: NetworkLab
  readonly #station: Supervised
  readonly #guard: Supervised
  readonly #tokenPath: string
  /** The table of the uplink's cover. A guard that starts also makes one for a moment, of no device, to learn how it is listed. */
  readonly #cover: string
  readonly #nft: ChildProcess
  readonly #answers: ((line: string) => void)[] = []
  #isEnding = false
  #life: Promise<void> = Promise.resolve()
  #sight: Sight = { atMs: 0, isLeased: false, isPortOpen: false }
  /** Start of the last look without any lease (ms of the monotonic clock): until then nothing may have arrived. */
  #cleanAtMs = Infinity
  /** The guard's process that was seen with the token while a lease was there. */
  #holder: number | undefined
  /** What was seen that must not be. */
  readonly violations: string[] = []
  /** What changed, and what happened to both, in order: for whoever looks for the cause of a violation. */
  readonly diary: string[] = []
  #lastState = ''
  readonly counts = {
    looks: 0,
    voidLooks: 0,
    permits: 0,
    briefPermits: 0,
    openings: 0,
    handOvers: 0,
    framesOut: 0,
  }
  /** When the last frame arrived outside (ms of the monotonic clock); null before the first. */
  lastFrameMs: number | null = null
  #excusedSinceMs: number | null = null
  /** Leases that were given, as the kernel tells of each; one that is withdrawn at once may come and go between two looks. */
  #given = 0
  #givenSeen = 0
  /** The last of both that was seen to begin, for the hand-overs. */
  #last: 'permit' | 'port' | undefined

  private constructor(
    lab: NetworkLab,
    station: Supervised,
    guard: Supervised,
    tokenPath: string,
    cover: string,
  ) {
    this.#lab = lab
    this.#station = station
    this.#guard = guard
    this.#tokenPath = tokenPath
    this.#cover = cover
    this.#nft = lab.station.start('nft', ['-j', '-i'], { stdio: ['pipe', 'pipe', 'ignore'] })
    createInterface({ input: this.#nft.stdout! }).on('line', (line) => this.#answers.shift()?.(line))
    const monitor = lab.station.start('nft', ['monitor', 'elements'], { stdio: ['ignore', 'pipe', 'ignore'] })
    createInterface({ input: monitor.stdout! }).on('line', (line) => {
      if (/^add element .* leased /.test(line)) this.#given++
    })
    this.#nft.stdin!.on('error', () => undefined)
  }

  /** Begins to look; the door has to be shut by then. */
  static async start(
    lab: NetworkLab,
    station: Supervised,
    guard: Supervised,
    tokenPath: string,
  ): Promise<AirlockObserver> {
    const ifindex = (await lab.station.run('cat', '/sys/class/net/up0/ifindex')).trim()
    const observer = new AirlockObserver(lab, station, guard, tokenPath, `groundlock_${ifindex}`)
    await lab.capture.take()
    observer.#cleanAtMs = monotonicMs()
    observer.#life = observer.#live()
    return observer
  }

  get sight(): Sight {
    return this.#sight
  }

  /** Resolves with the first look that fits; rejects with what it waited for. */
  async until(what: string, fits: (sight: Sight) => boolean, atMostMs = 20_000): Promise<Sight> {
    const began = monotonicMs()
    for (;;) {
      if (this.#sight.atMs > began && fits(this.#sight)) return this.#sight
      if (monotonicMs() - began > atMostMs) throw new Error(`${what}: not seen within ${atMostMs} ms`)
      await pause(EVERY_MS)
    }
  }

  /** Enters what happened into the diary. */
  enter(what: string): void {
    this.diary.push(`${monotonicMs().toFixed(0)} ms  ${what}`)
    if (this.diary.length > MAX_DIARY) this.diary.shift()
  }

  /**
   * Somebody throws away all tables. While permitted, or with no guard that lives, that opens all, whatever the leases say,
   * until a guard has made them again: frames count for nothing until it is shut once more and the guard has no token.
   */
  excuseFrames(): void {
    this.#excusedSinceMs = monotonicMs()
  }

  async stop(): Promise<void> {
    this.#isEnding = true
    await this.#life
    this.#nft.stdin!.end()
  }

  async #live(): Promise<void> {
    while (!this.#isEnding) {
      await this.#look()
      await pause(EVERY_MS)
    }
    await this.#takeFrames('shut')
  }

  async #look(): Promise<void> {
    const startMs = monotonicMs()
    const guardPid = this.#guard.livingPid
    const { isLeased, isLoaded } = await this.#readSets()
    const isPortOpen = this.#station.descriptors().some((path) => /^\/dev\/pts\/\d+/.test(path))
    const hasToken = this.#guard.descriptors().includes(this.#tokenPath)
    const sight = { atMs: startMs, isLeased, isPortOpen }
    if (isLeased) await this.#lookAgain(sight, hasToken, guardPid)
    this.counts.looks++
    const state = JSON.stringify({ isLeased, isPortOpen, isLoaded, hasToken, guardPid })
    if (state !== this.#lastState) this.enter(state)
    this.#lastState = state
    await this.#note(sight)
    const isOver = this.#excusedSinceMs !== null && startMs - this.#excusedSinceMs > EXCUSED_MS
    if (!isOver || !isLoaded || isLeased || hasToken) return
    await this.#takeFrames('just shut')
    this.#excusedSinceMs = null
    this.enter('frames count again')
  }

  /** A lease was there: was it there all the while? */
  async #lookAgain(sight: Sight, hasToken: boolean, guardPid: number | undefined): Promise<void> {
    if (!sight.isPortOpen && (hasToken || guardPid !== this.#holder)) {
      this.#holder = hasToken ? guardPid : undefined
      return
    }
    const { isLeased: isLeasedStill } = await this.#readSets()
    const lookedMs = monotonicMs() - sight.atMs
    if (lookedMs > SURE_WITHIN_MS) this.counts.voidLooks++
    else if (isLeasedStill && sight.isPortOpen)
      this.violations.push(`both doors are open at ${sight.atMs.toFixed(0)} ms`)
    else if (isLeasedStill && guardPid !== undefined && guardPid === this.#guard.livingPid)
      this.violations.push(`the guard freed the token under a lease at ${sight.atMs.toFixed(0)} ms`)
  }

  async #note(sight: Sight): Promise<void> {
    const before = this.#sight
    this.#sight = sight
    if (sight.isPortOpen && !before.isPortOpen) {
      this.counts.openings++
      this.#handOver('port')
    }
    if (sight.isLeased && !before.isLeased) {
      this.counts.permits++
      this.#handOver('permit')
      await this.#takeFrames('permitted')
    }
    if (!sight.isLeased && before.isLeased) await this.#takeFrames('just shut')
    if (sight.isLeased) this.#givenSeen = this.#given
    else {
      if (!before.isLeased && this.#givenSeen !== this.#given) await this.#forgetBriefPermit()
      this.#cleanAtMs = sight.atMs
    }
  }

  async #forgetBriefPermit(): Promise<void> {
    this.#givenSeen = this.#given
    this.counts.briefPermits++
    this.counts.framesOut += (await this.#lab.capture.take()).total
  }

  #handOver(to: 'permit' | 'port'): void {
    if (this.#last !== undefined && this.#last !== to) this.counts.handOvers++
    this.#last = to
  }

  /**
   * Counts what has arrived outside since the last count, and holds it against what was let out. When a lease was first seen:
   * nothing may have come before the last look without one. When it was first seen to be gone: nothing after that.
   */
  async #takeFrames(now: 'permitted' | 'just shut' | 'shut'): Promise<void> {
    const goneMs = monotonicMs()
    const arrived = await this.#lab.capture.take()
    if (arrived.total === 0) return
    this.lastFrameMs = arrived.lastMs
    if (this.#excusedSinceMs !== null) return
    const isTooEarly = now !== 'just shut' && arrived.firstMs! < this.#cleanAtMs
    const isTooLate = now === 'just shut' && arrived.lastMs! > goneMs + ON_THE_WAY_MS
    if (isTooEarly || isTooLate || now === 'shut') this.violations.push(leakText(now, arrived))
    else this.counts.framesOut += arrived.total
  }

  /** The lease sets of all families and uplinks: does one hold a lease, and are they there at all? */
  async #readSets(): Promise<{ isLeased: boolean; isLoaded: boolean }> {
    const line = new Promise<string>((resolve) => this.#answers.push(resolve))
    this.#nft.stdin!.write('list sets\n')
    const { nftables } = JSON.parse(await line) as { nftables: { set?: ListedSet }[] }
    const sets = nftables.flatMap(({ set }) => (set?.name === 'leased' ? [set] : []))
    return {
      isLeased: sets.some(({ elem }) => (elem?.length ?? 0) > 0),
      isLoaded: ['groundlock', this.#cover].every((table) => sets.some((set) => set.table === table)),
    }
  }
}

interface ListedSet {
  table: string
  name: string
  elem?: unknown[]
}

function leakText(now: string, { total, kinds, firstMs, lastMs, frames }: Arrived): string {
  return `${total} frames arrived outside while it was shut (${now}; ${firstMs} to ${lastMs} ms): ${JSON.stringify(kinds)}\n${frames.join('\n')}`
}
