/**
 * Serial port: one device, opened, locked and configured, whose bytes are read without ever waiting.
 * The serialport package does what differs by driver (open, flock, termios); the reading is ours, because the
 * package's stream wakes JavaScript for every few bytes and loops for ever on a hang-up between two reads.
 */
import { readSync } from 'node:fs'
import { errnoOf, type Fault } from '../base/fault.js'
import { baudFault, hangUpFault, openFault } from './port-fault.js'

export interface SerialPort {
  /** Moves what has come into `buffer`: how many bytes, 0 when none have, or why there will be no more. */
  read(buffer: Uint8Array): number | Fault
  /** Gives the device and its lock back. Cannot fail: a device that is gone is closed as well. */
  close(): Promise<void>
}

/** UARTs count bits from the start bit: ends that differ by more (as a ratio) read the last bit of a byte wrong. */
const BAUD_TOLERANCE = 0.03

/**
 * Opens `device` (a path; links are followed anew each time) for raw bytes, 8N1, at `baud`.
 * Errors: a `Fault` of port-fault.ts.
 */
export async function openSerialPort(device: string, baud: number): Promise<SerialPort> {
  // The package's entry loads ten parsers besides: 30 ms against 17.
  const { SerialPort: Package } = await import('serialport/dist/serialport.js')
  const port = await Package.binding
    .open({ path: device, baudRate: baud, lock: true })
    .catch((error: unknown) => Promise.reject(openFault(device, error)))
  const close = () => port.close().catch(() => undefined)

  // A driver that lacks the rate takes another one without an error and tells when asked.
  const { baudRate: actualBaud } = await port.getBaudRate().catch(() => ({ baudRate: baud }))
  if (Math.abs(actualBaud - baud) > baud * BAUD_TOLERANCE) {
    await close()
    throw baudFault(device, baud, actualBaud)
  }
  return { read: (buffer) => readNow(device, port.fd, buffer), close }
}

/**
 * The package opens with O_NONBLOCK, so a synchronous read returns at once. Against `fs.read` it costs a third
 * less CPU (no thread hops) and needs no thread of libuv's pool: a stalled card that holds them all cannot stop it.
 */
function readNow(device: string, fd: number | null, buffer: Uint8Array): number | Fault {
  if (fd === null) throw new Error(`${device} was read after it was closed`)
  try {
    const byteCount = readSync(fd, buffer)
    // 0 is what a hung-up terminal answers; a raw line without bytes (VMIN 1) says EAGAIN.
    return byteCount > 0 ? byteCount : hangUpFault(device)
  } catch (error) {
    return errnoOf(error) === 'EAGAIN' ? 0 : hangUpFault(device, error)
  }
}
