/**
 * Line monitor: a tool that reports changes, a line each, for as long as the door is there. It is started again when it ends.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { toolEnvironment } from '../../base/tool-environment.js'
import { endGroup } from './child.js'

/** How long after its end it is started again (ms): at once for a person, seldom enough for a tool that is missing. */
const RESTART_MS = 500

/** Longest part of a line that is kept (characters); a line of nft can list a thousand elements. */
const MAX_LINE = 64 * 1024

/**
 * So many lines (count), and the tool is ended and started anew: nft keeps every set element that it hears of, a fifth of a kB
 * a line. That is at most some five MB, and a permit of two uplinks (25 lines a renewal) comes to it six times an hour.
 */
const MOST_LINES = 20_000

export class LineMonitor {
  readonly #start: () => ChildProcess | undefined
  #child: ChildProcess | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /**
   * @param onGap what happened in between was not seen: called after each end of the tool, when it was started again. The last
   *   lines before it may be half of something.
   */
  constructor(command: string, args: readonly string[], onLine: (line: string) => void, onGap: () => void) {
    this.#start = () => {
      let isOver = false
      let lineCount = 0
      const over = () => {
        if (isOver || this.#isClosed) return
        isOver = true
        const restart = () => {
          this.#child = this.#start()
          onGap()
        }
        this.#timer = setTimeout(restart, lineCount < MOST_LINES ? RESTART_MS : 0)
      }
      const child = started(command, args)
      if (child === undefined) {
        over()
        return undefined
      }
      child.on('error', over).on('close', over)
      let rest = ''
      // Without a descriptor that is free there is no pipe: `error` follows.
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n')
        rest = lines.pop()!.slice(0, MAX_LINE)
        const isDueBefore = lineCount >= MOST_LINES
        lineCount += lines.length
        // Once, and not one that has ended: its number may be another's by then.
        const isLiving = child.exitCode === null && child.signalCode === null
        if (isLiving && !isDueBefore && lineCount >= MOST_LINES) endGroup(child.pid)
        lines.forEach((line) => onLine(line))
      })
      return child
    }
    this.#child = this.#start()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    endGroup(this.#child?.pid)
  }
}

/** Undefined: the system has no memory for it. */
function started(command: string, args: readonly string[]): ChildProcess | undefined {
  try {
    return spawn(command, args, {
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
      env: toolEnvironment(),
    })
  } catch {
    return undefined
  }
}
