/** Door driver: opens the door in the network namespace that it was started in, and does what its input says, a line each. */
import { openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { openDoor } from '../../dist/hw/door/door.js'

const [policy, tokenPath] = process.argv.slice(2)
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)
const log = Object.fromEntries(
  ['info', 'warn', 'error'].map((level) => [
    level,
    (text) => say({ event: 'log', text: `${level} ${text}` }),
  ]),
)
const tokenFd = openSync(tokenPath, 'r')
const door = await openDoor({
  policy: JSON.parse(policy),
  log,
  radiosFile: null,
  onForeignChange: (what) => say({ event: 'foreign', what }),
  onDevices: () => say({ event: 'devices' }),
})
say({ event: 'ready' })

const actions = {
  shut: () => door.shut(),
  harder: () => door.shut({ harder: true }),
  permit: () => door.permit(tokenFd),
  read: () => door.read(),
  close: () => door.close(),
  /** Shuts and says how long it took until it was answered (ms). */
  async time() {
    const began = performance.now()
    await door.shut()
    return performance.now() - began
  },
}
for await (const line of createInterface({ input: process.stdin })) {
  const { n, action } = JSON.parse(line)
  actions[action]().then(
    (result) => say({ event: 'done', n, result: result ?? null }),
    (error) => say({ event: 'done', n, error: error.code ?? String(error) }),
  )
}
process.exit(0)
