/**
 * libgpiod's tools: which version is installed, what chips it sees, and how the same wish is worded for either version.
 * Version 1 (Debian 12) names the chip first, version 2 (Debian 13) by `--chip`; their options share no spelling.
 * Source: gpioget(1), gpiomon(1), gpioset(1), gpiodetect(1) of 1.6.3 and of 2.2.1.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Fault, errnoOf, reasonOf } from '../../base/fault.js'
import { toolEnvironment } from '../../base/tool-environment.js'
import type { GpioChip } from './chip.js'

export interface GpiodTools {
  /** As it says, `2.2.1`. */
  version: string
  major: 1 | 2
  chips: GpioChip[]
}

/** Lines of one chip. */
export interface GpioLines {
  chip: GpioChip
  offsets: readonly number[]
}

/** A tool that only lists has ended long before, even from a card that stalls (ms). */
const LIST_TIMEOUT_MS = 5000

/** Looks for the tools and the chips. Errors: `Fault` GL-SWITCH-02: not installed, or not one that is known. */
export async function findGpiod(): Promise<GpiodTools> {
  const banner = await output('gpiodetect', ['--version'])
  const version = /\bv(\d+(?:\.\d+)*)/.exec(banner)?.[1] ?? ''
  const major = version.startsWith('1.') ? 1 : version.startsWith('2.') ? 2 : null
  if (major === null)
    throw toolsFault(
      `its version is not known: ${banner.split('\n', 1)[0]}`,
      'Versions 1 and 2 of libgpiod are.',
    )
  return { version, major, chips: chipsOf(await output('gpiodetect', [])) }
}

async function output(tool: string, args: string[]): Promise<string> {
  try {
    const options = { timeout: LIST_TIMEOUT_MS, killSignal: 'SIGKILL', env: toolEnvironment() } as const
    return (await promisify(execFile)(tool, args, options)).stdout
  } catch (error) {
    if (errnoOf(error) === 'ENOENT')
      throw toolsFault(`${tool} is not installed`, 'Install it: sudo apt install gpiod', error)
    throw toolsFault(`${tool} failed: ${reasonOf(error)}`, `Try it: ${tool} ${args.join(' ')}`, error)
  }
}

function toolsFault(found: string, hint: string, cause?: unknown): Fault {
  return new Fault({
    code: 'GL-SWITCH-02',
    op: 'use',
    subject: "libgpiod's tools",
    found,
    hint,
    recovery: 'user',
    cause,
  })
}

/** What `gpiodetect` prints: `gpiochip0 [pinctrl-bcm2711] (58 lines)`, the same in both versions. */
export function chipsOf(text: string): GpioChip[] {
  return [...text.matchAll(/^(\S+) \[(.*)\] \((\d+) lines?\)$/gm)].map(
    ([, name = '', label = '', lineCount]) => ({ name, label, lineCount: Number(lineCount) }),
  )
}

/** Prints the levels in the order of the offsets: `1 0`. */
export function getCommand({ major }: GpiodTools, { chip, offsets }: GpioLines): string[] {
  const lines = offsets.map(String)
  return major === 1
    ? ['gpioget', '--bias=pull-up', chip.name, ...lines]
    : ['gpioget', '--bias', 'pull-up', '--numeric', '--chip', chip.name, ...lines]
}

/** Prints `offset edge` at each edge, at once: 1 rising; falling is 0 in version 1 and 2 in version 2. */
export function monitorCommand({ major }: GpiodTools, { chip, offsets }: GpioLines): string[] {
  const lines = offsets.map(String)
  return major === 1
    ? ['gpiomon', '--line-buffered', '--bias=pull-up', '--format=%o %e', chip.name, ...lines]
    : ['gpiomon', '--bias', 'pull-up', '--edges', 'both', '--format', '%o %e', '--chip', chip.name, ...lines]
}

/** Drives a line to the level that the shell's `$1` says, and holds it until it is ended. */
export function holdCommand({ major }: GpiodTools, chip: GpioChip, offset: number): string {
  return major === 1
    ? `gpioset --mode=signal ${quoted(chip.name)} "${offset}=$1"`
    : `gpioset --chip ${quoted(chip.name)} "${offset}=$1"`
}

/** Drives a line to the level that the shell's `$1` says, and ends. */
export function setCommand({ major }: GpiodTools, chip: GpioChip, offset: number): string {
  return major === 1
    ? `gpioset --mode=exit ${quoted(chip.name)} "${offset}=$1"`
    : `gpioset --toggle 0 --chip ${quoted(chip.name)} "${offset}=$1"`
}

/** As one word of a shell's line. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
