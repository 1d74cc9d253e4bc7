/**
 * What may be relied on of the station's socket, whatever its clients do: over a real unix socket, each request has its
 * answer in order, and who does not read, does not stop or hangs up costs the station nothing.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { askStation, serveStationSocket } from '../../src/forward/station-socket.js'
import type { Answer } from '../../src/forward/station-socket.js'
import { GROUNDLOCK } from '../support/groundlock.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const path = join(temporaryFolder('station-socket'), 'station.sock')
const STATUS = '{"op":"status"}\n'

test('requests of one client are answered one after another, in order, whatever became of each', async () => {
  let asked = 0
  let open = 0
  let mostOpen = 0
  await serve(async (op) => {
    mostOpen = Math.max(mostOpen, ++open)
    await nextTurn()
    open--
    if (op === 'close') throw new Error('not now')
    return { n: asked++ }
  })
  const client = await connected()
  const close = '{"op":"close"}\n'
  client.write(`${STATUS}hello\r\n${close}[]\n${STATUS.repeat(20)}`)
  const lines = await answers(client, 24)
  expect(lines.slice(0, 4)).toEqual([
    { ok: true, n: 0 },
    { ok: false, error: expect.stringContaining('JSON') as string },
    { ok: false, error: 'not now' },
    { ok: false, error: 'a request is an object with "op"' },
  ])
  expect(lines.slice(4)).toEqual(Array.from({ length: 20 }, (_, at) => ({ ok: true, n: at + 1 })))
  expect(mostOpen).toBe(1)
})

test('who asks and ends its half of the connection is answered, also late', async () => {
  let answer: (value: object) => void = () => {}
  await serve((op) => (op === 'close' ? new Promise((resolve) => (answer = resolve)) : Promise.resolve({})))
  const client = await connected()
  client.end(`{"op":"close"}\n${STATUS}`)
  await once(client, 'finish')
  await askStation(path, 'status')
  answer({ closed: 'north-1' })
  expect(await answers(client, 2)).toEqual([{ ok: true, closed: 'north-1' }, { ok: true }])
})

test('who asks and does not read is let go before the answers fill the memory', async () => {
  let asked = 0
  await serve(async () => ({ n: ++asked, text: 'x'.repeat(1000) }))
  const client = await connected('deaf')
  const over = whenClosed(client)
  for (let i = 0; i < 30_000; i++) client.write(STATUS)
  await over
  // 64 KiB, and what the kernel holds for a socket.
  expect(asked).toBeLessThan(2000)
  expect(await askStation(path, 'status')).toMatchObject({ ok: true })
})

test('who asks on and on leaves each turn of the thread to the links', async () => {
  let turns = 0
  let spin = setImmediate(function again() {
    turns++
    spin = setImmediate(again)
  })
  onTestFinished(() => clearImmediate(spin))
  await serve(async () => ({ turn: turns }))
  const client = await connected()
  client.write(STATUS.repeat(200))
  const seen = (await answers(client, 200)).map(({ turn }) => turn)
  expect(new Set(seen).size).toBe(200)
})

test.each([
  ['whose line does not end', 'x'.repeat(5000)],
  ['whose line is too long', `${' '.repeat(5000)}\n`],
  ['whose bytes are no text', Buffer.from([0xff, 0xfe, 10])],
])('a client %s is cut off, and another one is answered', async (_, sent) => {
  await serve(async () => ({}))
  const client = await connected()
  const over = whenClosed(client)
  client.write(sent)
  await over
  expect(await askStation(path, 'status')).toEqual({ ok: true })
})

test('half a request at the end of a connection is nothing', async () => {
  const asked: string[] = []
  await serve(async (op) => ({ n: asked.push(op) }))
  const client = await connected()
  const over = whenClosed(client)
  client.end('{"op":"close"}')
  await over
  expect(asked).toEqual([])
})

test.skipIf(process.getuid?.() !== 0)(
  'who may not ask is told which group may, and not that no station runs (tried as nobody; needs root)',
  async () => {
    await serve(async () => ({}))
    chmodSync(dirname(path), 0o755)
    const configuration = join(dirname(path), 'groundlock.toml')
    writeFileSync(
      configuration,
      `[station]\nrun_dir = "${dirname(path)}"\n[link.radio]\ndevice = "/dev/ttyUSB0"\n`,
    )
    const { stderr } = spawnSync(process.execPath, [GROUNDLOCK, 'close', '--config', configuration], {
      encoding: 'utf8',
      uid: 65534,
      gid: 65534,
    })
    expect(stderr).toMatch(/^GL-STATION-02 .*: permission denied\.$/m)
    expect(stderr).toContain('sudo usermod -aG groundlock "$USER"')
    expect(stderr).not.toContain('Start it')
    const nowhere = askStation(join(dirname(path), 'none.sock'), 'close')
    await expect(nowhere).rejects.toMatchObject({
      found: 'no station is running',
      hint: expect.stringContaining('Start it') as string,
    })
  },
)

async function serve(answer: Answer): Promise<void> {
  const socket = await serveStationSocket(path, answer)
  onTestFinished(() => socket.close())
}

/** A deaf one takes nothing from its kernel, whatever comes. */
async function connected(ears?: 'deaf'): Promise<Socket> {
  const socket = createConnection(path)
  onTestFinished(() => void socket.destroy())
  if (ears === 'deaf') socket.pause()
  else socket.resume()
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Resolves when the connection is over, by an end or by an error. */
async function whenClosed(socket: Socket): Promise<void> {
  await new Promise((resolve) => socket.once('close', resolve))
}

/** The next `count` lines that come. */
async function answers(socket: Socket, count: number): Promise<Record<string, unknown>[]> {
  let text = ''
  for await (const bytes of socket as AsyncIterable<Buffer>) {
    text += bytes.toString()
    if (text.split('\n').length > count) break
  }
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
