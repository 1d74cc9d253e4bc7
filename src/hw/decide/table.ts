/**
 * Table: what the guard decides, row by row; the first row that fits wins. SECURITY.md prints it.
 * `when` names the words of the view (`view.ts`) that a row looks at; what it does not name may be anything.
 */
import { RENEW_MS } from './guard-state.js'
import type { Effect, Phase } from './guard-state.js'
import type { View } from './view.js'

export interface Row {
  name: string
  in: readonly Phase[]
  when: { readonly [K in keyof View]?: readonly View[K][] }
  next: Phase
  /** {switch}, {kernel}, {witness}: the reading's own words; {why}: what led here; {wait}: seconds left. */
  reason: string
  effects: readonly Effect[]
  /** PERMIT is heard again only after SHUT. */
  untilShut?: true
}

/** When an effect that a row names is really asked for. */
export const EFFECT_RULES: Readonly<Record<Effect, string>> = {
  shut: 'when the phase begins, then each second, once the last has ended and the kernel was read after it',
  'shut harder': 'as shut; sets links down whatever came before',
  'ask station': 'once while asking, if a station is there',
  'take token': 'while nobody has it',
  'free token': 'only when it is the guard’s and the kernel was read as shut after the last change',
  'renew permit': `when the phase begins, then each time that ${RENEW_MS} ms have passed`,
  'note override': 'always, and before the permit',
}

/** A station without a connection, be it gone or only just going. */
const AWAY = ['absent', 'leaving'] as const
const NOT_FAULT = ['blocked', 'asking', 'permitted', 'shutting'] as const
const AGAIN = 'put the switch to SHUT, then to PERMIT'

export const TABLE: readonly Row[] = [
  // A fault is latched: it ends by SHUT with everything verified, and by nothing else.
  {
    name: 'fault: not shut',
    in: ['fault'],
    when: { kernel: ['leased', 'differs', 'overdue'] },
    next: 'fault',
    reason: '{why} (the kernel does not read as shut: {kernel})',
    effects: ['shut harder'],
  },
  {
    name: 'fault: is being shut',
    in: ['fault'],
    when: { kernel: ['unread'] },
    next: 'fault',
    reason: '{why}',
    effects: ['shut harder'],
  },
  {
    name: 'fault: still sending',
    in: ['fault'],
    when: { witness: ['grew'] },
    next: 'fault',
    reason: '{why} (an uplink still sends: {witness})',
    effects: ['shut harder', 'free token'],
  },
  {
    name: 'fault: token in doubt',
    in: ['fault'],
    when: { token: ['doubt'] },
    next: 'fault',
    reason: '{why} (the link token is not its file: systemd-tmpfiles --create, then restart the station)',
    effects: [],
  },
  {
    name: 'fault: switch in doubt',
    in: ['fault'],
    when: { position: ['doubt'] },
    next: 'fault',
    reason: 'the switch cannot be read: {switch}',
    effects: ['free token'],
  },
  {
    name: 'fault: cleared',
    in: ['fault'],
    when: { position: ['shut'], held: [true] },
    next: 'blocked',
    reason: '{switch}; the fault is cleared: {why}',
    effects: ['free token'],
  },
  {
    name: 'fault: waits for SHUT',
    in: ['fault'],
    when: {},
    next: 'fault',
    reason: '{why}: put the switch to SHUT',
    effects: ['free token'],
  },

  // Every doubt shuts.
  {
    name: 'token in doubt',
    in: NOT_FAULT,
    when: { token: ['doubt'] },
    next: 'fault',
    reason: 'the link token is gone or was replaced',
    effects: ['shut'],
  },
  {
    name: 'token lost',
    in: ['permitted'],
    when: { token: ['free', 'other'] },
    next: 'fault',
    reason: 'the guard lost the link token while the uplink was permitted',
    effects: ['shut'],
  },
  {
    name: 'kernel differs',
    in: NOT_FAULT,
    when: { kernel: ['differs'] },
    next: 'fault',
    reason: 'the kernel is not as it was set: {kernel}',
    effects: ['shut'],
  },
  {
    name: 'kernel not read',
    in: NOT_FAULT,
    when: { kernel: ['overdue'] },
    next: 'fault',
    reason: 'the kernel could not be read for 5 s',
    effects: ['shut harder'],
  },
  {
    name: 'permit of nobody',
    in: ['blocked', 'asking'],
    when: { kernel: ['leased'] },
    next: 'fault',
    reason: 'the kernel holds a permit that the guard did not give',
    effects: ['shut harder'],
  },
  {
    name: 'sent while shut',
    in: ['blocked', 'asking'],
    when: { witness: ['grew'] },
    next: 'fault',
    reason: 'an uplink sent while it was shut: {witness}',
    effects: ['shut harder'],
  },
  {
    name: 'sent after shutting',
    in: ['shutting'],
    when: { witness: ['grew'], kernel: ['shut'] },
    next: 'fault',
    reason: 'an uplink sent after it was shut: {witness}',
    effects: ['shut harder'],
  },
  {
    name: 'switch in doubt',
    in: NOT_FAULT,
    when: { position: ['doubt'] },
    next: 'fault',
    reason: 'the switch cannot be read: {switch}',
    effects: ['shut'],
  },

  // Shutting ends when the kernel was read as shut; only then the token is freed.
  {
    name: 'shut',
    in: ['shutting'],
    when: { kernel: ['shut'] },
    next: 'blocked',
    reason: '{why}',
    effects: ['free token'],
  },
  {
    name: 'does not shut',
    in: ['shutting'],
    when: { late: [true] },
    next: 'fault',
    reason: 'the kernel does not read as shut after 5 s: {kernel}',
    effects: ['shut harder'],
  },
  { name: 'shuts', in: ['shutting'], when: {}, next: 'shutting', reason: '{why}', effects: ['shut'] },

  // Permitted: renewed as long as everything allows it.
  {
    name: 'permit: withdrawn',
    in: ['permitted'],
    when: { position: ['shut', 'unproven'] },
    next: 'shutting',
    reason: '{switch}',
    effects: ['shut'],
  },
  {
    name: 'permit: armed',
    in: ['permitted'],
    when: { vehicle: ['armed'] },
    next: 'shutting',
    reason: 'the vehicle is armed: the door opens when it is disarmed',
    effects: ['shut'],
  },
  {
    name: 'permit: lost',
    in: ['permitted'],
    when: { vehicle: ['lost'], override: [false] },
    next: 'shutting',
    reason: 'the vehicle went silent while armed',
    effects: ['shut'],
  },
  {
    name: 'permit: failed',
    in: ['permitted'],
    when: { permit: ['failed'] },
    next: 'shutting',
    reason: `the permit could not be renewed: ${AGAIN}`,
    effects: ['shut'],
    untilShut: true,
  },
  {
    name: 'permit: lapsed',
    in: ['permitted'],
    when: { kernel: ['shut'], late: [true] },
    next: 'shutting',
    reason: `the permit is not in the kernel any more: ${AGAIN}`,
    effects: ['shut'],
    untilShut: true,
  },
  {
    name: 'permit: renewed',
    in: ['permitted'],
    when: {},
    next: 'permitted',
    reason: 'the switch is PERMIT, and the drone link is closed',
    effects: ['renew permit'],
  },

  // What holds off an opening, whether it has begun or not.
  {
    name: 'switch is SHUT',
    in: ['blocked', 'asking'],
    when: { position: ['shut'] },
    next: 'blocked',
    reason: '{switch}',
    effects: ['free token'],
  },
  {
    name: 'SHUT never seen',
    in: ['blocked', 'asking'],
    when: { position: ['unproven'] },
    next: 'blocked',
    reason: `SHUT was not seen since the guard started: ${AGAIN}`,
    effects: ['free token'],
  },
  {
    name: 'waits for SHUT',
    in: ['blocked', 'asking'],
    when: { untilShut: [true] },
    next: 'blocked',
    reason: '{why}',
    effects: ['free token'],
  },
  {
    name: 'armed',
    in: ['blocked', 'asking'],
    when: { vehicle: ['armed'] },
    next: 'blocked',
    reason: 'the vehicle is armed: the door opens when it is disarmed',
    effects: ['free token'],
  },
  {
    name: 'link held by another',
    in: ['blocked', 'asking'],
    when: { station: AWAY, token: ['other'] },
    next: 'blocked',
    reason:
      'a program that does not answer holds the drone link: start the station again (systemctl restart groundlock-station)',
    effects: ['free token'],
  },
  {
    name: 'override offered',
    in: ['blocked'],
    when: { waited: [true], override: [false] },
    next: 'blocked',
    reason:
      'nobody knows whether a vehicle flies: to open all the same, put the switch to SHUT, and within 10 s to PERMIT',
    effects: ['free token'],
  },
  {
    name: 'lost',
    in: ['blocked', 'asking'],
    when: { vehicle: ['lost'], override: [false] },
    next: 'blocked',
    reason:
      'the vehicle went silent while armed: the door opens when it is back and disarmed; the switch may override this in {wait} s',
    effects: ['free token'],
  },
  {
    name: 'no station',
    in: ['blocked', 'asking'],
    when: { station: AWAY, override: [false] },
    next: 'blocked',
    reason:
      'no station says whether a vehicle flies: start it (systemctl start groundlock-station); the switch may override this in {wait} s',
    effects: ['free token'],
  },

  // Opening: ask, take the token, read the kernel as shut, permit.
  {
    name: 'kernel is read',
    in: ['blocked'],
    when: { kernel: ['unread'] },
    next: 'blocked',
    reason: 'the switch is PERMIT: the kernel is read first',
    effects: [],
  },
  {
    name: 'opening begins',
    in: ['blocked'],
    when: {},
    next: 'asking',
    reason: 'the switch is PERMIT: the station is asked to close the drone link',
    effects: ['ask station'],
  },
  {
    name: 'station silent',
    in: ['asking'],
    when: { station: ['silent'] },
    next: 'blocked',
    reason: `the station did not give way within 5 s: ${AGAIN}`,
    effects: ['free token'],
    untilShut: true,
  },
  {
    name: 'station refused',
    in: ['asking'],
    when: { station: ['refused'] },
    next: 'blocked',
    reason: `the station could not close the drone link (its log says why): ${AGAIN}`,
    effects: ['free token'],
    untilShut: true,
  },
  {
    name: 'opening too slow',
    in: ['asking'],
    when: { late: [true] },
    next: 'blocked',
    reason: `the drone link was not let go within 8 s: ${AGAIN}`,
    effects: ['free token'],
    untilShut: true,
  },
  {
    name: 'kernel is read again',
    in: ['asking'],
    when: { token: ['mine'], kernel: ['unread'] },
    next: 'asking',
    reason: 'the drone link is closed: the kernel is read once more',
    effects: [],
  },
  {
    name: 'permits by override',
    in: ['asking'],
    when: { token: ['mine'], kernel: ['shut'], override: [true] },
    next: 'permitted',
    reason:
      'the switch is PERMIT for the second time, nobody knows whether a vehicle flies: permitted, and noted',
    effects: ['note override', 'renew permit'],
  },
  {
    name: 'permits',
    in: ['asking'],
    when: { token: ['mine'], kernel: ['shut'] },
    next: 'permitted',
    reason: 'the switch is PERMIT, and the drone link is closed',
    effects: ['renew permit'],
  },
  {
    name: 'takes the token',
    in: ['asking'],
    when: { station: ['gave way', 'absent'] },
    next: 'asking',
    reason: 'the drone link is closed: the guard takes the link token',
    effects: ['take token'],
  },
  {
    name: 'station leaves',
    in: ['asking'],
    when: { station: ['leaving'] },
    next: 'asking',
    reason: 'the station is gone: its serial port is given a second to be closed',
    effects: [],
  },
  {
    name: 'station is asked',
    in: ['asking'],
    when: {},
    next: 'asking',
    reason: 'the switch is PERMIT: the station is asked to close the drone link',
    effects: ['ask station'],
  },
]
