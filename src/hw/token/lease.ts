/**
 * Lease: how long a permit is good for. The door gives it, and the station that has taken the token waits until one of before
 * has lapsed; both count with this one number.
 */

/** How long a permit lives after its commit (ms, whole seconds): what may still leave when guard and switch are gone. */
export const LEASE_MS = 3000
