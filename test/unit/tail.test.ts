/** Tail: real files, written as the station writes them and read as the next start reads them. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Fault } from '../../src/base/fault.js'
import { ChunkWriter, PAGE_BYTES } from '../../src/storage/tail/chunk.js'
import { NOISE } from '../../src/storage/segment/records.js'
import { TailPair } from '../../src/storage/tail/tail-pair.js'
import { TAIL_BYTES, Tail, lastSequenceIn, readTail } from '../../src/storage/tail/tail.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { HEAD, ItemLines, chunkOf } from '../support/chunks.js'
import { filler } from '../support/frames.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'groundlock-tail-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const sequencesOf = (path: string): number[] => readTail(path).map(({ sequence }) => sequence)

/** The noise of each chunk, as written. */
function noiseOf(path: string): string[] {
  return readTail(path).map((chunk) => {
    const items = new ItemLines()
    chunk.read(items)
    return items.lines.join()
  })
}

const noiseLine = (length: number, seed: number): string =>
  `noise link 0 at 5000000: ${Buffer.from(filler(length, seed)).toString('hex')}`

describe('a tail', () => {
  test('is made of its full size, of zeros, and holds no chunk', () => {
    const path = join(folder, 'made')
    const tail = Tail.open(path)
    expect(statSync(path).size).toBe(TAIL_BYTES)
    expect(readFileSync(path).every((byte) => byte === 0)).toBe(true)
    expect(existsSync(`${path}.new`)).toBe(false)
    expect(tail.room).toBe(TAIL_BYTES)
    expect(readTail(path)).toEqual([])
    tail.close()
  })

  test('that was never made holds no chunk either', () => {
    expect(readTail(join(folder, 'never made'))).toEqual([])
  })

  test('holds what was appended when append returns, in order, and keeps its size', () => {
    const path = join(folder, 'appended')
    const tail = Tail.open(path)
    const sizes = [1, 5000, 300, 70_000]
    sizes.forEach((size, i) => {
      tail.append(chunkOf(size, i), 10 + i)
      expect(tail.lastSequence).toBe(10 + i)
      expect(noiseOf(path)).toEqual(sizes.slice(0, i + 1).map(noiseLine))
    })
    expect(sequencesOf(path)).toEqual([10, 11, 12, 13])
    expect(statSync(path).size).toBe(TAIL_BYTES)
    expect(tail.room).toBe(TAIL_BYTES - (1 + 2 + 1 + 18) * PAGE_BYTES)
    tail.close()
  })

  test('a write cut short anywhere in its last chunk leaves the earlier ones, and that one whole or not at all', () => {
    const path = join(folder, 'torn')
    const tail = Tail.open(path)
    // An older round lies behind: what was there before the torn write are not only zeros.
    for (let sequence = 1; sequence <= 6; sequence++) tail.append(chunkOf(6000, sequence), sequence)
    tail.restart(6)
    tail.append(chunkOf(5000, 1), 7)
    tail.append(chunkOf(9000, 2), 8)
    const before = readFileSync(path)
    const from = TAIL_BYTES - tail.room
    tail.append(chunkOf(10_000, 3), 9)
    const { length } = readTail(path).at(-1)!
    const after = readFileSync(path)
    const to = TAIL_BYTES - tail.room
    tail.close()
    const torn = join(folder, 'torn as it was found')
    const expectWholeOrNot = (found: Buffer, is: string): void => {
      writeFileSync(torn, found)
      const whole = found.compare(after, from, from + length, from, from + length) === 0
      expect(sequencesOf(torn), `written: ${is}`).toEqual(whole ? [7, 8, 9] : [7, 8])
      expect(noiseOf(torn).slice(0, 2), `written: ${is}`).toEqual([noiseLine(5000, 1), noiseLine(9000, 2)])
    }
    for (let at = from; at <= to; at += 512) {
      expectWholeOrNot(
        Buffer.concat([after.subarray(0, at), before.subarray(at)]),
        `first ${at - from} bytes`,
      )
      const last = Buffer.concat([before.subarray(0, at), after.subarray(at, to), before.subarray(to)])
      expectWholeOrNot(last, `all but the first ${at - from} bytes`)
      const without = Buffer.from(after)
      before.copy(without, at, at, Math.min(at + 512, to))
      expectWholeOrNot(without, `without the sector at ${at - from}`)
    }
  })

  test('begun again holds nothing, on the disk too; an older round behind the newest is never read', () => {
    const path = join(folder, 'rounds')
    const tail = Tail.open(path)
    // The second chunk of the first round would follow the first one of the second round, but for its generation.
    tail.append(chunkOf(100, 1), 1)
    tail.append(chunkOf(100, 2), 2)
    tail.append(chunkOf(100, 3), 3)
    tail.restart(3)
    expect([tail.lastSequence, tail.room]).toEqual([0, TAIL_BYTES])
    expect(lastSequenceIn(path)).toBe(3)
    expect(readTail(path)).toEqual([])
    tail.append(chunkOf(100, 4), 1)
    expect(noiseOf(path)).toEqual([noiseLine(100, 4)])
    tail.append(chunkOf(100, 5), 2)
    expect(noiseOf(path)).toEqual([noiseLine(100, 4), noiseLine(100, 5)])
    tail.close()
  })

  test('takes no more items than its size, however small they become in it', () => {
    const tail = Tail.open(join(folder, 'zeros'))
    const zeros = new ChunkWriter()
    zeros.begin(HEAD)
    zeros.record(NOISE, 0, 5_000_000, new Uint8Array(70_000), 0, 70_000)
    tail.append(zeros, 1)
    tail.append(zeros, 2)
    expect(tail.room).toBe(TAIL_BYTES - 2 * zeros.length)
    tail.restart(2)
    expect(tail.room).toBe(TAIL_BYTES)
    tail.close()
  })

  test('that was not begun again keeps what it holds for the next start', () => {
    const path = join(folder, 'kept')
    const tail = Tail.open(path)
    tail.append(chunkOf(100, 1), 1)
    tail.close()
    Tail.open(path).close()
    expect(sequencesOf(path)).toEqual([1])
  })

  test('a sequence that does not follow ends it', () => {
    const path = join(folder, 'sequence')
    const tail = Tail.open(path)
    for (const sequence of [4, 5, 7]) tail.append(chunkOf(10), sequence)
    expect(sequencesOf(path)).toEqual([4, 5])
    tail.close()
  })

  test('where none can be made is a fault that says what to do', () => {
    const path = join(folder, 'not there', 'tail-0')
    expect(() => Tail.open(path)).toThrow(Fault)
    expect(() => Tail.open(path)).toThrow(/tail.*not there/s)
  })
})

describe('two tails', () => {
  const vaultAt = (name: string): Vault => Vault.openOrCreate(join(folder, name))
  const inBoth = (vault: Vault): number[] =>
    [...sequencesOf(vault.tailPath(0)), ...sequencesOf(vault.tailPath(1))].toSorted((a, b) => a - b)

  /** Appends chunks of this size from `sequence` on until there is no room; returns the next sequence. */
  function fill(pair: TailPair, sequence: number, noiseBytes: number): number {
    const chunk = chunkOf(noiseBytes)
    while (sequence < 1000 && pair.append(chunk, sequence)) sequence++
    return sequence
  }

  test('take chunks until both are full, and again once a segment holds those of one', () => {
    const vault = vaultAt('full')
    const pair = new TailPair(vault, 0)
    const next = fill(pair, 1, 1024 * 1024 - 3000)
    expect(next).toBe(9)
    expect(inBoth(vault)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(pair.append(chunkOf(10), next)).toBe(false)
    expect(inBoth(vault)).toHaveLength(8)
    pair.committed(3)
    expect(pair.append(chunkOf(10), next)).toBe(false)
    pair.committed(4)
    expect(pair.append(chunkOf(10), next)).toBe(true)
    expect(inBoth(vault)).toEqual([5, 6, 7, 8, 9])
    pair.close()
  })

  test('say in time that one is nearly full', () => {
    const pair = new TailPair(vaultAt('nearly full'), 0)
    let chunks = 0
    for (; !pair.isNearlyFull; chunks++) pair.append(chunkOf(256 * 1024 - 1000), chunks + 1)
    expect(chunks).toBe(13)
    pair.close()
  })

  test('go on in the other one while a segment is made, and come back to a free one', () => {
    const vault = vaultAt('turns')
    const pair = new TailPair(vault, 0)
    pair.append(chunkOf(10), 1)
    expect(pair.switch()).toBe(true)
    pair.append(chunkOf(10), 2)
    expect(sequencesOf(vault.tailPath(0))).toEqual([1])
    expect(sequencesOf(vault.tailPath(1))).toEqual([2])
    expect(pair.switch()).toBe(false)
    pair.committed(1)
    expect(pair.switch()).toBe(true)
    pair.append(chunkOf(10), 3)
    expect(sequencesOf(vault.tailPath(0))).toEqual([3])
    expect(sequencesOf(vault.tailPath(1))).toEqual([2])
    pair.close()
  })

  test('closed when segments hold all: nothing is left for the next start', () => {
    const vault = vaultAt('erased')
    const pair = new TailPair(vault, 0)
    pair.append(chunkOf(10), 1)
    pair.switch()
    pair.append(chunkOf(10), 2)
    pair.committed(2)
    expect(inBoth(vault)).toEqual([1, 2])
    pair.close()
    expect(inBoth(vault)).toEqual([])
  })

  test('closed when segments hold some: the rest is kept', () => {
    const vault = vaultAt('some left')
    const pair = new TailPair(vault, 0)
    pair.append(chunkOf(10), 1)
    pair.switch()
    pair.append(chunkOf(10), 2)
    pair.append(chunkOf(10), 3)
    pair.committed(2)
    pair.close()
    expect(inBoth(vault)).toEqual([2, 3])
  })

  test.each([0, 1] as const)(
    'keep the last number though a power cut tears the first page of tail %i',
    (torn) => {
      const vault = vaultAt(`number ${torn}`)
      const numbers = (): number[] => {
        const page = readFileSync(vault.tailPath(torn))
        // Its first sector is still that of an older round, and what follows is not.
        writeFileSync(vault.tailPath(torn), Buffer.from(page).fill(0xff, 0, 512))
        const left = lastSequenceIn(vault.tailPath(torn === 0 ? 1 : 0))
        writeFileSync(vault.tailPath(torn), page)
        return [left, ...inBoth(vault)]
      }
      const pair = new TailPair(vault, 0)
      pair.append(chunkOf(10), 1)
      pair.switch()
      pair.append(chunkOf(10), 2)
      pair.committed(2)
      pair.append(chunkOf(10), 3)
      expect(numbers()[0]).toBeGreaterThanOrEqual(2)
      pair.committed(3)
      pair.close()
      expect(numbers()).toEqual([3])
      new TailPair(vault, 3).close()
      expect(numbers()).toEqual([3])
    },
  )

  test('hold every chunk that no segment holds, whatever was appended, switched and committed', () => {
    const vault = vaultAt('any')
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 1, max: 600_000 }).map((bytes) => ({ bytes })) },
      { weight: 1, arbitrary: fc.constant('switch' as const) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 100 }).map((percent) => ({ percent })) },
    )
    const property = fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
      const pair = new TailPair(vault, 100)
      let last = 100
      let committed = 100
      for (const each of steps) {
        if (each === 'switch') pair.switch()
        else if ('percent' in each) {
          committed += Math.floor(((last - committed) * each.percent) / 100)
          pair.committed(committed)
        } else if (pair.append(chunkOf(each.bytes), last + 1)) last++
      }
      const needed = Array.from({ length: last - committed }, (_, i) => committed + 1 + i)
      expect(inBoth(vault).filter((sequence) => sequence > committed)).toEqual(needed)
      pair.close()
    })
    fc.assert(property, { numRuns: 10 })
  })
})
