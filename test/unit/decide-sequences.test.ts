/** A million random sequences of readings, answers, crashes and failures: whatever happens, every rule holds. */
import { expect, it } from 'vitest'
import { TABLE } from '../../src/hw/decide/table.js'
import { BEGINNINGS, randomEvent } from '../support/guard-events.js'
import { GuardWorld } from '../support/guard-world.js'
import { SOAK_TIMEOUT_MS, amount, randomFor, seed } from '../support/soak.js'

/** Sequences of readings; each is a world of its own. */
const SEQUENCES = amount(1_000_000, 50_000_000)
/** Of each sequence, after its beginning (events). */
const EVENTS = 6
/** So many sequences come across every row, whatever the seed. */
const ENOUGH_FOR_EVERY_ROW = 100_000

it(
  `${SEQUENCES} random sequences break no rule, and never both (seed ${seed})`,
  { timeout: SOAK_TIMEOUT_MS },
  () => {
    const random = randomFor('guard sequences')
    const rows = new Set<string>()
    const broken = new Map<string, number>()
    let doors = 0
    for (let n = 0; n < SEQUENCES; n++) {
      const world = new GuardWorld()
      world.rows = rows
      BEGINNINGS[Math.floor(random() * BEGINNINGS.length)]!(world)
      for (let event = 0; event < EVENTS; event++) randomEvent(world, random)
      if (world.permittedOnce) doors++
      for (const rule of world.broken) if (!broken.has(rule)) broken.set(rule, n)
    }
    process.stdout.write(`${SEQUENCES} sequences, seed ${seed}: the door was permitted in ${doors} of them\n`)
    // The number is that of the first sequence that broke the rule.
    expect(Object.fromEntries(broken)).toEqual({})
    if (SEQUENCES < ENOUGH_FOR_EVERY_ROW) return
    // For a permit that outlives 5 s of shutting, and for a read-back older than the one before it: this world has neither.
    const never = ['does not shut', 'kernel is read']
    expect(TABLE.map(({ name }) => name).filter((name) => !rows.has(name))).toEqual(never)
  },
)
