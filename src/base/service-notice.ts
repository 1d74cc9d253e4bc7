/**
 * Service notice: tells systemd that the service is ready and that it makes progress (sd_notify(3)), where systemd started it.
 * By the program `systemd-notify`, because Node has no unix datagram sockets; the unit needs `NotifyAccess=all` for that.
 * Guarantees: never throws, never waits, one child at a time; without NOTIFY_SOCKET nothing is started.
 */

/** Of systemd itself. */
const SYSTEMD_NOTIFY = '/usr/bin/systemd-notify'

/** It is done in milliseconds; one that hangs must not keep the next one from being told (ms, and of the watchdog's time). */
const NOTICE_AT_MOST = { ms: 5000, share: 0.5 } as const

/** How many times in the watchdog's time progress is told: systemd.service(5) says twice; one more may fail. */
const NOTICES_PER_TIMEOUT = 3

export interface ServiceNoticeOptions {
  env?: NodeJS.ProcessEnv
  program?: string
}

export class ServiceNotice {
  readonly #env: NodeJS.ProcessEnv
  readonly #program: string
  /** Pause between two notices of progress (ms); undefined where nobody wants them. */
  readonly #everyMs: number | undefined
  readonly #noticeAtMostMs: number
  #lastMs = -Infinity
  /** Notices are told one after the other: READY before the first WATCHDOG. */
  #told: Promise<void> = Promise.resolve()
  #waiting = 0

  constructor({ env = process.env, program = SYSTEMD_NOTIFY }: ServiceNoticeOptions = {}) {
    this.#env = env
    this.#program = program
    const timeoutMs = timeoutOf(env)
    this.#everyMs = timeoutMs && timeoutMs / NOTICES_PER_TIMEOUT
    this.#noticeAtMostMs = Math.min(NOTICE_AT_MOST.ms, (timeoutMs ?? Infinity) * NOTICE_AT_MOST.share)
  }

  /** The service has begun its work. */
  ready(): void {
    this.#tell('READY=1')
  }

  /** Something got done. May be called often; it is told as often as the watchdog needs. */
  progress(): void {
    const nowMs = performance.now()
    if (this.#everyMs === undefined || nowMs - this.#lastMs < this.#everyMs || this.#waiting > 0) return
    this.#lastMs = nowMs
    this.#tell('WATCHDOG=1')
  }

  #tell(notice: string): void {
    if ((this.#env['NOTIFY_SOCKET'] ?? '') === '') return
    this.#waiting++
    this.#told = this.#told.then(() => this.#run(notice)).finally(() => this.#waiting--)
  }

  /** Never rejects. What systemd does not hear it acts on: a watchdog that is not fed ends the service. */
  async #run(notice: string): Promise<void> {
    const { spawn } = await import('node:child_process')
    await new Promise<void>((resolve) => {
      const options = { env: this.#env, timeout: this.#noticeAtMostMs, killSignal: 'SIGKILL' } as const
      spawn(this.#program, [notice], { stdio: 'ignore', ...options })
        .on('error', () => resolve())
        .once('exit', () => resolve())
    }).catch(() => undefined) // Node throws what the system refuses for want of memory
  }
}

/** WATCHDOG_USEC in the environment of the process that it is meant for, in ms (sd_watchdog_enabled(3)). */
function timeoutOf(env: NodeJS.ProcessEnv): number | undefined {
  const { WATCHDOG_PID: pid, WATCHDOG_USEC: timeoutUs } = env
  if (pid !== undefined && pid !== String(process.pid)) return undefined
  const timeoutMs = Number(timeoutUs) / 1000
  return timeoutMs > 0 ? timeoutMs : undefined
}
