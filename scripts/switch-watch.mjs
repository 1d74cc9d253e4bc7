#!/usr/bin/env node
/**
 * Watches the switch and prints each change of its reading as a line of JSON, with the time (monotonic, ms): to try a wiring
 * without the guard, and for tests on real lines. With `--lamp SIGNAL` it blinks the lamp meanwhile, with `--relay LINE` it
 * energises a relay while the position is PERMIT.
 *
 *     node scripts/switch-watch.mjs [--backend auto] [--chip auto] [--wiring antivalent] [--permit 17] [--shut 27]
 *                                   [--file FILE] [--lamp-line 22] [--lamp SIGNAL] [--relay LINE] [--seconds N]
 */
import { parseArgs } from 'node:util'
import { monotonicUs } from '../dist/base/clock.js'
import { Fault, faultLines } from '../dist/base/fault.js'
import { createLog } from '../dist/base/log.js'
import { openLamp } from '../dist/hw/lamp/lamp.js'
import { openRelay } from '../dist/hw/relay/relay.js'
import { openSwitch } from '../dist/hw/switch/switch.js'

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'auto' },
    chip: { type: 'string', default: 'auto' },
    wiring: { type: 'string', default: 'antivalent' },
    permit: { type: 'string', default: '17' },
    shut: { type: 'string', default: '27' },
    file: { type: 'string', default: '/run/groundlock/guard/switch' },
    'lamp-line': { type: 'string', default: '22' },
    lamp: { type: 'string' },
    relay: { type: 'string' },
    seconds: { type: 'string' },
  },
})
const configuration = {
  backend: values.backend,
  chip: values.chip,
  wiring: values.wiring,
  permitLine: Number(values.permit),
  shutLine: Number(values.shut),
  lampLine: Number(values['lamp-line']),
  file: values.file,
}
const log = createLog()
const nowMs = () => monotonicUs() / 1000
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)

let device
let relay
let lamp
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
try {
  device = await openSwitch(configuration, { log, onChange, isInstalledUnit: false })
  print({ backend: device.backend })
  if (values.lamp !== undefined) {
    lamp = openLamp(configuration, { log })
    lamp.show(values.lamp)
  }
  if (values.relay !== undefined) relay = await openRelay(Number(values.relay), configuration, { log })
  onChange()
  if (values.seconds !== undefined) setTimeout(() => void stop(), Number(values.seconds) * 1000)
} catch (error) {
  if (!(error instanceof Fault)) throw error
  process.stderr.write(`${faultLines(error)}\n`)
  process.exitCode = 1
}
