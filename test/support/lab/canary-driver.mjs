/**
 * A canary in the place where this runs: `{"op":"test"}` answers what it found, `{"op":"close"}` takes its devices away.
 * `"frames": N` has another program send a raw frame on its device during each of its first N tries; `"lost": true` takes the device
 * away before the second.
 */
import { spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { openCanary } from '../../../dist/hw/witness/canary.js'
import { readSentPackets } from '../../../dist/hw/witness/sent-packets.js'

/** As of LLDP, to everybody. */
const RAW_FRAME = `import socket
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(('glcanary0', 0))
wire.send(bytes.fromhex('0180c200000e' + '020000000001' + '88cc') + bytes(46))`

let reads = 0
let frames = 0
let isLost = false
/** The kernel's count, which each try reads at its beginning and at its end. */
function readSent() {
  if (reads++ % 2 === 1 && frames-- > 0) spawnSync('python3', ['-c', RAW_FRAME], { stdio: 'inherit' })
  if (reads === 3 && isLost) spawnSync('ip', ['link', 'delete', 'glcanary0'])
  return readSentPackets()
}

const words = []
const log = { info: () => {}, warn: (text) => words.push(text), error: (text) => words.push(text) }
const canary = await openCanary(log, readSent)
process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  reads = 0
  frames = request.frames ?? 0
  isLost = request.lost === true
  const result = await canary[request.op]()
  process.stdout.write(`${JSON.stringify({ result: result ?? null, reads, words: words.splice(0) })}\n`)
}
