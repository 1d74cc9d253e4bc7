/**
 * Status file: what guard and station last said of themselves, and whether it still holds.
 * Guarantees: a text that is old, of another boot or of a process that is gone or was stopped is never passed off as now; one
 * that cannot be read is said to be so with the reason. Errors: none.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { errnoOf, reasonOf } from '../base/fault.js'
import { GUARD_STATUS_FILE, guardStatusSchema, type GuardStatus } from '../base/guard-status.js'

/** Written each second; two may be late (µs). */
export const STALE_AFTER_US = 3_000_000

/** Far above any real one (bytes). */
const MAX_STATUS_BYTES = 262_144

/** What is known of the clock and the processes here. */
export interface Present {
  nowUs: number
  bootId: string
  isProcessAlive(pid: number): boolean
}

/**
 * dead: its process is gone without a word. hung: the process is there and writes nothing. stopped: it said that it ended.
 * stale: of another boot, or of a time that is still to come.
 */
export type StatusState = 'live' | 'dead' | 'hung' | 'stopped' | 'stale' | 'absent' | 'unreadable'

export interface FoundStatus<T> {
  path: string
  state: StatusState
  /** Why it is not live; empty where it is. */
  why: string
  /** How old it is (ms); null where that means nothing. */
  ageMs: number | null
  status: T | null
}

const linkPart = v.object({
  name: v.string(),
  device: v.string(),
  state: v.picklist(['open', 'waiting', 'closed']),
  fault: v.nullable(v.string()),
  bytesIn: v.number(),
  frames: v.number(),
  noiseBytes: v.number(),
  lostBytes: v.number(),
  outsideBytes: v.number(),
})

/** Of the station's status what `status` shows; the whole is `StationStatus` of the room forward. */
const stationStatusSchema = v.object({
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  bootId: v.string(),
  nowUs: v.number(),
  startedUs: v.number(),
  /** The last word of a station that was stopped. */
  ended: v.optional(v.boolean(), false),
  station: v.string(),
  recovered: v.boolean(),
  flight: v.nullable(v.string()),
  stored: v.nullable(
    v.object({
      flight: v.string(),
      sequence: v.number(),
      bytes: v.number(),
      flushMs: v.number(),
      slowFlushes: v.number(),
    }),
  ),
  backlogBytes: v.number(),
  /** none: there is no link token, so nothing keeps the uplinks shut. */
  guard: v.optional(v.string(), 'none'),
  guardNonsense: v.optional(v.number(), 0),
  /** Why the links may not be opened now. */
  waitingFor: v.optional(v.nullable(v.string()), null),
  links: v.array(linkPart),
})

export type StationReport = v.InferOutput<typeof stationStatusSchema>

export function readGuardStatus(runDir: string, present: Present): FoundStatus<GuardStatus> {
  return readStatus(join(runDir, GUARD_STATUS_FILE), guardStatusSchema, present)
}

export function readStationStatus(runDir: string, present: Present): FoundStatus<StationReport> {
  return readStatus(join(runDir, 'station.json'), stationStatusSchema, present)
}

interface Written {
  pid: number
  bootId: string
  nowUs: number
  ended?: boolean | undefined
}

function readStatus<T extends Written>(
  path: string,
  schema: v.GenericSchema<unknown, T>,
  present: Present,
): FoundStatus<T> {
  const none = (state: StatusState, why: string) => ({ path, state, why, ageMs: null, status: null })
  let text: string
  try {
    text = readBounded(path)
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT')
      return none('absent', `there is no ${path}: it was never started, or was stopped`)
    const isForbidden = errnoOf(cause) === 'EACCES'
    return none('unreadable', `${path}: ${isForbidden ? 'this user may not read it' : reasonOf(cause)}`)
  }
  const parsed = v.safeParse(schema, parsedJson(text))
  if (!parsed.success)
    return none('unreadable', `${path} is not what this version reads: ${whereOf(parsed.issues[0])}`)
  const status = parsed.output
  const sameBoot = status.bootId === present.bootId
  const ageMs = sameBoot ? Math.max(0, Math.round((present.nowUs - status.nowUs) / 1000)) : null
  return { path, ...judged(status, present), ageMs, status }
}

function judged(written: Written, present: Present): { state: StatusState; why: string } {
  const { pid, bootId, nowUs, ended } = written
  if (bootId !== present.bootId) {
    return ended === true
      ? { state: 'stopped', why: 'it was stopped before the last boot' }
      : { state: 'stale', why: 'it was written before the last boot' }
  }
  if (ended === true) return { state: 'stopped', why: 'it was stopped, and said so' }
  if (!present.isProcessAlive(pid)) return { state: 'dead', why: `process ${pid}, which wrote it, is gone` }
  const ageUs = present.nowUs - nowUs
  if (ageUs > STALE_AFTER_US) {
    const why = `nothing was written for ${(ageUs / 1e6).toFixed(1)} s, and process ${pid} is there`
    return { state: 'hung', why }
  }
  // The clock is one for the whole boot: nobody here wrote it then.
  return ageUs < -STALE_AFTER_US
    ? { state: 'stale', why: 'it claims a time that is still to come' }
    : { state: 'live', why: '' }
}

function readBounded(path: string): string {
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(MAX_STATUS_BYTES + 1)
    const length = readSync(fd, bytes, 0, bytes.length, 0)
    if (length > MAX_STATUS_BYTES) throw new Error(`larger than ${MAX_STATUS_BYTES} bytes`)
    return bytes.toString('utf8', 0, length)
  } finally {
    closeSync(fd)
  }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function whereOf(issue: v.BaseIssue<unknown>): string {
  const at = v.getDotPath(issue)
  return at === null ? 'no JSON object' : `${at}: expected ${issue.expected}, found ${issue.received}`
}
