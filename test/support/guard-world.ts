/**
 * Guard world: everything around the decision, simulated: lever, token, lease, nft children, station, vehicle, kernel,
 * and the guard's loop of reading, deciding and doing. Events come from outside; `broken` gathers what must not be.
 */
import { decide } from '../../src/hw/decide/decide.js'
import type { Decision, Effect, GuardInputs, GuardState } from '../../src/hw/decide/guard-state.js'
import { startState } from '../../src/hw/decide/guard-state.js'
import { LEASE_MS } from '../../src/hw/token/lease.js'
import { calmInputs } from './guard-readings.js'
import { brokenRules } from './guard-rules.js'

const SETTLING_MS = 500
const NEVER_MS = Infinity

/** A spawned nft that will commit a lease; it carries the token. */
interface Child {
  commitMs: number
  endMs: number
  fails: boolean
  /** Its guard was killed. */
  isOrphan: boolean
}

export class GuardWorld {
  nowMs = 0
  lever: 'shut' | 'permit' = 'shut'
  leverSinceMs = -SETTLING_MS
  isSwitchBroken = false
  shutSeen = true

  /** deaf: it runs, yet has no connection to the guard. */
  station: 'up' | 'hung' | 'deaf' | 'down' = 'up'
  stationHolds = false
  /** When the station's full wait is over; the port opens then. */
  opensAtMs = NEVER_MS
  isPortOpen = false
  vehicle: GuardInputs['vehicle'] = 'disarmed'
  askedMs = NEVER_MS
  answer: 'none' | 'gave way' | 'refused' = 'none'

  guard: 'up' | 'hung' | 'down' = 'up'
  state: GuardState = startState(0)
  guardHolds = false
  tokenAtMs = -Infinity
  decision: Decision | undefined
  permit: GuardInputs['permit'] = 'none'
  kernel: GuardInputs['kernel'] = 'shut'
  kernelAtMs = -Infinity

  children: Child[] = []
  leaseUntilMs = 0
  permittedOnce = false
  isTampered = false
  /** Shutting failed: the door says so in every reading until it works. */
  isUnshut = false
  isTokenReplaced = false
  isSending = false
  /** Tools of the guard that work now. */
  canShut = true
  canRead = true
  canPermit = true
  nftDelayMs = 50

  readonly broken = new Set<string>()
  /** Row names in the order in which they decided; undefined where nobody asked for it. */
  rows: Set<string> | undefined
  private readonly inputs = calmInputs()

  get isLeased(): boolean {
    return this.nowMs < this.leaseUntilMs
  }

  get isTokenFree(): boolean {
    return !this.guardHolds && !this.stationHolds && this.children.length === 0
  }

  /** Time passes; what was under way happens in its order, and the guard looks at the end. */
  pass(ms: number): void {
    const endMs = this.nowMs + ms
    for (;;) {
      const nextMs = this.nextMs()
      if (nextMs > endMs) break
      this.nowMs = nextMs
      this.happen()
    }
    this.nowMs = endMs
    this.look()
  }

  private nextMs(): number {
    let nextMs = this.opensAtMs
    for (const { commitMs, endMs } of this.children) nextMs = Math.min(nextMs, commitMs, endMs)
    return nextMs
  }

  private happen(): void {
    if (this.opensAtMs <= this.nowMs) this.openPort()
    for (const child of this.children) {
      if (child.commitMs > this.nowMs) continue
      child.commitMs = NEVER_MS
      if (!child.fails) this.leaseUntilMs = this.nowMs + LEASE_MS
      if (!child.isOrphan) this.permit = child.fails ? 'failed' : 'ok'
    }
    this.children = this.children.filter(({ endMs }) => endMs > this.nowMs)
    this.neverBoth()
  }

  private openPort(): void {
    this.opensAtMs = NEVER_MS
    this.isPortOpen = true
    this.neverBoth()
  }

  private neverBoth(): void {
    if (this.isPortOpen && this.isLeased) this.broken.add('never both: an open serial port and a live permit')
  }

  /** The station's turn: it takes the token where it may, and waits out a lease or asks. */
  stationTakes(): void {
    if (
      this.station === 'hung' ||
      this.station === 'down' ||
      this.stationHolds ||
      !this.isTokenFree ||
      this.isTokenReplaced
    )
      return
    this.stationHolds = true
    const isVerified = this.guard === 'up' && this.station === 'up' && !this.isLeased && !this.isTampered
    this.opensAtMs = isVerified || !this.permittedOnce ? this.nowMs : this.nowMs + LEASE_MS
    if (this.opensAtMs === this.nowMs) this.openPort()
  }

  stationAnswers(willing: boolean): void {
    if (this.station !== 'up' || this.askedMs === NEVER_MS || this.answer !== 'none') return
    this.answer = willing ? 'gave way' : 'refused'
    if (willing) this.stationLetsGo()
  }

  stationKilled(): void {
    this.station = 'down'
    this.askedMs = NEVER_MS
    this.answer = 'none'
    this.stationLetsGo()
  }

  private stationLetsGo(): void {
    this.isPortOpen = false
    this.stationHolds = false
    this.opensAtMs = NEVER_MS
  }

  guardKilled(): void {
    this.guard = 'down'
    this.guardHolds = false
    for (const child of this.children) child.isOrphan = true
  }

  guardStarts(): void {
    if (this.guard !== 'down') return
    this.guard = 'up'
    this.state = startState(this.nowMs)
    this.shutSeen = this.lever === 'shut'
    this.askedMs = NEVER_MS
    this.answer = 'none'
    this.do('shut')
    this.look()
  }

  moveLever(to: 'shut' | 'permit'): void {
    if (to === this.lever) return
    this.lever = to
    this.leverSinceMs = this.nowMs
    this.look()
  }

  /** The guard reads, decides and does; then rules and world are compared. */
  look(): void {
    if (this.guard !== 'up') return
    this.readKernel()
    const before = this.state
    const inputs = this.read()
    const decision = decide(before, inputs)
    for (const rule of brokenRules(before, inputs, decision)) this.broken.add(rule)
    this.rows?.add(decision.row)
    this.state = decision.state
    this.decision = decision
    for (const effect of decision.effects) this.do(effect)
    const isOwn = this.children.every(({ isOrphan }) => !isOrphan)
    if (
      inputs.position !== 'permit' &&
      isOwn &&
      this.canShut &&
      this.isLeased &&
      decision.effects.length > 0
    ) {
      this.broken.add('not PERMIT, and the guard left a permit in the kernel')
    }
  }

  private read(): GuardInputs {
    const { inputs } = this
    inputs.nowMs = this.nowMs
    const settled = this.nowMs - this.leverSinceMs >= SETTLING_MS
    inputs.position = this.isSwitchBroken ? 'doubt' : this.lever === 'permit' && settled ? 'permit' : 'shut'
    this.shutSeen ||= this.lever === 'shut' && !this.isSwitchBroken
    inputs.isAtShut = this.lever === 'shut' && !this.isSwitchBroken
    inputs.shutSeen = this.shutSeen
    inputs.station = this.stationReading()
    inputs.vehicle = this.vehicle
    inputs.token = this.isTokenReplaced
      ? 'doubt'
      : this.guardHolds
        ? 'mine'
        : this.isTokenFree
          ? 'free'
          : 'other'
    inputs.tokenAtMs = this.tokenAtMs
    inputs.kernel = this.kernel
    inputs.kernelAtMs = this.kernelAtMs
    inputs.witness = this.isSending && !this.isLeased ? 'grew' : 'still'
    inputs.permit = this.permit
    return inputs
  }

  private stationReading(): GuardInputs['station'] {
    if (this.station === 'down' || this.station === 'deaf') return 'absent'
    if (this.answer !== 'none') return this.answer
    return this.nowMs - this.askedMs >= 5000 ? 'silent' : 'present'
  }

  private readKernel(): void {
    if (!this.canRead) return
    this.kernel = this.isTampered || this.isUnshut ? 'differs' : this.isLeased ? 'leased' : 'shut'
    this.kernelAtMs = this.nowMs
  }

  private do(effect: Effect): void {
    switch (effect) {
      case 'shut':
      case 'shut harder':
        this.permit = 'none'
        this.isUnshut = !this.canShut
        if (this.isUnshut) return this.readKernel()
        this.children = this.children.filter(({ isOrphan }) => isOrphan)
        this.leaseUntilMs = 0
        return this.readKernel()
      case 'ask station':
        this.answer = 'none'
        this.askedMs = this.nowMs
        return
      case 'take token':
        if (!this.isTokenFree) return
        this.guardHolds = true
        this.tokenAtMs = this.nowMs
        return
      case 'free token':
        if (this.isLeased) this.broken.add('the token was freed with a permit in the kernel')
        if (this.children.some(({ isOrphan }) => !isOrphan)) this.broken.add('freed with a renewal in flight')
        this.guardHolds = false
        return
      case 'renew permit':
        return this.renew()
      case 'note override':
        return
    }
  }

  private renew(): void {
    if (this.isPortOpen) this.broken.add('never both: a permit is asked for with the serial port open')
    this.permittedOnce = true
    // The guard's loop has one renewal in flight.
    if (this.children.length > 0) return
    const commitMs = this.nowMs + this.nftDelayMs
    this.children.push({ commitMs, endMs: commitMs + 5, fails: !this.canPermit, isOrphan: false })
  }
}
