/**
 * Vault lock: one station at a time records into a vault. It is a SQLite database that is held locked and holds nothing:
 * Node has no flock of its own.
 */
import { Fault } from '../../base/fault.js'
import { Sqlite } from '../flight/sqlite.js'
import type { Vault } from './vault.js'

/** Holds the vault for this process; the kernel frees it with the process, however that ends. Errors: a Fault. */
export async function lockVault(vault: Vault): Promise<Sqlite> {
  const lock = await Sqlite.open(vault.lockPath, 'create')
  try {
    await lock.script('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE')
    return lock
  } catch (cause) {
    throw new Fault({
      code: 'GL-VAULT-03',
      op: 'record into the vault',
      subject: vault.dir,
      found: 'another station records into it',
      hint: 'Give each station a vault of its own: [vault] dir.',
      recovery: 'stop',
      cause,
    })
  }
}
