/**
 * Groups: what is mutated, and the tests that must notice. `quick` meet each mutant, `slow` only those that survived the quick ones.
 */
export const GROUPS = {
  decide: {
    mutate: ['src/hw/decide/*.ts'],
    quick: [
      'test/unit/decide.test.ts',
      'test/unit/decide-reasons.test.ts',
      'test/unit/decide-memory.test.ts',
      'test/unit/table-page.test.ts',
    ],
    slow: [
      'test/unit/decide-table.test.ts',
      'test/unit/decide-way-out.test.ts',
      'test/unit/decide-sequences.test.ts',
    ],
    /** A mutant that changes what a door does shows it in far fewer sequences than a proof takes. */
    env: { GROUNDLOCK_AMOUNT: '20000' },
    coverage: 'perTest',
    concurrency: 2,
    timeoutMs: 10_000,
  },
  ruleset: {
    mutate: ['src/hw/door/ruleset.ts', 'src/hw/door/policy.ts', 'src/base/ipv4-network.ts'],
    quick: [
      'test/unit/ipv4-network.test.ts',
      'test/unit/hw/ruleset-rules.test.ts',
      'test/unit/hw/door-ruleset.test.ts',
      'test/unit/hw/door-locals.test.ts',
    ],
    slow: [],
    env: {},
    coverage: 'perTest',
    concurrency: 2,
    timeoutMs: 10_000,
  },
  parsers: {
    mutate: ['src/hw/door/listing.ts', 'src/hw/door/changes.ts'],
    quick: ['test/unit/hw/listing.test.ts', 'test/unit/hw/changes.test.ts'],
    slow: [],
    env: {},
    coverage: 'perTest',
    concurrency: 2,
    timeoutMs: 10_000,
  },
  token: {
    mutate: ['src/hw/token/*.ts', '!src/hw/token/link-turn.ts'],
    quick: [
      'test/fault/link-token.test.ts',
      'test/unit/hw/guard-news.test.ts',
      'test/unit/hw/permitted-once.test.ts',
      'test/unit/hw/token-fault.test.ts',
    ],
    slow: [],
    env: {},
    coverage: 'perTest',
    concurrency: 2,
    timeoutMs: 20_000,
    /** What another user may take is tried by a program in dist/. */
    build: 'scripts/build.mjs',
  },
  turn: {
    mutate: ['src/hw/token/link-turn.ts'],
    quick: ['test/fault/link-turn.test.ts', 'test/fault/link-turn-guard.test.ts'],
    slow: ['test/fault/station-turn.test.ts'],
    env: {},
    /** Its tests run at the same time, and so nobody can say which of them met a mutant. */
    coverage: 'off',
    /** They wait for leases and pauses, and hardly compute. */
    concurrency: 4,
    timeoutMs: 30_000,
    /** The slow tests start the built program, which is a mutant then as well. */
    build: 'scripts/build.mjs',
  },
}
