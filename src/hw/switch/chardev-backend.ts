/**
 * Character device backend: libgpiod's tools as supervised children.
 *
 *     one child:  gpioget ──exec──▶ gpiomon        each re-reading replaces it by a new one
 *                 levels            edges
 *
 * Why so: `gpiomon` holds its lines exclusively and tells edges only, so the levels can be read only while no monitor runs;
 * edges alone are no reading (one that was lost would never be made good). Polling `gpioget` alone would need ten processes a
 * second to see SHUT within 100 ms. So a child reads the levels and becomes the monitor (one shell, no detour through this
 * process, so that the time in which nobody looks is that of one exec), and is replaced every 2 s, every 500 ms when the
 * switch is anything but plainly SHUT: an edge that fell between them is seen at the next levels. The backend needs not be told
 * that the door is permitted: it is so in PERMIT only.
 */
import type { SwitchConfiguration } from '../../base/configuration.js'
import { Fault } from '../../base/fault.js'
import { pickChip } from '../gpio/chip.js'
import {
  findGpiod,
  getCommand,
  monitorCommand,
  quoted,
  type GpioLines,
  type GpiodTools,
} from '../gpio/gpiod-tools.js'
import { startChild, type SupervisedChild } from '../gpio/supervised-child.js'
import { RETRY_MS, RE_READ_MS, SHUT_RE_READ_MS, type Backend, type BackendOptions } from './backend.js'
import { positionOf } from './position-filter.js'
import type { Circuit, Contacts } from './reading.js'

/** A child that has not told the levels by then hangs (ms); with the pause before it that is half of what a reading lasts. */
const LEVELS_TIMEOUT_MS = 2000

/** Opens the lines, and resolves with the first levels or the first trouble. Errors: `Fault` GL-SWITCH-02, -03. */
export async function openChardev(
  configuration: SwitchConfiguration,
  options: BackendOptions,
): Promise<Backend> {
  const offsets = linesOf(configuration)
  const tools = await findGpiod()
  const lines = { chip: pickChip(tools.chips, configuration.chip, offsets), offsets }
  const backend = new ChardevBackend(configuration, options, tools, lines)
  await backend.start()
  return backend
}

/** Offsets of the contacts: permit, and where there are two, shut. */
export function linesOf({ wiring, permitLine, shutLine }: SwitchConfiguration): number[] {
  return wiring === 'single' ? [permitLine] : [permitLine, shutLine]
}

/** A pulled-up line: closed to ground is low. */
export function circuitOf(level: string | number): Circuit {
  return Number(level) === 0 ? 'closed' : 'open'
}

class ChardevBackend implements Backend {
  readonly name: string
  readonly #configuration: SwitchConfiguration
  readonly #options: BackendOptions
  readonly #tools: GpiodTools
  #lines: GpioLines
  #child: SupervisedChild | undefined
  #contacts: Contacts | undefined
  #timer: NodeJS.Timeout | undefined
  #dueMs = Infinity
  /** The replacement of a child under way. */
  #change: Promise<void> = Promise.resolve()
  #isStopped = false
  #onFirst: () => void = () => undefined

  constructor(
    configuration: SwitchConfiguration,
    options: BackendOptions,
    tools: GpiodTools,
    lines: GpioLines,
  ) {
    this.#configuration = configuration
    this.#options = options
    this.#tools = tools
    this.#lines = lines
    const which = `line${lines.offsets.length > 1 ? 's' : ''} ${lines.offsets.join(' and ')}`
    this.name = `chardev: libgpiod ${tools.version}, ${lines.chip.label}, ${which}`
  }

  async start(): Promise<void> {
    const first = new Promise<void>((resolve) => {
      this.#onFirst = resolve
    })
    this.#renew()
    await first
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#change
    await this.#child?.end()
  }

  /** The next child in place of this one. */
  #renew(): void {
    this.#change = this.#change.then(async () => {
      await this.#child?.end()
      this.#child = undefined
      if (!this.#isStopped) this.#start()
    })
  }

  #start(): void {
    this.#contacts = undefined
    const words = (command: string[]) => command.map(quoted).join(' ')
    const get = words(getCommand(this.#tools, this.#lines))
    const monitor = words(monitorCommand(this.#tools, this.#lines))
    const child = startChild({
      script: `${get} && exec ${monitor}`,
      fate: 'ends with us',
      onLine: (line) => {
        if (this.#child === child) this.#take(line)
      },
      onEnd: (why) => this.#fail(why),
    })
    this.#child = child
    this.#after(LEVELS_TIMEOUT_MS, () => this.#fail(`gpioget has told no levels for ${LEVELS_TIMEOUT_MS} ms`))
  }

  /** A line of the child's: the levels first, then edges. */
  #take(line: string): void {
    const known = this.#contacts
    if (known === undefined) {
      const levels = /^[01](?: [01])?$/.test(line) ? line.split(' ') : []
      if (levels.length !== this.#lines.offsets.length) return this.#fail(`gpioget says ${brief(line)}`)
      const [permit, shut] = levels.map(circuitOf)
      return this.#sample({ permit: permit ?? null, shut: shut ?? null }, Infinity)
    }
    const edge = /^(\d+) ([012])$/.exec(line)
    const index = edge === null ? -1 : this.#lines.offsets.indexOf(Number(edge[1]))
    if (edge === null || index < 0) return this.#fail(`gpiomon says ${brief(line)}`)
    const contact = index === 0 ? 'permit' : 'shut'
    const circuit: Circuit = edge[2] === '1' ? 'open' : 'closed'
    // Two edges the same way: the one between them was lost, and the line was there for a moment.
    if (known[contact] === circuit)
      this.#sample({ ...known, [contact]: circuit === 'open' ? 'closed' : 'open' }, this.#dueMs)
    this.#sample({ ...known, [contact]: circuit }, this.#dueMs)
  }

  #sample(contacts: Contacts, dueMs: number): void {
    this.#contacts = contacts
    this.#options.listener.sample(contacts)
    const isShut = positionOf(contacts, this.#configuration.wiring) === 'shut'
    const pauseMs = Math.min(isShut ? SHUT_RE_READ_MS : RE_READ_MS, Math.max(0, dueMs - performance.now()))
    this.#after(pauseMs, () => this.#renew())
    this.#onFirst()
  }

  #fail(why: string): void {
    if (this.#isStopped) return
    void this.#child?.end()
    this.#options.listener.trouble(why)
    this.#onFirst()
    this.#after(RETRY_MS, () => void this.#retry())
  }

  /** The chip may have another number by now, or be gone. */
  async #retry(): Promise<void> {
    try {
      const { chips } = await findGpiod()
      this.#lines = {
        ...this.#lines,
        chip: pickChip(chips, this.#lines.chip.label, this.#lines.offsets),
      }
      if (!this.#isStopped) this.#renew()
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      this.#fail(error.found)
    }
  }

  /** The one timer. */
  #after(pauseMs: number, act: () => void): void {
    clearTimeout(this.#timer)
    this.#dueMs = performance.now() + pauseMs
    if (!this.#isStopped) this.#timer = setTimeout(act, pauseMs)
  }
}

function brief(line: string): string {
  return JSON.stringify(line.slice(0, 40))
}
