/**
 * Station status: what a running station says of itself, in its status file, on its socket and once a minute in the log.
 */
import { Fault, reasonOf } from '../base/fault.js'
import { makeFolder } from '../base/make-folder.js'

/** Where the bytes of a link went: in = framed + noise + lost + outside + held. */
export interface LinkStatus {
  name: string
  device: string
  state: 'open' | 'waiting' | 'closed'
  /** Why it waits. */
  fault: string | null
  bytesIn: number
  frames: number
  framedBytes: number
  noiseBytes: number
  /** Received while a flight was on and memory was full: each is in a gap record. */
  lostBytes: number
  /** Received while no flight was on. */
  outsideBytes: number
  /** Waiting for the rest of a frame. */
  heldBytes: number
}

export interface StationStatus {
  pid: number
  station: string
  bootId: string
  /** Receive clock (µs since boot): when this was written, and when the station started. */
  nowUs: number
  startedUs: number
  /** The last word of a station that was stopped: nothing is received or stored any more. */
  ended: boolean
  /** What of an earlier run was cut off is in closed flights, and new chunks become durable. */
  recovered: boolean
  flight: string | null
  /** The last chunk that is on the card: what it held is never lost. */
  stored: {
    flight: string
    sequence: number
    /** Bytes of the flight that are on the card. */
    bytes: number
    /** How long its flush took, and how many took longer than the promise of one second allows. */
    flushMs: number
    slowFlushes: number
  } | null
  /** Waiting in memory for the storage worker (bytes). */
  backlogBytes: number
  /** none: there is no link token, so nothing keeps the uplinks shut. absent: there is one, and no guard answers. */
  guard: 'absent' | 'present' | 'none'
  /** Lines of who serves the guard's socket that were no message, since the start (count). */
  guardNonsense: number
  /** As the guard told last; null where it is not there. */
  door: { state: 'blocked' | 'permitted' | 'fault'; reason: string } | null
  /** Who holds the link token, as of the last look; none: there is none. */
  token: 'free' | 'mine' | 'other' | 'doubt' | 'none'
  /** Why the links may not be opened now; null where they may. */
  waitingFor: string | null
  links: LinkStatus[]
}

/** Makes the folder of the status file and the socket, if it is not there. Errors: a Fault. */
export function makeRunDir(dir: string): void {
  try {
    makeFolder(dir, 0o755)
  } catch (cause) {
    throw new Fault({
      code: 'GL-STATION-03',
      op: 'make the run_dir',
      subject: dir,
      found: reasonOf(cause),
      hint: 'As a service systemd makes it; by hand name one that you may write to: [station] run_dir.',
      recovery: 'user',
      cause,
    })
  }
}

/** The minute's line: `recording X, 3 link(s) …`. */
export function statusLine(status: StationStatus): string {
  const links = status.links.map((link) => {
    const { name, state, bytesIn, frames, noiseBytes, lostBytes, outsideBytes } = link
    const noise = bytesIn === 0 ? '0' : ((100 * noiseBytes) / bytesIn).toFixed(2)
    return `${name} ${state}: ${bytesIn} bytes, ${frames} frames, ${noise} % noise, ${lostBytes} bytes lost, ${outsideBytes} outside of flights`
  })
  const flight = status.flight === null ? 'no flight' : `recording ${status.flight}`
  const stored =
    status.stored === null ? 'nothing stored yet' : `stored up to chunk ${status.stored.sequence}`
  return [flight, stored, ...links].join('; ')
}
