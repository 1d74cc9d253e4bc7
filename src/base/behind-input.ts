/**
 * Behind input: a timer that acts when what waits to be read has been read. Node runs its timers first: after a stall of this
 * process an answer, an edge or an end that came in time would be late though it is there.
 */

export interface Behind {
  /** It does not act any more. */
  cancel(): void
}

export function behindInput(ms: number, act: () => void): Behind {
  let immediate: NodeJS.Immediate | undefined
  const timer = setTimeout(() => {
    immediate = setImmediate(act)
  }, ms)
  return {
    cancel() {
      clearTimeout(timer)
      clearImmediate(immediate)
    },
  }
}
