/** A canary in the place where this runs: `{"op":"test"}` answers what it found, `{"op":"close"}` takes its devices away. */
import { createInterface } from 'node:readline'
import { openCanary } from '../../../dist/hw/witness/canary.js'

const words = []
const log = { info: () => {}, warn: (text) => words.push(text), error: (text) => words.push(text) }
const canary = await openCanary(log)
process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  const result = await canary[JSON.parse(line).op]()
  process.stdout.write(`${JSON.stringify({ result: result ?? null, words: words.splice(0) })}\n`)
}
