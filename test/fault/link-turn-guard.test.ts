/**
 * The station's turn beside a guard, moment by moment: when the links open, when they close, what is told. The token, its lock and
 * the guard's socket are real; the links are a list of what was done. Many wait for a lease, so they run at the same time.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, vi } from 'vitest'
import type { TestContext } from 'vitest'
import { LEASE_MS } from '../../src/hw/token/lease.js'
import { LinkToken } from '../../src/hw/token/link-token.js'
import { StationTurn } from '../support/station-turn.js'
import type { Beginning } from '../support/station-turn.js'

vi.setConfig({ maxConcurrency: 32 })

/** A lease, and what the kernel's clock ticks by (ms). */
const FULL_LEASE_MS = LEASE_MS + 100
const LEFT = 'the link token is left to the guard, which asked for it'
const HELD = 'the guard holds the link token: it permits an uplink, or shuts it'
const LEASE = 'the link token is held, but a permit of before may last 3 s'
const ANEW = 'the link token is taken anew'
/** Of the status while no guard says anything and the links are open. */
const QUIET = { guardNonsense: 0, door: null, waitingFor: null }

function station({ onTestFinished }: TestContext, beginning?: Beginning): StationTurn {
  const made = new StationTurn(beginning)
  onTestFinished(() => made.end())
  return made
}

/** A station that runs beside a guard, which has heard so. */
async function besideGuard(context: TestContext, beginning?: Beginning, isShut?: () => Promise<boolean>) {
  const one = station(context, beginning)
  const guard = await one.guard(isShut)
  await one.turn.start()
  await one.until(() => guard.link === 'open')
  return { one, guard }
}

/** What others see of the token. */
const seen = ({ path }: StationTurn) => new LinkToken(path).look()

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

// The token's file has to be root's, as systemd-tmpfiles makes it.
describe
  .skipIf(process.getuid?.() !== 0)
  .concurrent("a station's turn (needs root: the token's file must be root's)", () => {
    test('no token: the links open at once, and it is said that nothing guards', async (context) => {
      const { expect } = context
      const one = station(context, { token: false })
      expect(one.turn.status.waitingFor).toBe('the station starts')
      await one.turn.start()
      expect(one.did).toEqual(['open'])
      expect(one.turn.status).toEqual({ ...QUIET, guard: 'none', token: 'none' })
      expect(one.log).toEqual([
        `warn: there is no link token (${one.path}): nothing here keeps the uplinks shut`,
      ])
      one.turn.changed()
      await pause(1200) // It looks for a token each second, and that there is none is no news.
      expect(one.log).toHaveLength(1)
    })

    test('no token, then one that nobody trusts, then a good one: told once, and the links stay open', async (context) => {
      const { expect } = context
      const one = station(context, { token: false })
      await one.turn.start()
      one.writeToken(0o666)
      await one.untilLogged('error: GL-TOKEN-01')
      await pause(1200) // It looks again each second.
      expect([one.logged('GL-TOKEN-01'), one.turn.status.guard]).toEqual([1, 'none'])
      one.writeToken()
      await one.until(() => one.turn.status.token === 'mine')
      expect(one.logged(`there is a link token now (${one.path})`)).toBe(1)
      expect([one.did, one.turn.status.guard, await seen(one)]).toEqual([['open'], 'absent', 'other'])
      const guard = await one.guard()
      await one.until(() => guard.link === 'open')
    })

    test('no token, then one after something was permitted: the links close, and open by the rules', async (context) => {
      const { expect } = context
      const one = station(context, { token: false })
      await one.turn.start()
      one.permit()
      one.writeToken()
      await one.until(() => one.did.includes('close'))
      expect(one.closeAtMostMs).toEqual([4500])
      expect(one.logged('the links close because of the link token, which was not there')).toBe(1)
      await one.untilLogged('a full lease has passed: the links open')
      expect(one.reasons).toEqual([null, ANEW, LEASE, null])
      expect(one.did).toEqual(['open', 'close', 'open'])
    })

    test('no token, then one that somebody else holds: the links close until it is free', async (context) => {
      const { expect } = context
      const one = station(context, { token: false })
      await one.turn.start()
      writeFileSync(join(one.dir, 'held'), '', { mode: 0o640 })
      const other = new LinkToken(join(one.dir, 'held'))
      await other.take()
      renameSync(join(one.dir, 'held'), one.path)
      let duringClose = ''
      one.closing = async () => {
        duringClose = one.turn.status.token
        return true
      }
      await one.until(() => one.turn.status.waitingFor === HELD)
      expect([one.did, one.turn.status.token, duringClose]).toEqual([['open', 'close'], 'other', 'other'])
      other.free()
      await one.untilLogged('nothing was permitted in this boot: the links open')
    })

    test('a token that is missing after something was permitted: nothing opens, and it is told once', async (context) => {
      const { expect } = context
      const one = station(context, { token: false, permitted: true })
      await one.guard()
      await one.turn.start()
      expect([one.did, one.turn.status.token]).toEqual([[], 'doubt'])
      expect(one.turn.status.waitingFor).toBe(`cannot trust the link token ${one.path}: it is missing`)
      await pause(600) // It looks again four times a second.
      expect(one.logged('GL-TOKEN-01')).toBe(1)
      one.writeToken()
      await one.untilLogged('the guard has verified that all uplinks are shut: the links open')
      expect(one.did).toEqual(['open'])
      // Healed and broken once more: told once more.
      rmSync(one.path)
      await one.until(() => one.logged('it is missing') === 2)
    })

    test('a place where no file can be is not a token that is missing: nothing opens', async (context) => {
      const { expect } = context
      const one = station(context, { token: false, place: 'file/token' })
      writeFileSync(join(one.dir, 'file'), '')
      await one.turn.start()
      expect([one.did, one.turn.status.token, one.logged('error: GL-TOKEN-01')]).toEqual([[], 'doubt', 1])
    })

    test('a token that is taken away while it is left to the guard: told before its time is over', async (context) => {
      const { expect } = context
      const { one, guard } = await besideGuard(context)
      expect(await guard.askToGiveWay()).toBe('gave way')
      renameSync(one.path, join(one.dir, 'aside'))
      await one.untilLogged('it is missing')
      renameSync(join(one.dir, 'aside'), one.path)
      await one.until(() => one.did.length === 3)
      const missing = `cannot trust the link token ${one.path}: it is missing`
      expect(one.reasons).toEqual([null, LEFT, missing, LEFT, null])
    })

    test('a free token and nothing permitted: it is held when the links open; the guard is missed after 5 s, once', async (context) => {
      const { expect } = context
      const one = station(context)
      const startedMs = performance.now()
      await one.turn.start()
      expect(one.did).toEqual(['open'])
      expect(one.turn.status).toEqual({ ...QUIET, guard: 'absent', token: 'mine' })
      expect([await seen(one), one.changes > 0]).toEqual(['other', true])
      expect(one.log).toEqual([
        'the link token is held, and nothing was permitted in this boot: the links open',
      ])
      await one.untilLogged('warn: the guard is absent')
      expect(performance.now() - startedMs).toBeGreaterThanOrEqual(5000)
      await one.turn.halt()
      one.turn.end()
      expect(await seen(one)).toBe('free')
    })

    test('something was permitted and no guard answers: a full lease from the taking, and no less', async (context) => {
      const { expect } = context
      const one = station(context, { permitted: true })
      const startedMs = performance.now()
      await one.turn.start()
      expect([one.did, one.turn.status.token, one.turn.status.waitingFor]).toEqual([[], 'mine', LEASE])
      await one.until(() => one.did.length > 0)
      expect(performance.now() - startedMs).toBeGreaterThanOrEqual(FULL_LEASE_MS)
      expect(one.log).toEqual([
        `the links wait: ${LEASE}`,
        'the link token is held, and a full lease has passed: the links open',
      ])
    })

    test('the guard is asked again while it does not find all shut, with a pause, and its yes opens', async (context) => {
      const { expect } = context
      const one = station(context, { permitted: true })
      const askedMs: number[] = []
      const guard = await one.guard(async () => askedMs.push(performance.now()) > 2)
      await one.turn.start()
      expect(one.did).toEqual([])
      await one.until(() => guard.link === 'open')
      await one.untilLogged('the guard has verified that all uplinks are shut: the links open')
      expect(askedMs).toHaveLength(3)
      expect(Math.min(askedMs[1]! - askedMs[0]!, askedMs[2]! - askedMs[1]!)).toBeGreaterThanOrEqual(499)
      expect(one.reasons).toEqual([LEASE, null])
      await pause(700)
      expect(askedMs).toHaveLength(3)
    })

    test('what the guard says of the door is known and logged, what the station does is said to the guard', async (context) => {
      const { expect } = context
      const one = station(context)
      const guard = await one.guard()
      await one.turn.start()
      await one.until(() => guard.station === 'present' && guard.link === 'open')
      // Each change is said when it is told of, and not only what is left of them at the next beat.
      for (const vehicle of ['armed', 'lost'] as const) {
        one.vehicle = vehicle
        one.turn.changed()
      }
      await one.until(() => guard.vehicle === 'lost')
      expect(one.heard.slice(-3)).toEqual(['open none', 'open armed', 'open lost'])
      const before = one.changes
      guard.tell('blocked', 'the switch is SHUT')
      await one.until(() => one.turn.status.door !== null)
      expect(one.changes).toBeGreaterThan(before)
      expect(one.turn.status).toMatchObject({
        guard: 'present',
        door: { state: 'blocked', reason: 'the switch is SHUT' },
      })
      expect(one.logged('the guard: blocked: the switch is SHUT')).toBe(1)
      await one.turn.halt()
      one.turn.end()
      await one.until(() => guard.station === 'absent')
      expect(one.heard.slice(-3)).toEqual(['open lost', 'closed lost', 'gone'])
    })

    test('asked to give way: closed, freed, answered; not taken for 2 s, then taken back', async (context) => {
      const { expect } = context
      const one = station(context, { permitted: true })
      const guard = await one.guard()
      await one.turn.start()
      await one.until(() => guard.link === 'open' && one.did.length === 1)
      expect(await guard.askToGiveWay()).toBe('gave way')
      const leftMs = performance.now()
      expect([one.did, guard.link, await seen(one)]).toEqual([['open', 'close'], 'closed', 'free'])
      expect([one.turn.status.token, one.turn.status.waitingFor]).toEqual(['free', LEFT])
      expect(one.closeAtMostMs[0]).toBeLessThanOrEqual(4500)
      expect(one.closeAtMostMs[0]).toBeGreaterThan(0)
      expect(one.logged('the guard asks for the link token: giving way')).toBe(1)
      await one.until(() => one.did.length === 3)
      expect(performance.now() - leftMs).toBeGreaterThanOrEqual(1900)
      expect([one.did, one.reasons]).toEqual([
        ['open', 'close', 'open'],
        [LEASE, null, LEFT, LEASE, null],
      ])
    })

    test('a guard that took the token and gave it back had its turn: it is not left to it again', async (context) => {
      const { expect } = context
      const { one, guard } = await besideGuard(context)
      expect(await guard.askToGiveWay()).toBe('gave way')
      expect(await one.guardToken.take()).toBe(true)
      await one.until(() => one.turn.status.waitingFor === HELD)
      one.guardToken.free()
      await one.until(() => one.did.length === 3)
      expect([one.did, one.reasons]).toEqual([
        ['open', 'close', 'open'],
        [null, LEFT, HELD, null],
      ])
    })

    test('asked while it waits for the lease, or for the guard: it gives way, and there is nothing to close', async (context) => {
      const { expect } = context
      const { one, guard } = await besideGuard(context, { permitted: true }, async () => false)
      expect(await guard.askToGiveWay()).toBe('gave way')
      expect([guard.link, await one.guardToken.take()]).toEqual(['closed', true])
      await one.until(() => one.turn.status.waitingFor === HELD)
      expect(await guard.askToGiveWay()).toBe('gave way')
      expect([one.did, await one.guardToken.look()]).toEqual([[], 'mine'])
      expect(one.logged('giving way')).toBe(1)
    })

    test('what cannot be stored in time is no giving way: the token is kept, and the links open again', async (context) => {
      const { expect } = context
      const { one, guard } = await besideGuard(context)
      one.closing = async () => false
      const answer = guard.askToGiveWay()
      await one.until(() => one.did.length === 3)
      expect([one.did, await seen(one), guard.link]).toEqual([['open', 'close', 'open'], 'other', 'open'])
      expect(
        one.logged(
          'warn: could not store all in time to give way: the link token is kept, and the links open again',
        ),
      ).toBe(1)
      expect([one.turn.status.waitingFor, await answer]).toEqual([null, 'silent'])
    })

    test('nor is what was stored too late', async (context) => {
      const { expect } = context
      const { one, guard } = await besideGuard(context)
      one.closing = async () => {
        await pause(4600)
        return true
      }
      expect(await guard.askToGiveWay()).toBe('silent')
      expect([one.did, await seen(one)]).toEqual([['open', 'close', 'open'], 'other'])
    })

    test('a station that is ended while it gives way keeps the token until its end', async (context) => {
      const { expect } = context
      const { one, guard } = await besideGuard(context)
      let close: (stored: boolean) => void = () => {}
      one.closing = () => new Promise((resolve) => (close = resolve))
      const answer = guard.askToGiveWay()
      await one.until(() => one.did.length === 2)
      const halted = one.turn.halt()
      close(true)
      await halted
      expect([one.did, await seen(one), one.turn.status.waitingFor]).toEqual([
        ['open', 'close'],
        'other',
        null,
      ])
      one.turn.end()
      expect([await seen(one), await answer]).toEqual(['free', 'silent'])
    })

    test('a station that is ended while it waits opens nothing any more', async (context) => {
      const { expect } = context
      const one = station(context, { permitted: true })
      await one.turn.start()
      await one.turn.halt()
      await pause(FULL_LEASE_MS + 200)
      expect(one.did).toEqual([])
    })

    test('an answer of before the station gave way does not count after it', async (context) => {
      const { expect } = context
      const answers: ((isShut: boolean) => void)[] = []
      const isShut = () => new Promise<boolean>((resolve) => answers.push(resolve))
      const { one, guard } = await besideGuard(context, { permitted: true }, isShut)
      while (answers.length === 0) await pause(10)
      expect(await guard.askToGiveWay()).toBe('gave way')
      await one.until(() => one.turn.status.waitingFor === LEASE)
      const takenMs = performance.now()
      answers[0]!(true)
      await one.until(() => one.did.length > 0)
      expect(performance.now() - takenMs).toBeGreaterThanOrEqual(FULL_LEASE_MS - 50)
      expect(one.logged('a full lease has passed')).toBe(1)
      for (const answer of answers) answer(false)
    })

    test('a token whose file was replaced while it was held: the links close, and the new one is taken', async (context) => {
      const { expect } = context
      const one = station(context)
      await one.turn.start()
      one.writeToken()
      expect(await seen(one)).toBe('free')
      await one.untilLogged('warn: the links close because of the file of the link token, which was replaced')
      expect([one.logged('error: GL-TOKEN-02'), one.did]).toEqual([1, ['open', 'close']])
      await one.until(() => one.did.length === 3)
      expect([one.reasons, await seen(one)]).toEqual([[null, ANEW, null], 'other'])
      expect(one.tokens).toEqual(['mine', 'doubt', 'free', 'mine'])
    })

    test('a token whose file is gone while it is held: told each time that it goes, and recording goes on', async (context) => {
      const { expect } = context
      const one = station(context)
      const aside = join(one.dir, 'aside')
      await one.turn.start()
      renameSync(one.path, aside)
      await one.until(() => one.logged('it is missing') === 1)
      await pause(1200) // It looks each second.
      expect([one.logged('it is missing'), one.turn.status.token]).toEqual([1, 'doubt'])
      renameSync(aside, one.path)
      await pause(1200)
      expect(one.turn.status.token).toBe('mine')
      renameSync(one.path, aside)
      await one.until(() => one.logged('it is missing') === 2)
      expect(one.did).toEqual(['open'])
    })
  })
