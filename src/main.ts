#!/usr/bin/env -S UV_THREADPOOL_SIZE=16 MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=65536 node --max-semi-space-size=1 --expose-gc
/**
 * main: picks the command. Only the one that is asked for is loaded, so that `groundlock show` does not wait for
 * serial ports, nor `--version` for SQLite.
 * The first line sets what is too late here, where all of it has begun:
 * - libuv's pool (threads; 4 by default, and 4 writes that hang on a stalled card would stop SQLite and the compressor too);
 * - glibc's heap: one for all threads, and blocks of 64 KiB and more given back at once. Else each thread of the pool keeps
 *   one of its own with what the compressor once took, 50 MB in all;
 * - V8's young generation (MB), by default up to 16: a station makes garbage slowly, and would keep it for minutes; and
 *   `gc`, which the storage worker calls after each segment.
 */
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { Fault, faultLines, reasonOf } from './base/fault.js'
import { EXIT_CODE, EXIT_CODES_TEXT } from './commands/exit-code.js'

interface Entry {
  /** The line of `groundlock --help`. */
  summary: string
  load: () => Promise<Command>
  /** What it prints is not its work: when nobody reads that any more it goes on. */
  goesOn?: true
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  run: {
    summary: 'record: read the serial links, keep the flights',
    goesOn: true,
    load: async () => (await import('./commands/run.js')).runCommand(),
  },
  guard: {
    summary: 'keep the uplinks shut, unless switch and vehicle permit them',
    goesOn: true,
    load: async () => (await import('./commands/guard.js')).guardCommand(),
  },
  close: {
    summary: 'end the flight that is being recorded, now',
    goesOn: true,
    load: async () => (await import('./commands/close.js')).closeCommand(),
  },
  status: {
    summary: 'show the door, why and since when, and what is recorded',
    load: async () => (await import('./commands/status.js')).statusCommand(),
  },
  doctor: {
    summary: 'look at what the door and the recording rest on, and say what to do',
    load: async () => (await import('./commands/doctor.js')).doctorCommand(),
  },
  door: {
    summary: 'print how the guard decides and what it would load',
    load: async () => (await import('./commands/door.js')).doorCommand(),
  },
  import: {
    summary: 'take recordings into the vault',
    goesOn: true,
    load: async () => (await import('./commands/import.js')).importCommand(),
  },
  flights: {
    summary: 'list the flights of the vault',
    load: async () => (await import('./commands/flights.js')).flightsCommand(),
  },
  show: {
    summary: 'show a flight: summary, messages, loss, gaps, events',
    load: async () => (await import('./commands/show.js')).showCommand(),
  },
  messages: {
    summary: 'count the messages of a flight',
    load: async () => (await import('./commands/messages.js')).messagesCommand(),
  },
  check: {
    summary: 'check that flights are as they were written, to the bit',
    goesOn: true,
    load: async () => (await import('./commands/check.js')).checkCommand(),
  },
  salvage: {
    summary: 'copy out what can be read of a damaged flight',
    goesOn: true,
    load: async () => (await import('./commands/salvage.js')).salvageCommand(),
  },
  export: {
    summary: 'give a flight back as files',
    load: async () => (await import('./commands/export.js')).exportCommand(),
  },
  demo: {
    summary: 'fly a simulated copter into a station and show what was recorded',
    goesOn: true,
    load: async () => (await import('./commands/demo.js')).demoCommand(),
  },
  simulate: {
    summary: 'fly a simulated copter on a pseudo-terminal',
    goesOn: true,
    load: async () => (await import('./commands/simulate.js')).simulateCommand(),
  },
  config: {
    summary: 'check and explain the configuration file',
    load: async () => (await import('./commands/config.js')).configCommand(),
  },
}

async function buildProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command('groundlock')
    .description('Closed MAVLink ground station: records flights on the spot.')
    .version(version())
    .addHelpText('after', `\n${EXIT_CODES_TEXT}\nExample: groundlock config check --config ./groundlock.toml`)
  // The verb is the first word, or the second after `help`.
  const asked = wordsOf(argv).slice(0, 2)
  for (const [name, { summary, load }] of Object.entries(COMMANDS))
    program.addCommand(asked.includes(name) ? await load() : new Command(name).description(summary))
  throwInsteadOfExit(program)
  return program
}

function wordsOf(argv: readonly string[]): string[] {
  return argv.filter((word) => !word.startsWith('-'))
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : '?'
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride().showHelpAfterError('(add --help for what there is)')
  command.commands.forEach(throwInsteadOfExit)
}

/** The exit code of what a command threw; mistakes of ours are thrown on, and Node prints their stack. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODE.ok : EXIT_CODE.usage
  if (!(error instanceof Fault)) throw error
  process.stderr.write(`${faultLines(error)}\n`)
  return EXIT_CODE.fault
}

function stdoutFault(cause: Error): Fault {
  return new Fault({
    code: 'GL-STDOUT-01',
    op: 'write to',
    subject: 'the standard output',
    found: reasonOf(cause),
    hint: 'What was written there is not whole. Free some space, or send it elsewhere.',
    recovery: 'user',
    cause,
  })
}

// A reader that has seen enough (`| head`) is no fault, nor does it make a bad result a good one; a lost stderr must never end
// a station that records.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.exit(exitCodeOf(stdoutFault(error)))
  if (COMMANDS[wordsOf(process.argv.slice(2))[0] ?? '']?.goesOn !== true) process.exit()
})
process.stderr.on('error', () => {})

async function main(argv: readonly string[]): Promise<void> {
  const program = await buildProgram(argv)
  try {
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    process.exitCode = exitCodeOf(error)
  }
}

void main(process.argv.slice(2))
