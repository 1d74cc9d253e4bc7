/**
 * Door: the kernel's lock of the uplinks. It is shut unless a lease says otherwise, and what it says is read back.
 * Guarantees: `shut` and `read` never throw, and where they doubt they say 'differs'; nothing here grants more than 3 s.
 */
import type { Log } from '../../base/log.js'
import type { DoorPolicy } from './policy.js'
import { KernelDoor } from './kernel-door.js'
import type { DoorReading } from './reading.js'

export interface Door {
  /** Shuts and reads back. `harder`: links down now, whenever they were last. Never throws: what fails is in the reading. */
  shut(how?: { harder: boolean }): Promise<DoorReading>
  /**
   * One lease for all uplinks that are there, by a child that carries `tokenFd` as its descriptor 3.
   * Errors: Fault GL-DOOR-01 (refused by the tools), GL-DOOR-02 (an uplink is not covered), GL-DOOR-03 (shut came first).
   */
  permit(tokenFd: number): Promise<void>
  /** What is in the kernel now. */
  read(): Promise<DoorReading>
  /** Shuts, and ends all children; the base stays. */
  close(): Promise<void>
}

export interface DoorOptions {
  policy: DoorPolicy
  log: Log
  /** Where it notes the radios that it switched off; null: nowhere. */
  radiosFile: string | null
  /** Another program changed a table of ours; it was made again. */
  onForeignChange(what: string): void
  /** An interface came, went, or got another name. */
  onDevices(): void
}

/** Resolves when the door is shut, or with what could be shut: the first reading says which. */
export async function openDoor(options: DoorOptions): Promise<Door> {
  const door = new KernelDoor(options)
  await door.start()
  return door
}
