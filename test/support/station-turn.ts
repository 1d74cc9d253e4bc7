/**
 * Station turn: a `LinkTurn` in this process, with a real token file and a real guard's socket in a folder of its own, and everything
 * that it did in its order.
 */
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openGuardServer } from '../../src/hw/protocol/guard-server.js'
import type { GuardServer } from '../../src/hw/protocol/guard-server.js'
import type { VehicleWord } from '../../src/hw/protocol/messages.js'
import { LinkToken } from '../../src/hw/token/link-token.js'
import { LinkTurn } from '../../src/hw/token/link-turn.js'

export interface Beginning {
  /** There is a token's file. */
  token?: boolean
  /** Something was permitted in this boot. */
  permitted?: boolean
  /** Where the token is looked for, below the folder. */
  place?: string
}

export class StationTurn {
  readonly dir = mkdtempSync(join(tmpdir(), 'groundlock-turn-'))
  readonly path: string
  readonly guardDir = join(this.dir, 'guard')
  readonly turn: LinkTurn
  /** The guard's side of the token. */
  readonly guardToken: LinkToken
  /** 'open' and 'close', in their order. */
  readonly did: string[] = []
  readonly log: string[] = []
  /** Each reason to wait since it started, once in a row; null is an open link. */
  readonly reasons: (string | null)[] = []
  /** Each state of the token since it started, once in a row. */
  readonly tokens: string[] = []
  /** What the guard heard of the link and the vehicle, each once in a row; 'gone' without a connection. */
  readonly heard: string[] = []
  changes = 0
  vehicle: VehicleWord = 'none'
  /** What closing takes and comes to. */
  closing: () => Promise<boolean> = async () => true
  /** Times that closing was given (ms). */
  readonly closeAtMostMs: number[] = []
  #guard: GuardServer | undefined
  readonly #listeners = new Set<() => void>()

  constructor({ token = true, permitted = false, place = 'token' }: Beginning = {}) {
    this.path = join(this.dir, place)
    this.guardToken = new LinkToken(this.path)
    mkdirSync(this.guardDir)
    if (permitted) this.permit()
    if (token) this.writeToken()
    const note = (list: string[]) => (text: string) => {
      list.push(text)
      this.#look()
    }
    const log = note(this.log)
    const done = note(this.did)
    this.turn = new LinkTurn({
      token: new LinkToken(this.path),
      guardDir: this.guardDir,
      log: { info: log, warn: (text) => log(`warn: ${text}`), error: (text) => log(`error: ${text}`) },
      vehicle: () => this.vehicle,
      open: () => done('open'),
      close: async (atMostMs) => {
        this.closeAtMostMs.push(atMostMs)
        done('close')
        return this.closing()
      },
      onChange: () => {
        this.changes++
        this.#look()
      },
    })
  }

  permit(): void {
    writeFileSync(join(this.guardDir, 'permitted-once'), '')
  }

  /** As systemd-tmpfiles makes it; one that is there is replaced by another file. */
  writeToken(mode = 0o640): void {
    writeFileSync(join(this.dir, 'new'), '')
    chmodSync(join(this.dir, 'new'), mode)
    renameSync(join(this.dir, 'new'), this.path)
  }

  /** A guard's socket; each question whether all is shut is put to `verifyShut`. */
  async guard(verifyShut: () => Promise<boolean> = async () => true): Promise<GuardServer> {
    this.#guard = await openGuardServer({
      path: join(this.guardDir, 'guard.sock'),
      onStation: () => {
        const said =
          this.#guard?.station === 'present' ? `${this.#guard.link} ${this.#guard.vehicle}` : 'gone'
        if (this.heard.at(-1) !== said) this.heard.push(said)
        this.#look()
      },
      verifyShut,
    })
    return this.#guard
  }

  /** Resolves when it is so; looked at whenever something was done, logged, changed or said to the guard. */
  async until(isSo: () => boolean): Promise<void> {
    if (isSo()) return
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!isSo()) return
        this.#listeners.delete(look)
        resolve()
      }
      this.#listeners.add(look)
    })
  }

  async untilLogged(text: string): Promise<void> {
    await this.until(() => this.logged(text) > 0)
  }

  /** Lines of the log with this text in them. */
  logged(text: string): number {
    return this.log.filter((line) => line.includes(text)).length
  }

  async end(): Promise<void> {
    await this.turn.halt()
    this.turn.end()
    this.guardToken.free()
    this.#guard?.close()
    rmSync(this.dir, { recursive: true })
  }

  #look(): void {
    const { waitingFor, token } = this.turn.status
    if (waitingFor !== 'the station starts') {
      if (this.reasons.at(-1) !== waitingFor) this.reasons.push(waitingFor)
      if (this.tokens.at(-1) !== token) this.tokens.push(token)
    }
    for (const listener of this.#listeners) listener()
  }
}
