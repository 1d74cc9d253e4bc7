/**
 * Intake, whatever comes: at every moment what came in is framed, noise or held, and what goes on is what came in, byte
 * for byte, but for signing keys.
 */
import { expect, test } from 'vitest'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { Vehicles } from '../../src/mavlink/vehicles.js'
import { Intake } from '../../src/storage/intake/intake.js'
import { FRAME } from '../../src/storage/segment/records.js'
import { SETUP_SIGNING, known } from '../support/frames.js'
import { MAX_MUTATED_BYTES, Mutator } from '../support/mutation.js'
import { SOAK_TIMEOUT_MS, amount, randomFor, seed } from '../support/soak.js'

const dialect = loadDialect()
const STREAM_FRAMES = 200
/** Where the key of SETUP_SIGNING lies in its frame: header 10, time 8, target 2 (bytes). */
const [KEY_FROM, KEY_TO] = [20, 52]

interface Outcome {
  bytes: Uint8Array
  frames: number[]
  redactions: number
}

const random = randomFor('intake')

/** Feeds the stream in pieces with silences between them, and looks at the counts at every step. */
function takeIn(stream: Uint8Array): Outcome {
  const bytes = new Uint8Array(stream.length)
  const frames: number[] = []
  let done = 0
  const vehicles = new Vehicles(dialect, { heartbeat: () => {}, event: () => {}, utc: () => {} })
  const intake = new Intake({
    link: 0,
    dialect,
    vehicles,
    sink: (kind, _link, _timeUs, from, start, end) => {
      if (kind === FRAME) frames.push(done)
      bytes.set(from.subarray(start, end), done)
      done += end - start
    },
  })
  const check = (pushed: number): void => {
    const { bytesIn, framedBytes, noiseBytes } = intake.counts
    if (bytesIn !== pushed || framedBytes + noiseBytes + intake.heldBytes !== pushed || done > pushed)
      throw new Error(
        `of ${pushed} bytes ${framedBytes} are framed, ${noiseBytes} noise, ${intake.heldBytes} held`,
      )
    if (intake.counts.frames !== frames.length) throw new Error('a frame is not counted')
  }
  for (let at = 0; at < stream.length;) {
    const size = 1 + Math.floor(2 ** (9 * random()))
    intake.push(stream.slice(at, at + size), at)
    at = Math.min(at + size, stream.length)
    check(at)
    if (random() < 0.1) intake.idle()
    check(at)
  }
  intake.end()
  check(stream.length)
  if (done !== stream.length) throw new Error(`${done} of ${stream.length} bytes went on`)
  return { bytes, frames, redactions: intake.redactions }
}

/** Throws where a byte differs that is no zeroed key, or a key of a good frame is still there. */
function compare(stream: Uint8Array, { bytes, frames }: Outcome): void {
  const isSetup = (at: number): boolean =>
    stream[at] === 0xfd && stream[at + 7] === 0 && stream[at + 8] === 1 && stream[at + 9] === 0
  let mayDifferTo = 0
  for (let i = 0; i < stream.length; i++) {
    if (i >= KEY_FROM && isSetup(i - KEY_FROM)) mayDifferTo = i + KEY_TO - KEY_FROM
    if (bytes[i] !== stream[i] && (bytes[i] !== 0 || i >= mayDifferTo)) throw new Error(`byte ${i} differs`)
  }
  for (const start of frames.filter(isSetup)) {
    const end = Math.min(start + KEY_TO, start + 10 + stream[start + 1]!)
    if (bytes.subarray(start + KEY_FROM, end).some((byte) => byte !== 0)) throw new Error(`a key at ${start}`)
  }
}

test(
  `Byte-exact and Counted: every byte of mutated frames goes on as it came, in its place (seed ${seed})`,
  () => {
    const mutator = new Mutator(dialect.byId, random)
    const setup = known(SETUP_SIGNING)
    const room = new Uint8Array(STREAM_FRAMES * MAX_MUTATED_BYTES)
    const streams = Math.ceil(amount(40_000, 1_000_000) / STREAM_FRAMES)
    const sums = { frames: 0, redactions: 0 }
    for (let n = 0; n < streams; n++) {
      let end = 0
      while (end + setup.length + MAX_MUTATED_BYTES < room.length) {
        end = mutator.write(room, end)
        if (random() > 0.02) continue
        room.set(setup, end)
        end += setup.length
      }
      const stream = room.slice(0, end)
      const outcome = takeIn(stream)
      compare(stream, outcome)
      sums.frames += outcome.frames.length
      sums.redactions += outcome.redactions
    }
    expect(sums.frames).toBeGreaterThan(50 * streams)
    expect(sums.redactions).toBeGreaterThan(streams)
  },
  SOAK_TIMEOUT_MS,
)
