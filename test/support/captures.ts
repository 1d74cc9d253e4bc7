/**
 * Captures: recordings of real vehicles with what an independent decoder found in each.
 * They are not part of the repository; tests that need them skip where they are absent, and say so.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../../../shared/captures/', import.meta.url))
const ORACLE = '.oracle.json'

/** One frame as pymavlink decodes it: 64-bit integers, NaN and infinities are strings. */
export interface Sample {
  index: number
  offset: number
  name: string
  msgid: number
  /** MAVLink version on the wire. */
  wire: 1 | 2
  seq: number
  sysid: number
  compid: number
  payload_len: number
  full_payload_len: number
  signed: boolean
  frame_hex: string
  fields: Record<string, OracleValue>
}

export type OracleValue = number | string | (number | string)[]

export interface Oracle {
  file: string
  bytes: number
  sha256: string
  format: 'tlog' | 'raw'
  structural: {
    records: number
    good: number
    unknown_msgid: number
    crc_mismatch: number
    skipped_runs: number
    skipped_bytes: number
    v1: number
    v2: number
    signed: number
    /** `NAME len LENGTH from SYSID/COMPID` → how many. */
    crc_mismatch_of: Record<string, number>
    by_name: Record<string, number>
    /** `SYSID/COMPID` → how many. */
    by_component: Record<string, number>
  }
  heartbeats: {
    sysid: number
    compid: number
    type: number
    type_name: string
    autopilot: number
    autopilot_name: string
    count: number
  }[]
  samples: Sample[]
}

export interface Capture {
  name: string
  path: string
  oracle: Oracle
}

/** Why there are no captures here, for the name of what is skipped; null where there are some. */
export const capturesReason: string | null = existsSync(FOLDER)
  ? null
  : 'the recordings (../shared/captures) are not here'

/** All of them; none where `capturesReason` is not null. */
export function captures(): Capture[] {
  if (capturesReason !== null) return []
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(ORACLE))
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((oracleName) => {
      const name = oracleName.slice(0, -ORACLE.length)
      const oracle = JSON.parse(readFileSync(FOLDER + oracleName, 'utf8')) as Oracle
      return { name, path: FOLDER + name, oracle }
    })
}
