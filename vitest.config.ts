/** How the tests run, and the closing line `N passed, N failed, N skipped` that other programs read. */
import { defineConfig } from 'vitest/config'
import type { Reporter } from 'vitest/node'

const tally: Reporter = {
  onTestRunEnd(modules, errors) {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const count = (state: string) => tests.filter((test) => test.result().state === state).length
    // A file that did not even load has no failed test, so it counts by itself; so does an error outside any test.
    const unloaded = modules.filter((module) => module.errors().length > 0).length
    // Nor has one whose preparation failed: its tests are skipped.
    const unprepared = modules
      .flatMap((module) => [...module.children.allSuites()])
      .filter((suite) => suite.errors().length > 0).length
    const failed = count('failed') + count('pending') + unloaded + unprepared + errors.length
    const inNetworks = tests.filter(
      (test) => test.tags.includes('network') && test.result().state !== 'skipped',
    )
    console.log(`\n${inNetworks.length} tests ran in networks of their own`)
    console.log(`${count('passed')} passed, ${failed} failed, ${count('skipped')} skipped`)
  },
}

export default defineConfig({
  test: {
    environment: 'node',
    tags: [{ name: 'network', description: 'in a network namespace of its own' }],
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: ['default', tally],
  },
})
