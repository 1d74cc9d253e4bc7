/**
 * A door in the place where this runs, with what a guard does each second: it renews the permit, or reads back and shuts
 * what differs. Driven by a line of JSON at a time; answers each with one.
 *
 *     {"op":"open","policy":{…}}   {"op":"permit"}   {"op":"shut"}   {"op":"read"}   {"op":"grew"}   {"op":"close"}
 */
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { openDoor } from '../../../dist/hw/door/door.js'
import { openWitness } from '../../../dist/hw/witness/witness.js'

/** As a guard does (ms). */
const EVERY_MS = 1000

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)
const nowMs = () => Number(process.hrtime.bigint()) / 1e6
const logged = []
const line = (level) => (text) => void (logged.length < 200 && logged.push(`${level} ${text}`))
const log = { info: line('info'), warn: line('warn'), error: line('error') }

/** In place of the link token, whose lock is not what is tested here: every child that opens has to be given one. */
const tokenFd = openSync('/dev/null', 'r')
const witness = openWitness()
let door
let isPermitted = false
let grew = []
let isBusy = false

/** Looks at the uplinks that the door knows; while shut only. */
async function watch(reading) {
  grew.push(...(await witness.look(reading.uplinks)))
}

setInterval(() => {
  if (door === undefined || isBusy) return
  isBusy = true
  void (isPermitted ? door.permit(tokenFd) : door.read().then(watch))
    .catch((error) => log.error(String(error)))
    .finally(() => (isBusy = false))
}, EVERY_MS)

const operations = {
  async open({ policy, radiosFile = null }) {
    const foreign = (what) => log.info(`foreign: ${what}`)
    door = await openDoor({ policy, log, radiosFile, onForeignChange: foreign, onDevices: () => undefined })
    const reading = await door.read()
    witness.shut(reading.uplinks)
    return reading
  },
  async permit() {
    isPermitted = true
    witness.permitted()
    const fromMs = nowMs()
    await door.permit(tokenFd)
    return { fromMs, toMs: nowMs() }
  },
  async shut({ harder = false }) {
    isPermitted = false
    const fromMs = nowMs()
    const reading = await door.shut({ harder })
    const toMs = nowMs()
    witness.shut(reading.uplinks)
    return { fromMs, toMs, ...reading }
  },
  async read() {
    return door.read()
  },
  /** What grew since it was asked for last. */
  async grew() {
    await watch(await door.read())
    const all = grew
    grew = []
    return { grew: all, logged: logged.splice(0) }
  },
  async close() {
    await door?.close()
    door = undefined
    closeSync(tokenFd)
    return {}
  },
}

process.stdout.write('ready\n')
for await (const text of createInterface({ input: process.stdin })) {
  const order = JSON.parse(text)
  try {
    say(await operations[order.op](order))
  } catch (error) {
    say({ error: String(error), code: error.code ?? null })
  }
}
process.exit(0)
