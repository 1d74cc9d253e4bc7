/** The whole way of a simulated flight's bytes: over a real pseudo-terminal, through an unplug, into a serial link. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Fault } from '../../src/base/fault.js'
import { createLog } from '../../src/base/log.js'
import { createSerialLink, type LinkState } from '../../src/link/serial-link.js'
import { createCopter } from '../../src/simulator/copter.js'
import { simulate } from '../../src/simulator/simulate.js'

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simulator-wire-'))
})

afterEach(() => rmSync(dir, { recursive: true }))

test('every byte on the wire is received, but for the last ones before an unplug', async () => {
  const radio = receive()
  const result = await simulate({
    link: join(dir, 'radio'),
    seed: 11,
    durationS: 12,
    speed: 3,
    byteLoss: 0.002,
    unplugs: [{ atS: 5, forS: 2 }],
    wireLog: join(dir, 'wire'),
  })
  await radio.stop()

  const wire = readFileSync(join(dir, 'wire'))
  expect(wire.length).toBe(result.wireBytes)
  const { frames, bytes } = await flown({ seed: 11, durationS: 12 })
  expect(result.frames).toBe(frames)
  expect(result.wireBytes + result.lostBytes + result.unheardBytes).toBe(bytes)
  expect(result.unheardBytes).toBeGreaterThan(0.1 * bytes)
  expect(result.lostBytes).toBeGreaterThan(0)
  expect(result.wholeFrames).toBeLessThan(result.frames)

  expect(radio.sessions).toHaveLength(2)
  const [before, after] = result.readers.map(({ fromByte, toByte }) => wire.subarray(fromByte, toByte))
  const [heardBefore, heardAfter] = radio.sessions.map((parts) => Buffer.concat(parts))
  expect(heardAfter!.equals(after!)).toBe(true)
  const undelivered = before!.length - heardBefore!.length
  expect(heardBefore!.equals(before!.subarray(0, heardBefore!.length))).toBe(true)
  // What the kernel still held: how much depends on how late the reader was, on a busy machine half a second.
  expect(undelivered).toBeLessThan(before!.length / 2)
  expect(result.readers).toHaveLength(2)
  expect(result.readers[1]).toEqual({ fromByte: result.readers[0]!.toByte, toByte: wire.length })
})

test('a reader that goes away finds the device again, and the flight went on', async () => {
  const first = receive()
  const flight = simulate({
    link: join(dir, 'radio'),
    seed: 2,
    durationS: 9,
    speed: 3,
    wireLog: join(dir, 'wire'),
  })
  await first.bytes(3000)
  await first.stop()
  const second = receive()
  const result = await flight
  await second.stop()
  expect(result.readers).toHaveLength(2)
  expect(result.unheardBytes).toBeGreaterThan(0)
  const wire = readFileSync(join(dir, 'wire'))
  const heard = Buffer.concat(second.sessions[0]!)
  expect(heard.equals(wire.subarray(result.readers[1]!.fromByte))).toBe(true)
})

test('a flight can be ended at any time, and leaves no device behind', async () => {
  const stop = new AbortController()
  const waiting = simulate({ link: join(dir, 'radio'), seed: 1, durationS: 60, signal: stop.signal })
  stop.abort()
  expect(await waiting).toMatchObject({ frames: 0, wireBytes: 0 })
  expect(existsSync(join(dir, 'radio'))).toBe(false)

  const later = new AbortController()
  const radio = receive()
  const flying = simulate({ link: join(dir, 'radio'), seed: 1, durationS: 60, signal: later.signal })
  await radio.bytes(500)
  later.abort()
  expect((await flying).wireBytes).toBeLessThan(10_000)
  await radio.stop()
})

test('without a place for its device the flight is a fault, not a wait', async () => {
  const flight = simulate({ link: join(dir, 'missing', 'radio'), seed: 1, durationS: 5 })
  await expect(flight).rejects.toBeInstanceOf(Fault)
  await expect(flight).rejects.toMatchObject({ code: 'GL-SIM-01' })
})

/** A serial link that keeps what it hears, one list for each time the device was open. */
function receive() {
  const sessions: Buffer[][] = []
  const waiting: { byteCount: number; resolve: () => void }[] = []
  const link = createSerialLink({
    name: 'radio',
    device: join(dir, 'radio'),
    baud: 57_600,
    log: createLog(() => undefined),
    onBytes(bytes) {
      sessions.at(-1)!.push(Buffer.from(bytes))
      for (const { byteCount, resolve } of waiting) if (link.counts.bytes >= byteCount) resolve()
    },
    onIdle: () => undefined,
    onState: (state: LinkState) => void (state.kind === 'open' && sessions.push([])),
  })
  link.start()
  return {
    sessions,
    stop: () => link.stop(),
    bytes: (byteCount: number) => new Promise<void>((resolve) => waiting.push({ byteCount, resolve })),
  }
}

async function flown(options: { seed: number; durationS: number }) {
  const frames = [...(await createCopter(options)).frames()]
  return { frames: frames.length, bytes: frames.reduce((sum, frame) => sum + frame.bytes.length, 0) }
}
