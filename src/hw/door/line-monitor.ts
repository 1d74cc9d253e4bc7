/**
 * Line monitor: a tool that reports changes, a line each, for as long as the door is there. It is started again when it ends.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { TOOL_ENVIRONMENT, endGroup } from './child.js'

/** How long after its end it is started again (ms): at once for a person, seldom enough for a tool that is missing. */
const RESTART_MS = 500

/** Longest part of a line that is kept (characters); a line of nft can list a thousand elements. */
const MAX_LINE = 64 * 1024

export class LineMonitor {
  readonly #start: () => ChildProcess
  #child: ChildProcess | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /** @param onGap what happened in between was not seen: called after each end of the tool, when it was started again. */
  constructor(command: string, args: readonly string[], onLine: (line: string) => void, onGap: () => void) {
    this.#start = () => {
      const child = spawn(command, args, {
        stdio: ['ignore', 'pipe', 'ignore'],
        detached: true,
        env: TOOL_ENVIRONMENT,
      })
      let rest = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n')
        rest = lines.pop()!.slice(0, MAX_LINE)
        lines.forEach((line) => onLine(line))
      })
      let isOver = false
      const over = () => {
        if (isOver || this.#isClosed) return
        isOver = true
        this.#timer = setTimeout(() => {
          this.#child = this.#start()
          onGap()
        }, RESTART_MS)
      }
      child.on('error', over).on('close', over)
      return child
    }
    this.#child = this.#start()
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    endGroup(this.#child?.pid)
  }
}
