/**
 * Kernel door: the door on nftables and links. What shuts goes through the resident nft at once; what opens is a child
 * that carries the token, one at a time, and is ended when shutting comes.
 */
import type { Log } from '../../base/log.js'
import { reasonOf } from '../../base/fault.js'
import { ChangeGatherer, changeText } from './changes.js'
import { startChild } from './child.js'
import type { Child, ChildOptions, Outcome } from './child.js'
import type { Door, DoorOptions } from './door.js'
import { linkFacts } from './link-facts.js'
import { AGAIN_MS, LinkDown } from './link-down.js'
import { LineMonitor } from './line-monitor.js'
import { survey } from './links.js'
import type { Survey } from './links.js'
import { chainDevices, parseListing } from './listing.js'
import { sortLinks } from './locals.js'
import type { LinkFacts, Sorted } from './locals.js'
import { overtakenFault, refusedFault, uncoveredFault } from './permit-fault.js'
import { isBlocked, radiosOf, setBlocked } from './radio.js'
import { compare, learnStructures, readingOf } from './reading.js'
import type { Comparison, DoorReading, Seen, Structures, Wrong } from './reading.js'
import { Resident } from './resident.js'
import * as rules from './ruleset.js'

/** A renewal that takes longer than a lease has failed (ms). */
const PERMIT_LIMIT_MS = rules.LEASE_S * 1000

/** Most process ids that are remembered as ours (count): each renewal and each read-back is one; a minute of them. */
const MAX_OWN_PIDS = 256

const NOTHING: Survey = { links: [], routes: [] }

export class KernelDoor implements Door {
  readonly #options: DoorOptions
  readonly #log: Log
  readonly #linkDown = new LinkDown()
  readonly #changes = new ChangeGatherer()
  readonly #ownPids = new Set<number>()
  /** Egress drops that were made, ifindex to name. */
  readonly #covered = new Map<number, string>()
  /** Radios that were blocked by us. */
  readonly #radios = new Set<number>()
  #monitors: LineMonitor[] = []
  #resident: Resident
  #structures: Structures | null = null
  #survey: Survey = NOTHING
  #sorted: Sorted = { locals: [], verified: [], uplinks: [] }
  #surveyTrouble: string | null = null
  /** The local interfaces that the base and the twin were filled with. */
  #baseLocals = ''
  #twinLocals = ''
  #isShut = true
  /** Grows with each shutting: what was begun before it must not open any more. */
  #epoch = 0
  /** The child that is just opening something. */
  #opener: Child | null = null
  #last: Promise<unknown> = Promise.resolve()
  #isReloading = false
  #isRepairWanted = false
  #isRefreshWanted = false
  #againTimer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: DoorOptions) {
    this.#options = options
    this.#log = options.log
    this.#resident = this.#newResident()
  }

  async start(): Promise<void> {
    // The base first: whatever a guard before this one left open is shut with it, in one transaction.
    await this.#loadBase()
    this.#structures = await this.#learn()
    this.#monitors = [
      new LineMonitor(
        'nft',
        ['monitor'],
        (line) => this.#onRuleLine(line),
        () => this.#repairSoon(),
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
    const first = this.#flush()
    this.#opener?.end()
    return this.#inTurn(async () => {
      await first
      await this.#flush()
      const twin = this.#ensureTwin()
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
      const bare = this.#sorted.uplinks.filter(({ ifindex, name }) => this.#covered.get(ifindex) !== name)
      if (bare.length > 0) throw uncoveredFault(bare.map(({ name }) => name))
      if (this.#isShut) {
        this.#isShut = false
        await this.#lift(check)
      }
      check()
      const text = rules.permitText(this.#sorted.uplinks)
      const { trouble } = await this.#open('nft', [text], { carriedFd: tokenFd, limitMs: PERMIT_LIMIT_MS })
      check()
      if (trouble !== null) throw refusedFault(trouble)
    })
  }

  read(): Promise<DoorReading> {
    return this.#inTurn(async () => {
      const [seen, comparison] = await this.#look()
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
    await this.#resident.end()
  }

  /** One thing after the other; but the flush of a shutting does not wait for its turn. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(task)
    this.#last = turn.catch(() => {})
    return turn
  }

  // ── what shuts ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes all leases away: those of the base first, then each cover's by itself. */
  async #flush(): Promise<void> {
    const lines = [
      rules.flushText(),
      ...[...this.#covered.keys()].map((index) => rules.flushCoverText(index)),
    ]
    await Promise.all(lines.map((line) => this.#shutting(line)))
  }

  /**
   * A shutting text, through the resident; through a child of its own as well where that is gone or late. All such texts may
   * be done twice, and whoever is first has shut.
   */
  async #shutting(text: string): Promise<string | null> {
    const resident = this.#resident
    const answer = resident.send(rules.oneLine(text))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), RESIDENT_LATE_MS)
    })
    const first = await Promise.race([answer, late])
    clearTimeout(timer)
    if (first === null || (first !== 'late' && resident.isAlive)) return first
    const spawned = this.#run('nft', ['-f', '-'], { input: text }).then(({ trouble }) => trouble)
    if (first !== 'late') return spawned
    const second = await Promise.race([answer, spawned])
    return second === null ? null : (await answer) === null ? null : spawned
  }

  /** Loads the base whole; where one family fails (a kernel without it), the others by themselves. */
  async #loadBase(): Promise<void> {
    this.#baseLocals = ''
    const { policy } = this.#options
    if ((await this.#shutting(rules.rulesetText(policy))) === null) return
    for (const family of rules.FAMILIES) {
      const trouble = await this.#shutting(rules.baseText(family, policy, []))
      if (trouble !== null) this.#log.error(`the ${family} base cannot be loaded: ${trouble}`)
    }
  }

  async #ensureTwin(isForced = false): Promise<void> {
    const locals = JSON.stringify(this.#sorted.verified)
    const resident = this.#resident
    if (resident.hasTwin && locals === this.#twinLocals && !isForced) return
    const text = rules.twinText(this.#options.policy, this.#sorted.verified)
    const trouble = await resident.send(rules.oneLine(text))
    resident.hasTwin = trouble === null
    this.#twinLocals = locals
    if (trouble !== null) this.#log.error(`the twin of the base cannot be loaded: ${trouble}`)
  }

  async #cover(uplink: rules.Uplink): Promise<void> {
    if (!rules.isPlainName(uplink.name)) return
    const trouble = await this.#shutting(rules.coverText(uplink))
    if (trouble === null) this.#covered.set(uplink.ifindex, uplink.name)
    else this.#covered.delete(uplink.ifindex) // gone again, most likely; the read-back says so if not
  }

  async #takeDown(isHarder: boolean): Promise<void> {
    const nowMs = performance.now()
    const { uplinks } = this.#sorted
    const due = isHarder ? uplinks : this.#linkDown.due(uplinks, nowMs)
    const trouble = await this.#linkDown.down(due, this.#survey.links, nowMs)
    if (trouble !== null) this.#log.warn(`a link was not taken down: ${trouble}`)
    for (const index of this.#uplinkRadios()) {
      if (isBlocked(index)) continue
      const why = setBlocked(index, true)
      if (why === null) this.#radios.add(index)
      else this.#log.warn(`a radio was not switched off: ${why}`)
    }
  }

  // ── what opens ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Twin and link down go before the first lease: the base keeps all shut until then. */
  async #lift(check: () => void): Promise<void> {
    clearTimeout(this.#againTimer)
    // The twin goes with its resident: so no resident is ever told to open. The next one is there before the last one goes.
    const old = this.#resident
    this.#resident = this.#newResident()
    await old.end()
    check()
    for (const index of this.#radios) setBlocked(index, false)
    this.#radios.clear()
    const lines = this.#linkDown.upLines(this.#survey.links)
    if (lines.length === 0) return
    const input = `${lines.join('\n')}\n`
    const { trouble } = await this.#open('ip', ['-force', '-batch', '-'], { input })
    if (trouble !== null) this.#log.warn(`a link was not taken up again: ${trouble}`)
  }

  /** Runs a child that opens; a shutting that comes ends it. Called in turn, so there is one at a time. */
  async #open(command: string, args: string[], options: ChildOptions): Promise<Outcome> {
    const child = startChild(command, args, options)
    this.#own(child.pid)
    this.#opener = child
    const outcome = await child.ended
    this.#opener = null
    return outcome
  }

  async #loadLocals(): Promise<void> {
    const locals = JSON.stringify(this.#sorted.verified)
    if (locals === this.#baseLocals) return
    const { trouble } = await this.#run('nft', ['-f', '-'], {
      input: rules.localsText(this.#sorted.verified),
    })
    if (trouble === null) this.#baseLocals = locals
    else this.#log.error(`the local interfaces cannot be loaded: ${trouble}`)
  }

  // ── what there is ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Looks at the interfaces, and covers, fills and takes down what that asks for. */
  async #refresh(): Promise<void> {
    this.#isRefreshWanted = false
    const before = devices(this.#sorted)
    await this.#surveyNow()
    for (const uplink of this.#sorted.uplinks) {
      if (this.#covered.get(uplink.ifindex) !== uplink.name) await this.#cover(uplink)
    }
    const there = new Set(this.#sorted.uplinks.map(({ ifindex }) => ifindex))
    for (const index of [...this.#covered.keys()].filter((each) => !there.has(each))) {
      await this.#uncover(rules.coverName(index))
      this.#covered.delete(index)
    }
    await this.#loadLocals()
    if (this.#isShut) {
      await this.#ensureTwin()
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
    this.#sorted = sortLinks(this.#options.policy, found, facts)
  }

  async #uncover(table: string): Promise<void> {
    await this.#run('nft', [rules.uncoverText(table)])
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
    if (wrong.base.length > 0 || wrong.leases.length > 0) await this.#loadBase()
    if (wrong.twin.length > 0) await this.#ensureTwin(true)
    for (const index of wrong.covers) this.#covered.delete(index)
    for (const table of wrong.stale) await this.#uncover(table)
    if (wrong.leases.length > 0) await this.#flush()
    await this.#refresh()
  }

  async #look(): Promise<[Seen, Comparison]> {
    const [listed, chains] = await Promise.all([
      this.#run('nft', ['-j', 'list', 'ruleset']),
      this.#run('nft', ['list', 'chains', 'netdev']),
      this.#surveyNow(),
    ])
    const listing = listed.trouble === null ? parseListing(listed.stdout, chainDevices(chains.stdout)) : null
    const seen: Seen = {
      listing: listing ?? { ours: new Map(), foreign: [] },
      links: this.#survey.links,
      sorted: this.#sorted,
      structures: this.#structures,
      isShut: this.#isShut,
    }
    const comparison = compare(seen)
    if (listing === null) comparison.problems.unshift(listed.trouble ?? 'nft: its listing cannot be read')
    if (this.#surveyTrouble !== null) comparison.problems.unshift(this.#surveyTrouble)
    return [seen, comparison]
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

  async #learn(): Promise<Structures | null> {
    const input = `${rules.oneLine(rules.patternText(this.#options.policy))}\nlist ruleset\n`
    const { trouble, stdout } = await this.#run('nft', ['-j', '-i'], { input })
    const listing = parseListing(stdout)
    const structures = listing === null ? null : learnStructures(listing)
    if (structures === null) this.#log.error(`the ruleset cannot be learnt: ${trouble ?? 'no listing'}`)
    return structures
  }

  // ── what others do ────────────────────────────────────────────────────────────────────────────────────────────────────

  #onRuleLine(line: string): void {
    const change = this.#changes.line(line)
    if (change === null || change.pid === this.#resident.pid || this.#ownPids.has(change.pid)) return
    this.#log.warn(`another program changed the door's tables: ${changeText(change)}`)
    this.#reloadNow()
    this.#repairSoon()
    this.#options.onForeignChange(changeText(change))
  }

  /** The base again at once, ahead of everything that waits for its turn; several changes in a row are one. */
  #reloadNow(): void {
    if (this.#isReloading || this.#isClosed) return
    this.#isReloading = true
    void this.#loadBase().then(() => {
      this.#isReloading = false
    })
  }

  #onLinkLine(line: string): void {
    const gone = Number(/^Deleted (\d+): [^<]*</.exec(line)?.[1])
    if (this.#covered.delete(gone)) {
      // Its index may be used again: the device that gets it must not find its lease.
      if (!this.#isShut) void this.#flush()
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

  #newResident(): Resident {
    const resident = new Resident((gone) => {
      if (gone !== this.#resident || this.#isClosed) return
      this.#log.warn('the resident nft ended; another takes its place')
      setTimeout(() => this.#replaceResident(gone), RESIDENT_AGAIN_MS)
    })
    this.#own(resident.pid)
    return resident
  }

  #replaceResident(gone: Resident): void {
    if (gone !== this.#resident || this.#isClosed) return
    this.#resident = this.#newResident()
    this.#repairSoon()
  }

  #run(command: string, args: string[], options: ChildOptions = {}): Promise<Outcome> {
    const child = startChild(command, args, options)
    this.#own(child.pid)
    return child.ended
  }

  /** What these processes change is no news. */
  #own(pid: number | undefined): void {
    if (pid !== undefined) this.#ownPids.add(pid)
    const [oldest] = this.#ownPids
    if (this.#ownPids.size > MAX_OWN_PIDS) this.#ownPids.delete(oldest!)
  }
}

/** An answer of the resident takes 1 ms, 10 on a busy machine; from here on (ms) a spawned nft is asked as well. */
const RESIDENT_LATE_MS = 250

/** How long after its end the resident is started again (ms); meanwhile spawned ones do its work. */
const RESIDENT_AGAIN_MS = 20

/** The set of (ifindex, name), as text. */
function devices({ uplinks, verified }: Sorted): string {
  return JSON.stringify([uplinks.map(({ ifindex, name }) => [ifindex, name]), verified])
}
