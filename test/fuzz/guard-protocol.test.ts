/**
 * The guard's protocol, whatever comes: a stream of a client, cut anywhere, yields the messages that stand in it as whole
 * lines and nothing else, and never throws; and a real guard that is asked takes no answer but the one it asked for.
 */
import { createConnection } from 'node:net'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineSplitter } from '../../src/base/line-splitter.js'
import { openGuardServer } from '../../src/hw/protocol/guard-server.js'
import { MAX_LINE_BYTES, lineOf, parseFromGuard, parseFromStation } from '../../src/hw/protocol/messages.js'
import type { FromGuard, FromStation } from '../../src/hw/protocol/messages.js'
import { seed } from '../support/soak.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const n = fc.nat()
const text = fc.string({ maxLength: 40 })
const stationMessage: fc.Arbitrary<FromStation> = fc.oneof(
  fc.record({
    v: fc.constant(1 as const),
    op: fc.constant('state' as const),
    link: fc.constantFrom('open' as const, 'closed' as const),
    vehicle: fc.constantFrom('none' as const, 'disarmed' as const, 'armed' as const, 'lost' as const),
  }),
  fc.record({ v: fc.constant(1 as const), op: fc.constantFrom('gave way' as const, 'is shut' as const), n }),
  fc.record({ v: fc.constant(1 as const), op: fc.constant('refused' as const), n, why: text }),
)
const guardMessage: fc.Arbitrary<FromGuard> = fc.oneof(
  fc.record({
    v: fc.constant(1 as const),
    op: fc.constant('door' as const),
    door: fc.constantFrom('blocked' as const, 'permitted' as const, 'fault' as const),
    reason: text,
  }),
  fc.record({ v: fc.constant(1 as const), op: fc.constant('give way' as const), n }),
  fc.record({ v: fc.constant(1 as const), op: fc.constant('shut' as const), n, verified: fc.boolean() }),
)

/** What is no message, though some of it nearly is. */
const nonsense = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 10))),
  fc.json().map((line) => Buffer.from(line)),
  fc.integer({ min: MAX_LINE_BYTES - 2, max: 3 * MAX_LINE_BYTES }).map((length) => Buffer.alloc(length, 'x')),
  fc.tuple(stationMessage, fc.constantFrom(0, 2, '1', null)).map(([message, v]) => json({ ...message, v })),
  fc.tuple(stationMessage, fc.nat({ max: 20 })).map(([message, cut]) => json(message).subarray(0, -1 - cut)),
  stationMessage.map((message) => json({ ...message, n: 2 ** 53, op: 'gave way' })),
  stationMessage.map((message) => json([message])),
)

const stream = (message: fc.Arbitrary<FromStation | FromGuard>) =>
  fc.array(
    fc.oneof(
      message.map((value) => ({ value, bytes: json(value) })),
      nonsense.map((bytes) => ({ bytes })),
    ),
    {
      maxLength: 12,
    },
  )

test.each<[string, fc.Arbitrary<FromStation | FromGuard>, (line: string) => FromStation | FromGuard | null]>([
  ['station', stationMessage, parseFromStation],
  ['guard', guardMessage, parseFromGuard],
])('messages of a %s come out of any stream as they went in, and nothing else does', (_, message, parse) => {
  const cuts = fc.array(fc.nat(), { maxLength: 30 })
  const whole = fc.property(
    stream(message),
    fc.uint8Array({ maxLength: 50 }),
    cuts,
    (parts, rest, places) => {
      const half = Buffer.from(rest.filter((byte) => byte !== 10))
      const bytes = Buffer.concat([...parts.flatMap((part) => [part.bytes, Buffer.from('\n')]), half])
      const expected = parts.flatMap((part) => ('value' in part ? [part.value] : []))
      const out = messagesOf(pieces(bytes, places), parse)
      expect(out).toEqual(expected)
      expect(messagesOf(pieces(bytes, Array.from(bytes.keys())), parse)).toEqual(expected)
    },
  )
  fc.assert(whole, { seed, numRuns: 150 })
})

test('a line that is written is a message that is read, however long its text', () => {
  const long = fc.string({ unit: 'binary', maxLength: 3000 })
  const there = fc.property(fc.oneof(text, long), (why) => {
    const line = lineOf({ v: 1, op: 'refused', n: 1, why })
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(MAX_LINE_BYTES)
    const read = parseFromStation(line.slice(0, -1))
    expect(read).toMatchObject({ op: 'refused', n: 1 })
  })
  fc.assert(there, { seed, numRuns: 500 })
})

test('a guard that asks takes no answer from anything but its own number from its own station', async () => {
  const path = join(temporaryFolder('guard-fuzz'), 'guard.sock')
  let verified = 0
  const guard = await openGuardServer({
    path,
    onStation: () => {},
    verifyShut: async () => ++verified > 0,
  })
  const station = createConnection(path).on('error', () => {})
  station.write(lineOf({ v: 1, op: 'state', link: 'open', vehicle: 'armed' }))
  while (guard.station === 'absent') await pause(1)
  let answered = ''
  const answer = guard.askToGiveWay().then((word) => (answered = word))
  const sent = fc.asyncProperty(
    fc.array(fc.oneof(nonsense, stationMessage.map(json)), { maxLength: 8 }),
    async (lines) => {
      const stranger = createConnection(path).on('error', () => {})
      for (const line of lines) stranger.write(Buffer.concat([line, Buffer.from('\n')]))
      stranger.end()
      await new Promise((resolve) => stranger.resume().once('close', resolve))
      station.write(lineOf({ v: 1, op: 'state', link: 'open', vehicle: 'armed' }))
      expect([answered, guard.station, guard.vehicle, verified]).toEqual(['', 'present', 'armed', 0])
    },
  )
  await fc.assert(sent, { seed, numRuns: 40, interruptAfterTimeLimit: 3000 })
  station.write(lineOf({ v: 1, op: 'gave way', n: 1 }))
  expect(await answer).toBe('gave way')
  station.destroy()
  guard.close()
})

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

/** The stream cut at these places (modulo its length). */
function pieces(bytes: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return cuts.slice(1).map((end, at) => bytes.subarray(cuts[at], end))
}

function messagesOf<T>(parts: readonly Buffer[], parse: (line: string) => T | null): T[] {
  const lines = new LineSplitter(MAX_LINE_BYTES)
  return parts
    .flatMap((part) => [...lines.push(part)])
    .flatMap((line) => {
      const message = line === null ? null : parse(line)
      return message === null ? [] : [message]
    })
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
