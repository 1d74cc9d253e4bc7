/**
 * Lamp: one output line that blinks what the guard is doing.
 * It never disturbs the guard: a lamp that cannot be lit is a line in the log, and is tried again.
 */
import type { SwitchConfiguration } from '../../base/configuration.js'
import { Fault, faultLines } from '../../base/fault.js'
import type { Log } from '../../base/log.js'
import { openOutputLine, type Level, type OutputLine } from '../gpio/output-line.js'
import { TICK_MS, isLit, type Signal } from './blink-code.js'

export interface Lamp {
  /** Blinks this from now on; the same again changes nothing. */
  show(signal: Signal): void
  /** Dark. */
  stop(): Promise<void>
}

/** Dark ticks before another code begins, so that nobody counts flashes of two codes together. */
const PAUSE_TICKS = 4

/** Ticks in a row that the holder of the line may refuse before another takes its place: 5 s, on a card that stalls. */
const MAX_BEHIND_TICKS = 20

/** Pause before a lamp that failed is tried again (ms). */
const RETRY_MS = 10_000

const NO_LAMP: Lamp = { show: () => undefined, stop: () => Promise.resolve() }

/** Opens the lamp, dark. Errors: none; without a line, or with a simulated switch, it is a lamp that shows nothing. */
export function openLamp(configuration: SwitchConfiguration, { log }: { log: Log }): Lamp {
  const { lampLine, backend } = configuration
  if (lampLine === null || backend === 'simulated') return NO_LAMP
  return new BlinkingLamp(configuration, lampLine, log)
}

class BlinkingLamp implements Lamp {
  readonly #configuration: SwitchConfiguration
  readonly #offset: number
  readonly #log: Log
  #line: OutputLine | undefined
  #opening: Promise<void>
  #retry: NodeJS.Timeout | undefined
  readonly #ticker: NodeJS.Timeout
  #isStopped = false
  #signal: Signal | undefined
  #tick = 0
  #level: Level = 0
  #behindTicks = 0
  /** Told already; again only after it was lit in between. */
  #told = ''

  constructor(configuration: SwitchConfiguration, offset: number, log: Log) {
    this.#configuration = configuration
    this.#offset = offset
    this.#log = log
    this.#opening = this.#open()
    this.#ticker = setInterval(() => this.#blink(), TICK_MS)
  }

  show(signal: Signal): void {
    if (signal === this.#signal) return
    this.#tick = this.#signal === undefined ? 0 : -PAUSE_TICKS
    this.#signal = signal
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#ticker)
    clearTimeout(this.#retry)
    await this.#opening
    await this.#line?.stop()
  }

  #blink(): void {
    if (this.#signal === undefined) return
    const level: Level = this.#tick >= 0 && isLit(this.#signal, this.#tick) ? 1 : 0
    this.#tick++
    if (level === this.#level || this.#line === undefined) return
    try {
      if (this.#line.drive(level)) {
        this.#level = level
        this.#behindTicks = 0
      } else this.#behindTicks++
    } catch (error) {
      this.#fail(String(error))
    }
    if (this.#behindTicks > MAX_BEHIND_TICKS) this.#fail('its holder takes no levels')
  }

  async #open(): Promise<void> {
    try {
      this.#line = await openOutputLine(this.#configuration, this.#offset, {
        isConfirmed: false,
        onEnd: (why) => this.#fail(why),
        onComplaint: (line) => this.#tell(line),
      })
      this.#level = 0
      this.#behindTicks = 0
    } catch (error) {
      this.#fail(error instanceof Fault ? `${error.found}. ${error.hint}` : String(error))
    }
  }

  #fail(why: string): void {
    this.#tell(why)
    const broken = this.#line
    this.#line = undefined
    if (this.#isStopped) return
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => {
      this.#opening = Promise.resolve(broken?.stop()).then(() => this.#open())
    }, RETRY_MS)
  }

  #tell(found: string): void {
    if (found === this.#told || this.#isStopped) return
    this.#told = found
    const fault = new Fault({
      code: 'GL-LAMP-01',
      op: 'light',
      subject: `the lamp on line ${this.#offset}`,
      found,
      hint: 'It is tried again by itself, and nothing else depends on it. Without a lamp: lamp_line = 0 in [switch].',
      recovery: 'retry',
    })
    this.#log.warn(faultLines(fault))
  }
}
