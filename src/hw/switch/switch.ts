/**
 * Switch: the physical switch as the guard sees it. A backend gives samples, the position filter makes a position of them.
 * Time alone changes a reading too (a reading grows old), so the switch wakes by itself when the next such change is due.
 */
import { monotonicMs } from '../../base/clock.js'
import type { SwitchConfiguration } from '../../base/configuration.js'
import { Fault } from '../../base/fault.js'
import type { Log } from '../../base/log.js'
import type { Backend, BackendOptions, Listener } from './backend.js'
import { openChardev } from './chardev-backend.js'
import { openLate } from './late-backend.js'
import { nextChangeMs, startFilter, step, type FilterEvent } from './position-filter.js'
import type { SwitchReading } from './reading.js'
import { openSimulated } from './simulated-backend.js'
import { openSysfs } from './sysfs-backend.js'

export interface Switch {
  /** What the contacts are read with, and where; for status and doctor. */
  readonly backend: string
  /** The reading at a time of the receive clock (`monotonicMs()`). */
  read(nowMs: number): SwitchReading
  /** Lets go of lines, files and processes. No `onChange` comes after it was called. */
  stop(): Promise<void>
}

export interface SwitchOptions {
  log: Log
  /** The position, its reason or the contacts are others than they were; from when `openSwitch` has resolved. It may call `read`. */
  onChange(): void
  /**
   * Started by the installed unit: a simulated switch must then be a file that only root and the guard may write, and a switch
   * that cannot be had is waited for.
   */
  isInstalledUnit: boolean
}

/** Node rounds times: a timer may end this much before its time by another clock (ms). */
const TIMER_ROUNDING_MS = 1

/**
 * Opens the configured backend; `auto` is the character device, or sysfs where that cannot be had, and never a simulation.
 * What fails later (a line that is gone, a tool that hangs) is a reading in doubt, never an exception.
 * Errors: `Fault` GL-SWITCH-01 (auto found none), or why the named one cannot be had: -02 to -05; for an installed unit that,
 * too, is a reading in doubt, and it is tried again.
 */
export async function openSwitch(
  configuration: SwitchConfiguration,
  options: SwitchOptions,
): Promise<Switch> {
  let filter = startFilter(configuration.wiring, monotonicMs())
  let timer: NodeJS.Timeout | undefined
  let isTelling = false

  const note = (event: FilterEvent, atMs: number) => {
    const before = filter.reading
    filter = step(filter, event, atMs)
    if (!isTelling) return
    wakeWhenDue()
    if (isNews(before, filter.reading)) options.onChange()
  }
  const wakeWhenDue = () => {
    clearTimeout(timer)
    const dueMs = nextChangeMs(filter)
    if (dueMs === null) return
    timer = setTimeout(
      () => note({ kind: 'time' }, monotonicMs()),
      Math.max(0, dueMs - monotonicMs()) + TIMER_ROUNDING_MS,
    )
    timer.unref()
  }
  const listener: Listener = {
    sample: (contacts) => note({ kind: 'sample', contacts }, monotonicMs()),
    trouble: (reason) => note({ kind: 'trouble', reason }, monotonicMs()),
  }
  const backend = await openBackend(configuration, { ...options, listener })
  isTelling = true
  wakeWhenDue()
  return {
    get backend() {
      return backend.name
    },
    read(atMs) {
      filter = step(filter, { kind: 'time' }, atMs)
      return filter.reading
    },
    async stop() {
      isTelling = false
      clearTimeout(timer)
      await backend.stop()
    },
  }
}

type OpenOptions = BackendOptions & { isInstalledUnit: boolean }

async function openBackend(configuration: SwitchConfiguration, options: OpenOptions): Promise<Backend> {
  const open = () => OPEN[configuration.backend](configuration, options)
  try {
    const backend = await open()
    options.log.info(`the switch is read by ${backend.name}`)
    return backend
  } catch (error) {
    if (!(error instanceof Fault && options.isInstalledUnit)) throw error
    return openLate(open, error, options)
  }
}

function isNews(a: SwitchReading, b: SwitchReading): boolean {
  return (
    a.position !== b.position ||
    a.reason !== b.reason ||
    a.contacts.permit !== b.contacts.permit ||
    a.contacts.shut !== b.contacts.shut
  )
}

const OPEN: Record<
  SwitchConfiguration['backend'],
  (configuration: SwitchConfiguration, options: OpenOptions) => Promise<Backend>
> = { auto: openAny, chardev: openChardev, sysfs: openSysfs, simulated: openSimulated }

/** The first that can be had; if none, one fault with the reason of each. */
async function openAny(configuration: SwitchConfiguration, options: BackendOptions): Promise<Backend> {
  const reasons: { name: string; error: Fault }[] = []
  for (const [name, open] of [
    ['chardev', openChardev],
    ['sysfs', openSysfs],
  ] as const) {
    try {
      return await open(configuration, options)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      reasons.push({ name, error })
    }
  }
  throw new Fault({
    code: 'GL-SWITCH-01',
    op: 'read',
    subject: 'the switch',
    found: `no way to its GPIO lines was found (${reasons.map(({ name, error }) => `${name}: ${error.found}`).join('; ')})`,
    hint: [
      ...reasons.map(({ name, error }) => `${name}: ${error.hint}`),
      'Without a board: `backend = "simulated"` in [switch], and a file.',
    ].join('\n'),
    recovery: 'user',
  })
}
