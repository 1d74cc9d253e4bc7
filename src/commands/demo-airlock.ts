/**
 * Demo of the airlock: station and guard as they run on a Pi, in a network of the demo's own, with a listener outside.
 *
 *     copter ──pseudo-terminal──▶ station ──token── guard ──▶ up0 ──veth──▶ far0: a listener counts what arrives
 *
 * What is claimed is read from outside: packets by the far end's counter, the rest from the status that both write.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { stringify } from 'smol-toml'
import { bootId, monotonicUs } from '../base/clock.js'
import type { GuardStatus } from '../base/guard-status.js'
import { isProcessAlive } from '../base/process-alive.js'
import { readGuardStatus } from '../doctor/status-file.js'
import { simulate } from '../simulator/simulate.js'
import { DemoPlace, whyNoDemoPlace } from './demo-place.js'

/** Armed from about its third second on, landed four seconds before its end (s). */
const FLIGHT = { durationS: 16, seed: 8 } as const

/** A state that does not come within this is a failure of what is shown (ms). */
const AT_MOST_MS = 20_000

/** How often status and counter are looked at (ms). */
const LOOK_MS = 20

/** After a SIGKILL of the guard (SECURITY.md, *guard dead*): the lease, and the commit that was on its way (s). */
const SHUT_WITHIN_S = 3.5

/** Every kind that a program of this machine could send; each is tried ROUNDS times. */
const KINDS: Readonly<Record<string, string>> = {
  UDP: 'socat -u - UDP4:198.18.0.1:7000',
  TCP: 'socat -u -T1 - TCP4:198.18.0.1:7001,connect-timeout=0.1',
  ICMP: 'socat -u - IP4-SENDTO:198.18.0.1:1',
  IPv6: 'socat -u - "UDP6:[2001:db8::1]:7000"',
  multicast: 'socat -u - UDP4-DATAGRAM:239.1.2.3:7000',
  broadcast: 'socat -u - UDP4-DATAGRAM:198.18.0.255:7000,broadcast',
  'raw Ethernet': 'socat -u - INTERFACE:up0',
}
const ROUNDS = 3

/** A network service would do this after each opening. */
const ADDRESSES = `
ip link set up0 up
ip address replace 198.18.0.2/24 dev up0; ip address replace 2001:db8::2/64 dev up0 nodad
ip route replace default via 198.18.0.1 dev up0`

export interface AirlockOptions {
  /** The program. */
  main: string
  /** Where what they write is kept. */
  folder: string
  say: (text: string) => void
  /** Ends it at once: it rejects when nothing of it runs any more. */
  signal: AbortSignal
}

/** Shows it and says whether all was true; where there can be no namespace it says so, which is no failure. */
export async function showAirlock(options: AirlockOptions): Promise<boolean> {
  const { say, signal } = options
  say('\nThe airlock: while the drone link is open, nothing reaches an uplink.')
  const reason = whyNoDemoPlace()
  if (reason !== null) {
    say(`  Not shown here: ${reason}.`)
    return true
  }
  const station = await DemoPlace.make(signal)
  const outside = await DemoPlace.make(signal)
  try {
    signal.throwIfAborted()
    if (station === undefined || outside === undefined) throw new Error('no namespace can be made')
    await new AirlockDemo({ ...options, station, outside }).show()
    return true
  } catch (error) {
    signal.throwIfAborted()
    say(`  FAILED: ${error instanceof Error ? error.message : String(error)}`)
    return false
  } finally {
    await station?.close()
    await outside?.close()
  }
}

interface Scene extends AirlockOptions {
  station: DemoPlace
  outside: DemoPlace
}

class AirlockDemo {
  readonly #scene: Scene
  readonly #config: string

  constructor(scene: Scene) {
    this.#scene = scene
    this.#config = join(scene.folder, 'groundlock.toml')
  }

  async show(): Promise<void> {
    const { main, station, signal } = this.#scene
    await this.#prepare()
    const guard = station.start(main, ['guard', '--config', this.#config])
    await this.#until('the guard shuts the uplink', ({ reading }) => reading?.kernel === 'shut')
    station.start(main, ['run', '--config', this.#config])
    const over = new AbortController()
    const flight = simulate({
      link: join(this.#scene.folder, 'radio'),
      ...FLIGHT,
      signal: AbortSignal.any([signal, over.signal]),
    })
    try {
      await this.#showShut()
      await this.#showArmed()
      await this.#showPermitted()
      await this.#showKilled(() => guard.kill('SIGKILL'))
    } finally {
      over.abort()
      await flight
    }
  }

  async #showShut(): Promise<void> {
    await this.#until('the vehicle arms', ({ station }) => station.vehicle === 'armed')
    const before = await this.#arrived()
    for (let round = 0; round < ROUNDS; round++) await this.#sendAll()
    const arrived = (await this.#arrived()) - before
    const kinds = Object.keys(KINDS)
    const { witness } = await this.#until('it is read back', ({ reading }) => reading?.kernel === 'shut')
    this.#say('SHUT', `${ROUNDS * kinds.length} packets tried (${kinds.join(', ')})`)
    this.#say('', `${arrived} arrived outside; the witness of the uplink: ${witness.state}`)
    if (arrived > 0 || witness.state !== 'still') throw new Error('something left a shut door')
  }

  async #showArmed(): Promise<void> {
    this.#flip('permit')
    const { door, reason } = await this.#until('PERMIT is refused', ({ row }) => row === 'armed')
    this.#say('PERMIT, armed', `the door is ${door}: ${reason}`)
  }

  async #showPermitted(): Promise<void> {
    const { outside, station } = this.#scene
    await this.#until(
      'the vehicle is disarmed, and the station gives way',
      ({ door }) => door === 'permitted',
    )
    const { station: it } = await this.#until('a permit', ({ reading }) => reading?.kernel === 'leased')
    this.#say(
      'PERMIT, landed',
      `the station closed its flight and its port (link ${it.link}); the door is permitted`,
    )
    const heard = outside.start('socat', ['-u', 'UDP4-RECV:7000', 'STDOUT'])
    const word = new Promise<string>((resolve) =>
      heard.stdout?.once('data', (data) => resolve(String(data).trim())),
    )
    for (const began = performance.now(); ; await this.#pause(LOOK_MS)) {
      await station.shell(`${ADDRESSES}; echo good morning | ${KINDS['UDP']}`)
      const said = await Promise.race([word, this.#pause(LOOK_MS)])
      if (said !== undefined) return this.#say('', `a listener outside hears: "${said}"`)
      if (performance.now() - began > AT_MOST_MS)
        throw new Error('no packet arrives though the door is permitted')
    }
  }

  /** The counter outside goes up until the lease is over: a sender goes on all the while. */
  async #showKilled(kill: () => void): Promise<void> {
    const { station } = this.#scene
    station.start('sh', ['-c', `while :; do echo still there; sleep 0.01; done | ${KINDS['UDP']}`])
    await this.#pause(10 * LOOK_MS)
    const killedMs = performance.now()
    kill()
    let arrived = await this.#arrived()
    let lastMs = killedMs
    while (performance.now() - lastMs < 1000 * SHUT_WITHIN_S && performance.now() - killedMs < AT_MOST_MS) {
      await this.#pause(LOOK_MS)
      const now = await this.#arrived()
      if (now > arrived) lastMs = performance.now()
      arrived = now
    }
    const shutAfterS = (lastMs - killedMs) / 1000
    this.#say(
      'guard killed',
      `SIGKILL: the kernel shuts by itself, last packet after ${shutAfterS.toFixed(1)} s`,
    )
    if (shutAfterS > SHUT_WITHIN_S)
      throw new Error(`packets still leave ${SHUT_WITHIN_S} s after the guard was killed`)
  }

  async #prepare(): Promise<void> {
    const { folder, station, outside } = this.#scene
    for (const name of ['guard', 'token']) mkdirSync(join(folder, name), { recursive: true })
    writeFileSync(join(folder, 'token', 'link'), '', { mode: 0o640 })
    this.#flip('shut')
    writeFileSync(this.#config, configurationText(folder))
    await station.shell(`ip link add up0 type veth peer name far0 netns ${outside.pid}; ${ADDRESSES}`)
    await outside.shell(
      'ip link set far0 up; ip address add 198.18.0.1/24 dev far0; ip address add 2001:db8::1/64 dev far0 nodad',
    )
  }

  #flip(position: 'shut' | 'permit'): void {
    writeFileSync(join(this.#scene.folder, 'guard', 'switch'), position)
  }

  /** As another program would, which takes the link up first: the guard has taken it down. */
  async #sendAll(): Promise<void> {
    const lines = Object.values(KINDS).map((send) => `echo can you hear me | timeout 0.3 ${send} 2>/dev/null`)
    await this.#scene.station.shell([ADDRESSES, ...lines].join('\n'))
  }

  /** Frames of any kind that the far end of the uplink has received. */
  async #arrived(): Promise<number> {
    const counters = await this.#scene.outside.shell('cat /proc/self/net/dev')
    return Number(/far0:\s*\d+\s+(\d+)/.exec(counters)?.[1])
  }

  /** The first status of the guard that fits. */
  async #until(what: string, fits: (status: GuardStatus) => boolean): Promise<GuardStatus> {
    for (
      const began = performance.now();
      performance.now() - began < AT_MOST_MS;
      await this.#pause(LOOK_MS)
    ) {
      const present = { nowUs: monotonicUs(), bootId: bootId(), isProcessAlive }
      const { status } = readGuardStatus(join(this.#scene.folder, 'guard'), present)
      if (status !== null && fits(status)) return status
    }
    throw new Error(`${what}: not within ${AT_MOST_MS / 1000} s`)
  }

  async #pause(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.#scene.signal })
  }

  #say(state: string, text: string): void {
    this.#scene.say(`  ${state.padEnd(16)}${text}`)
  }
}

function configurationText(folder: string): string {
  return stringify({
    station: { run_dir: join(folder, 'run') },
    vault: { dir: join(folder, 'vault') },
    link: { radio: { device: join(folder, 'radio') } },
    switch: { backend: 'simulated', file: join(folder, 'guard', 'switch'), lamp_line: 0 },
    guard: { run_dir: join(folder, 'guard'), token: join(folder, 'token', 'link') },
  })
}
