/**
 * Rounds: ours and the reference, one right after the other, several times; who begins changes from round to round.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const WORK = join(import.meta.dirname, 'work.mjs')

/** Runs one measurement of work.mjs in a process of its own. */
export async function work(name, request) {
  // As the program itself is started: see the first line of src/main.ts.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '16' }
  const { stdout } = await run(process.execPath, [WORK, name, JSON.stringify(request)], { env })
  return JSON.parse(stdout)
}

/** `rounds` results of each: [{ ours, reference }]. */
export async function sideBySide(rounds, { ours, reference }) {
  const results = []
  for (let round = 0; round < rounds; round++) {
    const result = {}
    const measures = { ours, reference }
    for (const who of round % 2 === 0 ? ['ours', 'reference'] : ['reference', 'ours'])
      result[who] = await measures[who](round)
    results.push(result)
  }
  return results
}

export async function repeat(rounds, measure) {
  const results = []
  for (let round = 0; round < rounds; round++) results.push(await measure(round))
  return results
}
