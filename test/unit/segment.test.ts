/** Segment: records by column and back, byte for byte; and what damaged pieces can do, which is an error at most. */
import { brotliCompressSync, brotliDecompressSync, constants as zlib } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteWriter } from '../../src/base/byte-writer.js'
import { headerAt } from '../../src/link/frame.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { FRAME, NOISE } from '../../src/storage/segment/records.js'
import type { Records } from '../../src/storage/segment/records.js'
import type { Piece, Segment } from '../../src/storage/segment/segment.js'
import { decodeSegment, encodeSegment, groupAt, inflatePiece } from '../../src/storage/segment/segment.js'
import { ATTITUDE, filler, frame, known } from '../support/frames.js'
import type { TestRecord } from '../support/recordings.js'
import { anyRecords, linesOf, recordsOf } from '../support/recordings.js'

const dialect = loadDialect()
const encode = (records: Records): Promise<Segment> =>
  encodeSegment(records, (msgid) => dialect.byId.get(msgid))

async function expectSame(all: readonly TestRecord[]): Promise<Segment> {
  const records = recordsOf(all)
  const segment = await encode(records)
  expect(linesOf(await decodeSegment(segment.pieces))).toEqual(linesOf(records))
  return segment
}

const attitude = (seq: number, link = 0, timeUs = BigInt(seq) * 1000n): TestRecord => ({
  kind: FRAME,
  link,
  timeUs,
  bytes: known(ATTITUDE, { seq: seq & 255, payload: filler(28, seq) }),
})
const noise = (bytes: Uint8Array, timeUs = 5n): TestRecord => ({ kind: NOISE, link: 0, timeUs, bytes })

describe('Byte-exact', () => {
  test('any records come back with their bytes, kinds, links, times and order', async () => {
    const property = fc.asyncProperty(anyRecords(60), async (all) => {
      await expectSame(all)
    })
    await fc.assert(property, { numRuns: 200 })
  })

  test('without a dialect, too: the shape is in the segment', async () => {
    const property = fc.asyncProperty(anyRecords(30), async (all) => {
      const records = recordsOf(all)
      const { pieces } = await encodeSegment(records, () => undefined)
      expect(linesOf(await decodeSegment(pieces))).toEqual(linesOf(records))
    })
    await fc.assert(property, { numRuns: 100 })
  })

  test('no record, one frame, one piece of noise', async () => {
    await expectSame([])
    await expectSame([attitude(7)])
    await expectSame([noise(filler(1))])
  })

  test('every message of the dialect, of every payload length', async () => {
    const all: TestRecord[] = []
    for (const { msgid, crcExtra, length } of dialect.byId.values()) {
      for (const payloadBytes of new Set([0, 1, length - 1, length, Math.min(length + 3, 255)])) {
        const payload = filler(payloadBytes, msgid + payloadBytes)
        all.push({ kind: FRAME, link: 0, timeUs: 9n, bytes: frame({ msgid, crcExtra, payload }) })
      }
    }
    await expectSame(all)
  })

  test('thousands of groups and several links, interleaved', async () => {
    const all = Array.from({ length: 9000 }, (_, i): TestRecord => {
      const bytes = frame({
        msgid: i % 3001,
        sysid: i % 7,
        payload: filler(i % 9, i),
        crcExtra: 3,
        seq: i & 255,
      })
      return { kind: FRAME, link: i % 4, timeUs: BigInt(i >> 4), bytes }
    })
    const { groups } = await expectSame(all)
    expect(groups.length).toBeGreaterThan(5000)
  })

  test.each([254, 255, 256, 257, 300, 4000])('%i groups', async (count) => {
    const all = Array.from({ length: 2 * count }, (_, i): TestRecord => {
      const bytes = frame({ msgid: (i * 7) % count, crcExtra: 1, seq: i & 255 })
      return { kind: FRAME, link: 0, timeUs: BigInt(i >> 3), bytes }
    })
    await expectSame(all)
  })

  test('noise longer than a slice of the splitter, and of many lengths', async () => {
    await expectSame([
      noise(filler(70_000)),
      attitude(1),
      noise(filler(1), 4n),
      noise(filler(300), 2n ** 64n - 1n),
    ])
  })

  test('sequence numbers that jump, and senders that take turns', async () => {
    const numbers = Array.from(filler(400))
    await expectSame(
      numbers.map((seq, i) => ({
        kind: FRAME,
        link: i % 2,
        timeUs: BigInt(i),
        bytes: known(ATTITUDE, { seq, sysid: 1 + (seq % 3) }),
      })),
    )
  })

  test('its totals are those of the records', async () => {
    const all = [attitude(3, 0, 70n), noise(filler(11), 20n), attitude(4, 0, 2n ** 63n), attitude(5, 1, 90n)]
    const segment = await expectSame(all)
    expect(segment).toMatchObject({
      records: 4,
      frames: 3,
      framedBytes: 3 * 40,
      noiseBytes: 11,
      firstTimeUs: 20n,
      lastTimeUs: 2n ** 63n,
    })
  })

  test('the encoder lets others work between the groups', async () => {
    let breaths = 0
    const records = recordsOf([attitude(1), attitude(2, 1), attitude(3, 2)])
    await encodeSegment(
      records,
      () => undefined,
      async () => void breaths++,
    )
    expect(breaths).toBe(3)
  })
})

describe('a group read alone', () => {
  test('gives the frames of its message, their times and payloads', async () => {
    const property = fc.asyncProperty(
      anyRecords(60),
      fc.constantFrom(0, 100, 300),
      async (all, minStride) => {
        const segment = await encode(recordsOf(all))
        const frames = all.filter(({ kind }) => kind === FRAME)
        expect(segment.groups.reduce((sum, { count }) => sum + count, 0)).toBe(frames.length)
        for (const { key, count, piece, offset } of segment.groups) {
          const { kind, body, rawBytes } = segment.pieces[piece]!
          expect(kind).toBe('frames')
          const group = groupAt(await inflatePiece(body, rawBytes), offset, minStride)
          expect(group.key).toEqual(key)
          expect(group.count).toBe(count)
          expect(group.stride).toBeGreaterThanOrEqual(minStride)
          const rows = Array.from(group.payloads)
          const own = frames.filter(({ link, bytes }) => {
            const { version, signed, sysid, compid, msgid } = headerAt(bytes, 0)
            return JSON.stringify({ link, version, signed, sysid, compid, msgid }) === JSON.stringify(key)
          })
          expect(own.map(({ timeUs }) => timeUs)).toEqual(Array.from(group.times))
          own.forEach(({ bytes }, n) => {
            const { payloadOffset, payloadBytes } = headerAt(bytes, 0)
            const row = rows.slice(n * group.stride, (n + 1) * group.stride)
            const payload = Array.from(bytes.subarray(payloadOffset, payloadOffset + payloadBytes))
            expect(row).toEqual([...payload, ...Array<number>(group.stride - payloadBytes).fill(0)])
            expect(group.payloadBytes[n]).toBe(payloadBytes)
          })
        }
      },
    )
    await fc.assert(property, { numRuns: 40 })
  })
})

/** Pieces are refused by a RangeError or by zlib's own error; anything else is a mistake of the reader. */
function isRefusal(error: unknown): boolean {
  if (error instanceof RangeError) return true
  return error instanceof Error && 'code' in error && /^(ERR__|Z_)/.test(String(error.code))
}

/** What becomes of the pieces: undefined where they are refused as they should be. */
async function decodeDamaged(pieces: readonly Piece[]): Promise<Records | undefined> {
  try {
    return await decodeSegment(pieces)
  } catch (error) {
    if (isRefusal(error)) return undefined
    throw error
  }
}

function withPiece(pieces: readonly Piece[], at: number, piece: Piece): Piece[] {
  return pieces.map((each, i) => (i === at ? piece : each))
}

/** A piece whose raw bytes are these, whole as a piece. */
function repacked(kind: Piece['kind'], raw: Uint8Array): Piece {
  return { kind, rawBytes: raw.length, body: compressed(raw) }
}

function compressed(raw: Uint8Array): Uint8Array {
  return brotliCompressSync(raw, { params: { [zlib.BROTLI_PARAM_QUALITY]: 1 } })
}

async function sample(): Promise<Piece[]> {
  const all = Array.from({ length: 200 }, (_, i) => attitude(i, i % 3))
  const signed = frame({ msgid: 30, payload: filler(28), signed: true, crcExtra: 39 })
  all.push({ kind: FRAME, link: 0, timeUs: 9n, bytes: signed }, noise(filler(20)), noise(filler(3)))
  all.push({ kind: FRAME, link: 0, timeUs: 9n, bytes: frame({ msgid: 253, payload: filler(54), crc: 1 }) })
  return (await encode(recordsOf(all))).pieces
}

describe('Bounded: damaged pieces', () => {
  test('bits flipped in a stored piece: an error or records, never a hang or a crash', async () => {
    const pieces = await sample()
    const property = fc.asyncProperty(fc.nat(), fc.nat(), fc.nat(7), async (whichPiece, at, bit) => {
      const index = whichPiece % pieces.length
      const piece = pieces[index]!
      const body = piece.body.slice()
      body[at % body.length]! ^= 1 << bit
      const records = await decodeDamaged(withPiece(pieces, index, { ...piece, body }))
      expect(records?.count ?? 0).toBeLessThanOrEqual(204)
    })
    await fc.assert(property, { numRuns: 1000 })
  })

  test('a piece cut off anywhere is refused', async () => {
    const pieces = await sample()
    for (const [index, piece] of pieces.entries()) {
      for (let length = 0; length < piece.body.length; length += 7) {
        const cutOff = { ...piece, body: piece.body.slice(0, length) }
        expect(await decodeDamaged(withPiece(pieces, index, cutOff)), `${piece.kind} at ${length}`).toBe(
          undefined,
        )
      }
    }
  })

  test('bytes changed in what a whole piece holds: an error or records, never a hang or a crash', async () => {
    const pieces = await sample()
    const change = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) })
    const changes = fc.array(change, { minLength: 1, maxLength: 4, size: 'max' })
    const property = fc.asyncProperty(fc.nat(), changes, async (whichPiece, all) => {
      const index = whichPiece % pieces.length
      const raw = brotliDecompressSync(pieces[index]!.body)
      // Half of the changes hit the first bytes, where the counts are.
      for (const { at, byte } of all) raw[at % (at % 2 === 0 ? raw.length : 60)] = byte
      const damaged = withPiece(pieces, index, repacked(pieces[index]!.kind, raw))
      const records = await decodeDamaged(damaged)
      expect(records?.count ?? 0).toBeLessThanOrEqual(204)
    })
    await fc.assert(property, { numRuns: 1000 })
  })

  test('a piece of another length than its row says is refused', async () => {
    const pieces = await sample()
    for (const rawBytes of [0, 1, pieces[0]!.rawBytes - 1, pieces[0]!.rawBytes + 1, 2 ** 40, -1]) {
      const wrong = withPiece(pieces, 0, { ...pieces[0]!, rawBytes })
      expect(await decodeDamaged(wrong), `${rawBytes} bytes`).toBe(undefined)
    }
  })

  test('a piece that inflates a thousandfold is stopped at the length its row says', async () => {
    const bomb = compressed(new Uint8Array(64 * 1024 * 1024))
    expect(bomb.length).toBeLessThan(100_000)
    await expect(inflatePiece(bomb, 1000)).rejects.toThrow(/larger than 1001/)
  })

  /** A piece that begins with these numbers and ends there. */
  function claiming(kind: Piece['kind'], ...numbers: number[]): Piece {
    const out = new ByteWriter()
    for (const number of numbers) out.varint(number)
    return repacked(kind, out.copy())
  }

  test.each([2 ** 22 + 1, 2 ** 31, 2 ** 40, 2 ** 52])(
    'a count of %i is refused before room is made',
    async (huge) => {
      const [order] = await sample()
      // records, groups │ records, groups, senders, then link, sysid, compid, count
      const orders = [claiming('order', huge, 1), claiming('order', 0, 0, 1, 1, 1, 1, huge)]
      for (const piece of orders) {
        await expect(decodeSegment([piece])).rejects.toThrow(/ claimed where at most \d+ can be/)
      }
      // number, link, count; number, link, version, sysid, compid, msgid, count
      const groups = [claiming('noise', 0, 0, huge), claiming('frames', 0, 0, 2, 1, 1, 0, huge)]
      for (const piece of groups) {
        await expect(decodeSegment([order!, piece])).rejects.toThrow(/ claimed where at most \d+ can be/)
      }
      const { body, rawBytes } = groups[1]!
      expect(() => groupAt(brotliDecompressSync(body), 0, 0)).toThrow(/ claimed where at most/)
      expect(rawBytes).toBeLessThan(30)
    },
  )

  test('groups that claim more together than the order names are refused', async () => {
    const pieces = await sample()
    const twice = pieces.flatMap((piece) => (piece.kind === 'frames' ? [piece, piece] : [piece]))
    await expect(decodeSegment(twice)).rejects.toThrow(RangeError)
  })

  test('a payload that claims to be longer than its columns is refused', async () => {
    const [order] = (await encode(recordsOf([attitude(1)]))).pieces
    // number, link, version, sysid, compid, msgid, count, CRC_EXTRA, exceptions │ a run of 3 columns, no more
    const head = [0, 0, 2, 1, 1, 30, 1, 39, 0, 3, 0, 1, 0]
    const timeHead = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    const columns = (cut: number): number[] => [1, 0, cut, 1, 0, 0, 1, 0, 5, 1, 0, 6, 1, 0, 7]
    const piece = (cut: number): Piece =>
      repacked('frames', Uint8Array.from([...head, ...timeHead, ...columns(cut)]))
    expect((await decodeSegment([order!, piece(0)])).byteLength).toBe(12 + 3)
    expect((await decodeSegment([order!, piece(1)])).byteLength).toBe(12 + 2)
    await expect(decodeSegment([order!, piece(0xf0)])).rejects.toThrow(/payload longer than 3 bytes/)
  })

  test('a piece that is missing is an error', async () => {
    const pieces = await sample()
    for (const missing of pieces) {
      const rest = pieces.filter((piece) => piece !== missing)
      await expect(decodeSegment(rest), `without ${missing.kind}`).rejects.toThrow(RangeError)
    }
  })
})
