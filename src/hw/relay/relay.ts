/**
 * Relay: one output line whose relay, energised, powers the uplink. Released is the resting state: at the start, at the end, and
 * when this process dies. It is no part of the lease: a process that hangs keeps it until its watchdog ends it.
 */
import type { SwitchConfiguration } from '../../base/configuration.js'
import { Fault, faultLines, troubleText } from '../../base/fault.js'
import type { Log } from '../../base/log.js'
import { toldOnce } from '../../base/told-once.js'
import { openOutputLine, type Level, type OutputLine } from '../gpio/output-line.js'

export interface Relay {
  /** Energised: the uplink is powered. Errors: `Fault` GL-RELAY-02 when it is not known to be done within 4 s. */
  set(energised: boolean): Promise<void>
  /** Released, then the line is let go. */
  stop(): Promise<void>
}

/** What driving a line takes at most, three processes on a card that stalls (ms). */
const DRIVE_TIMEOUT_MS = 4000

const NO_RELAY: Relay = { set: () => Promise.resolve(), stop: () => Promise.resolve() }

/**
 * Opens the relay, released. Without a line, or with a simulated switch, there is none and `set` does nothing.
 * Errors: `Fault` GL-RELAY-01: through sysfs a line keeps its level when the process dies; GL-SWITCH-02, -03: no way to the line.
 * For an installed unit these are told, and each `set` tries again: a relay is no reason not to guard.
 */
export async function openRelay(
  line: number | null,
  configuration: Pick<SwitchConfiguration, 'backend' | 'chip'>,
  { log, isInstalledUnit }: { log: Log; isInstalledUnit: boolean },
): Promise<Relay> {
  if (line === null || configuration.backend === 'simulated') return NO_RELAY
  const relay = new DrivenRelay(line, configuration, log)
  try {
    await relay.set(false)
  } catch (error) {
    if (!(error instanceof Fault && isInstalledUnit)) throw error
    log.error(`guarding without a relay: ${faultLines(error)}`)
  }
  return relay
}

/**
 * Powers the uplink and its end, for whoever does not wait for it: the relay is no part of the promise, for the kernel keeps the
 * door. What fails is told once, until it works or fails otherwise.
 */
export function powering(relay: Relay, log: Log): (isPowered: boolean) => void {
  const tell = toldOnce((trouble) => log.error(trouble))
  return (isPowered) => {
    relay.set(isPowered).then(
      () => tell(''),
      (error: unknown) => tell(troubleText(error)),
    )
  }
}

class DrivenRelay implements Relay {
  readonly #offset: number
  readonly #configuration: Pick<SwitchConfiguration, 'backend' | 'chip'>
  readonly #log: Log
  #line: OutputLine | undefined
  /** The line's holder has it high. */
  #isEnergised = false
  #isStopped = false
  /** Those who wait for a level to be driven. */
  #waiting: { level: Level; done: (problem: string | null) => void }[] = []
  /** One change after the other. */
  #change: Promise<void> = Promise.resolve()
  /** The last of them, while it waits or is under way: asked for once more it is the same one, so that none pile up. */
  #newest: { level: Level; done: Promise<void> } | undefined

  constructor(offset: number, configuration: Pick<SwitchConfiguration, 'backend' | 'chip'>, log: Log) {
    this.#offset = offset
    this.#configuration = configuration
    this.#log = log
  }

  set(energised: boolean): Promise<void> {
    const level: Level = energised ? 1 : 0
    if (this.#newest?.level === level) return this.#newest.done
    const done = this.#change.then(() => this.#drive(level))
    const newest = { level, done }
    this.#newest = newest
    this.#change = done
      .catch(() => undefined)
      .then(() => {
        if (this.#newest === newest) this.#newest = undefined
      })
    return done
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#change
    await this.#line?.stop()
  }

  async #drive(level: Level): Promise<void> {
    // A holder that is told a level lets go of the line for a moment: an uplink's power must not blink with each renewal.
    if (level === 1 && this.#isEnergised) return
    this.#isEnergised = false
    const line = (this.#line ??= await this.#open())
    const problem = await new Promise<string | null>((resolve) => {
      const timer = setTimeout(() => done('its holder does not answer'), DRIVE_TIMEOUT_MS)
      const done = (found: string | null) => {
        clearTimeout(timer)
        resolve(found)
      }
      this.#waiting.push({ level, done })
      line.drive(level)
    })
    this.#waiting = []
    if (problem === null) {
      this.#isEnergised = level === 1 && this.#line === line
      return
    }
    this.#line = undefined
    // Ends the holder: it drives the line low, or the kernel takes the line back.
    await line.stop()
    throw this.#fault(problem)
  }

  async #open(): Promise<OutputLine> {
    const line = await openOutputLine(this.#configuration, this.#offset, {
      isConfirmed: true,
      onDriven: (level, isDriven) => this.#driven(level, isDriven),
      onEnd: (why) => this.#lost(why),
      onComplaint: (why) => this.#log.warn(`relay: ${why}`),
    })
    if (line.fallsWithUs) return line
    await line.stop()
    throw new Fault({
      code: 'GL-RELAY-01',
      op: 'use',
      subject: `the relay on line ${this.#offset}`,
      found: 'through sysfs it would stay energised when the guard dies',
      hint: 'Install gpiod and use the character device, or leave the relay out: relay_line = 0 in [uplink].',
      recovery: 'user',
    })
  }

  #driven(level: Level, isDriven: boolean): void {
    for (const waiting of this.#waiting)
      if (waiting.level === level) waiting.done(isDriven ? null : 'the line cannot be driven')
      // The line opens low, and what was wanted meanwhile was refused.
      else this.#line?.drive(waiting.level)
  }

  /** The holder is gone, and with it the line's level. */
  #lost(why: string): void {
    this.#line = undefined
    this.#isEnergised = false
    if (this.#waiting.length > 0) for (const { done } of this.#waiting) done(why)
    else if (!this.#isStopped) this.#log.warn(faultLines(this.#fault(why)))
  }

  #fault(found: string): Fault {
    return new Fault({
      code: 'GL-RELAY-02',
      op: 'drive',
      subject: `the relay on line ${this.#offset}`,
      found,
      hint: 'It is released as far as this program can know. Who holds the line: gpioinfo',
      recovery: 'retry',
    })
  }
}
