/**
 * Late backend: of a switch that cannot be had yet (a tool that is missing, another program on its lines). An installed guard
 * guards all the same: the switch is in doubt, so the door is shut and the status says why; it is tried again all the while.
 */
import { Fault, troubleText } from '../../base/fault.js'
import { toldOnce } from '../../base/told-once.js'
import type { Backend, BackendOptions } from './backend.js'

/** Between two tries (ms): a person who mends it sees it at once, and the few programs of a try cost a Pi next to nothing. */
const AGAIN_MS = 5000

/** Tries `open` until it gives a backend. `fault`: why it did not the first time. */
export function openLate(
  open: () => Promise<Backend>,
  fault: Fault,
  { log, listener }: BackendOptions,
): Backend {
  let backend: Backend | undefined
  let isStopped = false
  let timer: NodeJS.Timeout
  let trying: Promise<void> = Promise.resolve()
  const tell = toldOnce((trouble) => log.error(trouble))

  const wait = (why: Fault) => {
    tell(`guarding without a switch: ${troubleText(why)}`)
    listener.trouble(`${why.code}, ${why.found}`)
    timer = setTimeout(() => {
      trying = attempt()
    }, AGAIN_MS)
  }
  const attempt = async () => {
    try {
      backend = await open()
      if (!isStopped) log.info(`the switch is read by ${backend.name}`)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      if (!isStopped) wait(error)
    }
  }
  wait(fault)
  return {
    get name() {
      return backend?.name ?? 'none yet'
    },
    async stop() {
      isStopped = true
      clearTimeout(timer)
      await trying
      await backend?.stop()
    },
  }
}
