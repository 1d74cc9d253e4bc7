#!/usr/bin/env node
/**
 * The long form of a proof: `npm run soak:NAME`. Without a name it lists them. What is run are the tests whose path begins so, with
 * larger amounts; GROUNDLOCK_AMOUNT and GROUNDLOCK_SEED set amount and seed.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const SOAKS = {
  loss: [
    'test/fuzz/loss.test.ts',
    'intact frames after lost bytes, random noise, ids made unknown (minutes)',
  ],
  fuzz: ['test/fuzz/mutated-frames.test.ts', '10 million mutated frames (minutes)'],
  kill: ['test/fault/kill.test.ts', '500 SIGKILLs at full flow (a quarter of an hour)'],
  stop: ['test/fault/stop.test.ts', '500 SIGTERMs at full flow, at any moment (minutes)'],
  'power-cut': ['test/fault/power-cut.test.ts', '2,000 power cuts, replayed (minutes)'],
  freeze: ['test/fault/frozen-card.test.ts', 'a card that hangs for 30 s at full flow (a minute)'],
  full: ['test/fault/full-card.test.ts', 'a card that is full for 10 minutes at full flow'],
  door: [
    'test/fault/leak',
    '10,000 times opened and shut, 1,000 by the contact, 1,000 flushed rulesets; as root (two hours and a half)',
  ],
  guard: ['test/unit/decide-sequences.test.ts', '50 million random sequences of the guard (an hour)'],
  airlock: [
    'test/fault/airlock.test.ts',
    '2,000 random kills, stops, flips and delays of guard and station (an hour)',
  ],
  flip: ['test/fault/flipped-bits.test.ts', 'every bit of a flight file flipped, 10,000 cuts (minutes)'],
}

const root = fileURLToPath(new URL('..', import.meta.url))
const [, , name, ...more] = process.argv
const file = Object.entries(SOAKS).find(([each]) => each === name)?.[1][0]
if (file === undefined) {
  console.log('npm run soak:NAME, where NAME is')
  const measured = {
    flow: 'what a full line costs in CPU and memory (10 minutes)',
    device: 'what reaches the card (10 minutes)',
  }
  for (const [each, [, what]] of Object.entries(SOAKS)) console.log(`  ${each.padEnd(10)} ${what}`)
  for (const [each, what] of Object.entries(measured)) console.log(`  ${each.padEnd(10)} ${what}`)
  process.exit(process.argv.length > 2 ? 2 : 0)
}
const env = { ...process.env, GROUNDLOCK_SOAK: 'long' }
const vitest = `${root}node_modules/.bin/vitest`
// One file after the other: what is timed wants a quiet machine.
const args = ['run', '--disableConsoleIntercept', '--no-file-parallelism', file, ...more]
const { status } = spawnSync(vitest, args, {
  cwd: root,
  env,
  stdio: 'inherit',
})
process.exit(status ?? 1)
