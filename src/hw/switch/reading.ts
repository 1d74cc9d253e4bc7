/**
 * Switch reading: what the contacts say, and what position of the switch that amounts to.
 * A contact is a circuit, closed or open; the switch is SHUT or PERMIT; neither word is used of the other.
 */

export type Circuit = 'closed' | 'open'

export interface Contacts {
  /** null: not known. */
  permit: Circuit | null
  /** null: not known, or not wired (single wiring). */
  shut: Circuit | null
}

export interface SwitchReading {
  /** `permit` only after it was stable for 500 ms; whatever is on the way there is `shut`; all doubt is `doubt`. */
  position: 'shut' | 'permit' | 'doubt'
  /** Why, in one short phrase. */
  reason: string
  /** The contacts say SHUT themselves: no switch that moves, and no PERMIT that is not stable yet, which are `shut` as well. */
  isAtShut: boolean
  /** SHUT was read at least once since the start. */
  shutSeen: boolean
  contacts: Contacts
  /** Since when the position is as it is (monotonic, ms). */
  sinceMs: number
}

export const UNKNOWN_CONTACTS: Contacts = { permit: null, shut: null }
