/**
 * Link turn: the station's end of "never both": when its links may be open, and when they have to give way to the uplink.
 *
 *     waiting ──the token is free: take it──▶ lease ──shut for sure, or 3 s──▶ open
 *        ▲                                      │                               │
 *        └──────────── the guard asks, or the token's file was replaced ────────┘
 *
 * Guarantees: where there is a token's file, a link is open only while the token is held, and only after every permit of
 * before has lapsed. Never throws, never waits for the guard; where no token's file is, nothing guards and links open at once.
 */
import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf, faultLines } from '../../base/fault.js'
import type { Log } from '../../base/log.js'
import { GuardClient } from '../protocol/guard-client.js'
import { GUARD_SOCKET } from '../protocol/messages.js'
import type { DoorWord, LinkWord, VehicleWord } from '../protocol/messages.js'
import { GuardNews } from './guard-news.js'
import { LEASE_MS } from './lease.js'
import type { LinkToken, TokenLook } from './link-token.js'
import { permittedOnce } from './permitted-once.js'

/** Longest that a permit outlives who made it: its lease, and what the kernel's clock ticks by (ms). */
const FULL_LEASE_MS = LEASE_MS + 100

/** Pause between looks at a token that somebody else holds (ms). */
const LOOK_MS = 250

/** Pause between questions whether all is shut, while the lease runs (ms). */
const ASK_MS = 500

/** Pause between looks at the token that is held (ms), and at a guard that is absent. */
const CHECK_MS = 1000

/** Giving way has to be done within this (ms): the guard waits 5 s for the answer, and it has a way to go. */
const GIVE_WAY_MS = 4500

/** After giving way the token is left to the guard for so long, if it does not take it before (ms). */
const LEFT_TO_GUARD_MS = 2000

export interface LinkTurnOptions {
  token: LinkToken
  /** The guard's run_dir. */
  guardDir: string
  log: Log
  vehicle(): VehicleWord
  /** Opens the links. */
  open(): void
  /**
   * Closes the links, and stores what came. Resolves when the ports are closed: true where everything is stored and the
   * flight closed by then or within `atMostMs`. Must not reject.
   */
  close(atMostMs: number): Promise<boolean>
  onChange(): void
}

/** What the station says of it. */
export interface TurnStatus {
  /** none: there is no link token, so nothing guards here. */
  guard: 'absent' | 'present' | 'none'
  /** Lines of who serves the guard's socket that were no message (count). */
  guardNonsense: number
  /** As the guard told last; null where it is not there. */
  door: { state: DoorWord; reason: string } | null
  token: TokenLook | 'none'
  /** Why the links are not open; null where they are. */
  waitingFor: string | null
}

/** Why the links wait after giving way. */
const LEFT = 'the link token is left to the guard, which asked for it'

type State = 'unguarded' | 'waiting' | 'lease' | 'open'

interface Request {
  answer(word: 'gave way' | { refused: string }): void
  sinceMs: number
}

export class LinkTurn {
  readonly #options: LinkTurnOptions
  readonly #token: LinkToken
  readonly #log: Log
  readonly #news: GuardNews
  #state: State = 'waiting'
  #looked: TokenLook | 'none' = 'none'
  #waitingFor: string | null = 'the station starts'
  #client: GuardClient | undefined
  #request: Request | null = null
  #wake: () => void = () => {}
  #stopped = false
  #ended: Promise<void> = Promise.resolve()
  #takenMs = 0
  /** The guard said in this turn that all is shut. */
  #verified = false
  /** When the guard's last answer came; Infinity while one is awaited. */
  #askedMs = -Infinity
  /** Until then the token is the guard's to take, unless it is seen that it did. */
  #leftUntilMs = -Infinity
  #toldFault: string | null = null

  constructor(options: LinkTurnOptions) {
    this.#options = options
    this.#token = options.token
    this.#log = options.log
    this.#news = new GuardNews(options.log, performance.now())
  }

  /** Resolves when the links are opened, or it is known that they have to wait; then it goes on by itself. */
  async start(): Promise<void> {
    // A token that is missing though something was permitted in this boot was taken away: that is no reason to open.
    if (isMissing(this.#token.path) && permittedOnce(this.#options.guardDir) !== 'yes') this.#goUnguarded()
    else {
      // Tried before it is looked at: in the usual case that is all.
      await this.#token.take()
      this.#meetGuard()
      await this.#step()
    }
    this.#ended = this.#live()
  }

  get status(): TurnStatus {
    return {
      guard: this.#client?.guard ?? 'none',
      guardNonsense: this.#client?.nonsense ?? 0,
      door: this.#client?.door ?? null,
      token: this.#looked,
      waitingFor: this.#waitingFor,
    }
  }

  /** Something changed of what the guard is told. */
  changed(): void {
    this.#client?.changed()
  }

  /** Opens nothing from now on; what was under way has ended when it resolves. The links are then for the caller to close. */
  async halt(): Promise<void> {
    this.#stopped = true
    this.#wake()
    await this.#ended
  }

  /** After the links are closed: lets go of the token and of the guard. */
  end(): void {
    this.#state = 'waiting'
    this.#token.free()
    this.#client?.changed()
    this.#client?.stop()
  }

  async #live(): Promise<void> {
    while (!this.#stopped) {
      await this.#pause()
      await this.#step()
    }
  }

  async #step(): Promise<void> {
    if (this.#stopped) return
    if (this.#state === 'unguarded') await this.#lookForToken()
    else if (this.#request !== null) await this.#giveWay(this.#request)
    else if (this.#state === 'waiting') await this.#tryToTake()
    else if (this.#state === 'lease') this.#tryToOpen()
    else await this.#check()
  }

  /** Until the next look is due, or something happened. */
  async #pause(): Promise<void> {
    if (this.#request !== null) return
    const leaseEndsMs = this.#takenMs + FULL_LEASE_MS - performance.now()
    const lease = Math.max(0, Math.min(LOOK_MS, leaseEndsMs))
    const dueMs = { unguarded: CHECK_MS, waiting: LOOK_MS, lease, open: CHECK_MS }[this.#state]
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, dueMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = () => {}
  }

  #goUnguarded(): void {
    this.#state = 'unguarded'
    this.#log.warn(`there is no link token (${this.#token.path}): nothing here keeps the uplinks shut`)
    this.#openLinks()
  }

  /** A guard was installed while this station records. The links stay open only if nothing can be permitted. */
  async #lookForToken(): Promise<void> {
    if (isMissing(this.#token.path)) return
    // It is being made: nobody trusts it yet, the guard neither.
    if ((await this.#token.look()) === 'doubt') return this.#tellFault()
    this.#log.info(`there is a link token now (${this.#token.path})`)
    this.#meetGuard()
    const isHeld = await this.#token.take()
    this.#looked = isHeld ? 'mine' : 'other'
    if (isHeld && permittedOnce(this.#options.guardDir) === 'no') return this.#enter('open')
    await this.#leave('the link token, which was not there')
  }

  #meetGuard(): void {
    const client = new GuardClient({
      path: join(this.#options.guardDir, GUARD_SOCKET),
      state: () => ({ link: this.#link, vehicle: this.#options.vehicle() }),
      onGiveWay: (answer) => {
        this.#request = { answer, sinceMs: performance.now() }
        this.#wake()
      },
      onGuard: () => this.#heardOf(client),
    })
    this.#client = client
  }

  /** Also a link that is about to be opened is open. */
  get #link(): LinkWord {
    return this.#state === 'waiting' ? 'closed' : 'open'
  }

  async #tryToTake(): Promise<void> {
    const look = await this.#token.look()
    this.#looked = look
    if (look === 'doubt') return this.#doubt()
    if (look === 'other') return this.#seeOther()
    if (performance.now() < this.#leftUntilMs) return this.#wait(LEFT)
    if (!(await this.#token.take())) return this.#token.fault === null ? this.#seeOther() : this.#doubt()
    this.#takenMs = performance.now()
    this.#looked = 'mine'
    this.#toldFault = null
    this.#verified = false
    this.#enter('lease')
    this.#tryToOpen()
  }

  /** It was left to the guard long enough: the guard has it, or had it. */
  #seeOther(): void {
    this.#looked = 'other'
    this.#leftUntilMs = -Infinity
    this.#toldFault = null
    this.#wait('the guard holds the link token: it permits an uplink, or shuts it')
  }

  #tryToOpen(): void {
    if (permittedOnce(this.#options.guardDir) === 'no')
      return this.#openBecause('nothing was permitted in this boot')
    if (this.#verified) return this.#openBecause('the guard has verified that all uplinks are shut')
    if (performance.now() - this.#takenMs >= FULL_LEASE_MS)
      return this.#openBecause('a full lease has passed')
    this.#wait(`the link token is held, but a permit of before may last ${LEASE_MS / 1000} s`)
    if (performance.now() - this.#askedMs >= ASK_MS) void this.#askWhetherShut()
  }

  /** An answer counts in the turn that it was asked in: the token was held from before the question. */
  async #askWhetherShut(): Promise<void> {
    const turnMs = this.#takenMs
    if (this.#client?.guard !== 'present') return
    this.#askedMs = Infinity
    const isShut = await this.#client.isShut(FULL_LEASE_MS)
    this.#askedMs = performance.now()
    if (!isShut || this.#takenMs !== turnMs) return
    this.#verified = true
    this.#wake()
  }

  #openBecause(why: string): void {
    if (this.#stopped) return
    this.#log.info(`the link token is held, and ${why}: the links open`)
    this.#openLinks()
    this.#enter('open')
  }

  #openLinks(): void {
    this.#waitingFor = null
    this.#options.open()
  }

  /** The token is held: is its file still the one that others would lock? And is the guard there? */
  async #check(): Promise<void> {
    const look = await this.#token.look()
    this.#looked = look
    this.#news.tellAbsence(performance.now())
    if (look === 'mine') this.#toldFault = null
    else this.#tellFault()
    // A file that is missing nobody else can lock either: recording goes on.
    if (this.#token.fault?.code === 'GL-TOKEN-02')
      await this.#leave('the file of the link token, which was replaced')
  }

  /** Closes the links, however long it takes, and begins anew. */
  async #leave(because: string): Promise<void> {
    this.#log.warn(`the links close because of ${because}`)
    await this.#options.close(GIVE_WAY_MS)
    if (this.#stopped) return
    this.#token.free()
    this.#looked = 'free'
    this.#enter('waiting')
    this.#wait('the link token is taken anew')
  }

  async #giveWay(request: Request): Promise<void> {
    this.#request = null
    if (this.#state !== 'waiting') {
      this.#log.info('the guard asks for the link token: giving way')
      const isDone = this.#state === 'lease' || (await this.#options.close(this.#leftMs(request)))
      if (this.#stopped) return
      if (!isDone || this.#leftMs(request) <= 0) return this.#goBack()
    }
    this.#token.free()
    this.#looked = 'free'
    this.#leftUntilMs = performance.now() + LEFT_TO_GUARD_MS
    this.#enter('waiting')
    this.#wait(LEFT)
    request.answer('gave way')
  }

  #leftMs({ sinceMs }: Request): number {
    return sinceMs + GIVE_WAY_MS - performance.now()
  }

  /** Too late to answer, and the token was held all the while: what is not stored yet will be, and the links open again. */
  #goBack(): void {
    this.#log.warn(
      'could not store all in time to give way: the link token is kept, and the links open again',
    )
    if (this.#state === 'open') this.#openLinks()
  }

  #enter(state: State): void {
    this.#state = state
    this.#client?.changed()
    this.#options.onChange()
  }

  /** Says once why the links wait. */
  #wait(why: string): void {
    if (this.#waitingFor === why) return
    this.#waitingFor = why
    this.#log.info(`the links wait: ${why}`)
    this.#options.onChange()
  }

  #doubt(): void {
    this.#looked = 'doubt'
    this.#tellFault()
    this.#waitingFor = this.#token.fault?.message ?? null
    this.#options.onChange()
  }

  #tellFault(): void {
    const fault = this.#token.fault
    if (fault === null || fault.message === this.#toldFault) return
    this.#toldFault = fault.message
    this.#log.error(faultLines(fault))
  }

  #heardOf({ guard, door }: GuardClient): void {
    this.#news.heard(guard, door, performance.now())
    this.#options.onChange()
    this.#wake()
  }
}

/** Only a plain "not there" counts. */
function isMissing(path: string): boolean {
  try {
    lstatSync(path)
    return false
  } catch (error) {
    return errnoOf(error) === 'ENOENT'
  }
}
