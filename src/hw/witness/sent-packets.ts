/**
 * Sent packets: what the kernel counted as sent, of every device of this process's network namespace.
 * The count stands below every firewall: what was dropped on its way is not in it, what a raw socket sent is.
 *
 * Read from /proc/self/net/dev: always the own namespace (/sys may show another), no privilege, no child process, 0.1 ms.
 * Errors: Fault GL-WITNESS-01 where it cannot be read.
 * Source: proc(5), /proc/net/dev; the kernel's net/core/net-procfs.c.
 */
import { readFileSync } from 'node:fs'
import { Fault, reasonOf } from '../../base/fault.js'

const PATH = '/proc/self/net/dev'

/** Columns behind a device's name: eight received (bytes, packets, errs …), then eight sent (bytes, packets …). */
const COLUMNS = 16
const SENT_PACKETS_COLUMN = 9

/** Packets sent since the device was made, by its name. */
export function readSentPackets(): Map<string, number> {
  let text: string
  try {
    text = readFileSync(PATH, 'utf8')
  } catch (error) {
    throw unreadable(reasonOf(error))
  }
  const counts = parseSentPackets(text)
  if (counts === null) throw unreadable('its columns are not those of a kernel that we know')
  return counts
}

/** The text of /proc/net/dev as counts; null where it is not what it should be, for a wrong column would always stand still. */
export function parseSentPackets(text: string): Map<string, number> | null {
  const [title, columns, ...lines] = text.trimEnd().split('\n')
  if (title === undefined || !/^Inter-\|\s+Receive\s+\|\s+Transmit$/.test(title)) return null
  if (columns === undefined || !/\|bytes\s+packets [^|]*\|bytes\s+packets [^|]*$/.test(columns)) return null
  const counts = new Map<string, number>()
  for (const line of lines) {
    // A name holds no colon and no blank; an alias of old (`eth0:1`) has no counts of its own.
    const match = /^\s*([^\s:]+):((?:\s*\d+)+)$/.exec(line)
    const numbers = match?.[2]!.trim().split(/\s+/).map(Number) ?? []
    if (numbers.length !== COLUMNS) return null
    counts.set(match![1]!, numbers[SENT_PACKETS_COLUMN]!)
  }
  return counts
}

function unreadable(found: string): Fault {
  return new Fault({
    code: 'GL-WITNESS-01',
    op: 'read what was sent from',
    subject: PATH,
    found,
    hint: 'Without it nothing shows that the door is shut, so it stays shut. As a service: the unit must leave /proc/self alone.',
    recovery: 'retry',
  })
}
