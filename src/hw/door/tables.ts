/**
 * Tables: ours in the kernel, made and made again. What shuts goes through the resident nft, and may be done twice; what opens
 * is not here, but for the local interfaces, which a spawned nft fills in.
 */
import { behindInput } from '../../base/behind-input.js'
import type { Behind } from '../../base/behind-input.js'
import type { Log } from '../../base/log.js'
import { toldOnce } from '../../base/told-once.js'
import { LEASE_MS } from '../token/lease.js'
import { startTool } from './child.js'
import type { Child, Outcome, ToolOptions } from './child.js'
import { Late } from './late.js'
import { parseListing } from './listing.js'
import type { DoorPolicy } from './policy.js'
import { learnStructures } from './reading.js'
import type { Structures } from './reading.js'
import { Resident } from './resident.js'
import * as rules from './ruleset.js'
import type { VerifiedLocal } from './ruleset.js'

/** Most process ids that are remembered as ours (count): some a second; their news come at once. */
const MAX_OWN_PIDS = 256

/** An answer of the resident takes 1 ms, 10 on a busy machine; from here on (ms) a spawned nft is asked as well. */
const RESIDENT_LATE_MS = 250

/** How long after its end the resident is started again (ms); meanwhile spawned ones do its work. */
const RESIDENT_AGAIN_MS = 20

/** A resident that lived shorter (ms) could not begin: nft is half upgraded, or the machine has no room. */
const RESIDENT_SHORT_MS = 1000

/** How long after the second such end in a row the next is started (ms): seldom enough for a fault that lasts. */
const RESIDENT_LATER_MS = 1000

/** So many lines (count), and another resident takes its place: nft keeps up to two thirds of a kB of each. */
const RESIDENT_MOST_LINES = 2000

/** So many covers (count) are made or removed in one transaction: nft takes some 1.5 MB for each, beside what it reads. */
const MOST_COVERS = 16

export class Tables {
  readonly #policy: DoorPolicy
  readonly #onResidentGone: () => void
  readonly #ownPids = new Set<number>()
  /** Egress drops that were made, ifindex to name. */
  readonly #covered = new Map<number, string>()
  readonly #tellEnd: (trouble: string) => void
  readonly #tellTwin: (trouble: string) => void
  readonly #tellLocals: (trouble: string) => void
  readonly #tellLearn: (trouble: string) => void
  readonly #tellBase: readonly (readonly [rules.Family, (trouble: string) => void])[]
  /** The base's never wait behind the covers'. */
  readonly #lateBase: Late
  readonly #lateCovers: Late
  #resident: Resident
  #wasShort = false
  #againTimer: NodeJS.Timeout | undefined
  /** The local interfaces that the base and the twin were filled with. */
  #baseLocals = ''
  #twinLocals = ''
  #isClosed = false

  /** @param onResidentGone another is there; the twin went with the last one. */
  constructor(policy: DoorPolicy, log: Log, onResidentGone: () => void) {
    this.#policy = policy
    this.#onResidentGone = onResidentGone
    this.#tellEnd = toldOnce((trouble) => log.warn(trouble))
    const toldOf = (what: string) => toldOnce((trouble) => log.error(`${what} cannot be loaded: ${trouble}`))
    this.#tellTwin = toldOf('the twin of the base')
    this.#tellLocals = toldOf('the local interfaces')
    this.#tellLearn = toldOnce((trouble) => log.error(`the ruleset cannot be learnt: ${trouble}`))
    this.#tellBase = rules.FAMILIES.map((family) => [family, toldOf(`the ${family} base`)])
    const spawned = async (text: string) => (await this.run('nft', ['-f', '-'], { input: text })).trouble
    this.#lateBase = new Late(spawned)
    this.#lateCovers = new Late(spawned)
    this.#resident = this.#newResident()
  }

  /** Takes all leases away: those of the base first, then those of the covers. In the pipe when this returns. */
  async flush(): Promise<void> {
    const base = this.#shutting(rules.flushText(), this.#lateBase)
    // Later there is nothing left to take away.
    const lapsedMs = performance.now() + LEASE_MS
    const covers = this.#coversDone(this.covered, rules.flushCoverText, lapsedMs)
    // One set that is missing keeps the others full: then all are made again, which are empty.
    if ((await base) !== null) await this.loadBase()
    await covers
  }

  /**
   * The covers' texts in one transaction, for nft reads all tables for each; where that fails, in halves, down to the one that
   * fails alone. One after the other: resolves with those that were not done. After `untilMs` nothing is halved.
   */
  async #coversDone<T>(
    covers: readonly T[],
    textOf: (cover: T) => string,
    untilMs = Infinity,
  ): Promise<readonly T[]> {
    if (covers.length === 0) return []
    if ((await this.#shutting(covers.map(textOf).join(''), this.#lateCovers)) === null) return []
    if (covers.length === 1 || performance.now() > untilMs) return covers
    const middle = Math.ceil(covers.length / 2)
    const first = await this.#coversDone(covers.slice(0, middle), textOf, untilMs)
    return [...first, ...(await this.#coversDone(covers.slice(middle), textOf, untilMs))]
  }

  /**
   * A shutting text, through the resident; through a spawned nft as well where that is gone or late. All such texts may be done
   * twice, and whoever is first has shut.
   */
  async #shutting(text: string, late: Late): Promise<string | null> {
    const resident = this.#resident
    const answer = resident.send(rules.oneLine(text))
    let wait: Behind | undefined
    const isLate = new Promise<'late'>((resolve) => {
      wait = behindInput(RESIDENT_LATE_MS, () => resolve('late'))
    })
    const first = await Promise.race([answer, isLate])
    wait?.cancel()
    if (first === null || (first !== 'late' && resident.isAlive)) return first
    const spawned = late.do(text, answer)
    if (first !== 'late') return spawned
    const second = await Promise.race([answer, spawned])
    return second === null ? null : (await answer) === null ? null : spawned
  }

  /** Loads the base whole; where one family fails (a kernel without it), the others by themselves. */
  async loadBase(): Promise<void> {
    this.#baseLocals = ''
    const policy = this.#policy
    const isWhole = (await this.#shutting(rules.rulesetText(policy), this.#lateBase)) === null
    for (const [family, tell] of this.#tellBase) {
      const text = rules.baseText(family, policy, [])
      tell(isWhole ? '' : ((await this.#shutting(text, this.#lateBase)) ?? ''))
    }
  }

  /** Makes the twin, unless this resident has made it already with these local interfaces. */
  async ensureTwin(verified: readonly VerifiedLocal[], isForced = false): Promise<void> {
    const locals = JSON.stringify(verified)
    if (this.#resident.isAlive && this.#resident.lineCount >= RESIDENT_MOST_LINES) await this.#renew()
    const resident = this.#resident
    if (resident.hasTwin && locals === this.#twinLocals && !isForced) return
    const text = rules.twinText(this.#policy, verified)
    const trouble = await resident.send(rules.oneLine(text))
    resident.hasTwin = trouble === null
    this.#twinLocals = locals
    // Of one that has ended in one and the same words, whether it did so before or meanwhile.
    this.#tellTwin(trouble === null || resident.isAlive ? (trouble ?? '') : 'nft: there is no resident')
  }

  /** The uplinks' egress drops, without a lease. */
  async cover(uplinks: readonly rules.Uplink[]): Promise<void> {
    const plain = uplinks.filter(({ name }) => rules.isPlainName(name))
    for (const some of pieces(plain)) {
      const bare = await this.#coversDone(some, rules.coverText)
      for (const { ifindex, name } of some) this.#covered.set(ifindex, name)
      for (const { ifindex } of bare) this.#covered.delete(ifindex) // gone again, most likely; the read-back says so if not
    }
  }

  /** Fills the base with the verified local interfaces, unless it has them. */
  async loadLocals(verified: readonly VerifiedLocal[]): Promise<void> {
    const locals = JSON.stringify(verified)
    if (locals === this.#baseLocals) return
    const { trouble } = await this.run('nft', ['-f', '-'], {
      input: rules.localsText(verified),
    })
    if (trouble === null) this.#baseLocals = locals
    this.#tellLocals(trouble ?? '')
  }

  /**
   * The twin goes with its resident, so that no resident is ever told to open. The next one is there before the last one goes.
   */
  async dropTwin(): Promise<void> {
    const old = this.#resident
    const next = this.#newResident()
    await next.send('') // it answers when it is there: until then the old one shuts
    this.#resident = next
    // One that ended before it had its place was missed by nobody, and nobody replaced it.
    if (!next.isAlive) this.#replaceSoon(next)
    await old.end()
  }

  /** Another resident for one that has grown. Meanwhile base and covers shut; where no other can be had, this one stays. */
  async #renew(): Promise<void> {
    const old = this.#resident
    const next = this.#newResident()
    await next.send('')
    if (!next.isAlive || old !== this.#resident) return next.end()
    this.#resident = next
    await old.end()
  }

  isCovered({ ifindex, name }: rules.Uplink): boolean {
    return this.#covered.get(ifindex) === name
  }

  get covered(): number[] {
    return [...this.#covered.keys()]
  }

  /** Its cover is to be made again. True if there was one. */
  forget(ifindex: number): boolean {
    return this.#covered.delete(ifindex)
  }

  /** Never through the resident: read late, it would bare a device that has the index by then. */
  async uncover(tables: readonly string[]): Promise<void> {
    for (const some of pieces(tables)) {
      const { trouble } = await this.run('nft', ['-f', '-'], { input: some.map(rules.uncoverText).join('') })
      if (trouble !== null && some.length > 1) for (const table of some) await this.uncover([table])
    }
  }

  /** How this nft lists our structures; null where it cannot load them. */
  async learn(): Promise<Structures | null> {
    const input = `${rules.oneLine(rules.patternText(this.#policy))}\nlist ruleset\n`
    const { trouble, stdout } = await this.run('nft', ['-i'], { input })
    const listing = parseListing(stdout)
    const structures = listing === null ? null : learnStructures(listing)
    this.#tellLearn(structures === null ? (trouble ?? 'no listing') : '')
    return structures
  }

  #newResident(): Resident {
    const resident = new Resident((gone) => {
      if (gone === this.#resident) this.#replaceSoon(gone)
    })
    this.#own(resident.pid)
    return resident
  }

  #replaceSoon(gone: Resident): void {
    if (this.#isClosed) return
    const isShort = gone.livedMs < RESIDENT_SHORT_MS
    if (!isShort) this.#tellEnd('')
    this.#tellEnd('the resident nft ended; another takes its place')
    const againMs = isShort && this.#wasShort ? RESIDENT_LATER_MS : RESIDENT_AGAIN_MS
    this.#wasShort = isShort
    clearTimeout(this.#againTimer)
    this.#againTimer = setTimeout(() => this.#replaceResident(gone), againMs)
  }

  #replaceResident(gone: Resident): void {
    if (gone !== this.#resident || this.#isClosed) return
    this.#resident = this.#newResident()
    this.#onResidentGone()
  }

  /** Did a process of ours do it? */
  isOwn(pid: number): boolean {
    return pid === this.#resident.pid || this.#ownPids.has(pid)
  }

  /** Starts a tool whose changes are ours. */
  start(command: string, args: string[], options: ToolOptions = {}): Child {
    const child = startTool(command, args, options)
    this.#own(child.pid)
    return child
  }

  run(command: string, args: string[], options: ToolOptions = {}): Promise<Outcome> {
    return this.start(command, args, options).ended
  }

  /** Ends the children; what is in the kernel stays, but for the twin. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#againTimer)
    await this.#resident.end()
  }

  /** What these processes change is no news. */
  #own(pid: number | undefined): void {
    if (pid !== undefined) this.#ownPids.add(pid)
    const [oldest] = this.#ownPids
    if (this.#ownPids.size > MAX_OWN_PIDS) this.#ownPids.delete(oldest!)
  }
}

function pieces<T>(all: readonly T[]): T[][] {
  const count = Math.ceil(all.length / MOST_COVERS)
  return Array.from({ length: count }, (_, at) => all.slice(at * MOST_COVERS, (at + 1) * MOST_COVERS))
}
