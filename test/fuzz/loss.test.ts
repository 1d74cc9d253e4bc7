/**
 * Loss: a byte that is lost costs the frame it lay in, and no other; noise makes no frames; and a message that no
 * definition knows is kept like any other.
 */
import { afterAll, describe, expect, test } from 'vitest'
import type { CrcExtraTable } from '../../src/link/crc-extra.js'
import { createSplitter } from '../../src/link/frame-splitter.js'
import { msgidAt } from '../../src/link/frame.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { damage, intactFrames } from '../../src/simulator/damage.js'
import type { Damaged } from '../../src/simulator/damage.js'
import { capturesReason } from '../support/captures.js'
import { SOAK_TIMEOUT_MS, amount, createProgress, randomFor, sayTable, seed } from '../support/soak.js'
import { foundFrames, judge } from '../support/survivors.js'
import type { FalseFrame } from '../support/survivors.js'
import { capturedWires, madeWires } from '../support/wires.js'
import type { Wire } from '../support/wires.js'

const table: CrcExtraTable = loadDialect().byId
const RATES = [0.0005, 0.002, 0.01]
const MADE_FLIGHT_S = 240

const captured = capturedWires()
const wires = [...captured, ...(await madeWires(MADE_FLIGHT_S))]
const nameOf = (msgid: number): string => loadDialect().byId.get(msgid)?.name ?? String(msgid)

test.skipIf(capturesReason !== null)(
  `what the streams are taken to hold is what an independent decoder found ${capturesReason ?? ''}`,
  () => {
    for (const { bytes, frames, oracle } of captured) {
      const names: Record<string, number> = {}
      for (let i = 0; i < frames.length; i += 2) {
        if (i > 0 && frames[i]! < frames[i - 1]!) throw new Error(`frames overlap at ${frames[i]}`)
        const name = nameOf(msgidAt(bytes, frames[i]!))
        names[name] = (names[name] ?? 0) + 1
      }
      expect(names).toEqual(oracle!.structural.by_name)
    }
  },
)

test.each(wires)('undamaged, every frame of $name is found and nothing else', ({ name, bytes, frames }) => {
  const found = foundFrames(bytes, table, randomFor(name))
  expect(Buffer.compare(asBytes(found), asBytes(frames))).toBe(0)
})

describe('lost bytes', () => {
  const runs = amount(2, 20)
  const rows: (string | number)[][] = []
  const listed: (string | number)[][] = []
  const sums = { intact: 0, found: 0, hidden: 0, invented: 0 }
  const progress = createProgress('streams with lost bytes', wires.length * RATES.length * runs)
  let done = 0

  afterAll(() => {
    const headings = [
      'stream',
      'lost bytes',
      'intact',
      'ambiguous',
      'hidden by a false frame',
      'lost',
      'given',
      'invented',
      'wrong signature',
    ]
    sayTable(`intact frames lost, ${runs} seeds each`, headings, rows)
    sayTable(
      'false frames with a right checksum',
      ['stream', 'lost bytes', 'seed', 'offset', 'bytes', 'message', 'kind', 'intact ones hidden'],
      listed,
    )
  })

  describe.each(wires)('of $name', (wire) => {
    test.each(RATES)(
      `at a rate of %f cost no frame that came through (seed ${seed})`,
      (rate) => {
        const row = { intact: 0, ambiguous: 0, hidden: 0, lost: 0, found: 0, invented: 0, signature: 0 }
        for (let run = 0; run < runs; run++) {
          const lossSeed = seed + run
          const damaged = damage(wire.bytes, { seed: lossSeed, lossPerByte: rate })
          const found = foundFrames(damaged.bytes, table, randomFor(`${wire.name} ${rate} ${run}`))
          const { intact, lost, falseFrames } = judge(wire, damaged, found)
          const invented = falseFrames.filter(({ kind }) => kind === 'invented')
          expect(lost.unexplained, `seed ${lossSeed}`).toEqual([])
          row.intact += intact
          row.ambiguous += lost.ambiguous
          row.hidden += lost.falseFrame
          row.lost += lost.unexplained.length
          row.found += found.length / 2
          row.invented += invented.length
          row.signature += falseFrames.filter(({ kind }) => kind === 'wrong signature').length
          const worth = falseFrames.filter(({ kind, hides }) => kind === 'invented' || hides > 0)
          listed.push(...worth.map((each) => falseFrameRow(wire, rate, lossSeed, each)))
          progress(++done)
        }
        rows.push([wire.name, rate, ...Object.values(row)])
        expect(row.intact).toBeGreaterThan(0)
        sums.intact += row.intact
        sums.found += row.found
        sums.hidden += row.hidden
        sums.invented += row.invented
      },
      SOAK_TIMEOUT_MS,
    )
  })

  test('hide at most one frame in a million behind one that was never sent, and make one in ten thousand', () => {
    expect(sums.intact).toBeGreaterThan(0)
    expect(sums.hidden).toBeLessThanOrEqual(Math.ceil(sums.intact / 1_000_000))
    expect(sums.invented).toBeLessThanOrEqual(sums.found / 10_000)
  })
})

function falseFrameRow(wire: Wire, rate: number, lossSeed: number, frame: FalseFrame): (string | number)[] {
  const msgid = msgidAt(Buffer.from(frame.hex, 'hex'), 0)
  return [wire.name, rate, lossSeed, frame.offset, frame.bytes, nameOf(msgid), frame.kind, frame.hides]
}

describe('messages that no definition knows', () => {
  /** So many that the first two, which may be lost, are less than the share that may (frames). */
  const FREQUENT = 400
  const LEAST_SHARE = 0.995
  const rows: (string | number)[][] = []

  afterAll(() => {
    const headings = ['stream', 'lost bytes', 'ids', 'intact', 'kept', 'share', 'others lost', 'worst']
    sayTable('each id made unknown in turn', headings, rows)
  })

  describe.each(wires)('of $name', (wire) => {
    test.each([0, 0.002])('are kept like others, at a loss of %f', (rate) => {
      const frequent = [...countsById(wire)].filter(([, count]) => count >= FREQUENT)
      expect(frequent.length).toBeGreaterThanOrEqual(3)
      const damaged = damage(wire.bytes, { seed, lossPerByte: rate })
      const arrived = countsById(wire, damaged)
      const sums = { intact: 0, kept: 0, others: 0 }
      const worst = { share: 1, name: '-' }
      for (const [msgid] of frequent) {
        const poorer = new Map([...table].filter(([each]) => each !== msgid))
        const found = foundFrames(damaged.bytes, poorer, randomFor(`${wire.name} ${msgid}`))
        const { unexplained } = judge(wire, damaged, found).lost
        const lost = unexplained.filter((offset) => msgidAt(wire.bytes, offset) === msgid).length
        const intact = arrived.get(msgid)!
        sums.intact += intact
        sums.kept += intact - lost
        sums.others += unexplained.length - lost
        const share = (intact - lost) / intact
        if (share < worst.share) Object.assign(worst, { share, name: nameOf(msgid) })
      }
      const share = sums.kept / sums.intact
      const told = `${worst.name} ${worst.share.toFixed(5)}`
      const { intact, kept, others } = sums
      rows.push([wire.name, rate, frequent.length, intact, kept, share.toFixed(5), others, told])
      expect(others).toBe(0)
      expect(share).toBeGreaterThanOrEqual(LEAST_SHARE)
      // Of an id that is rare, one frame is much; damage may take the neighbours of its first ones.
      expect(rate > 0 || worst.share >= LEAST_SHARE ? '-' : told).toBe('-')
    })
  })
})

/** Frames of the wire by msgid; of a damaged one those that came through. */
function countsById({ bytes, frames }: Wire, damaged?: Damaged): Map<number, number> {
  const starts = damaged === undefined ? undefined : intactFrames(frames, damaged)
  const counts = new Map<number, number>()
  for (let i = 0; i < frames.length; i += 2) {
    if (starts !== undefined && starts[i / 2]! < 0) continue
    const msgid = msgidAt(bytes, frames[i]!)
    counts.set(msgid, (counts.get(msgid) ?? 0) + 1)
  }
  return counts
}

test(
  'random noise makes three frames in 100 MB at most',
  () => {
    const MB = 1_000_000
    const bytes = amount(5, 100) * MB
    const random = randomFor('noise')
    let frames = 0
    const splitter = createSplitter(table, { frame: () => void frames++, noise: () => {} })
    const part = new Uint32Array(16_384)
    for (let done = 0; done < bytes; done += part.byteLength) {
      for (let i = 0; i < part.length; i++) part[i] = random() * 2 ** 32
      splitter.push(new Uint8Array(part.buffer))
    }
    splitter.end()
    sayTable('random noise', ['bytes', 'false frames'], [[bytes, frames]])
    expect(frames).toBeLessThanOrEqual(3)
  },
  SOAK_TIMEOUT_MS,
)

const asBytes = (of: Int32Array): Uint8Array => new Uint8Array(of.buffer, of.byteOffset, of.byteLength)
