/**
 * Flipped bits: whatever becomes of a flight file (any bit of it flipped, cut anywhere, sectors zeroed), `check` names it,
 * or the bytes meant nothing; `salvage` gives back no record that was not in the flight, and all that damage does not
 * touch; and nothing ever crashes or hangs.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT_CODE } from '../../src/commands/exit-code.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { LiveFlight } from '../../src/storage/flight/live-flight.js'
import { FRAME, NOISE } from '../../src/storage/segment/records.js'
import { Vault } from '../../src/storage/vault/vault.js'
import { HEAD } from '../support/chunks.js'
import { HEARTBEAT, filler, frame, known } from '../support/frames.js'
import { groundlock } from '../support/groundlock.js'
import { PAGE_BYTES, meaninglessBytes } from '../support/page-kinds.js'
import {
  SOAK_TIMEOUT_MS,
  amount,
  createProgress,
  isLong,
  randomFor,
  say,
  sayTable,
  seed,
} from '../support/soak.js'
import { IN_MEMORY } from '../support/temporary-folder.js'

/** Longest that the check and the salvage of one small damaged file may take (ms): a thousand times what they do. */
const HANG_MS = 20_000
/** One of so many damaged files is salvaged to the end (files). */
const FULL_EVERY = 20
/** What a failure names of many (results). */
const MAX_TOLD = 20

interface Job {
  kind: 'flip' | 'cut' | 'zero'
  /** The bit, the length that is left, or the first byte. */
  at: number
  bytes: number
  /** Salvage writes its copy, and that is checked; else it is only seen what it would write. */
  full: boolean
}

interface Result extends Job {
  isSame: boolean
  findings: string[]
  fault: string | null
  /** Records that the salvaged copy lacks, by their place in the flight. */
  missing: number[] | null
  problem: string | null
}

interface Content {
  records: number
  pieceOfRecord: number[]
  segmentOfRecord: number[]
}

let dir: string
let path: string
let original: Buffer
let content: Content

beforeAll(async () => {
  dir = mkdtempSync(join(IN_MEMORY, 'groundlock-flipped-bits-')) // a hundred thousand files are written
  const vault = Vault.openOrCreate(join(dir, 'vault'))
  await record(vault)
  path = vault.flightPath(HEAD.id)
  original = readFileSync(path)
  say(`seed ${seed}; a flight of ${original.length} bytes`)
}, SOAK_TIMEOUT_MS)

afterAll(() => rmSync(dir, { recursive: true, force: true }))

/**
 * Moments of each segment. The first has so many that its longest messages get a piece of their own, and others of their
 * sender another: what is left when one is lost must still have its sequence numbers.
 */
const MOMENTS = [160, 30, 30]

/** Three segments of two links and three senders, with noise, gaps, events and anchors, closed and settled. */
async function record(vault: Vault): Promise<void> {
  const flight = LiveFlight.begin(vault, HEAD, loadDialect(), async () => {})
  let moment = 0
  for (const [segment, moments] of MOMENTS.entries()) {
    const us = usOf(moment)
    for (let i = 0; i < moments; i++) put(flight, moment++)
    flight.gap({ link: 0, fromUs: us, toUs: us + 5000, bytes: 321 + segment, reason: 'memory was full' })
    flight.event({ recvTimeUs: us, kind: 'armed', detail: `vehicle 1/${segment}` })
    flight.anchor({ recvTimeUs: us, utcUs: 1_704_067_200_000_000 + us, source: 'gps' })
    if (segment < MOMENTS.length - 1) await flight.cut()
  }
  await flight.end('landed')
  await flight.settle()
}

/** One of the longest messages: a hundred and thirty fill a piece. */
const FILE_TRANSFER_PROTOCOL = { msgid: 110, crcExtra: 84 }

const usOf = (moment: number): number => 1_000_000 + moment * 50_000

function put(flight: LiveFlight, i: number): void {
  const us = usOf(i)
  const add = (kind: typeof FRAME | typeof NOISE, link: number, bytes: Uint8Array): void =>
    flight.record(kind, link, BigInt(us), bytes, 0, bytes.length)
  add(FRAME, 0, frame({ ...FILE_TRANSFER_PROTOCOL, seq: (2 * i) & 0xff, payload: filler(250, 1 + (i % 4)) }))
  if (i % 3 === 0) add(FRAME, 0, known(HEARTBEAT, { seq: (2 * i + 1) & 0xff }))
  if (i % 7 === 0) add(FRAME, 1, known(HEARTBEAT, { seq: i & 0xff, sysid: 2 }))
  if (i % 5 === 0)
    add(
      FRAME,
      1,
      frame({
        version: 1,
        msgid: 0,
        crcExtra: 50,
        payload: filler(9, i),
        seq: i & 0xff,
        sysid: 3,
        compid: 7,
      }),
    )
  if (i % 11 === 0) add(NOISE, i % 2, filler(20 + (i % 60), i))
}

/** Does all jobs in processes of their own; a crash or a hang is the result of the job that it came with. */
async function damage(what: string, jobs: readonly Job[]): Promise<Result[]> {
  const progress = createProgress(what, jobs.length)
  const half = Math.ceil(jobs.length / 2)
  let done = 0
  const parts = [jobs.slice(0, half), jobs.slice(half)].map((part) =>
    damagePart(part, () => progress(++done)),
  )
  return (await Promise.all(parts)).flat()
}

async function damagePart(jobs: readonly Job[], onDone: () => void): Promise<Result[]> {
  const results: Result[] = []
  while (results.length < jobs.length) {
    const worker = new Worker()
    try {
      worker.send({ path, folder: dir })
      content = (await worker.answer()) as Content
      worker.send({ jobs: jobs.slice(results.length) })
      while (results.length < jobs.length) {
        const answer = (await worker.answer()) as Result | string
        const nothing = { isSame: false, findings: [], fault: null, missing: null }
        const job = jobs[results.length]!
        results.push(typeof answer === 'string' ? { ...job, ...nothing, problem: answer } : answer)
        onDone()
        if (typeof answer === 'string') break
      }
    } finally {
      worker.end()
    }
  }
  return results
}

/** A process that damages copies; its answers come in the order of what it was asked. */
class Worker {
  readonly #process: ChildProcess
  readonly #answers: unknown[] = []
  #wake: () => void = () => {}

  constructor() {
    const program = join(import.meta.dirname, '..', 'support', 'damage-worker.mjs')
    this.#process = fork(program, { serialization: 'advanced' })
    const take = (answer: unknown): void => {
      this.#answers.push(answer)
      this.#wake()
    }
    this.#process.on('message', take)
    this.#process.on('exit', (code, signal) => take(`crash: exit ${code}, signal ${signal}`))
  }

  send(message: object): void {
    this.#process.send(message)
  }

  /** Its next message, or how it came to an end. */
  async answer(): Promise<unknown> {
    if (this.#answers.length === 0) {
      await new Promise<void>((resolve) => {
        const hang = setTimeout(() => {
          this.#answers.push(`hang: no answer for ${HANG_MS} ms`)
          resolve()
        }, HANG_MS)
        this.#wake = () => {
          clearTimeout(hang)
          resolve()
        }
      })
    }
    return this.#answers.shift()
  }

  end(): void {
    this.#process.kill('SIGKILL')
  }
}

const isNamed = ({ findings, fault }: Result): boolean => findings.length > 0 || fault !== null

const describeJob = ({ kind, at, bytes }: Job): string =>
  kind === 'flip' ? `bit ${at & 7} of byte ${at >> 3}` : `${kind} ${at} ${bytes}`

function problemsOf(results: readonly Result[]): string[] {
  return results
    .filter(({ problem }) => problem !== null)
    .map((result) => `${describeJob(result)}: ${result.problem}`)
}

/** What the missing records are: nothing, the records of one piece, of one segment, or something else. */
function lossOf({ missing }: Result): string {
  if (missing === null) return 'unknown'
  if (missing.length === 0) return 'nothing'
  const { pieceOfRecord, segmentOfRecord, records } = content
  const all = (same: (index: number) => boolean): number[] =>
    Array.from({ length: records }, (_, i) => i).filter(same)
  const equal = (other: number[]): boolean =>
    other.length === missing.length && other.every((index, i) => index === missing[i])
  const first = missing[0]!
  if (equal(all((i) => pieceOfRecord[i] === pieceOfRecord[first]))) return 'one piece'
  if (equal(all((i) => segmentOfRecord[i] === segmentOfRecord[first]))) return 'one segment, by its order'
  return 'something else'
}

test(
  'every bit of a flight file: a flip is named, or the bit meant nothing, and it costs one piece at most',
  async () => {
    const bits = original.length * 8
    const count = Math.min(amount(1500, bits), bits)
    const random = randomFor('flips')
    const chosen =
      count === bits
        ? Array.from({ length: bits }, (_, bit) => bit)
        : Array.from({ length: count }, () => Math.floor(random() * bits))
    const results = await damage(
      'flips',
      chosen.map((at, i) => ({ kind: 'flip', at, bytes: 0, full: i % FULL_EVERY === 0 })),
    )
    expect(problemsOf(results).slice(0, MAX_TOLD)).toEqual([])
    const meaningless = meaninglessBytes(original)
    const unnamed = results.filter((result) => !isNamed(result))
    const kindOf = ({ at }: Result): string => meaningless.get(at >> 3) ?? 'SOMETHING ELSE'
    sayTable('Flips that check does not name', ['what the bit is of', 'bits'], counted(unnamed.map(kindOf)))
    sayTable('Records that a flip costs', ['lost', 'flips'], counted(results.map(lossOf)))
    say(`${results.length} flips, ${results.length - unnamed.length} named`)
    expect(
      unnamed
        .filter((result) => kindOf(result) === 'SOMETHING ELSE')
        .map(describeJob)
        .slice(0, MAX_TOLD),
    ).toEqual([])
    expect(
      unnamed
        .filter((result) => lossOf(result) !== 'nothing')
        .map(describeJob)
        .slice(0, MAX_TOLD),
    ).toEqual([])
    const odd = results.filter((result) => ['unknown', 'something else'].includes(lossOf(result)))
    expect(
      odd.map((result) => `${describeJob(result)}: ${result.findings.join()}`).slice(0, MAX_TOLD),
    ).toEqual([])
    expect(results.some((result) => lossOf(result) === 'one piece')).toBe(true)
  },
  SOAK_TIMEOUT_MS,
)

function counted(all: readonly string[]): [string, number][] {
  const counts = new Map<string, number>()
  for (const each of all) counts.set(each, (counts.get(each) ?? 0) + 1)
  return [...counts].toSorted(([, a], [, b]) => b - a)
}

test(
  'cuts and zeroed sectors anywhere are named, and what is given back was in the flight',
  async () => {
    const random = randomFor('cuts')
    const below = (n: number): number => Math.floor(random() * n)
    const jobs = Array.from({ length: amount(400, 10_000) }, (_, i): Job => {
      const sector = [512, 512, 4096][i % 3]!
      const full = i % FULL_EVERY < 2
      if (i % 2 === 0) return { kind: 'cut', at: below(original.length), bytes: 0, full }
      return { kind: 'zero', at: below(Math.ceil(original.length / sector)) * sector, bytes: sector, full }
    })
    const results = await damage('cuts', jobs)
    expect(problemsOf(results).slice(0, MAX_TOLD)).toEqual([])
    const unnamed = results.filter((result) => !result.isSame && !isNamed(result))
    expect(
      unnamed
        .filter((result) => !isMeaningless(result))
        .map(describeJob)
        .slice(0, MAX_TOLD),
    ).toEqual([])
    const share = (of: Job['kind']): (string | number)[] => {
      const own = results.filter(({ kind }) => kind === of)
      const given = own.reduce(
        (sum, { missing }) => sum + content.records - (missing?.length ?? content.records),
        0,
      )
      return [
        of,
        own.length,
        own.filter(isNamed).length,
        Math.round((1000 * given) / own.length / content.records) / 10,
      ]
    }
    sayTable(
      'Cuts and zeroed sectors',
      ['kind', 'files', 'named', '% of records given back'],
      [share('cut'), share('zero')],
    )
  },
  SOAK_TIMEOUT_MS,
)

/** Whether all bytes that a zeroed range changes have no meaning. */
function isMeaningless({ kind, at, bytes }: Result): boolean {
  if (kind !== 'zero') return false
  const kinds = meaninglessBytes(original)
  return Array.from({ length: Math.min(bytes, original.length - at) }, (_, i) => at + i).every(
    (byte) => original[byte] === 0 || kinds.has(byte),
  )
}

describe('as a person meets it', () => {
  const salvaged = (): string => join(dir, 'salvaged.glk')

  test.each([
    ['a bit in the first page', (file: Buffer) => flip(file, 30)],
    ['a bit in the middle', (file: Buffer) => flip(file, file.length >> 1)],
    ['a file that lost its end', (file: Buffer) => file.subarray(0, file.length - 3 * PAGE_BYTES - 7)],
    ['a header of zeros', (file: Buffer) => Buffer.from(file).fill(0, 0, 100)],
  ])('%s is said and salvaged', (_, damaging) => {
    const copy = join(dir, 'copy.glk')
    rmSync(salvaged(), { force: true })
    writeFileSync(copy, damaging(original))
    expect(groundlock(['check', copy])).toMatchObject({
      code: EXIT_CODE.bad,
      stdout: expect.stringMatching(/^damaged: /),
    })
    expect(groundlock(['salvage', copy, '--out', salvaged()])).toMatchObject({
      code: EXIT_CODE.ok,
      stderr: '',
    })
    chmodSync(salvaged(), 0o640)
    expect(groundlock(['check', salvaged()])).toMatchObject({
      code: EXIT_CODE.ok,
      stdout: expect.stringMatching(/^whole: /),
    })
  })

  test('the flight itself is whole', () => {
    expect(isLong || groundlock(['check', path]).stdout.startsWith('whole: ')).toBe(true)
  })
})

function flip(file: Buffer, byte: number): Buffer {
  const copy = Buffer.from(file)
  copy[byte]! ^= 4
  return copy
}
