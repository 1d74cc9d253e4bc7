/**
 * Guard status: what a running guard says of itself in `RUN_DIR/guard.json`, once a second, for `status` and `doctor`.
 * The guard writes it and others read it: reading is by this schema, which lets unknown keys pass, so that a newer guard
 * can say more.
 */
import * as v from 'valibot'

export const GUARD_STATUS_FILE = 'guard.json'

const circuit = v.nullable(v.picklist(['closed', 'open']))
const us = v.number()

const switchPart = v.object({
  backend: v.string(),
  position: v.picklist(['shut', 'permit', 'doubt']),
  reason: v.string(),
  shutSeen: v.boolean(),
  contacts: v.object({ permit: circuit, shut: circuit }),
  sinceMs: v.number(),
})

const stationPart = v.object({
  state: v.picklist(['absent', 'present', 'gave way', 'refused', 'silent']),
  link: v.nullable(v.picklist(['open', 'closed'])),
  vehicle: v.nullable(v.picklist(['none', 'disarmed', 'armed', 'lost'])),
})

const readingPart = v.object({
  kernel: v.picklist(['shut', 'leased', 'differs']),
  /** A guard that does not say read it. */
  isRead: v.optional(v.boolean(), true),
  problems: v.array(v.string()),
  uplinks: v.array(
    v.object({
      ifindex: v.number(),
      name: v.string(),
      isUp: v.boolean(),
      isCovered: v.boolean(),
      isLeased: v.boolean(),
    }),
  ),
  locals: v.array(v.object({ name: v.string(), isThere: v.boolean(), mismatch: v.nullable(v.string()) })),
  layers: v.object({
    base: v.boolean(),
    netdev: v.boolean(),
    twin: v.boolean(),
    linkDown: v.boolean(),
    rfkill: v.nullable(v.boolean()),
  }),
})

export const guardStatusSchema = v.object({
  v: v.literal(1),
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  bootId: v.string(),
  /** Monotonic clock (µs since boot): when this was written, and when the guard started. */
  nowUs: us,
  startedUs: us,
  door: v.picklist(['blocked', 'permitted', 'fault']),
  reason: v.string(),
  /** Since when the door is as it is. */
  sinceUs: us,
  /** Which row of the decision table said so, and the phase that it left. */
  row: v.string(),
  phase: v.string(),
  switch: switchPart,
  station: stationPart,
  /** What came over the guard's socket and was no use, since the start: lines that are no message, and messages unasked for. */
  nonsense: v.optional(v.object({ lines: v.number(), unasked: v.number() }), { lines: 0, unasked: 0 }),
  token: v.picklist(['free', 'mine', 'other', 'doubt']),
  /** What was read back from the kernel; null before the first time. */
  reading: v.nullable(readingPart),
  witness: v.object({
    state: v.picklist(['still', 'grew']),
    growth: v.array(v.object({ ifindex: v.number(), name: v.string(), packets: v.number() })),
  }),
  /** How the last self-test of the evaluation path ended; null: there was none yet. */
  canary: v.nullable(v.picklist(['dropped', 'passed', 'broken'])),
  events: v.array(v.object({ atUs: us, text: v.string() })),
})

export type GuardStatus = v.InferOutput<typeof guardStatusSchema>

/** The door in a word that says no more than what was read: it is not blocked while it was only told to be. */
export function doorWord({ door, phase }: GuardStatus): GuardStatus['door'] | 'shutting' {
  return phase === 'shutting' ? 'shutting' : door
}
