/**
 * A witness in the place where this runs, driven by a line of JSON at a time: `{"op":"shut"}`, `look`, `permitted`. It is told
 * of every device but lo. Answers what grew.
 */
import { execFileSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { openWitness } from '../../../dist/hw/witness/witness.js'

const devices = () =>
  JSON.parse(execFileSync('ip', ['-j', 'link'], { encoding: 'utf8' }))
    .filter(({ ifname }) => ifname !== 'lo')
    .map(({ ifindex, ifname }) => ({ ifindex, name: ifname }))

const witness = openWitness()
process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  const { op } = JSON.parse(line)
  let grew = []
  if (op === 'look') grew = await witness.look(devices())
  else witness[op](devices())
  process.stdout.write(`${JSON.stringify({ grew })}\n`)
}
