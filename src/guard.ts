/**
 * Guard: the composition root of `groundlock guard`. One loop, and one place where anything is done:
 *
 *     switch, station, token, read-back, witness ──▶ decide ──▶ effects on the door, the token, the station
 *
 * A step looks and decides at once; what takes time (nft, flock, the station's answer) is begun by a step and ends with
 * another one. So the switch is heard whatever else hangs.
 */
import { join } from 'node:path'
import { bootId, monotonicMs, monotonicUs } from './base/clock.js'
import type { Configuration } from './base/configuration.js'
import { troubleText } from './base/fault.js'
import type { Log } from './base/log.js'
import { ServiceNotice } from './base/service-notice.js'
import { GUARD_STATUS_FILE } from './base/guard-status.js'
import type { GuardStatus } from './base/guard-status.js'
import { StatusFile } from './base/status-file.js'
import { decide } from './hw/decide/decide.js'
import { READING_LIMIT_MS, startState } from './hw/decide/guard-state.js'
import type { Decision, Effect, GuardInputs } from './hw/decide/guard-state.js'
import { openDoor } from './hw/door/door.js'
import type { Door } from './hw/door/door.js'
import { policyOf } from './hw/door/policy.js'
import { openLamp } from './hw/lamp/lamp.js'
import { signalOf } from './hw/lamp/blink-code.js'
import type { Lamp } from './hw/lamp/lamp.js'
import { openGuardServer, removeStale } from './hw/protocol/guard-server.js'
import type { GuardServer } from './hw/protocol/guard-server.js'
import { GUARD_SOCKET } from './hw/protocol/messages.js'
import { openRelay, powering } from './hw/relay/relay.js'
import type { Relay } from './hw/relay/relay.js'
import { openSwitch } from './hw/switch/switch.js'
import type { Switch } from './hw/switch/switch.js'
import { LinkToken } from './hw/token/link-token.js'
import type { TokenLook } from './hw/token/link-token.js'
import { markPermitted } from './hw/token/permitted-once.js'
import { KernelWatch } from './hw/watch/kernel-watch.js'
import { openCanary } from './hw/witness/canary.js'
import { openWitness } from './hw/witness/witness.js'

/** How often the loop looks without a cause (ms): SHUT must not wait for an edge that got lost. */
const STEP_MS = 250
/** How often the kernel and the witness are read (ms): each second, as SECURITY.md promises of *shut*. */
const READ_MS = 1000
/** How often the canary flies (ms): it tests the way through the rules, which the read-back has seen as well. */
const CANARY_MS = 5000
/** What the status shows of what happened (events). */
const MAX_EVENTS = 20

export interface Guard {
  /** Shuts the door, frees the token and lets go of the lines. */
  stop(): Promise<void>
}

export interface GuardOptions {
  /** Started as it is installed: what of its lines cannot be had is waited for, and a simulated switch is warned of. */
  isInstalledUnit: boolean
}

/** What the guard is made of. */
interface Parts {
  door: Door
  switch: Switch
  server: GuardServer
  lamp: Lamp
  relay: Relay
  power: (isPowered: boolean) => void
  canary: Awaited<ReturnType<typeof openCanary>>
  watch: KernelWatch
}

/** Starts guarding; the door was shut when it resolves. Errors: a Fault where it cannot guard at all. */
export async function startGuard(
  configuration: Configuration,
  log: Log,
  options: GuardOptions,
): Promise<Guard> {
  const guard = new RunningGuard(configuration, log, options)
  await guard.start()
  return guard
}

class RunningGuard implements Guard {
  readonly #configuration: Configuration
  readonly #log: Log
  readonly #options: GuardOptions
  readonly #startedUs = monotonicUs()
  readonly #bootId = bootId()
  readonly #token: LinkToken
  readonly #notice = new ServiceNotice()
  #parts: Parts | undefined
  readonly #timers: NodeJS.Timeout[] = []
  #decision: Decision | undefined
  #state = startState(monotonicMs())
  #doorSinceUs = monotonicUs()
  readonly #statusFile: StatusFile
  readonly #events: { atUs: number; text: string }[] = []

  // What was read last, and when.
  #lookedMs = monotonicMs()
  #tokenLook: TokenLook = 'doubt'
  /** When it was taken; Infinity while it is being taken. */
  #tokenAtMs = -Infinity

  // What was begun, and how it ended.
  #asked = 0
  #answer: 'gave way' | 'refused' | 'silent' | undefined
  #permit: GuardInputs['permit'] = 'none'
  /** Counts the shuttings: what a permit or a read-back that was begun before says is void. */
  #shuttings = 0
  #shutting: Promise<void> | undefined
  #shutAgain: 'shut' | 'shut harder' | undefined
  #permitting = false

  constructor(configuration: Configuration, log: Log, options: GuardOptions) {
    this.#configuration = configuration
    this.#log = log
    this.#options = options
    this.#token = new LinkToken(configuration.guard.token)
    this.#statusFile = new StatusFile(join(configuration.guard.runDir, GUARD_STATUS_FILE), log)
  }

  async start(): Promise<void> {
    const { switch: switchConfiguration, uplink, guard } = this.#configuration
    const log = this.#log
    const onChange = () => this.#step()
    const socketPath = join(guard.runDir, GUARD_SOCKET)
    await removeStale(socketPath) // a second guard must not touch what the first one keeps
    // Then the door: what else fails, fails behind a shut one.
    const door = await openDoor({
      policy: policyOf(uplink),
      log,
      radiosFile: join(guard.stateDir, 'radios'),
      onForeignChange: (what) => this.#note(`changed by another program, and made again: ${what}`, 'warn'),
      onDevices: () => void this.#read(),
    })
    const opened: (() => unknown)[] = [() => door.close()]
    try {
      const server = await openGuardServer({
        path: socketPath,
        onStation: () => void this.#lookAtToken(),
        // For a station that has taken the token: the guard cannot permit meanwhile.
        verifyShut: async () => (await door.read()).kernel === 'shut',
      })
      opened.push(() => server.close())
      const canary = await openCanary(log)
      opened.push(() => canary.close())
      const relay = await openRelay(uplink.relayLine, switchConfiguration, { log, ...this.#options })
      opened.push(() => relay.stop())
      this.#parts = {
        door,
        server,
        canary,
        relay,
        power: powering(relay, log),
        watch: new KernelWatch({ door, witness: openWitness(), canary, log }),
        switch: await openSwitch(switchConfiguration, { log, onChange, ...this.#options }),
        lamp: openLamp(switchConfiguration, { log }),
      }
    } catch (error) {
      // What stays open would keep the process, and a process that cannot guard would not be started again.
      for (const close of opened.toReversed()) await close()
      throw error
    }
    try {
      this.#parts.watch.shut(await door.read())
      await this.#read()
    } catch (error) {
      await this.stop()
      throw error
    }
    this.#notice.ready()
    // Behind what waits to be read, which Node does after its timers: what was said during a stall is heard first.
    const each = (ms: number, act: () => unknown) => setInterval(() => setImmediate(act), ms)
    this.#timers.push(
      each(STEP_MS, () => this.#lookAtToken()),
      each(READ_MS, () => this.#read()),
      each(CANARY_MS, () => this.#parts?.watch.flyCanary()),
    )
  }

  async stop(): Promise<void> {
    const parts = this.#parts
    for (const timer of this.#timers) clearInterval(timer)
    if (parts === undefined) return
    // The kernel waits for no relay, whose line may take seconds.
    this.#shuttings++
    const shutting = parts.door.shut()
    parts.power(false)
    this.#parts = undefined
    const { kernel } = await shutting
    // One that does not read as shut keeps the token to the end of the process, and the station waits a lease.
    if (kernel === 'shut') this.#token.free()
    this.#log.info(`guard: stopped, the kernel reads as ${kernel}`)
    parts.server.close()
    await Promise.all([parts.switch.stop(), parts.lamp.stop(), parts.relay.stop(), parts.canary.close()])
    await parts.door.close()
    this.#statusFile.remove()
  }

  /** Looks, decides, and begins what was decided. */
  #step(): void {
    const parts = this.#parts
    if (parts === undefined) return
    // A guard that decides by what it has not read lately should be ended, as one that hangs.
    if (monotonicMs() - parts.watch.readAtMs < READING_LIMIT_MS) this.#notice.progress()
    const before = this.#decision
    const decision = decide(this.#state, this.#inputs(parts))
    this.#lookedMs = monotonicMs()
    this.#state = decision.state
    this.#decision = decision
    if (decision.state.phase !== 'asking') {
      this.#asked++
      this.#answer = undefined
    }
    for (const effect of decision.effects) this.#begin(effect, parts)
    // A door that was only told to be shut is not shown as shut.
    if (decision.state.phase !== 'shutting') parts.lamp.show(signalOf(decision.door, parts.server))
    // A reason may count seconds down: it is news with another row only.
    const isNews = decision.row !== before?.row && decision.reason !== before?.reason
    if (isNews || decision.door !== before.door) this.#tell(decision, before)
    else if (decision.state.phase !== before.state.phase) this.#writeStatus()
  }

  #inputs({ switch: contacts, server, watch }: Parts): GuardInputs {
    const now = monotonicMs()
    const { position, reason, isAtShut, shutSeen } = contacts.read(now)
    const grew = watch.growths.map(({ name, packets }) => `${name}: ${packets} packets`).join(', ')
    return {
      nowMs: now,
      position,
      switchReason: reason,
      isAtShut,
      unseenMs: now - this.#lookedMs,
      shutSeen,
      station: server.station === 'absent' ? 'absent' : (this.#answer ?? 'present'),
      vehicle: server.vehicle,
      token: this.#tokenLook,
      tokenAtMs: this.#tokenAtMs,
      kernel: watch.kernel,
      kernelProblem: watch.problem,
      kernelAtMs: watch.readAtMs,
      isShutting: this.#shutting !== undefined,
      witness: grew === '' ? 'still' : 'grew',
      witnessProblem: grew,
      permit: this.#permit,
    }
  }

  #begin(effect: Effect, { server }: Parts): void {
    switch (effect) {
      case 'shut':
      case 'shut harder':
        return this.#shut(effect)
      case 'renew permit':
        return void this.#renew()
      case 'ask station':
        return void this.#ask(server)
      case 'take token':
        return void this.#take()
      case 'free token':
        this.#token.free()
        return void this.#lookAtToken()
      case 'note override':
        return this.#note('permitted by override: nobody knows whether a vehicle flies', 'warn')
    }
  }

  /** Shuts now; while a shutting is under way, once more behind it, as that may have begun too early. */
  #shut(how: 'shut' | 'shut harder'): void {
    const parts = this.#parts
    if (parts === undefined) return
    this.#permit = 'none'
    this.#shuttings++
    parts.watch.shuts()
    parts.power(false)
    if (this.#shutting !== undefined) {
      this.#shutAgain = how
      return
    }
    this.#shutting = parts.door.shut({ harder: how === 'shut harder' }).then((reading) => {
      this.#shutting = undefined
      parts.watch.shut(reading)
      const again = this.#shutAgain
      this.#shutAgain = undefined
      if (again !== undefined) this.#shut(again)
      this.#step()
    })
  }

  async #renew(): Promise<void> {
    const parts = this.#parts
    const tokenFd = this.#token.fd
    if (parts === undefined || tokenFd === undefined || this.#permitting || this.#shutting !== undefined)
      return
    const shuttings = this.#shuttings
    this.#permitting = true
    let ended: GuardInputs['permit'] = 'ok'
    try {
      markPermitted(this.#configuration.guard.runDir)
      parts.watch.permits()
      await parts.door.permit(tokenFd)
      if (shuttings === this.#shuttings) parts.power(true)
    } catch (error) {
      ended = 'failed'
      if (shuttings === this.#shuttings) this.#log.error(`the permit failed: ${troubleText(error)}`)
    }
    this.#permitting = false
    await this.#read()
    // Shut meanwhile, before the read-back or during it: how a permit of before ended says nothing of the next one.
    if (shuttings !== this.#shuttings) return
    this.#permit = ended
    this.#step()
  }

  /** What a question of before is answered says nothing to the one that is on. */
  async #ask(server: GuardServer): Promise<void> {
    const asked = ++this.#asked
    const answer = await server.askToGiveWay()
    if (asked === this.#asked) this.#answer = answer
    await this.#lookAtToken()
  }

  async #take(): Promise<void> {
    // Between taking and permitting the kernel is read: a read-back from before the token counts for nothing.
    if (this.#tokenAtMs === Infinity) return
    this.#tokenAtMs = Infinity
    const isTaken = await this.#token.take()
    this.#tokenAtMs = isTaken ? monotonicMs() : -Infinity
    if (isTaken) await this.#parts?.watch.readAnew()
    await this.#lookAtToken()
  }

  async #lookAtToken(): Promise<void> {
    this.#tokenLook = await this.#token.look()
    this.#step()
  }

  async #read(): Promise<void> {
    const parts = this.#parts
    await parts?.watch.read()
    await this.#lookAtToken()
    if (this.#decision !== undefined) parts?.server.tell(this.#decision.door, this.#decision.reason)
    this.#writeStatus()
  }

  /** Tells everybody what is news: the log, the station, the lamp, the status. */
  #tell(decision: Decision, before: Decision | undefined): void {
    const { door, reason } = decision
    if (door !== before?.door) this.#doorSinceUs = monotonicUs()
    this.#note(`${door}: ${reason}`, door === 'fault' ? 'error' : 'info')
    this.#parts?.server.tell(door, reason)
    this.#writeStatus()
  }

  #note(text: string, how: 'info' | 'warn' | 'error'): void {
    this.#log[how](text)
    this.#events.push({ atUs: monotonicUs(), text })
    if (this.#events.length > MAX_EVENTS) this.#events.shift()
  }

  #writeStatus(): void {
    if (this.#parts === undefined || this.#decision === undefined) return
    this.#statusFile.write(this.#status(this.#parts, this.#decision))
  }

  #status(parts: Parts, decision: Decision): GuardStatus {
    const { server } = parts
    const isThere = server.station === 'present'
    return {
      v: 1,
      pid: process.pid,
      bootId: this.#bootId,
      nowUs: monotonicUs(),
      startedUs: this.#startedUs,
      door: decision.door,
      reason: decision.reason,
      sinceUs: this.#doorSinceUs,
      row: decision.row,
      phase: decision.state.phase,
      switch: { backend: parts.switch.backend, ...parts.switch.read(monotonicMs()) },
      station: {
        state: isThere ? (this.#answer ?? 'present') : 'absent',
        link: isThere ? server.link : null,
        vehicle: isThere ? server.vehicle : null,
      },
      nonsense: server.nonsense,
      token: this.#tokenLook,
      reading: parts.watch.reading ?? null,
      witness: {
        state: parts.watch.growths.length === 0 ? 'still' : 'grew',
        growth: [...parts.watch.growths],
      },
      canary: parts.watch.canarySaid,
      events: this.#events,
    }
  }
}
