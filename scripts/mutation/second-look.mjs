/**
 * Second look: each mutant that the quick tests did not notice for sure, against all tests of its group, in a vitest of its own.
 * The mutants are all in the sandbox's files; the environment says which of them is awake, in programs that the tests start as well.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { run, vitestConfiguration } from './stryker.mjs'
import { NOTICED } from './summary.mjs'

/** How Stryker's files are told from outside which mutant is awake. */
const AWAKE = '__STRYKER_ACTIVE_MUTANT__'

/** Longest time for all tests of a group (ms); longer is a mutant that hangs. */
const AT_MOST_MS = 300_000

/** All mutants of a report, with `file`, and with the status that the second look found. Errors: none awake, and a test fails. */
export async function secondLook(sandbox, group, report) {
  const mutants = Object.entries(report.files).flatMap(([file, { mutants: list, source }]) =>
    list.map((mutant) => ({ ...mutant, file, source })),
  )
  // A test that only ran out of its time may have done so on a busy machine, without any mutant.
  const doubtful = mutants.filter(
    ({ status, statusReason }) => !NOTICED.has(status) || /timed out/.test(statusReason ?? ''),
  )
  const configuration = vitestConfiguration(join(sandbox, '..'), 'all', [...group.quick, ...group.slow])
  if (doubtful.length === 0) return mutants
  if (group.build !== undefined) run(process.execPath, [group.build], { cwd: sandbox })
  if (await notices(sandbox, configuration, group, undefined))
    throw new Error('the tests fail without a mutant')
  console.log(`${doubtful.length} mutants are looked at once more …`)
  const queue = [...doubtful]
  const worker = async () => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift())
      if (await notices(sandbox, configuration, group, mutant.id)) mutant.status = 'Killed'
      else mutant.status = 'Survived'
  }
  await Promise.all(Array.from({ length: group.concurrency }, worker))
  return mutants
}

/** Whether a test fails with this mutant awake. */
async function notices(sandbox, configuration, group, id) {
  const env = { ...process.env, ...group.env, ...(id !== undefined && { [AWAKE]: id }) }
  const vitest = join(sandbox, 'node_modules/vitest/vitest.mjs')
  const child = spawn(
    process.execPath,
    [vitest, 'run', '--config', configuration, '--bail', '1', '--reporter', 'dot', '--maxWorkers', '1'],
    { cwd: sandbox, env, stdio: 'ignore', detached: true },
  )
  // With all that it started: a mutant that loops hears no parent go.
  const end = () => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL')
  const timer = setTimeout(end, AT_MOST_MS)
  process.once('exit', end)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code !== 0))
  }).finally(() => {
    clearTimeout(timer)
    process.off('exit', end)
  })
}
