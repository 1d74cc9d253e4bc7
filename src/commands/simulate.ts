/** Command `simulate`: a copter that flies on a pseudo-terminal, for trying a station without one. */
import { Command, InvalidArgumentError } from 'commander'
import { simulate } from '../simulator/simulate.js'
import { createLog } from '../base/log.js'

interface Options {
  duration: number
  seed: number
  byteLoss: number
  unplugAt?: number[]
  unplugFor: number
  wireLog?: string
  speed: number
  json?: boolean
}

export function simulateCommand(): Command {
  return new Command('simulate')
    .description('fly a simulated copter on a pseudo-terminal')
    .argument('<link>', 'path at which the serial device appears')
    .option('--duration <seconds>', 'how long it flies', number, 120)
    .option('--seed <number>', 'the same seed makes the same flight', number, 1)
    .option('--byte-loss <probability>', 'of each byte to be lost, 0 to 1', probability, 0)
    .option('--unplug-at <seconds>', 'pull the plug then; may be given several times', collect)
    .option('--unplug-for <seconds>', 'and put it back after this long', number, 3)
    .option('--wire-log <file>', 'append exactly the bytes that went onto the wire')
    .option('--speed <factor>', 'seconds of flight in a second', positive, 1)
    .option('--json', 'print the counts as one JSON object')
    .addHelpText(
      'after',
      `
It waits on the ground until a program opens the device. Ctrl-C ends the flight.

Example: groundlock simulate /tmp/radio --duration 60 --byte-loss 0.001 --unplug-at 20`,
    )
    .action(fly)
}

async function fly(link: string, options: Options): Promise<void> {
  const { duration: durationS, seed, byteLoss, speed, wireLog, unplugFor } = options
  const log = createLog()
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort())
  const result = await simulate({
    link,
    durationS,
    seed,
    byteLoss,
    speed,
    unplugs: (options.unplugAt ?? []).map((atS) => ({ atS, forS: unplugFor })),
    ...(wireLog === undefined ? {} : { wireLog }),
    startUtcMs: Date.now(),
    signal: interrupt.signal,
    onDevice: () => log.info(`the device is ${link}; waiting for a program to open it`),
    onProgress: (timeS, counts) => {
      if (Math.round(timeS) % 10 === 0) log.info(`${timeS.toFixed(0)} s flown, ${counts.frames} frames`)
    },
  })
  if (options.json) console.log(JSON.stringify(result))
  else
    console.log(
      `${result.frames} frames; bytes: ${result.wireBytes} on the wire, ${result.lostBytes} lost, ${result.unheardBytes} unheard`,
    )
}

function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('It is a number from 0 on.')
  return value
}

function probability(text: string): number {
  if (number(text) > 1) throw new InvalidArgumentError('It is a number from 0 to 1.')
  return number(text)
}

function positive(text: string): number {
  if (number(text) === 0) throw new InvalidArgumentError('It is a number above 0.')
  return number(text)
}

function collect(text: string, before: number[] | undefined): number[] {
  return [...(before ?? []), number(text)]
}
