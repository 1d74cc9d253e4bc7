/**
 * Canary: a self-test of the path on which the kernel evaluates what leaves this machine. A pair of virtual devices of the
 * guard's own, with both ends here; UDP and TCP are sent into it toward an address that no network has.
 *
 *     socket ─▶ inet output: counter "canary", then the drop that everything meets ─✗─ glcanary0 ══ glcanary1
 *
 * Shows: packets of this namespace do pass the base's output chain, they are counted there, and none came to a device behind
 * it; a base that is loaded and not run, or an accept before the drop that names no device, is seen.
 * What other programs send on the pair (raw frames of a DHCP client or of LLDP, on every device there is) is not told apart by its
 * count: where nothing was sent in another try, it was theirs.
 * Does not show: what passes now and then only, by a rule of another program that accepts at a rate, nor anything of another
 * device. With a rule that was put in by hand for one uplink the canary still says `dropped`; that is found by the read-back and
 * by the witness.
 */
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import * as v from 'valibot'
import { reasonOf } from '../../base/fault.js'
import type { Log } from '../../base/log.js'
import { toldOnce } from '../../base/told-once.js'
import { runTool } from '../door/child.js'
import { BASE, CANARY_ADDRESS, CANARY_COUNTER } from '../door/ruleset.js'
import { readSentPackets } from './sent-packets.js'

export type CanaryWord = 'dropped' | 'passed' | 'broken'

export interface Canary {
  /**
   * `dropped`: counted before the drop, and none sent, in one of three tries. `passed`: some were sent, and no try was dropped.
   * `broken`: none were counted, or the test itself cannot be made, which proves nothing. Never rejects; says in the log
   * what was broken.
   */
  test(): Promise<CanaryWord>
  /** Takes the pair away. */
  close(): Promise<void>
}

/** The door knows a pair of these names, both ends here, as no way out of this machine. */
const NEAR = 'glcanary0'
const FAR = 'glcanary1'

/** The near end's own, in the smallest network with the canary's address (TEST-NET-1, RFC 5737). */
const OWN_ADDRESS = '192.0.2.1/30'

/** Of nobody: with it the kernel need not ask by ARP, whose own drop would hide that IP passes. */
const NOBODY = '02:00:00:00:00:02'

/** The discard service (RFC 863): nobody listens where nobody is. */
const PORT = 9

/** A reset by our own rules comes at once; without it nobody ever answers (ms). */
const TCP_WAIT_MS = 200

/** Others' frames come seconds apart, and a try takes some 20 ms where ours are dropped: what leaves in each of so many is ours. */
const TRIES = 3

/** Each try sends one datagram and one connection's first packet: so many must be counted at least. */
const SENT = 2

/**
 * Makes the pair; one that a guard before this one left is replaced. Errors: none here, the test says `broken`.
 * `readSent` is the kernel's count; a test sends frames of its own in between.
 */
export async function openCanary(log: Log, readSent = readSentPackets): Promise<Canary> {
  await runTool('ip', ['link', 'delete', NEAR])
  const lines = [
    `link add ${NEAR} type veth peer name ${FAR}`,
    // Without addresses of IPv6 the pair says nothing by itself.
    `link set ${NEAR} addrgenmode none`,
    `link set ${FAR} addrgenmode none`,
    `link set ${FAR} up`,
    `link set ${NEAR} up`,
    `address add ${OWN_ADDRESS} dev ${NEAR}`,
    `neighbour replace ${CANARY_ADDRESS} lladdr ${NOBODY} nud permanent dev ${NEAR}`,
  ]
  const { trouble } = await runTool('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` })
  if (trouble !== null) log.warn(`the canary's devices cannot be made: ${trouble}`)
  const tell = toldOnce((why) => log.warn(`the canary is broken: ${why}`))
  return {
    async test() {
      let hasPassed = false
      for (let attempt = 0; attempt < TRIES; attempt++) {
        const found = await tryOnce(readSent, tell)
        hasPassed ||= found === 'passed'
        // Once something left, a try that proves nothing does not take it back.
        if (found === 'dropped' || !hasPassed) return found
      }
      return 'passed'
    },
    close: async () => void (await runTool('ip', ['link', 'delete', NEAR])),
  }
}

async function tryOnce(
  readSent: typeof readSentPackets,
  tell: (trouble: string) => void,
): Promise<CanaryWord> {
  try {
    const counted = await readCounter()
    const sent = sentByNear(readSent())
    await Promise.all([sendDatagram(), tryConnection()])
    if (sentByNear(readSent()) > sent) return 'passed'
    const newlyCounted = (await readCounter()) - counted
    if (newlyCounted >= SENT) return 'dropped'
    tell(`${newlyCounted} of ${SENT} packets came to the base's output chain`)
  } catch (error) {
    tell(reasonOf(error))
  }
  return 'broken'
}

function sentByNear(counts: ReadonlyMap<string, number>): number {
  const count = counts.get(NEAR)
  if (count === undefined) throw new Error(`there is no device ${NEAR}`)
  return count
}

/** The rules answer with EPERM, which is what is wanted. Errors: no port or descriptor is left for it; any user can take all. */
async function sendDatagram(): Promise<void> {
  const socket = createSocket('udp4')
  try {
    await new Promise<void>((resolve, reject) => {
      // What fails before the sending, `send` tells nobody but the socket.
      socket.on('error', reject)
      socket.send('canary', PORT, CANARY_ADDRESS, () => resolve())
    })
  } finally {
    socket.close()
  }
}

/** Its first packet is what counts; the answer is a reset of ours, or none. */
async function tryConnection(): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = connect({ host: CANARY_ADDRESS, port: PORT, timeout: TCP_WAIT_MS })
    socket.on('error', () => socket.destroy())
    socket.on('connect', () => socket.destroy())
    socket.on('timeout', () => socket.destroy())
    socket.on('close', () => resolve())
  })
}

const counterSchema = v.object({
  nftables: v.array(v.looseObject({ counter: v.optional(v.object({ packets: v.number() })) })),
})

async function readCounter(): Promise<number> {
  const { trouble, stdout } = await runTool('nft', ['-j', 'list', 'counter', 'inet', BASE, CANARY_COUNTER])
  if (trouble !== null) throw new Error(trouble)
  const { nftables } = v.parse(counterSchema, JSON.parse(stdout))
  const counter = nftables.find((each) => each.counter !== undefined)?.counter
  if (counter === undefined) throw new Error('nft lists no counter')
  return counter.packets
}
