/**
 * Flight plan: when the copter does what, and where it is at any time. Pure.
 * It stands until it has a fix and is armed, climbs, flies whole rounds of a rectangle, lands where it started:
 *
 *       C ◀────── B
 *       │         ▲        north is up
 *       ▼         │
 *     home ─────▶ A
 */

/** When each part begins, seconds after the vehicle's start. */
export interface FlightPlan {
  fixAtS: number
  armAtS: number
  climbAtS: number
  cruiseAtS: number
  landAtS: number
  disarmAtS: number
  endAtS: number
}

/** Where the copter is and how it moves; metres and metres per second from home. */
export interface Pose {
  northM: number
  eastM: number
  upM: number
  northMS: number
  eastMS: number
  upMS: number
  headingDeg: number
  armed: boolean
  flying: boolean
  /** Item of the mission: 0 home, 1 take-off, 2–5 the corners, 6 land. */
  missionItem: number
}

/** The rectangle's legs in flying order. */
const LEGS = [
  { lengthM: 60, headingDeg: 90 },
  { lengthM: 40, headingDeg: 0 },
  { lengthM: 60, headingDeg: 270 },
  { lengthM: 40, headingDeg: 180 },
]
const ROUND_M = 200

/** Items of the mission without home: take-off, four corners, land. */
export const MISSION_ITEMS = 2 + LEGS.length

/** Flying height above home (m). */
const CRUISE_UP_M = 20

/** What a small copter flies between waypoints (m/s); rounds are made whole by flying a little slower or faster. */
const CRUISE_MS = 8

/** Parts take their usual time (s), or this share of a flight too short for that. */
const PARTS = {
  fix: { usualS: 6, share: 0.1 },
  stand: { usualS: 10, share: 0.17 },
  armed: { usualS: 2, share: 0.03 },
  climb: { usualS: 8, share: 0.15 },
  land: { usualS: 12, share: 0.2 },
  after: { usualS: 5, share: 0.1 },
}

export function planFlight(durationS: number): FlightPlan {
  const part = ({ usualS, share }: { usualS: number; share: number }) => Math.min(usualS, share * durationS)
  const armAtS = part(PARTS.stand)
  const climbAtS = armAtS + part(PARTS.armed)
  const disarmAtS = durationS - part(PARTS.after)
  return {
    fixAtS: part(PARTS.fix),
    armAtS,
    climbAtS,
    cruiseAtS: climbAtS + part(PARTS.climb),
    landAtS: disarmAtS - part(PARTS.land),
    disarmAtS,
    endAtS: durationS,
  }
}

export function poseAt(plan: FlightPlan, timeS: number): Pose {
  const armed = timeS >= plan.armAtS && timeS < plan.disarmAtS
  const home = { northM: 0, eastM: 0, upM: 0, northMS: 0, eastMS: 0, upMS: 0, headingDeg: 90, armed }
  if (timeS < plan.climbAtS) return { ...home, flying: false, missionItem: 0 }
  if (timeS < plan.cruiseAtS) {
    const upMS = CRUISE_UP_M / (plan.cruiseAtS - plan.climbAtS)
    return { ...home, upM: (timeS - plan.climbAtS) * upMS, upMS, flying: true, missionItem: 1 }
  }
  if (timeS < plan.landAtS) return { ...home, ...cruise(plan, timeS), upM: CRUISE_UP_M, flying: true }
  const upMS = -CRUISE_UP_M / (plan.disarmAtS - plan.landAtS)
  const upM = CRUISE_UP_M + (timeS - plan.landAtS) * upMS
  const landed = timeS >= plan.disarmAtS
  const down = landed ? home : { ...home, upM, upMS }
  return { ...down, headingDeg: 180, flying: !landed, missionItem: MISSION_ITEMS }
}

function cruise(plan: FlightPlan, timeS: number) {
  const cruiseS = plan.landAtS - plan.cruiseAtS
  const rounds = Math.max(1, Math.round((cruiseS * CRUISE_MS) / ROUND_M))
  const speedMS = (rounds * ROUND_M) / cruiseS
  let leftM = ((timeS - plan.cruiseAtS) * speedMS) % ROUND_M
  let [northM, eastM] = [0, 0]
  for (const [index, { lengthM, headingDeg }] of LEGS.entries()) {
    const north = Math.round(Math.cos((headingDeg * Math.PI) / 180))
    const east = Math.round(Math.sin((headingDeg * Math.PI) / 180))
    const flownM = Math.min(leftM, lengthM)
    northM += north * flownM
    eastM += east * flownM
    leftM -= flownM
    if (leftM === 0) {
      const moving = { northMS: north * speedMS, eastMS: east * speedMS }
      return { northM, eastM, ...moving, headingDeg, missionItem: 2 + index }
    }
  }
  throw new Error('a round is as long as its legs')
}
