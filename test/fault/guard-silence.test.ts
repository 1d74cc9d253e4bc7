/**
 * What may be relied on at the guard's socket while others are silent there: who says no message is let go, so a station
 * always gets in; a station is not, and neither is one whose word the guard itself has not read yet.
 */
import { once } from 'node:events'
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { GuardClient } from '../../src/hw/protocol/guard-client.js'
import { openGuardServer } from '../../src/hw/protocol/guard-server.js'
import type { GuardServer } from '../../src/hw/protocol/guard-server.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const path = join(temporaryFolder('guard-silence'), 'guard.sock')
const disarmed = '{"v":1,"op":"state","link":"open","vehicle":"disarmed"}\n'

afterEach(() => vi.useRealTimers())

test('sixteen who say nothing, or nothing that is a message, are let go after 5 s, and a station gets in', async () => {
  const guard = await serve()
  const strangers = await letIn(16)
  strangers[0]!.write('hello\n')
  await until(() => guard.nonsense.lines === 1)
  const gone = Promise.all(strangers.map((stranger) => once(stranger, 'close')))
  vi.advanceTimersByTime(4999)
  await turns()
  expect(strangers.filter(({ closed }) => closed)).toEqual([])
  vi.advanceTimersByTime(1)
  await gone
  vi.useRealTimers()
  const station = new GuardClient({
    path,
    state: () => ({ link: 'open', vehicle: 'disarmed' }),
    onGiveWay: () => {},
    onGuard: () => {},
  })
  onTestFinished(() => station.stop())
  await until(() => guard.station === 'present')
})

test('a station that hangs is not let go, and who waits for its place is only when it stops saying so', async () => {
  const guard = await serve()
  const [station, waiting, stranger] = (await letIn(3)) as [Socket, Socket, Socket]
  station.write(disarmed)
  await until(() => guard.station === 'present')
  vi.advanceTimersByTime(4999)
  waiting.write(disarmed)
  await until(() => guard.nonsense.unasked === 1)
  const gone = once(stranger, 'close')
  vi.advanceTimersByTime(1)
  await gone
  vi.advanceTimersByTime(4998)
  await turns()
  expect(waiting.closed).toBe(false)
  const over = once(waiting, 'close')
  vi.advanceTimersByTime(1)
  await over
  vi.advanceTimersByTime(60_000)
  await turns()
  expect([guard.station, station.closed]).toEqual(['present', false])
})

test('a word that came while the guard was held up is heard before its sender counts as silent', async () => {
  const guard = await serve()
  const [station] = (await letIn(1)) as [Socket]
  // Where no socket is read before the timers: at the end of a turn.
  await new Promise((resolve) => setImmediate(resolve))
  station.write(disarmed)
  vi.advanceTimersByTime(5000)
  await turns()
  expect([guard.station, station.closed]).toEqual(['present', false])
})

async function serve(): Promise<GuardServer> {
  const guard = await openGuardServer({ path, onStation: () => {}, verifyShut: async () => false })
  onTestFinished(() => guard.close())
  guard.tell('blocked', 'the switch is SHUT')
  return guard
}

/** So many clients that the guard has let in, on a time that only the test lets pass. */
async function letIn(count: number): Promise<Socket[]> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const clients = Array.from({ length: count }, () => createConnection(path).on('error', () => {}))
  onTestFinished(() => clients.forEach((client) => client.destroy()))
  // Who is let in is told the door.
  await Promise.all(clients.map((client) => once(client, 'data')))
  return clients
}

/** Enough turns of the thread for what one end wrote or closed to be seen at the other. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await turns()
}
