/**
 * Messages: all that station and guard can say to each other, one JSON object a line, each with `"v": 1`.
 *
 *     station ──▶ guard   state (each second, on change), gave way, refused, is shut
 *     guard ──▶ station   door (each second, on change), give way, shut
 *
 * Untrusted text comes in and a message or null comes out: what is not exactly a message is none, and nobody's fault.
 */
import * as v from 'valibot'

/** The socket's name in the guard's run_dir. */
export const GUARD_SOCKET = 'guard.sock'

/** Longest line (bytes): ten times what the longest message needs. */
export const MAX_LINE_BYTES = 4096

/** Longest text for a person (characters): a line of a log. */
export const MAX_TEXT = 500

const VERSION = v.literal(1)
/** Number of a question; its answer has the same. */
const number = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const text = v.pipe(v.string(), v.maxLength(MAX_TEXT))

const fromStation = v.variant('op', [
  v.strictObject({
    v: VERSION,
    op: v.literal('state'),
    link: v.picklist(['open', 'closed']),
    vehicle: v.picklist(['none', 'disarmed', 'armed', 'lost']),
  }),
  v.strictObject({ v: VERSION, op: v.literal('gave way'), n: number }),
  v.strictObject({ v: VERSION, op: v.literal('refused'), n: number, why: text }),
  v.strictObject({ v: VERSION, op: v.literal('is shut'), n: number }),
])

const fromGuard = v.variant('op', [
  v.strictObject({
    v: VERSION,
    op: v.literal('door'),
    door: v.picklist(['blocked', 'permitted', 'fault']),
    reason: text,
  }),
  v.strictObject({ v: VERSION, op: v.literal('give way'), n: number }),
  v.strictObject({ v: VERSION, op: v.literal('shut'), n: number, verified: v.boolean() }),
])

export type FromStation = v.InferOutput<typeof fromStation>
export type FromGuard = v.InferOutput<typeof fromGuard>

export type LinkWord = 'open' | 'closed'
export type VehicleWord = 'none' | 'disarmed' | 'armed' | 'lost'
export type DoorWord = 'blocked' | 'permitted' | 'fault'

/** What a station says in this line; null where it is no message of one. */
export function parseFromStation(line: string): FromStation | null {
  return parse(fromStation, line)
}

/** What a guard says in this line; null where it is no message of one. */
export function parseFromGuard(line: string): FromGuard | null {
  return parse(fromGuard, line)
}

/** The message as a line, with its end. Texts that are too long are cut: they are for a person. */
export function lineOf(message: FromStation | FromGuard): string {
  return `${JSON.stringify(message, (_, value: unknown) => (typeof value === 'string' ? value.slice(0, MAX_TEXT) : value))}\n`
}

function parse<T>(schema: v.GenericSchema<unknown, T>, line: string): T | null {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return null
  }
  const result = v.safeParse(schema, value)
  return result.success ? result.output : null
}
