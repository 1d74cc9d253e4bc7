/**
 * Storage worker: the thread that owns the vault while the station records. All it does is in `VaultWriter`.
 */
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { Fault } from '../../base/fault.js'
import type { FaultParts } from '../../base/fault.js'
import { createLog } from '../../base/log.js'
import { loadDialect } from '../../mavlink/dialect.js'
import { RingReader } from './ring.js'
import type { SharedRing } from './ring.js'
import { CHUNK_US, VaultWriter } from './vault-writer.js'
import type { Stored } from './vault-writer.js'
import { Vault } from '../vault/vault.js'

/** What the worker is started with. */
export interface StorageWorkerData {
  vaultDir: string
  ring: SharedRing
}

/** What the main thread says: look at the ring now; end. */
export type ToWorker = 'pump' | 'stop'

/** What the worker says: it records (recovery is done); a chunk is durable; a flight is closed; all is stored; it cannot begin. */
export type FromWorker =
  | { kind: 'ready' }
  | ({ kind: 'stored' } & Stored)
  | { kind: 'closed'; flightId: string; reason: string }
  | { kind: 'stopped'; leftBytes: number }
  | { kind: 'failed'; fault: FaultParts }

async function run(port: NonNullable<typeof parentPort>): Promise<void> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- edge: our own recorder starts this thread
  const { vaultDir, ring } = workerData as StorageWorkerData
  const say = (message: FromWorker): void => port.postMessage(message)
  const asked = new AbortController()
  const stop = once(asked.signal, 'abort')
  let writer: VaultWriter | null = null
  port.on('message', (message: ToWorker) => {
    if (message === 'stop') asked.abort()
    else if (!asked.signal.aborted) writer?.pump()
  })
  writer = await VaultWriter.start({
    vault: Vault.openOrCreate(vaultDir),
    ring,
    dialect: loadDialect(),
    log: createLog(),
    onStored: (stored) => say({ kind: 'stored', ...stored }),
    onClosed: (flightId, reason) => say({ kind: 'closed', flightId, reason }),
    signal: asked.signal,
  })
  const leftBytes = writer === null ? new RingReader(ring).used : await record(writer, say, stop)
  say({ kind: 'stopped', leftBytes })
  port.close()
}

/** Until the stop, also one that was asked for during recovery: what came in by then is stored. Returns the bytes left. */
async function record(
  writer: VaultWriter,
  say: (message: FromWorker) => void,
  stop: Promise<unknown>,
): Promise<number> {
  const timer = setInterval(() => writer.pump(), CHUNK_US / 1000)
  say({ kind: 'ready' })
  // What came in during recovery has waited long enough.
  writer.pump()
  await stop
  clearInterval(timer)
  return writer.stop()
}

/** A Fault crosses threads as its parts; any other error ends the thread, and the station with it. */
async function runOrFail(port: NonNullable<typeof parentPort>): Promise<void> {
  try {
    await run(port)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    const { code, op, subject, found, hint, recovery } = error
    const message: FromWorker = { kind: 'failed', fault: { code, op, subject, found, hint, recovery } }
    port.postMessage(message)
    port.close()
  }
}

if (parentPort !== null) void runOrFail(parentPort)
