/**
 * Character device backend: libgpiod's tools as supervised children, one for each line.
 *
 *     permit  gpioget─▶gpiomon ┄┄┄┄┄┄┄┄┄┄ gpioget─▶gpiomon ┄┄┄┄┄     one child: it reads the level and becomes the
 *     shut    ┄┄┄┄┄┄┄┄┄┄ gpioget─▶gpiomon ┄┄┄┄┄┄┄┄┄┄ gpioget─▶       monitor, until another takes its place
 *
 * Why so: `gpiomon` holds its line exclusively and tells edges only, so a level can be read only while its line has no monitor;
 * and edges alone are no reading (one that was lost would never be made good). So the children take turns: each is replaced every
 * 2 s, every 500 ms when the switch is anything but plainly SHUT. While one is replaced nobody looks at its line, but in antivalent
 * wiring the other line is watched, and no turn of the switch leaves that one as it is: it is seen, and as the contacts agree then,
 * the levels follow within 100 ms, before that is called a doubt. In single wiring an edge in that moment (the start of a program)
 * is seen at the next level. Polling alone would need ten processes a second to see SHUT within 100 ms. The
 * backend needs not be told that the door is permitted: it is so in PERMIT only.
 * After a trouble nothing is told until every monitor has stood for a second: a line whose level can be read, and whose
 * edges cannot, is one doubt and not a new one at each try.
 */
import { behindInput } from '../../base/behind-input.js'
import type { Behind } from '../../base/behind-input.js'
import type { SwitchConfiguration } from '../../base/configuration.js'
import { Fault } from '../../base/fault.js'
import { pickChip, type GpioChip } from '../gpio/chip.js'
import {
  findGpiod,
  getCommand,
  monitorCommand,
  quoted,
  type GpioLines,
  type GpiodTools,
} from '../gpio/gpiod-tools.js'
import { startSupervised, type SupervisedChild } from '../gpio/supervised-child.js'
import {
  MOVING_RE_READ_MS,
  RETRY_MS,
  RE_READ_MS,
  SHUT_RE_READ_MS,
  type Backend,
  type BackendOptions,
} from './backend.js'
import { positionOf } from './position-filter.js'
import type { Circuit, Contacts } from './reading.js'

/** A child that has not told its level by then hangs (ms): known before its line's last level, 500 ms older, is no reading any more. */
const LEVELS_TIMEOUT_MS = 4000

/** A monitor that has lived for so long stands (ms): one that cannot ends in a few, on a card that stalls in some hundred. */
const STANDS_MS = 1000

/** Contacts that agree for longer (ms) are no movement: a cut wire is no reason to start twenty processes a second. */
const LONGEST_MOVE_MS = 1000

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
  readonly #offsets: readonly number[]
  #chip: GpioChip
  /** By line: permit, and where there are two, shut. */
  #children: (SupervisedChild | undefined)[] = []
  #circuits: (Circuit | undefined)[] = []
  /** The line whose turn it is: another child takes the place of its own, and has not told its level yet. */
  #turn: number | undefined
  /** The line whose turn is next. */
  #next = 0
  #timer: Behind | undefined
  #dueMs = Infinity
  /** Since when the contacts agree; null while they do not. */
  #agreeSinceMs: number | null = null
  /** Before that nothing is told (ms): after a trouble the monitors have yet to stand. Infinity: not all levels are known. */
  #standsFromMs = 0
  /** The replacement of a child under way. */
  #change: Promise<void> = Promise.resolve()
  #isStopped = false
  #onFirst: () => void = () => undefined

  constructor(
    configuration: SwitchConfiguration,
    options: BackendOptions,
    tools: GpiodTools,
    { chip, offsets }: GpioLines,
  ) {
    this.#configuration = configuration
    this.#options = options
    this.#tools = tools
    this.#chip = chip
    this.#offsets = offsets
    const which = `line${offsets.length > 1 ? 's' : ''} ${offsets.join(' and ')}`
    this.name = `chardev: libgpiod ${tools.version}, ${chip.label}, ${which}`
  }

  async start(): Promise<void> {
    const first = new Promise<void>((resolve) => {
      this.#onFirst = resolve
    })
    this.#takeTurn()
    await first
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#timer?.cancel()
    await this.#change
    await endAll(this.#children)
  }

  /** Another child in place of the one whose turn it is. */
  #takeTurn(): void {
    const index = this.#next
    this.#next = (index + 1) % this.#offsets.length
    this.#turn = index
    this.#change = this.#change.then(async () => {
      await this.#children[index]?.end()
      // A trouble of the other line has ended the turn meanwhile.
      if (!this.#isStopped && this.#turn === index) this.#start(index)
    })
  }

  #start(index: number): void {
    const line = { chip: this.#chip, offsets: this.#offsets.slice(index, index + 1) }
    const words = (command: string[]) => command.map(quoted).join(' ')
    let isLevelTold = false
    const child = startSupervised({
      script: `${words(getCommand(this.#tools, line))} && exec ${words(monitorCommand(this.#tools, line))}`,
      fate: 'ends with us',
      onLine: (text) => {
        if (this.#children[index] !== child) return
        if (isLevelTold) return this.#takeEdge(index, text)
        isLevelTold = true
        this.#takeLevel(index, text)
      },
      onEnd: (why) => {
        if (this.#children[index] === child) this.#fail(why)
      },
    })
    this.#children[index] = child
    this.#after(LEVELS_TIMEOUT_MS, () => this.#fail(`gpioget has told no level for ${LEVELS_TIMEOUT_MS} ms`))
  }

  /** What a child says first; all that follows are edges. */
  #takeLevel(index: number, text: string): void {
    if (text !== '0' && text !== '1') return this.#fail(`gpioget says ${brief(text)}`)
    this.#turn = undefined
    const isNews = this.#circuits[index] !== circuitOf(text)
    this.#circuits[index] = circuitOf(text)
    if (!this.#circuits.includes(undefined) && this.#circuits.length === this.#offsets.length) {
      if (this.#standsFromMs === Infinity) this.#standsFromMs = performance.now() + STANDS_MS
      this.#sample()
    }
    // Where the monitors have missed something the other line may be another as well.
    this.#nextTurnIn(isNews ? 0 : this.#pauseMs())
  }

  #takeEdge(index: number, text: string): void {
    const edge = /^(\d+) ([012])$/.exec(text)
    if (Number(edge?.[1]) !== this.#offsets[index]) return this.#fail(`gpiomon says ${brief(text)}`)
    const circuit: Circuit = edge?.[2] === '1' ? 'open' : 'closed'
    // Two edges the same way: the one between them was lost, and the line was there for a moment.
    if (this.#circuits[index] === circuit) {
      this.#circuits[index] = circuit === 'open' ? 'closed' : 'open'
      this.#sample()
    }
    this.#circuits[index] = circuit
    this.#sample()
    if (this.#turn === undefined)
      this.#nextTurnIn(Math.min(this.#pauseMs(), Math.max(0, this.#dueMs - performance.now())))
  }

  #sample(): void {
    if (this.#isOnTrial()) return
    const contacts = this.#contacts()
    const agree = positionOf(contacts, this.#configuration.wiring) === 'between'
    this.#agreeSinceMs = agree ? (this.#agreeSinceMs ?? performance.now()) : null
    this.#options.listener.sample(contacts)
    this.#onFirst()
  }

  #isOnTrial(): boolean {
    return performance.now() < this.#standsFromMs
  }

  #contacts(): Contacts {
    const [permit, shut] = this.#circuits
    return { permit: permit ?? null, shut: shut ?? null }
  }

  #pauseMs(): number {
    // Who is replaced meanwhile has shown nothing.
    if (this.#isOnTrial()) return this.#standsFromMs - performance.now()
    const isShut = positionOf(this.#contacts(), this.#configuration.wiring) === 'shut'
    const isMoving = this.#agreeSinceMs !== null && performance.now() - this.#agreeSinceMs < LONGEST_MOVE_MS
    const pauseMs = isMoving ? MOVING_RE_READ_MS : isShut ? SHUT_RE_READ_MS : RE_READ_MS
    return pauseMs / this.#offsets.length
  }

  #nextTurnIn(pauseMs: number): void {
    this.#after(pauseMs, () => this.#takeTurn())
  }

  #fail(why: string): void {
    if (this.#isStopped) return
    const children = this.#children
    this.#change = this.#change.then(() => endAll(children))
    this.#children = []
    this.#circuits = []
    this.#standsFromMs = Infinity
    this.#agreeSinceMs = null
    this.#turn = undefined
    this.#options.listener.trouble(why)
    this.#onFirst()
    this.#after(RETRY_MS, () => void this.#retry())
  }

  /** The chip may have another number by now, or be gone. */
  async #retry(): Promise<void> {
    try {
      const { chips } = await findGpiod()
      this.#chip = pickChip(chips, this.#chip.label, this.#offsets)
      if (!this.#isStopped) this.#takeTurn()
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      this.#fail(error.found)
    }
  }

  /** The one timer. What a child has told is read before it is replaced. */
  #after(pauseMs: number, act: () => void): void {
    this.#timer?.cancel()
    this.#dueMs = performance.now() + pauseMs
    if (!this.#isStopped) this.#timer = behindInput(pauseMs, act)
  }
}

async function endAll(children: readonly (SupervisedChild | undefined)[]): Promise<void> {
  await Promise.all(children.map(async (child) => child?.end()))
}

function brief(line: string): string {
  return JSON.stringify(line.slice(0, 40))
}
