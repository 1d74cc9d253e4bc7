/**
 * Witness: what every uplink has sent must stand still while the door is shut.
 * It reads the kernel's own count below the firewall, so it sees senders of the whole machine, raw ones among them, and what
 * a layer of the door let pass, whichever. It shows that nothing was sent; it keeps nothing in.
 *
 * Not seen: what a device sent in the last second before it was deleted; what a device sent before it was made again under
 * its old index, which the kernel gives nobody by itself; what is sent past the kernel's count (radio firmware, AF_XDP).
 */
import { readSentPackets } from './sent-packets.js'

export interface Device {
  ifindex: number
  name: string
}

/** What an uplink sent while it was shut. */
export interface Growth {
  ifindex: number
  name: string
  /** Since the last look, or since it was shut if there was none. */
  packets: number
}

export interface Witness {
  /** From now on sending is right: nothing is compared until the door is shut again. */
  permitted(): void
  /**
   * Begins to watch, from what was sent up to now; to be called when the door was read back as shut, link down included,
   * for what a network card still holds counts when it is gone. While it watches already, this changes nothing: whoever
   * shuts a shut door once more does not make it forget. Errors: Fault GL-WITNESS-01.
   */
  shut(uplinks: readonly Device[]): void
  /**
   * What grew since the last look; nothing while permitted. Each packet is told once, so that a person who shut the
   * switch and found the cause gets back to work. What is in `locals` (names) may send; where one becomes an uplink, what it
   * sent until then is no growth. Errors: Fault GL-WITNESS-01, which is as good as growth.
   */
  look(uplinks: readonly Device[], locals?: readonly string[]): Promise<Growth[]>
}

/** By ifindex: what a device had sent when it was last looked at. */
export type Sent = ReadonlyMap<number, number>

/**
 * What grew, pure. A device that was not there before counts from nothing, for all it ever sent it sent while shut; so does
 * one whose count went back, for it was made again or its driver began anew. One that is gone keeps its place: it may return.
 */
export function compare(
  before: Sent,
  uplinks: readonly Device[],
  counts: ReadonlyMap<string, number>,
  wereLocal: ReadonlySet<string> = new Set(),
): { growths: Growth[]; after: Sent } {
  const after = new Map(before)
  const growths: Growth[] = []
  for (const { ifindex, name } of uplinks) {
    const count = counts.get(name)
    // Gone, or renamed since it was listed: under its new name it is compared with the same count at the next look.
    if (count === undefined) continue
    if (wereLocal.has(name)) {
      after.set(ifindex, count)
      continue
    }
    const known = before.get(ifindex) ?? 0
    const packets = count - (count < known ? 0 : known)
    if (packets > 0) growths.push({ ifindex, name, packets })
    after.set(ifindex, count)
  }
  return { growths, after }
}

/** Watches nothing until the door was shut for the first time. `read` is the kernel, but in a test of the counting itself. */
export function openWitness(read: () => ReadonlyMap<string, number> = readSentPackets): Witness {
  let sent: Sent | null = null
  let local: ReadonlySet<string> = new Set()
  return {
    permitted() {
      sent = null
    },
    shut(uplinks) {
      sent ??= compare(new Map(), uplinks, read()).after
    },
    look(uplinks, locals = []) {
      return new Promise((resolve) => {
        const wereLocal = local
        local = new Set(locals)
        if (sent === null) return resolve([])
        const { growths, after } = compare(sent, uplinks, read(), wereLocal)
        sent = after
        resolve(growths)
      })
    },
  }
}
