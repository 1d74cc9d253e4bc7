/** A million random sequences of readings, answers, crashes and failures: whatever happens, every rule holds. */
import { expect, it } from 'vitest'
import { createRandom } from '../../src/simulator/random.js'
import { TABLE } from '../../src/hw/decide/table.js'
import { BEGINNINGS, randomEvent } from '../support/guard-events.js'
import { GuardWorld } from '../support/guard-world.js'

/** `npm run soak` may ask for more (sequences). */
const SEQUENCES = Number(process.env['GROUNDLOCK_SEQUENCES'] ?? 1_000_000)
/** Of each sequence, after its beginning (events). */
const EVENTS = 8
const MINUTES_MS = 180_000

it(`${SEQUENCES} random sequences break no rule, and never both`, { timeout: MINUTES_MS }, () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
  console.log(`seed ${seed}`)
  const random = createRandom(seed)
  const rows = new Set<string>()
  const broken = new Map<string, number>()
  let doors = 0
  for (let n = 0; n < SEQUENCES; n++) {
    const world = new GuardWorld()
    world.rows = rows
    BEGINNINGS[Math.floor(random() * BEGINNINGS.length)]!(world)
    for (let event = 0; event < EVENTS; event++) randomEvent(world, random)
    if (world.decision?.door === 'permitted') doors++
    for (const rule of world.broken) if (!broken.has(rule)) broken.set(rule, n)
  }
  console.log(`${doors} of ${SEQUENCES} sequences ended with the door permitted`)
  // The number is that of the first sequence that broke the rule.
  expect(Object.fromEntries(broken)).toEqual({})
  // That row is for a read-back older than the one before it, and the guard has no way to get one.
  expect(TABLE.map(({ name }) => name).filter((name) => !rows.has(name))).toEqual(['kernel is read'])
})
