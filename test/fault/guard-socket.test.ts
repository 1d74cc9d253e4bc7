/**
 * What may be relied on between guard and station: over a real unix socket, what is asked is answered, what is not asked
 * never counts, and whoever talks nonsense, talks too much or does not listen costs the guard nothing.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { GuardClient } from '../../src/hw/protocol/guard-client.js'
import type { GuardClientOptions } from '../../src/hw/protocol/guard-client.js'
import { openGuardServer } from '../../src/hw/protocol/guard-server.js'
import type { GuardServer, GuardServerOptions } from '../../src/hw/protocol/guard-server.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const path = join(temporaryFolder('guard-socket'), 'guard.sock')
const disarmed = { v: 1, op: 'state', link: 'open', vehicle: 'disarmed' }

const opened: { close: () => void }[] = []
afterEach(() => {
  vi.useRealTimers()
  for (const each of opened.splice(0).toReversed()) each.close()
})

test('the station says what it is; the guard tells the door to all, and to who comes later', async () => {
  const guard = await serve()
  expect([guard.station, guard.link, guard.vehicle]).toEqual(['absent', 'closed', 'none'])
  guard.tell('blocked', 'the switch is SHUT')
  const station = attend()
  await until(() => guard.station === 'present' && station.client.door !== null)
  expect([guard.link, guard.vehicle]).toEqual(['open', 'disarmed'])
  expect(station.client.door).toEqual({ state: 'blocked', reason: 'the switch is SHUT' })
  station.state.vehicle = 'armed'
  station.client.changed()
  await until(() => guard.vehicle === 'armed')
  guard.tell('fault', 'x'.repeat(1000))
  await until(() => station.client.door?.state === 'fault')
  expect(station.client.door?.reason).toHaveLength(500)
})

test('the state is said each second, also where nothing changes', async () => {
  const guard = await serve()
  const stranger = await connected()
  const lines = once(createInterface({ input: stranger }), 'line')
  guard.tell('blocked', 'for the looker-on')
  expect(JSON.parse((await lines)[0] as string)).toEqual({
    v: 1,
    op: 'door',
    door: 'blocked',
    reason: 'for the looker-on',
  })
  let asked = 0
  attend({ state: () => ({ link: asked++ % 2 === 0 ? 'open' : 'closed', vehicle: 'none' }) })
  await until(() => guard.link === 'open')
  await until(() => guard.link === 'closed')
})

test('a station that is asked gives way or refuses, and the guard hears which', async () => {
  const guard = await serve()
  const words: ('gave way' | { refused: string })[] = ['gave way', { refused: 'not now' }]
  const station = attend({ onGiveWay: (answer) => answer(words.shift()!) })
  await until(() => guard.station === 'present')
  const both = [guard.askToGiveWay(), guard.askToGiveWay()]
  expect(await Promise.all(both)).toEqual(['gave way', 'gave way'])
  expect(await guard.askToGiveWay()).toBe('refused')
  expect([words, guard.nonsense.unasked]).toEqual([[], 0])
  station.client.stop()
  await until(() => guard.station === 'absent')
  expect([await guard.askToGiveWay(), guard.link, guard.vehicle]).toEqual(['silent', 'closed', 'none'])
})

test('a station that says nothing for 5 s is silent, and what it answers later is no answer to the next question', async () => {
  const guard = await serve()
  const answers: ((word: 'gave way' | { refused: string }) => void)[] = []
  attend({ onGiveWay: (answer) => void answers.push(answer) })
  await until(() => guard.station === 'present')
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  let said = 'nothing'
  const first = guard.askToGiveWay().then((word) => (said = word))
  vi.advanceTimersByTime(4999)
  await nextTurn()
  expect(said).toBe('nothing')
  vi.advanceTimersByTime(1)
  expect(await first).toBe('silent')
  vi.useRealTimers()
  const second = guard.askToGiveWay()
  await until(() => answers.length === 2)
  answers[0]!('gave way')
  await until(() => guard.nonsense.unasked === 1)
  answers[1]!('gave way')
  expect(await second).toBe('gave way')
})

test('an answer that came while the guard stalled past those 5 s is heard', async () => {
  const guard = await serve()
  const station = await connected()
  say(station, disarmed)
  await until(() => guard.station === 'present')
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const answer = guard.askToGiveWay()
  const [question] = (await once(createInterface({ input: station }), 'line')) as [string]
  const { n } = JSON.parse(question) as { n: number }
  // Where timers run nothing is read before they are through: so it is when a process goes on that stood still.
  await new Promise((resolve) => {
    const timer = setInterval(() => resolve(clearInterval(timer)), 1)
  })
  say(station, { v: 1, op: 'gave way', n })
  vi.advanceTimersByTime(5000)
  expect(await answer).toBe('gave way')
})

test('a station that goes while it is asked did not give way', async () => {
  const guard = await serve()
  const station = await connected()
  say(station, disarmed)
  await until(() => guard.station === 'present')
  const answer = guard.askToGiveWay()
  station.destroy()
  expect(await answer).toBe('silent')
})

test('is shut: read afresh for each question, and false where the reading fails or no guard is there', async () => {
  const results = [async () => true, async () => false, async () => Promise.reject(new Error('no nft'))]
  const guard = await serve({ verifyShut: async () => results.shift()!() })
  const { client } = attend()
  await until(() => client.guard === 'present')
  expect([await client.isShut(9000), await client.isShut(9000), await client.isShut(9000)]).toEqual([
    true,
    false,
    false,
  ])
  guard.close()
  await until(() => client.guard === 'absent')
  expect(await client.isShut(9000)).toBe(false)
})

test('is shut: an answer that is late, of another number, or of who was asked before does not count', async () => {
  const { server, next } = await fakeGuard()
  const { client } = attend()
  const guard = await next()
  await until(() => client.guard === 'present')
  const first = client.isShut(20)
  expect(await first).toBe(false)
  const second = client.isShut(300)
  say(guard, { v: 1, op: 'shut', n: 1, verified: true })
  say(guard, { v: 1, op: 'shut', n: 3, verified: true })
  say(guard, { v: 2, op: 'shut', n: 2, verified: true })
  guard.write('{"v":1,"op":"shut","n":2,"verified":true}')
  expect(await second).toBe(false)
  const third = client.isShut(60_000)
  guard.destroy()
  expect(await third).toBe(false)
  const again = await next()
  const fourth = client.isShut(60_000)
  say(again, { v: 1, op: 'shut', n: 4, verified: true })
  expect(await fourth).toBe(true)
  server.close()
})

test('the station finds a guard that comes late, and one that comes again', async () => {
  const { client } = attend()
  for (const reason of ['first', 'second']) {
    expect([client.guard, client.door]).toEqual(['absent', null])
    const guard = await serve()
    guard.tell('blocked', reason)
    await until(() => client.door?.reason === reason)
    guard.close()
    await until(() => client.guard === 'absent')
  }
})

test('an answer to a guard that is gone is not said to the next one', async () => {
  const guard = await serve()
  const answers: ((word: 'gave way' | { refused: string }) => void)[] = []
  const { client, state } = attend({ onGiveWay: (answer) => void answers.push(answer) })
  await until(() => guard.station === 'present')
  void guard.askToGiveWay()
  await until(() => answers.length === 1)
  guard.close()
  await until(() => client.guard === 'absent')
  const next = await serve()
  await until(() => next.station === 'present')
  const question = next.askToGiveWay()
  await until(() => answers.length === 2)
  // Both guards asked by the number 1; what the station says behind the stale answer comes, the answer does not.
  answers[0]!('gave way')
  state.vehicle = 'armed'
  client.changed()
  await until(() => next.vehicle === 'armed')
  answers[1]!({ refused: 'not now' })
  expect(await question).toBe('refused')
})

test('one is the station: another one is none while the first one lives, and its answers do not count', async () => {
  const guard = await serve()
  const station = await connected()
  say(station, disarmed)
  await until(() => guard.station === 'present')
  const answer = guard.askToGiveWay()
  const other = await connected()
  say(other, { v: 1, op: 'state', link: 'closed', vehicle: 'none' })
  say(other, { v: 1, op: 'gave way', n: 1 })
  say(other, { v: 1, op: 'is shut', n: 1 })
  await until(() => guard.nonsense.unasked === 3)
  expect([guard.link, guard.vehicle]).toEqual(['open', 'disarmed'])
  say(station, { v: 1, op: 'refused', n: 1, why: 'busy' })
  expect(await answer).toBe('refused')
})

test('who hangs is replaced: a station that said nothing for 5 s makes room for another one', async () => {
  const guard = await serve()
  const hung = await connected()
  say(hung, disarmed)
  await until(() => guard.station === 'present')
  const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 5000)
  const gone = whenClosed(hung)
  const other = await connected()
  say(other, { v: 1, op: 'state', link: 'open', vehicle: 'armed' })
  await until(() => guard.vehicle === 'armed')
  now.mockRestore()
  await gone
  expect(guard.station).toBe('present')
})

test('the socket is for the group only; one that a killed guard left is replaced; a living one is not', async () => {
  const dead = spawn(
    process.execPath,
    ['-e', `require('net').createServer().listen('${path}', () => console.log(1))`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  await once(dead.stdout, 'data')
  dead.kill('SIGKILL')
  await once(dead, 'exit')
  expect(existsSync(path)).toBe(true)
  const guard = await serve()
  expect(statSync(path).mode & 0o777).toBe(0o660)
  await expect(serve()).rejects.toMatchObject({ code: 'GL-GUARD-01', found: 'a guard is running already' })
  guard.close()
  expect(existsSync(path)).toBe(false)
})

test('a folder that is not there is a fault that says so', async () => {
  await expect(serve({ path: '/nonexistent/guard.sock' })).rejects.toMatchObject({ code: 'GL-GUARD-01' })
})

test.each([
  ['a line that does not end', 'x'.repeat(5000), 1],
  ['no JSON, no object, nothing', 'hello\nnull\n[]\n\n', 4],
  ['another version', '{"v":2,"op":"state","link":"open","vehicle":"none"}\n', 1],
  ['more than is known', '{"v":1,"op":"state","link":"open","vehicle":"none","x":1}\n', 1],
  ['a word that is none', '{"v":1,"op":"state","link":"ajar","vehicle":"none"}\n', 1],
  ['numbers that are none', '{"v":1,"op":"gave way","n":-1}\n{"v":1,"op":"gave way","n":1.5}\n', 2],
  ['bytes that are no text', Buffer.from([0xff, 0xfe, 10]), 1],
])('%s is counted, and nobody becomes the station by it', async (_, sent, count) => {
  const guard = await serve()
  const client = await connected()
  client.write(sent)
  await until(() => guard.nonsense.lines === count)
  expect(guard.station).toBe('absent')
})

test('half a line at the end of a connection is nothing', async () => {
  const guard = await serve()
  const client = await connected()
  client.end(JSON.stringify(disarmed))
  await once(client, 'close')
  expect([guard.station, guard.nonsense]).toEqual(['absent', { lines: 0, unasked: 0 }])
})

test('who says too much is let go, and the station is served all the while', async () => {
  const guard = await serve()
  const { client } = attend()
  await until(() => guard.station === 'present')
  const flood = await connected()
  const gone = whenClosed(flood)
  flood.write('{"v":1}\n'.repeat(100_000))
  await gone
  expect(guard.nonsense.lines).toBeLessThan(100)
  guard.tell('blocked', 'still here')
  await until(() => client.door?.reason === 'still here')
})

test('who does not listen is let go', async () => {
  const guard = await serve()
  const deaf = await connected()
  deaf.pause()
  let isGone = false
  deaf.once('close', () => (isGone = true))
  for (let i = 0; i < 2000; i++) guard.tell('blocked', 'x'.repeat(400))
  deaf.resume()
  await until(() => isGone)
  expect(guard.nonsense).toEqual({ lines: 0, unasked: 0 })
})

test('the seventeenth client is not let in, and the sixteen are', async () => {
  const guard = await serve()
  const clients = await Promise.all(Array.from({ length: 17 }, () => connected()))
  let closed = 0
  for (const client of clients) client.once('close', () => closed++)
  guard.tell('blocked', 'who is there?')
  await until(() => closed === 1)
  const heard = clients.filter((client) => client.bytesRead > 0)
  await until(() => clients.filter((client) => client.bytesRead > 0).length === 16)
  expect(heard.length).toBeLessThanOrEqual(16)
})

test('a guard that talks nonsense is hung up on, and tried again', async () => {
  const { next } = await fakeGuard()
  const { client } = attend()
  const guard = await next()
  guard.write('{"v":1,"op":"door","door":"wide"}\n'.repeat(200))
  await next()
  expect([client.nonsense, client.door]).toEqual([101, null])
})

async function serve(options: Partial<GuardServerOptions> = {}): Promise<GuardServer> {
  const guard = await openGuardServer({
    path,
    onStation: () => {},
    verifyShut: async () => false,
    ...options,
  })
  opened.push(guard)
  return guard
}

/** A station's client, open and disarmed unless told. */
function attend(options: Partial<GuardClientOptions> = {}) {
  const state: { link: 'open' | 'closed'; vehicle: 'disarmed' | 'armed' } = {
    link: 'open',
    vehicle: 'disarmed',
  }
  const client = new GuardClient({
    path,
    state: () => state,
    onGiveWay: () => {},
    onGuard: () => {},
    ...options,
  })
  opened.push({ close: () => client.stop() })
  return { client, state }
}

/** A server that says what the test wants; `next` is the next connection. */
async function fakeGuard(): Promise<{ server: Server; next: () => Promise<Socket> }> {
  const sockets: Socket[] = []
  const server = createServer((socket) => void sockets.push(socket.resume()))
  opened.push({
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  })
  server.listen(path)
  await once(server, 'listening')
  let taken = 0
  return {
    server,
    next: async () => {
      await until(() => sockets.length > taken)
      return sockets[taken++]!
    },
  }
}

async function connected(): Promise<Socket> {
  const socket = createConnection(path)
  opened.push({ close: () => socket.destroy() })
  socket.on('error', () => {})
  socket.on('data', () => {})
  await once(socket, 'connect')
  return socket
}

/** Resolves when the connection is over, by an end or by an error. */
async function whenClosed(socket: Socket): Promise<void> {
  await new Promise((resolve) => socket.once('close', resolve))
}

function say(socket: Socket, message: object): void {
  socket.write(`${JSON.stringify(message)}\n`)
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await pause(2)
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
