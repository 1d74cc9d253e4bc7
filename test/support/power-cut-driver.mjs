/**
 * Power cut driver: a process that stores a plan of flights as the station's storage worker does, as fast as it can, and
 * writes a line to a file for all that it publishes, at the very moment.
 *
 *     node power-cut-driver.mjs VAULT PLAN LINES
 */
import { openSync, readFileSync, writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { loadDialect } from '../../dist/mavlink/dialect.js'
import { createLog } from '../../dist/base/log.js'
import { RingWriter, createSharedRing } from '../../dist/storage/recorder/ring.js'
import { VaultWriter } from '../../dist/storage/recorder/vault-writer.js'
import { Vault } from '../../dist/storage/vault/vault.js'

const [, , vaultDir, planPath, linesPath] = process.argv
const lines = openSync(linesPath, 'w')
/** A synchronous write: its place among the other system calls is that of the publication. */
const publish = (line) => writeSync(lines, `${JSON.stringify(line)}\n`)

const steps = readFileSync(planPath, 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line))
const closed = new Set()
const ring = createSharedRing()
const input = new RingWriter(ring)

publish({ what: 'starting' })
const writer = await VaultWriter.start({
  vault: Vault.openOrCreate(vaultDir),
  ring,
  dialect: loadDialect(),
  log: createLog(),
  onStored: ({ flightId, sequence, bytes }) => publish({ what: 'stored', flightId, sequence, bytes }),
  onClosed: (flightId, reason) => {
    closed.add(flightId)
    publish({ what: 'closed', flightId, reason })
  },
})
publish({ what: 'recording' })

for (const step of steps) {
  for (const [kind, link, timeUs, base64] of step.entries ?? []) {
    const bytes = Buffer.from(base64, 'base64')
    if (!input.write(kind, link, timeUs, bytes, 0, bytes.length, true)) throw new Error('the ring is full')
  }
  if (step.given !== undefined) publish({ what: 'given', ...step.given })
  if (step.closing !== undefined) publish({ what: 'closing', flightId: step.closing })
  // Tails that are full are emptied in the background.
  for (writer.pump(); input.used > 0; writer.pump()) await pause(5)
  await pause(step.restMs ?? 1)
  while (step.untilClosed !== undefined && !closed.has(step.untilClosed)) await pause(5)
  if (step.die) process.kill(process.pid, 'SIGKILL')
}
publish({ what: 'stopping' })
await writer.stop()
publish({ what: 'stopped' })
