/**
 * Serial port: one device, opened, locked and configured, whose bytes are read without ever waiting.
 * The serialport project's binding does what differs by driver (open, flock, termios); the reading is ours, because the
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

/** 8N1 without any flow control, the port this program's alone; closing it drops DTR. As the package's own defaults. */
const RAW = {
  lock: true,
  dataBits: 8,
  stopBits: 1,
  parity: 'none',
  vmin: 1,
  vtime: 0,
  rtscts: false,
  xon: false,
  xoff: false,
  xany: false,
  hupcl: true,
} as const

/** What is used of the package's compiled part, which declares no types. */
interface Binding {
  asyncOpen(device: string, options: typeof RAW & { baudRate: number }): Promise<number>
  asyncGetBaudRate(fd: number): Promise<{ baudRate: number }>
  asyncClose(fd: number): Promise<void>
}

/**
 * Opens `device` (a path; links are followed anew each time) for raw bytes, 8N1, at `baud`.
 * Errors: a `Fault` of port-fault.ts.
 */
export async function openSerialPort(device: string, baud: number): Promise<SerialPort> {
  // Not by the package's entry, nor by that of serialport: they load other systems, parsers and a stream; 10 ms against 3.
  const { default: loaded } = await import('@serialport/bindings-cpp/dist/load-bindings.js')
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- edge: a package without types
  const binding = loaded as unknown as Binding
  const fd = await binding
    .asyncOpen(device, { ...RAW, baudRate: baud })
    .catch((error: unknown) => Promise.reject(openFault(device, error)))
  let isOpen = true
  const close = async (): Promise<void> => {
    if (!isOpen) return
    isOpen = false
    await binding.asyncClose(fd).catch(() => undefined)
  }

  // A driver that lacks the rate takes another one without an error and tells when asked.
  const { baudRate: actualBaud } = await binding.asyncGetBaudRate(fd).catch(() => ({ baudRate: baud }))
  if (Math.abs(actualBaud - baud) > baud * BAUD_TOLERANCE) {
    await close()
    throw baudFault(device, baud, actualBaud)
  }
  const read = (buffer: Uint8Array): number | Fault => {
    if (!isOpen) throw new Error(`${device} was read after it was closed`)
    return readNow(device, fd, buffer)
  }
  return { read, close }
}

/**
 * The package opens with O_NONBLOCK, so a synchronous read returns at once. Against `fs.read` it costs a third
 * less CPU (no thread hops) and needs no thread of libuv's pool: a stalled card that holds them all cannot stop it.
 */
function readNow(device: string, fd: number, buffer: Uint8Array): number | Fault {
  try {
    const byteCount = readSync(fd, buffer)
    // 0 is what a hung-up terminal answers; a raw line without bytes (VMIN 1) says EAGAIN.
    return byteCount > 0 ? byteCount : hangUpFault(device)
  } catch (error) {
    return errnoOf(error) === 'EAGAIN' ? 0 : hangUpFault(device, error)
  }
}
