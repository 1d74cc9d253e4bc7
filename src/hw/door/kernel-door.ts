/**
 * Kernel door: the door on nftables and links. What shuts goes through the resident nft at once; what opens is a child
 * that carries the token, one at a time, and is ended when shutting comes.
 */
import { randomInt } from 'node:crypto'
import { monotonicMs } from '../../base/clock.js'
import type { Log } from '../../base/log.js'
import { reasonOf } from '../../base/fault.js'
import { LEASE_MS } from '../token/lease.js'
import { BlockedRadios } from './blocked-radios.js'
import { ChangeGatherer, changeText } from './changes.js'
import type { Child, Outcome, ToolOptions } from './child.js'
import type { Door, DoorOptions } from './door.js'
import { linkFacts } from './link-facts.js'
import { AGAIN_MS, LinkDown } from './link-down.js'
import { LineMonitor } from './line-monitor.js'
import { survey } from './links.js'
import type { Survey } from './links.js'
import { parseListing } from './listing.js'
import { sortLinks } from './locals.js'
import type { LinkFacts, Sorted } from './locals.js'
import { overtakenFault, refusedFault, uncoveredFault } from './permit-fault.js'
import { isBlocked, radiosOf } from './radio.js'
import { compare, readingOf } from './reading.js'
import type { Comparison, DoorReading, Seen, Structures, Wrong } from './reading.js'
import * as rules from './ruleset.js'
import { Tables } from './tables.js'

/** A renewal that takes longer than a lease has failed (ms). */
const PERMIT_LIMIT_MS = LEASE_MS

const NOTHING: Survey = { links: [], routes: [] }

export class KernelDoor implements Door {
  readonly #options: DoorOptions
  readonly #log: Log
  readonly #tables: Tables
  readonly #linkDown = new LinkDown()
  #changes = new ChangeGatherer()
  readonly #radios: BlockedRadios
  #monitors: LineMonitor[] = []
  #structures: Structures | null = null
  #survey: Survey = NOTHING
  #sorted: Sorted = { locals: [], verified: [], uplinks: [] }
  #surveyTrouble: string | null = null
  #isShut = true
  /** Uplinks (ifindex) that have a lease as far as we know: of the last permit, and not taken back by us. */
  #permitted: ReadonlySet<number> = new Set()
  /** Grows with each shutting: what was begun before it must not open any more. */
  #epoch = 0
  /** Number of the opening that is on: at random, as connections outlive a guard. */
  #opening = 0
  /** The child that is just opening something. */
  #opener: Child | null = null
  #last: Promise<unknown> = Promise.resolve()
  #isReloading = false
  /** Tables of ours that another program changed, and that were not made again yet. */
  readonly #touched = new Set<string>()
  #isRepairWanted = false
  #isRefreshWanted = false
  #againTimer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: DoorOptions) {
    this.#options = options
    this.#log = options.log
    this.#radios = new BlockedRadios(options.radiosFile, options.log)
    this.#tables = new Tables(options.policy, options.log, () => this.#repairSoon())
  }

  async start(): Promise<void> {
    // The base first: whatever a guard before this one left open is shut with it, in one transaction. Then the covers, for
    // somebody may have swept them away while no guard lived.
    await this.#tables.loadBase()
    await this.#refresh()
    this.#monitors = [
      new LineMonitor(
        'nft',
        ['monitor'],
        (line) => this.#onRuleLine(line),
        () => {
          this.#changes = new ChangeGatherer() // half a transaction would go with another program's
          this.#repairSoon()
        },
      ),
      new LineMonitor(
        'ip',
        ['-o', 'monitor', 'link', 'addr', 'route'],
        (line) => this.#onLinkLine(line),
        () => this.#refreshSoon(),
      ),
    ]
    await this.shut()
  }

  /**
   * The order, and why each step is where it is:
   *  1. flush the leases, in the pipe of the resident before anything is awaited: from here on nothing leaves.
   *  2. end the child that is opening and await it: its transaction may have come after our flush.
   *  3. flush again: now nobody is left who could open.
   *  4. the twin, so that no other program's flush of the ruleset opens what is shut.
   *  5. links down: what a slow device still has in its queue is thrown away, not sent.
   *  6. radios off: a link that somebody takes up again finds no air.
   *  7. read back, and only then answer: what is not there is made once more, and read again.
   */
  shut({ harder }: { harder: boolean } = { harder: false }): Promise<DoorReading> {
    this.#epoch++
    this.#isShut = true
    const first = this.#tables.flush()
    this.#opener?.end()
    return this.#inTurn(async () => {
      await first
      await this.#tables.flush()
      const twin = this.#tables.ensureTwin(this.#sorted.verified)
      await this.#takeDown(harder)
      await twin
      await this.#refresh()
      return this.#verified()
    })
  }

  permit(tokenFd: number): Promise<void> {
    const epoch = this.#epoch
    const check = () => {
      if (epoch !== this.#epoch || this.#isClosed) throw overtakenFault()
    }
    return this.#inTurn(async () => {
      check()
      await this.#refresh()
      check()
      if (this.#surveyTrouble !== null) throw refusedFault(this.#surveyTrouble)
      const bare = this.#sorted.uplinks.filter((uplink) => !this.#tables.isCovered(uplink))
      if (bare.length > 0) throw uncoveredFault(bare.map(({ name }) => name))
      if (this.#isShut) {
        this.#isShut = false
        this.#opening = randomInt(1, 2 ** 32)
        await this.#lift(check)
      }
      check()
      const { uplinks } = this.#sorted
      const text = rules.permitText(uplinks, this.#opening)
      // Before it is done: a device that goes meanwhile takes the leases of all along.
      this.#permitted = new Set(uplinks.map(({ ifindex }) => ifindex))
      const { trouble } = await this.#open('nft', [text], { carriedFd: tokenFd, limitMs: PERMIT_LIMIT_MS })
      check()
      if (trouble !== null) throw refusedFault(trouble)
    })
  }

  read(): Promise<DoorReading> {
    return this.#inTurn(async () => {
      const [seen, comparison] = await this.#look()
      // Nobody tells of a radio that was switched on.
      if (this.#isShut) this.#blockRadios()
      // A device that came or went between two tools' answers looks like a difference: those are settled first.
      if (comparison.problems.length === 0) return this.#reading(seen, comparison)
      await this.#refresh()
      return this.#reading(...(await this.#look()))
    })
  }

  async close(): Promise<void> {
    clearTimeout(this.#againTimer)
    for (const monitor of this.#monitors) monitor.close()
    await this.shut()
    this.#isClosed = true
    clearTimeout(this.#againTimer)
    await this.#tables.close()
  }

  /** One thing after the other; but the flush of a shutting does not wait for its turn. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(task)
    this.#last = turn.catch(() => {})
    return turn
  }

  // ── what shuts ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #takeDown(isHarder: boolean): Promise<void> {
    const nowMs = performance.now()
    const { uplinks } = this.#sorted
    const due = isHarder ? uplinks : this.#linkDown.due(uplinks, nowMs)
    const trouble = await this.#linkDown.down(due, this.#survey.links, nowMs)
    if (trouble !== null) this.#log.warn(`a link was not taken down: ${trouble}`)
    this.#blockRadios()
  }

  #blockRadios(): void {
    for (const index of this.#uplinkRadios()) this.#radios.block(index)
  }

  // ── what opens ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Twin and link down go before the first lease: the base keeps all shut until then. */
  async #lift(check: () => void): Promise<void> {
    clearTimeout(this.#againTimer)
    await this.#tables.dropTwin()
    check()
    this.#radios.giveBack()
    const lines = this.#linkDown.upLines(this.#survey.links)
    if (lines.length === 0) return
    const input = `${lines.join('\n')}\n`
    const { trouble } = await this.#open('ip', ['-force', '-batch', '-'], { input })
    if (trouble !== null) this.#log.warn(`a link was not taken up again: ${trouble}`)
  }

  /** Runs a child that opens; a shutting that comes ends it. Called in turn, so there is one at a time. */
  async #open(command: string, args: string[], options: ToolOptions): Promise<Outcome> {
    const child = this.#tables.start(command, args, options)
    this.#opener = child
    const outcome = await child.ended
    this.#opener = null
    return outcome
  }

  // ── what there is ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Looks at the interfaces, and covers, fills and takes down what that asks for. */
  async #refresh(): Promise<void> {
    this.#isRefreshWanted = false
    const before = devices(this.#sorted)
    await this.#surveyNow()
    await this.#tables.cover(this.#sorted.uplinks.filter((uplink) => !this.#tables.isCovered(uplink)))
    const there = new Set(this.#sorted.uplinks.map(({ ifindex }) => ifindex))
    const gone = this.#tables.covered.filter((each) => !there.has(each))
    await this.#tables.uncover(gone.map(rules.coverName))
    for (const index of gone) this.#tables.forget(index)
    await this.#tables.loadLocals(this.#sorted.verified)
    if (this.#isShut) {
      await this.#tables.ensureTwin(this.#sorted.verified)
      await this.#takeDown(false)
      this.#lookAgainAtLinks()
    }
    if (before !== devices(this.#sorted)) this.#options.onDevices()
  }

  async #surveyNow(): Promise<void> {
    const found = await survey(this.#options.policy.locals.length > 0)
    this.#surveyTrouble = 'trouble' in found ? found.trouble : null
    if ('trouble' in found) return // what was known stays: nothing becomes local by not being seen
    const facts = new Map<number, LinkFacts>()
    for (const link of found.links) {
      if (this.#options.policy.locals.some(({ name }) => name === link.name)) {
        facts.set(link.ifindex, linkFacts(link))
      }
    }
    this.#survey = found
    this.#sorted = sortLinks(this.#options.policy, found, facts, this.#sorted.locals)
  }

  /** A link that was taken up within the last second is taken down at its end. */
  #lookAgainAtLinks(): void {
    clearTimeout(this.#againTimer)
    if (!this.#sorted.uplinks.some(({ isUp }) => isUp) || this.#isClosed) return
    this.#againTimer = setTimeout(() => this.#refreshSoon(), AGAIN_MS)
  }

  /** Reads, makes again what is wrong, and reads once more. */
  async #verified(): Promise<DoorReading> {
    const [seen, comparison] = await this.#look()
    if (comparison.problems.length === 0 && comparison.wrong.stale.length === 0) {
      return this.#reading(seen, comparison)
    }
    await this.#mend(comparison.wrong)
    return this.#reading(...(await this.#look()))
  }

  async #mend(wrong: Wrong): Promise<void> {
    if (wrong.base.length > 0 || wrong.leases.length > 0) await this.#tables.loadBase()
    if (wrong.twin.length > 0) await this.#tables.ensureTwin(this.#sorted.verified, true)
    for (const index of wrong.covers) this.#tables.forget(index)
    await this.#tables.uncover(wrong.stale)
    if (wrong.leases.length > 0) await this.#tables.flush()
    await this.#refresh()
  }

  async #look(): Promise<[Seen, Comparison]> {
    const atMs = monotonicMs()
    const list = this.#tables.run('nft', ['list', 'ruleset'])
    const [listed] = await Promise.all([list, this.#surveyNow(), this.#learnOnce()])
    const listing = listed.trouble === null ? parseListing(listed.stdout) : null
    const seen: Seen = {
      atMs,
      listing: listing ?? { ours: new Map(), foreign: [] },
      links: this.#survey.links,
      sorted: this.#sorted,
      structures: this.#structures,
      isShut: this.#isShut,
      permitted: this.#permitted,
      isRead: listing !== null && this.#surveyTrouble === null,
    }
    const comparison = compare(seen)
    // Of what was not read nothing is known to be missing, though all of it is made again.
    if (listing === null) comparison.problems = [listed.trouble ?? 'nft: its listing cannot be read']
    if (this.#surveyTrouble !== null) comparison.problems.unshift(this.#surveyTrouble)
    return [seen, comparison]
  }

  /** Again where it failed: it may have been for want of memory, and without it nothing is ever as it should be. */
  async #learnOnce(): Promise<void> {
    this.#structures ??= await this.#tables.learn()
  }

  #reading(seen: Seen, comparison: Comparison): DoorReading {
    const radios = this.#uplinkRadios()
    return readingOf(comparison, seen, radios.length === 0 ? null : radios.every((index) => isBlocked(index)))
  }

  #uplinkRadios(): number[] {
    const locals = this.#survey.links.filter(({ ifindex }) =>
      this.#sorted.verified.some((local) => local.ifindex === ifindex),
    )
    return radiosOf(this.#sorted.uplinks, locals)
  }

  // ── what others do ────────────────────────────────────────────────────────────────────────────────────────────────────

  #onRuleLine(line: string): void {
    const change = this.#changes.line(line)
    if (change === null || this.#tables.isOwn(change.pid)) return
    void this.#reloadNow(change.tables)
    this.#repairSoon()
    this.#options.onForeignChange(changeText(change))
  }

  /**
   * What was touched, base or covers, again at once, ahead of everything that waits for its turn: a renewal may hang for
   * seconds, and a guard that was killed meanwhile would leave the uplinks bare. Several changes in a row are one. What was
   * not touched keeps its leases: udev covers a device that appears, and no permit lapses of that.
   */
  async #reloadNow(touched: readonly string[]): Promise<void> {
    for (const table of touched) this.#touched.add(table)
    if (this.#isReloading) return
    this.#isReloading = true
    while (this.#touched.size > 0 && !this.#isClosed) {
      const tables = [...this.#touched]
      this.#touched.clear()
      if (tables.some((table) => !table.startsWith('netdev '))) await this.#tables.loadBase()
      const isTouched = ({ ifindex }: rules.Uplink) => tables.includes(`netdev ${rules.coverName(ifindex)}`)
      await this.#tables.cover(this.#sorted.uplinks.filter(isTouched))
    }
    this.#isReloading = false
  }

  #onLinkLine(line: string): void {
    const gone = Number(/^Deleted (\d+): [^<]*</.exec(line)?.[1])
    if (this.#tables.forget(gone) && !this.#isShut) {
      // Its index may be used again: the device that gets it must not find its lease. The others get theirs again.
      this.#permitted = new Set()
      void this.#tables.flush()
    }
    this.#refreshSoon()
  }

  #refreshSoon(): void {
    if (this.#isRefreshWanted || this.#isClosed) return
    this.#isRefreshWanted = true
    void this.#inTurn(() => this.#refresh()).catch((error: unknown) => this.#log.error(reasonOf(error)))
  }

  #repairSoon(): void {
    if (this.#isRepairWanted || this.#isClosed) return
    this.#isRepairWanted = true
    void this.#inTurn(async () => {
      this.#isRepairWanted = false
      await this.#verified()
    }).catch((error: unknown) => this.#log.error(reasonOf(error)))
  }
}

/** The set of (ifindex, name), as text. */
function devices({ uplinks, verified }: Sorted): string {
  return JSON.stringify([uplinks.map(({ ifindex, name }) => [ifindex, name]), verified])
}
