#!/usr/bin/env node
/**
 * Watches the switch and prints each change of its reading as a line of JSON, with the time (monotonic, ms): to try a wiring
 * without the guard, and for tests on real lines. Chip, wiring and lines are those of the configuration, unless they are given.
 * With `--lamp SIGNAL` it blinks the lamp meanwhile, with `--relay` it energises the relay while the position is PERMIT.
 * Errors: exit 2 where the command line or the configuration cannot be used, exit 1 where the lines cannot.
 * Runs what is built: scripts/build.mjs first.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import * as v from 'valibot'
import { monotonicUs } from '../dist/base/clock.js'
import { CONFIGURATION_PATH, loadConfiguration } from '../dist/base/configuration-file.js'
import { rejectWrongLines } from '../dist/base/configuration-rules.js'
import { Fault, faultLines } from '../dist/base/fault.js'
import { createLog } from '../dist/base/log.js'
import { SETTINGS } from '../dist/base/settings.js'
import { EXIT_CODE } from '../dist/commands/exit-code.js'
import { BLINK_CODES } from '../dist/hw/lamp/blink-code.js'
import { openLamp } from '../dist/hw/lamp/lamp.js'
import { openRelay } from '../dist/hw/relay/relay.js'
import { openSwitch } from '../dist/hw/switch/switch.js'

/** `setTimeout` takes no more than a signed 32-bit number of milliseconds (s). */
const MAX_SECONDS = 2_147_483

const program = new Command('switch-watch')
  .description('print each change of the switch as a line of JSON, without the guard')
  .addOption(new Option('--config <file>', `take what is not given from FILE (${CONFIGURATION_PATH})`))
  .option('--no-config', 'take what is not given from the defaults')
  .option('--backend <backend>', 'auto, chardev, sysfs or simulated', as(SETTINGS.switchBackend))
  .option('--chip <label>', 'label of the GPIO chip, or auto', as(SETTINGS.switchChip))
  .option('--wiring <wiring>', 'antivalent or single', as(SETTINGS.switchWiring))
  .option('--permit <line>', 'line of the permit contact', as(SETTINGS.permitLine))
  .option('--shut <line>', 'line of the shut contact', as(SETTINGS.shutLine))
  .option('--file <file>', 'what a simulated switch reads', as(SETTINGS.switchFile))
  .option('--lamp-line <line>', 'line of the lamp', as(SETTINGS.lampLine))
  .addOption(
    new Option('--lamp <signal>', 'blink the lamp with this signal').choices(Object.keys(BLINK_CODES)),
  )
  .option('--relay [line]', 'energise the relay while the position is PERMIT', as(SETTINGS.relayLine))
  .option('--seconds <n>', 'end after this time', seconds)
  .allowExcessArguments(false)
  .exitOverride()
  .showHelpAfterError('(add --help for what there is)')
  .addHelpText(
    'after',
    `
Without --config the configuration is ${CONFIGURATION_PATH} where that is there, and the defaults where it is not.
The lamp and the relay rest unless they are asked for. The guard holds the lines: systemctl stop groundlock-guard first.

Signals of the lamp (one character is 250 ms):
${Object.entries(BLINK_CODES)
  .map(([signal, code]) => `  ${signal.padEnd(10)} ${code.repeat(24).slice(0, 24)}`)
  .join('\n')}

Example: node scripts/switch-watch.mjs --wiring single --permit 5 --lamp shut`,
  )

/** Reads an option as the configuration file's setting, by the same rule. */
function as({ schema, fallback }) {
  return (text) => {
    const isNumber = typeof fallback === 'number'
    const result = v.safeParse(schema, isNumber && /^\d+$/.test(text) ? Number(text) : text)
    if (result.success) return result.output
    throw new InvalidArgumentError(`Expected ${result.issues[0].message}.`)
  }
}

function seconds(text) {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value > 0 && value <= MAX_SECONDS) return value
  throw new InvalidArgumentError(`Expected seconds above 0, at most ${MAX_SECONDS}.`)
}

/** The file that was named, the installed one where it is there, or none. */
function source({ config }) {
  const defaults = { from: null, switch: defaultSwitch(), relayLine: null }
  if (config === false) return defaults
  const from = config ?? CONFIGURATION_PATH
  try {
    const { switch: wired, uplink } = loadConfiguration(from)
    return { from, switch: wired, relayLine: uplink.relayLine }
  } catch (error) {
    if (config === undefined && error instanceof Fault && error.code === 'GL-CONF-01') return defaults
    throw error
  }
}

function defaultSwitch() {
  return {
    backend: SETTINGS.switchBackend.fallback,
    chip: SETTINGS.switchChip.fallback,
    wiring: SETTINGS.switchWiring.fallback,
    permitLine: SETTINGS.permitLine.fallback,
    shutLine: SETTINGS.shutLine.fallback,
    lampLine: SETTINGS.lampLine.fallback,
    file: SETTINGS.switchFile.fallback,
  }
}

/** What is watched and driven. A lamp or relay that is not asked for has no line, so that it cannot be in the way of a contact. */
function chosen(options) {
  const { from, switch: wired, relayLine } = source(options)
  const lampLine = (options.lampLine ?? wired.lampLine) || null
  const relay = (typeof options.relay === 'number' ? options.relay : relayLine) || null
  const configuration = {
    from,
    switch: {
      backend: options.backend ?? wired.backend,
      chip: options.chip ?? wired.chip,
      wiring: options.wiring ?? wired.wiring,
      permitLine: options.permit ?? wired.permitLine,
      shutLine: options.shut ?? wired.shutLine,
      lampLine: options.lamp === undefined ? null : lampLine,
      file: options.file ?? wired.file,
    },
    uplink: { relayLine: options.relay === undefined ? null : relay },
  }
  rejectImpossible(configuration, options)
  return configuration
}

function rejectImpossible(configuration, { lamp, relay }) {
  const wrong = (text) => program.error(`error: ${text}`, { exitCode: EXIT_CODE.usage })
  const { backend, lampLine } = configuration.switch
  if (backend === 'simulated' && (lamp !== undefined || relay !== undefined))
    wrong('a simulated switch has no lamp and no relay: leave out --lamp and --relay, or give --backend auto')
  if (lamp !== undefined && lampLine === null) wrong('there is no lamp line: give --lamp-line LINE')
  if (relay !== undefined && configuration.uplink.relayLine === null)
    wrong('there is no relay line: give --relay LINE')
  rejectWrongLines(configuration, (path, message) => wrong(`${path.join('.')}: ${message}`))
}

const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)
const nowMs = () => monotonicUs() / 1000

async function watch(options, { from, switch: wired, uplink }) {
  const log = createLog()
  let device = null
  let lamp = null
  let relay = null
  const onChange = () => {
    const reading = device.read(nowMs())
    print({ atMs: nowMs(), ...reading })
    relay?.set(reading.position === 'permit').catch((error) => log.error(String(error)))
  }
  const stop = async () => {
    await Promise.all([device?.stop(), lamp?.stop(), relay?.stop()])
    process.exit()
  }
  process.once('SIGINT', () => void stop())
  process.once('SIGTERM', () => void stop())
  device = await openSwitch(wired, { log, onChange, isInstalledUnit: false })
  const { chip, wiring, permitLine, shutLine } = wired
  const lines = wiring === 'single' ? { permitLine } : { permitLine, shutLine }
  print({ backend: device.backend, configuration: from, chip, wiring, ...lines })
  if (options.lamp !== undefined) {
    lamp = openLamp(wired, { log })
    lamp.show(options.lamp)
  }
  relay = await openRelay(uplink.relayLine, wired, { log, isInstalledUnit: false })
  onChange()
  if (options.seconds !== undefined) setTimeout(() => void stop(), options.seconds * 1000)
}

try {
  const options = program.parse().opts()
  await watch(options, chosen(options))
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_CODE.usage
  else if (!(error instanceof Fault)) throw error
  else {
    process.stderr.write(`${faultLines(error)}\n`)
    process.exitCode = error.code.startsWith('GL-CONF-') ? EXIT_CODE.usage : EXIT_CODE.fault
  }
}
