/**
 * Stryker: installed once into a cache, run over a group. Stryker 10 wants Node 22; 9.6.1 is the last that runs on Node 20.
 */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

const STRYKER = '9.6.1'

const root = join(import.meta.dirname, '..', '..')
const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Runs Stryker over a group; its report, and the copy of the project with all mutants in it, which is left in `folder`. */
export async function runStryker(folder, group) {
  const tools = installed()
  mkdirSync(folder, { recursive: true })
  const report = join(folder, 'report.json')
  const sandboxes = join(folder, 'sandboxes')
  const configuration = join(folder, 'stryker.json')
  writeFileSync(
    configuration,
    JSON.stringify({
      mutate: group.mutate,
      testRunner: 'vitest',
      plugins: [join(tools, 'node_modules/@stryker-mutator/vitest-runner/dist/src/index.js')],
      vitest: { configFile: vitestConfiguration(folder, 'quick', group.quick), related: false },
      coverageAnalysis: group.coverage,
      concurrency: group.concurrency,
      timeoutMS: group.timeoutMs,
      reporters: ['json', 'progress-append-only'],
      jsonReporter: { fileName: report },
      tempDirName: sandboxes,
      cleanTempDir: false,
      allowConsoleColors: false,
      // It would be rewritten by a TypeScript of Stryker's own; its paths are good in the copy as they are.
      tsconfigFile: 'none',
    }),
  )
  const stryker = join(tools, 'node_modules/@stryker-mutator/core/bin/stryker.js')
  run(process.execPath, [stryker, 'run', configuration], { cwd: root, env: { ...process.env, ...group.env } })
  return { report, sandbox: join(sandboxes, readdirSync(sandboxes)[0]) }
}

/** The project's configuration of vitest with these tests alone, as Stryker's threads and a vitest of its own understand it. */
export function vitestConfiguration(folder, name, tests) {
  const path = join(folder, `vitest-${name}.config.mjs`)
  const text = `import { chmodSync } from 'node:fs'
import project from ${JSON.stringify(join(root, 'vitest.config.ts'))}
// A folder made for a while is its maker's alone, and some tests start programs of this project as another user.
chmodSync('.', 0o755)
export default { test: { ...project.test, include: ${JSON.stringify(tests)}, reporters: ['default'] } }
`
  writeFileSync(path, text)
  return path
}

/** The folder with Stryker in it. It is made under another name, so that an install that was broken off leaves none. */
function installed() {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')
  const versions = {
    '@stryker-mutator/core': STRYKER,
    '@stryker-mutator/vitest-runner': STRYKER,
    vitest: devDependencies.vitest,
  }
  const tools = join(cache, 'groundlock-mutation', `stryker-${STRYKER}-vitest-${versions.vitest}`)
  if (existsSync(tools)) return tools
  mkdirSync(dirname(tools), { recursive: true })
  const made = mkdtempSync(`${tools}-`)
  try {
    writeFileSync(join(made, 'package.json'), JSON.stringify({ private: true, dependencies: versions }))
    console.log(`Installing Stryker ${STRYKER} into ${tools} …`)
    run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: made })
    renameSync(made, tools)
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
  return tools
}

/** Runs a program to its end, its output with ours. Errors: it cannot be started, or fails. */
export function run(program, args, options) {
  const { status, error } = spawnSync(program, args, { stdio: 'inherit', ...options })
  if (status !== 0) throw new Error(`${program} ${args[0]} ended with ${status}`, { cause: error })
}
