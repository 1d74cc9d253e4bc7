/**
 * One second: a chunk is published as stored only when the kernel has said that it is on the card. Seen from outside, in
 * the system calls of a station at full flow.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FullFlow } from '../support/full-flow.js'
import { RunningStation } from '../support/running-station.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** Chunks that are waited for; each takes 900 ms. */
const CHUNKS = 4
/** Bytes of a call's data that are noted: a status is shorter. */
const NOTED_BYTES = 2000
/** Where a chunk's sequence stands. */
const SEQUENCE_OFFSET = 16

const folder = temporaryFolder('one-second')
const reason = whyNoTrace()

test.skipIf(reason !== '')(
  `One second: no chunk is published before its fdatasync has returned${reason}`,
  async () => {
    const trace = join(folder, 'trace')
    // -D: the station keeps the process id that was given to strace.
    const under = ['strace', '-D', '-f', '-xx', '-s', `${NOTED_BYTES}`, '-o', trace]
    const calls = 'trace=pwrite64,fdatasync,write'
    const flow = await FullFlow.start({ link: join(folder, 'radio') })
    const station = new RunningStation(folder, { baud: 921_600, under: [...under, '-e', calls] })
    try {
      await station.untilStatus(({ stored }) => (stored?.sequence ?? 0) >= CHUNKS)
      flow.pause()
      expect(await station.end('SIGTERM')).toBe(0)
    } finally {
      await station.end('SIGKILL')
      await flow.stop()
    }
    const { published, early } = readTrace(readFileSync(trace, 'latin1'))
    expect(published).toBeGreaterThanOrEqual(CHUNKS)
    expect(early).toEqual([])
  },
)

/** Goes through the calls in the order in which they returned; one that was published while it was under way is early. */
function readTrace(text: string): { published: number; early: number[] } {
  const durable = new Set<number>()
  const published = new Set<number>()
  const early = new Set<number>()
  /** Chunks that were written and not flushed, by thread and file. */
  const written = new Map<string, number[]>()
  const begun = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (rest.endsWith('<unfinished ...>')) {
      begun.set(thread, rest)
      // A status counts from the moment at which it is written, everything else from when it is done.
      notePublished(rest, durable, published, early)
      continue
    }
    const call = rest.startsWith('<... ') ? (begun.get(thread) ?? '') + rest : rest
    const [, name, file] = /^(\w+)\((\d+)/.exec(call) ?? []
    const key = `${thread} ${file}`
    if (name === 'pwrite64' && sequenceOf(call) !== undefined)
      written.set(key, [...(written.get(key) ?? []), sequenceOf(call)!])
    else if (name === 'fdatasync' && call.endsWith('= 0')) {
      for (const sequence of written.get(key) ?? []) durable.add(sequence)
      written.delete(key)
    } else notePublished(call, durable, published, early)
  }
  return { published: published.size, early: [...early] }
}

function notePublished(
  call: string,
  durable: ReadonlySet<number>,
  published: Set<number>,
  early: Set<number>,
): void {
  if (!call.startsWith('write(')) return
  const [, sequence] = /"stored": \{[^}]*"sequence": (\d+)/.exec(dataOf(call).toString('latin1')) ?? []
  if (sequence === undefined) return
  published.add(Number(sequence))
  if (!durable.has(Number(sequence))) early.add(Number(sequence))
}

/** Of the chunk that this call writes the beginning of. */
function sequenceOf(call: string): number | undefined {
  const data = dataOf(call)
  if (data.subarray(0, 4).toString('latin1') !== 'GLT2') return undefined
  return Number(data.readBigUInt64LE(SEQUENCE_OFFSET))
}

/** The first text of a call, which strace writes as `\x47\x4c…`. */
function dataOf(call: string): Buffer {
  const [, text = ''] = /"((?:\\x[0-9a-f]{2})*)"/.exec(call) ?? []
  return Buffer.from(text.replaceAll('\\x', ''), 'hex')
}

/** For the test's name; '' where there is strace and it may trace. */
function whyNoTrace(): string {
  const place = mkdtempSync(join(tmpdir(), 'groundlock-trace-'))
  try {
    execFileSync('strace', ['-D', '-f', '-o', join(place, 'trace'), 'true'], { stdio: 'pipe' })
    return ''
  } catch {
    return ' (skipped: strace is not here, or may not trace)'
  } finally {
    rmSync(place, { recursive: true })
  }
}
