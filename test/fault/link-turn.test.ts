/**
 * The station's turn where nobody says beforehand who holds the token: in a pid namespace the kernel's list of locks is empty, and
 * only taking the token tells. The links stay closed until it is taken, whatever a look says.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LinkToken } from '../../src/hw/token/link-token.js'
import { LinkTurn } from '../../src/hw/token/link-turn.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const dir = temporaryFolder('link-turn')
const path = join(dir, 'token')
const flock = join(dir, 'flock')
const tries = join(dir, 'tries')

let did: string[]
let turn: LinkTurn

beforeEach(() => {
  did = []
  mkdirSync(join(dir, 'guard'), { recursive: true })
  writeFileSync(path, '', { mode: 0o640 })
  turn = new LinkTurn({
    token: new LinkToken(path, { flock }),
    guardDir: join(dir, 'guard'),
    log: { info: () => {}, warn: () => {}, error: (text) => void did.push(text.split(' ', 1)[0]!) },
    vehicle: () => 'none',
    open: () => void did.push('open'),
    close: async () => did.push('close') > 0,
    onChange: () => {},
  })
})

afterEach(async () => {
  await turn.halt()
  turn.end()
  rmSync(tries, { force: true })
})

/** A flock that ends like this until it was tried three times, then is the real one; each try is a line. */
function flockThat(ends: string): void {
  const script = `#!/bin/sh\necho >>${tries}\n[ $(wc -l <${tries}) -gt 3 ] || ${ends}\nexec /usr/bin/flock "$@"\n`
  writeFileSync(flock, script, { mode: 0o755 })
}

// The token's file has to be root's, as systemd-tmpfiles makes it.
describe.skipIf(process.getuid?.() !== 0)(
  "a station's turn (needs root: the token's file must be root's)",
  () => {
    test('a token that looks free and cannot be taken is tried again, after a pause, and nothing is opened before', async () => {
      flockThat('exit 1')
      const startedMs = performance.now()
      await turn.start()
      expect([did, turn.status.waitingFor === null]).toEqual([[], false])
      await until(() => did.length > 0)
      expect([did, turn.status.token]).toEqual([['open'], 'mine'])
      // Twice at its start, twice more after a quarter of a second each.
      expect(performance.now() - startedMs).toBeGreaterThanOrEqual(499)
    })

    test('a token that is seen to be with another is looked at, not tried', async () => {
      flockThat('true')
      const other = new LinkToken(path)
      await other.take()
      await turn.start()
      await new Promise((resolve) => setTimeout(resolve, 700))
      expect([did, turn.status.token, triesSoFar()]).toEqual([[], 'other', 1])
      other.free()
      await until(() => did.length > 0)
    })

    test('a station that is ended while the token is being taken opens nothing', async () => {
      const goOn = join(dir, 'go-on')
      writeFileSync(goOn, '')
      flockThat(`while [ ! -e '${goOn}' ]; do sleep 0.01; done`)
      const other = new LinkToken(path)
      await other.take()
      await turn.start()
      rmSync(goOn)
      other.free()
      await until(() => triesSoFar() === 2)
      const halted = turn.halt()
      writeFileSync(goOn, '')
      await halted
      expect([did, turn.status.token]).toEqual([[], 'mine'])
    })

    test('a flock that fails is told once, and nothing is opened before it works', async () => {
      flockThat('exit 71')
      await turn.start()
      expect([did, turn.status.token]).toEqual([['GL-TOKEN-03'], 'doubt'])
      await until(() => did.length > 1)
      expect(did).toEqual(['GL-TOKEN-03', 'open'])
    })
  },
)

function triesSoFar(): number {
  return readFileSync(tries, 'utf8').split('\n').length - 1
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 10))
}
