/**
 * Recordings: what is measured on. A long flight made by the simulator, the same on every machine, kept for the next run;
 * and recordings of real vehicles, where they lie beside the checkout.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { createSplitter } from '../../dist/link/frame-splitter.js'
import { crcTable, loadDialect } from '../../dist/mavlink/dialect.js'
import { createCopter } from '../../dist/simulator/copter.js'
import { createRandom } from '../../dist/simulator/random.js'

const ROOT = join(import.meta.dirname, '..', '..')
const CACHE = join(ROOT, 'node_modules', '.cache', 'groundlock-bench')
const CAPTURES = join(ROOT, '..', 'shared', 'captures')
const ORACLE = '.oracle.json'

/** A copter's time_boot in µs fits 32 bits for 71 minutes: the long recording is flights of an hour, a new seed each (s). */
const FLIGHT_S = 3600
/** When the recording begins: always the same (ms since 1970). */
const START_UTC_MS = Date.UTC(2026, 4, 17, 6)
/** A frame is heard so much after it was sent, and up to so much more (µs): radios and reads are not on time. */
const DELAY_US = 2000
const DELAY_SPREAD_US = 3000
/** Before each frame of a tlog (bytes). */
const TIMESTAMP_BYTES = 8
/** Written at once (bytes). */
const WRITE_BYTES = 1 << 20

/** Path of a tlog of about `bytes` bytes, made once. `onProgress` is called with the share that is done. */
export async function generatedFlight(bytes, onProgress) {
  const path = join(CACHE, `flight-${bytes / 1e6}mb-${recipeHash()}.tlog`)
  if (existsSync(path)) return path
  mkdirSync(CACHE, { recursive: true })
  const aside = `${path}.${process.pid}`
  const file = openSync(aside, 'w')
  try {
    await writeFlights(file, bytes, onProgress)
    closeSync(file)
    renameSync(aside, path)
  } finally {
    rmSync(aside, { force: true })
  }
  return path
}

/** What the flight depends on: another simulator makes another one. */
function recipeHash() {
  const hash = createHash('sha256').update(readFileSync(import.meta.filename))
  const simulator = join(ROOT, 'dist', 'simulator')
  for (const name of readdirSync(simulator).sort()) hash.update(readFileSync(join(simulator, name)))
  return hash.digest('hex').slice(0, 12)
}

async function writeFlights(file, bytes, onProgress) {
  const buffer = Buffer.alloc(WRITE_BYTES + 512)
  const random = createRandom(1)
  let [written, length, timeUs] = [0, 0, 0]
  for (let hour = 0; ; hour++) {
    const startUtcMs = START_UTC_MS + hour * FLIGHT_S * 1000
    const copter = await createCopter({ seed: hour + 1, durationS: FLIGHT_S, startUtcMs })
    for (const { timeMs, bytes: frame } of copter.frames()) {
      const heardUs = (startUtcMs + timeMs) * 1000 + DELAY_US + Math.floor(random() * DELAY_SPREAD_US)
      timeUs = Math.max(timeUs, heardUs)
      buffer.writeBigUInt64BE(BigInt(timeUs), length)
      buffer.set(frame, length + TIMESTAMP_BYTES)
      length += TIMESTAMP_BYTES + frame.length
      const enough = written + length >= bytes
      if (length < WRITE_BYTES && !enough) continue
      writeSync(file, buffer, 0, length)
      written += length
      length = 0
      onProgress(Math.min(1, written / bytes))
      if (enough) return
    }
  }
}

/** A recording of which this share of the bytes belongs to no frame is a damaged one. */
const DAMAGED_SHARE = 0.01

/**
 * The recordings of real vehicles: name, path, bytes, kind. `kind` is `clean` (a tlog of frames alone, but for a last record
 * that is cut off), `noisy` (a tlog with stretches that are no frame, less than a hundredth of it), `damaged` (a tlog
 * with more of them) or `raw`. Empty where they are absent.
 */
export function captures() {
  if (!existsSync(CAPTURES)) return []
  return readdirSync(CAPTURES)
    .filter((name) => name.endsWith(ORACLE))
    .sort()
    .map((oracleName) => {
      const name = oracleName.slice(0, -ORACLE.length)
      const oracle = JSON.parse(readFileSync(join(CAPTURES, oracleName), 'utf8'))
      const path = join(CAPTURES, name)
      return { name, path, bytes: statSync(path).size, kind: kindOf(oracle) }
    })
}

function kindOf({ format, bytes, structural }) {
  const { skipped_runs: runs, skipped_bytes: skipped, first_skips_offset_length: where } = structural
  if (format === 'raw') return 'raw'
  if (skipped >= DAMAGED_SHARE * bytes) return 'damaged'
  if (runs === 0 || (runs === 1 && where[0][0] + where[0][1] === bytes)) return 'clean'
  return 'noisy'
}

/**
 * A tlog without its timestamps, which is what was on the wire, and the time of each frame (ms since 1970). The reference
 * gets it so: in timestamps it finds false frames, and skips true ones for them.
 */
export function wireOf(tlog) {
  const bytes = Buffer.alloc(tlog.length)
  const timesMs = []
  let length = 0
  const take = (from, start, end) => {
    bytes.set(from.subarray(start, end), length)
    length += end - start
  }
  const view = (from, start) => new DataView(from.buffer, from.byteOffset + start, TIMESTAMP_BYTES)
  const sink = {
    frame(from, start, end) {
      timesMs.push(Number(view(from, start).getBigUint64(0) / 1000n))
      take(from, start + TIMESTAMP_BYTES, end)
    },
    noise: take,
  }
  const splitter = createSplitter(crcTable(loadDialect()), sink, { prefixBytes: TIMESTAMP_BYTES })
  splitter.push(tlog)
  splitter.end()
  return { bytes: bytes.subarray(0, length), timesMs }
}
