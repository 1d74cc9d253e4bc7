/** Flight rules: when a flight is over. */
import { describe, expect, test } from 'vitest'
import { FlightRules } from '../../src/storage/intake/flight-rules.js'

const S = 1e6
const MIN = 60 * S
const H = 60 * MIN
const GIB = 1024 ** 3
const BEGAN = 1000 * S

/** Rules of a flight that began with this heartbeat. */
function flying(armed: boolean): FlightRules {
  const rules = new FlightRules()
  rules.heartbeat(1, armed, BEGAN)
  rules.begin(BEGAN)
  return rules
}

describe('a flight', () => {
  test('is none before it began, whatever was heard', () => {
    const rules = new FlightRules()
    rules.heartbeat(1, true, BEGAN)
    expect(rules.isOpen).toBe(false)
    expect(rules.ending(BEGAN + 100 * H, 2 * GIB)).toBe(undefined)
  })

  test('that landed ends after 60 s of silence', () => {
    const rules = flying(false)
    expect(rules.isOpen).toBe(true)
    expect(rules.ending(BEGAN + MIN - 1, 0)).toBe(undefined)
    expect(rules.ending(BEGAN + MIN, 0)).toEqual({ reason: 'landed', nextPart: false })
  })

  test('of a vehicle that was armed goes on for 15 min of silence', () => {
    const rules = flying(true)
    expect(rules.ending(BEGAN + 15 * MIN - 1, 0)).toBe(undefined)
    expect(rules.ending(BEGAN + 15 * MIN, 0)).toEqual({ reason: 'silent', nextPart: false })
  })

  test('goes on with each heartbeat', () => {
    const rules = flying(false)
    for (let nowUs = BEGAN; nowUs < BEGAN + 2 * H; nowUs += 50 * S) {
      expect(rules.ending(nowUs, 0)).toBe(undefined)
      rules.heartbeat(1, false, nowUs)
    }
  })

  test('of several vehicles waits long while one of them was last armed', () => {
    const rules = flying(true)
    rules.heartbeat(2, false, BEGAN + S)
    expect(rules.ending(BEGAN + 5 * MIN, 0)).toBe(undefined)
    rules.heartbeat(1, false, BEGAN + 6 * MIN)
    expect(rules.ending(BEGAN + 7 * MIN, 0)).toEqual({ reason: 'landed', nextPart: false })
  })

  test('goes on in another part after 24 h', () => {
    const rules = flying(true)
    rules.heartbeat(1, true, BEGAN + 24 * H - 1)
    expect(rules.ending(BEGAN + 24 * H - 1, 0)).toBe(undefined)
    expect(rules.ending(BEGAN + 24 * H, 0)).toEqual({ reason: 'too long', nextPart: true })
  })

  test('goes on in another part at 1 GiB', () => {
    const rules = flying(true)
    expect(rules.ending(BEGAN + S, GIB - 1)).toBe(undefined)
    expect(rules.ending(BEGAN + S, GIB)).toEqual({ reason: 'too large', nextPart: true })
  })

  test('that is silent ends, however long or large it is', () => {
    expect(flying(false).ending(BEGAN + 25 * H, 2 * GIB)).toEqual({ reason: 'landed', nextPart: false })
  })

  test('that ended is over: its vehicles say nothing of the next one', () => {
    const rules = flying(true)
    rules.end(false)
    expect(rules.isOpen).toBe(false)
    expect(rules.ending(BEGAN + 100 * H, 0)).toBe(undefined)
    rules.heartbeat(2, false, BEGAN + H)
    rules.begin(BEGAN + H)
    expect(rules.ending(BEGAN + H + MIN, 0)).toEqual({ reason: 'landed', nextPart: false })
  })

  test('that goes on in another part still knows who was armed', () => {
    const rules = flying(true)
    rules.end(true)
    rules.begin(BEGAN + S)
    expect(rules.ending(BEGAN + 2 * MIN, 0)).toBe(undefined)
    expect(rules.ending(BEGAN + 15 * MIN, 0)).toEqual({ reason: 'silent', nextPart: false })
  })
})
