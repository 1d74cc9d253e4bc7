/** Vehicle state: what the interlock is told of the vehicles. */
import { expect, test } from 'vitest'
import { LOST_AFTER_US, VehicleState } from '../../src/storage/intake/vehicle-state.js'

const S = 1e6
const MIN = 60 * S
const T = 1000 * S

/** The state after these heartbeats: sysid, armed, at. */
function heard(...beats: [sysid: number, armed: boolean, atUs: number][]): VehicleState {
  const state = new VehicleState()
  for (const beat of beats) state.heartbeat(...beat)
  return state
}

test('none before anything was heard', () => expect(new VehicleState().at(T)).toBe('none'))

test.each([
  ['disarmed', [[1, false, T]], T, 'disarmed'],
  ['armed', [[1, true, T]], T, 'armed'],
  ['armed and just not yet silent for too long', [[1, true, T]], T + LOST_AFTER_US - 1, 'armed'],
  ['armed and silent', [[1, true, T]], T + LOST_AFTER_US, 'lost'],
  ['lost, and heard again', [[1, true, T], [1, true, T + MIN]], T + MIN, 'armed'], // prettier-ignore
  ['lost, and heard disarmed', [[1, true, T], [1, false, T + MIN]], T + MIN, 'disarmed'], // prettier-ignore
  ['disarmed and silent is not lost', [[1, false, T]], T + 59 * S, 'disarmed'],
  ['landed: silent for 60 s', [[1, false, T]], T + MIN, 'none'],
  ['one of two is armed', [[1, false, T], [2, true, T]], T, 'armed'], // prettier-ignore
  ['the armed one of two is silent', [[2, true, T], [1, false, T + 10 * S]], T + 10 * S, 'lost'], // prettier-ignore
  ['one of two armed is silent', [[2, true, T], [1, true, T + 10 * S]], T + 10 * S, 'lost'], // prettier-ignore
  ['lost for 15 min less a bit', [[1, true, T]], T + 15 * MIN - 1, 'lost'],
  ['lost for 15 min: its flight is over', [[1, true, T]], T + 15 * MIN, 'none'],
  ['lost, while another one is heard, for however long', [[2, true, T], [1, false, T + 60 * MIN]], T + 60 * MIN, 'lost'], // prettier-ignore
] as const)('%s', (_, beats, atUs, word) => {
  const state = heard(...beats.map(([...beat]) => beat))
  expect([state.at(atUs), state.at(atUs)]).toEqual([word, word])
})

test('what was heard before the station gave way is forgotten', () => {
  const state = heard([1, true, T])
  state.forget()
  expect(state.at(T)).toBe('none')
  state.heartbeat(1, false, T + S)
  expect(state.at(T + S)).toBe('disarmed')
})
