/**
 * Tests in networks of their own. Where none can be made they are skipped with the reason in their name; those that ran are
 * counted in the last lines of a run (vitest.config.ts), so that "all passed" cannot mean "none ran".
 */
import { spawnSync } from 'node:child_process'
import { describe } from 'vitest'
import type { TestOptions } from 'vitest'

/** What the labs need, tried in a namespace of its own; the first that fails is the reason. */
const NEEDS: readonly (readonly [string, string])[] = [
  ['true', 'no network namespace can be made (unshare)'],
  ['ip link add near type veth peer name far', 'the kernel makes no veth devices, or ip is missing'],
  ['nft add table netdev t && nft list ruleset', 'nft is missing, or the kernel has no netdev family'],
  ['command -v nsenter', 'nsenter is missing'],
  ['/usr/bin/python3 -c "import socket"', 'there is no /usr/bin/python3'],
]

/** @param reason why these cannot run here, where they need more than a network; null: nothing is missing. */
export function describeNetwork(
  name: string,
  tests: () => void,
  options: TestOptions = {},
  reason: string | null = whyNoNetwork(),
): void {
  const skipped = reason === null ? '' : ` (skipped: ${reason})`
  // oxlint-disable-next-line vitest/valid-describe-callback, vitest/valid-title -- options come second, as vitest 4 takes them
  describe.skipIf(reason !== null)(`${name}${skipped}`, { ...options, tags: ['network'] }, tests)
}

/** Why no network can be made to test in; null where it can. */
export function whyNoNetwork(): string | null {
  if (process.getuid?.() !== 0) return 'only root can make a network to test in'
  for (const [command, reason] of NEEDS) {
    if (spawnSync('unshare', ['--net', '--mount', 'sh', '-c', command]).status !== 0) return reason
  }
  return null
}
