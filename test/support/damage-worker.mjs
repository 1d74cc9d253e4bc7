/**
 * Damage worker: a process of its own that damages copies of a flight file, checks and salvages each with the built
 * product, and says what came of it; should SQLite crash or hang on one, whoever started it sees that, and on which.
 *
 *     in: { path, folder }, then { jobs: [{ kind, at, bytes, full }] }     out: { records, pieces }, then { results } a few at a time
 */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const DIST = new URL('../../dist/', import.meta.url)
const load = (path) => import(new URL(path, DIST))
const { checkFlight } = await load('storage/check/flight-check.js')
const { findRows } = await load('storage/check/found-rows.js')
const { PageImage } = await load('storage/check/page-image.js')
const { salvageFlight } = await load('storage/check/salvage.js')
const { surveySegments } = await load('storage/check/survey.js')
const { FlightFile } = await load('storage/flight/flight-file.js')
const { loadDialect } = await load('mavlink/dialect.js')
const { sortByGroup } = await load('storage/segment/group-sort.js')
const { Fault } = await load('base/fault.js')
const { Sqlite } = await load('storage/flight/sqlite.js')

let original
let place
/** Record → its index in the flight. */
let indexOf
/** Record → piece that holds it; segment of each record. */
let pieceOfRecord
let segmentOfRecord

const keyOf = (records, i) => {
  const bytes = Buffer.from(records.bytes.subarray(records.startOf(i), records.ends[i]))
  return `${records.kinds[i]} ${records.links[i]} ${records.times[i]} ${bytes.toString('latin1')}`
}

async function recordsOf(path) {
  const { file } = await FlightFile.open(path)
  try {
    const all = []
    for (const segment of file.segments) all.push(await segment.records())
    return all
  } finally {
    await file.close()
  }
}

async function begin({ path, folder }) {
  original = readFileSync(path)
  place = join(folder, `damaged-${process.pid}.glk`)
  indexOf = new Map()
  pieceOfRecord = []
  segmentOfRecord = []
  const db = await Sqlite.open(path, 'read')
  const groups = await db.all('SELECT segment, number, piece FROM message_group')
  const noise = await db.all("SELECT id, segment FROM piece WHERE kind = 'noise' ORDER BY id")
  await db.close()
  for (const [s, records] of (await recordsOf(path)).entries()) {
    const sorted = sortByGroup(records)
    const pieces = new Map(groups.filter((g) => g.segment === s + 1).map((g) => [g.number, g.piece]))
    const ownNoise = noise.filter((piece) => piece.segment === s + 1)
    sorted.noise.forEach(({ number }, n) => pieces.set(number, ownNoise[n].id))
    for (let i = 0; i < records.count; i++) {
      const key = keyOf(records, i)
      if (indexOf.has(key)) throw new Error('two records of the flight are alike')
      indexOf.set(key, indexOf.size)
      pieceOfRecord.push(pieces.get(sorted.numbers[i]))
      segmentOfRecord.push(s + 1)
    }
  }
  return { records: indexOf.size, pieceOfRecord, segmentOfRecord }
}

function damaged({ kind, at, bytes }) {
  if (kind === 'cut') return original.subarray(0, at)
  const copy = Buffer.from(original)
  if (kind === 'flip') copy[at >> 3] ^= 1 << (at & 7)
  else copy.fill(0, at, Math.min(at + bytes, copy.length))
  return copy
}

/** What check says and salvage gives back. Whatever else is thrown is a crash. */
async function work(job) {
  const bytes = damaged(job)
  writeFileSync(place, bytes)
  const hash = createHash('sha256').update(bytes).digest('hex')
  const out = `${place}.out`
  rmSync(out, { force: true })
  const result = {
    ...job,
    isSame: bytes.equals(original),
    findings: [],
    fault: null,
    missing: null,
    problem: null,
  }
  try {
    const check = await checkFlight(place)
    result.findings = check.findings.map(({ part, subject }) => `${part} ${subject}`.trim())
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    result.fault = error.code
  }
  try {
    Object.assign(result, job.full ? await copied(out) : comparison(await surveyed()))
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    if (error.code !== 'GL-FLIGHT-06') result.problem = error.message
    result.missing = [...indexOf.values()]
  }
  if (createHash('sha256').update(readFileSync(place)).digest('hex') !== hash)
    result.problem = 'the damaged file was changed'
  for (const suffix of ['-journal', '-wal', '-shm', '.out-journal'])
    if (existsSync(place + suffix)) result.problem = `${suffix} was left`
  return result
}

/** What salvage would write, without writing it: a copy takes ten times as long. */
async function surveyed() {
  const all = []
  for await (const { records } of surveySegments(findRows(PageImage.read(place)))) all.push(records)
  return all
}

async function copied(out) {
  await salvageFlight(place, out, { dialect: loadDialect() })
  const { findings } = await checkFlight(out)
  if (findings.length > 0) return { problem: `the copy is not whole: ${JSON.stringify(findings[0])}` }
  chmodSync(out, 0o640)
  return comparison(await recordsOf(out))
}

/** Which records are missing, and what is wrong with those that are there. */
function comparison(segments) {
  const missing = []
  let next = 0
  for (const records of segments) {
    for (let i = 0; i < records.count; i++) {
      const index = indexOf.get(keyOf(records, i))
      if (index === undefined) return { problem: 'a record that is given back is not in the flight' }
      if (index < next) return { problem: 'a record that is given back is out of order' }
      while (next < index) missing.push(next++)
      next = index + 1
    }
  }
  while (next < indexOf.size) missing.push(next++)
  return { missing }
}

async function answer(message) {
  if (message.path !== undefined) {
    process.send(await begin(message))
    return
  }
  for (const job of message.jobs) process.send(await outcomeOf(job))
}

async function outcomeOf(job) {
  try {
    return await work(job)
  } catch (error) {
    const problem = `crash: ${error instanceof Error ? error.stack : String(error)}`
    return { ...job, findings: [], fault: null, missing: null, problem }
  }
}

process.on('message', (message) => void answer(message))
