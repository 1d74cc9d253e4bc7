/**
 * A station that cannot store in time when the guard asks it to give way: it answers nothing, keeps the token, opens its port
 * again at once, and loses nothing of what was sent while the port was open. Its card is a real file system that hangs.
 */
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openGuardServer } from '../../src/hw/protocol/guard-server.js'
import type { GuardServer } from '../../src/hw/protocol/guard-server.js'
import { LinkToken } from '../../src/hw/token/link-token.js'
import { simulate } from '../../src/simulator/simulate.js'
import { groundlock } from '../support/groundlock.js'
import { LoopCard, loopCardReason } from '../support/loop-card.js'
import { RunningStation } from '../support/running-station.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** Two tails of 4 MiB, and room (MiB). */
const CARD_MB = 32

const dir = join(temporaryFolder('give-way'), 'station')
const skipped = loopCardReason === null ? '' : ` (skipped: ${loopCardReason})`

let card: LoopCard | undefined
let station: RunningStation | undefined
let guard: GuardServer | undefined
const interrupt = new AbortController()

afterEach(async () => {
  interrupt.abort()
  guard?.close()
  card?.thaw()
  await station?.end('SIGKILL')
  await card?.remove()
})

test.skipIf(loopCardReason !== null)(
  `a card that hangs while the guard asks: silent, the token kept, the port open again, nothing lost${skipped}`,
  async () => {
    mkdirSync(join(dir, 'guard'), { recursive: true })
    writeFileSync(join(dir, 'token'), '', { mode: 0o640 })
    card = LoopCard.insert(join(dir, 'vault'), CARD_MB)
    guard = await openGuardServer({
      path: join(dir, 'guard', 'guard.sock'),
      onStation: () => {},
      verifyShut: async () => true,
    })
    station = new RunningStation(dir)
    const flying = simulate({ link: join(dir, 'radio'), durationS: 60, seed: 3, signal: interrupt.signal })
    const before = await station.untilStatus(({ stored }) => (stored?.sequence ?? 0) >= 2)

    card.freeze()
    expect(await guard.askToGiveWay()).toBe('silent')
    expect(await new LinkToken(join(dir, 'token')).look()).toBe('other')
    await station.untilLogged(/could not store all in time to give way: the link token is kept/)
    const back = await station.untilStatus(({ links }) => links[0]?.state === 'open')
    expect(guard.link).toBe('open')
    // The first heartbeat begins another flight, though the one before cannot be closed yet.
    await station.untilStatus(({ flight }) => flight !== before.flight)
    card.thaw()
    const { flight } = await station.untilStatus(({ stored }) => stored?.flight !== before.flight)
    interrupt.abort()
    await flying
    expect(await station.end('SIGTERM')).toBe(0)

    const [link] = station.ownStatus()!.links
    expect(link!.bytesIn).toBeGreaterThan(back.links[0]!.bytesIn)
    expect(link!.lostBytes).toBe(0)
    expect(link!.bytesIn).toBe(link!.framedBytes + link!.noiseBytes + link!.outsideBytes)
    const lengths = [before.flight!, flight!].map((id) => rawLength(station!.vault, id))
    expect(lengths[0]! + lengths[1]!).toBe(link!.framedBytes + link!.noiseBytes)
  },
  60_000,
)

function rawLength(vault: string, flight: string): number {
  const out = join(dir, 'raw')
  const args = ['export', flight, '--vault', vault, '--format', 'raw', '--out', out, '--force']
  expect(groundlock(args)).toMatchObject({ code: 0, stderr: '' })
  return statSync(out).size
}
