/**
 * Pseudo-terminal: a serial device that exists as long as it is plugged in.
 * A socat child holds the kernel's master side; the other side appears under a link, and a reader opens it like any
 * serial port. When the child ends, the reader sees what it sees of an adapter that is pulled out: a hang-up.
 *
 *     write ──▶ socat ──▶ kernel (4 KiB and more) ──▶ LINK ──▶ reader
 */
import { execFile, spawn, type ChildProcessByStdio } from 'node:child_process'
import { lstatSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from 'node:fs'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Fault, reasonOf } from '../base/fault.js'

export interface PseudoTerminal {
  /** Where a reader finds it: a symbolic link to the name that the kernel gave. */
  readonly path: string
  /** A reader has opened and configured it: what is written from now on is there to be read. Pending if none comes. */
  readonly opened: Promise<void>
  /** It is gone: unplugged, or closed by its reader. Only then plug in another one under this link. */
  readonly closed: Promise<void>
  /** True when the bytes are taken and there is room for more, false when the device is gone and they went nowhere. */
  write(bytes: Uint8Array): Promise<boolean>
  /** Hands to the kernel what was written, then hangs up. What the reader has not read by then is gone. */
  unplug(): Promise<void>
}

/** How often socat looks whether somebody opened the device (s). */
const LOOK_EVERY_S = 0.02

/**
 * The speed of a terminal that nobody has set up (baud). Opening a port throws away what came before (tcflush), and
 * sets its speed right after: once it differs nothing more is thrown away. So socat must not touch the line itself.
 */
const UNTOUCHED_BAUD = 38_400

/** Pause between looks at the speed, and from a changed speed to the first byte (ms): some flush once more. */
const SETTLE_MS = 10

/** A reader that sets no speed (`cat`), or this one, counts as ready after so long (ms). */
const SETTLE_AT_MOST_MS = 500

/** A reader that does not read leaves bytes in socat's hands; the plug is pulled all the same after so long (ms). */
const DRAIN_AT_MOST_MS = 250

/** Plugs a device in; the link is there when the promise resolves. Errors: `Fault` GL-SIM-01. */
export async function openPseudoTerminal(options: { link: string }): Promise<PseudoTerminal> {
  const path = options.link
  const socat = startSocat()
  const device = await Promise.race([socat.named, socat.ended])
  if (typeof device !== 'string') throw plugFault(path, device.lastWords)
  try {
    placeLink(path, device)
  } catch (error) {
    socat.child.kill('SIGKILL')
    throw plugFault(path, reasonOf(error))
  }
  let taken = false
  const { stdin } = socat.child
  const closed = socat.ended.then(() => removeLink(path, device))
  return {
    path,
    opened: socat.taken.then(() => {
      taken = true
      return speedIsSet(device)
    }),
    closed,
    write: (bytes) => new Promise((resolve) => stdin.write(bytes, (error) => resolve(!error))),
    async unplug() {
      removeLink(path, device) // first: the kernel gives the device's name to the next one that asks
      stdin.end()
      // Before it has a reader socat does not look at what comes in, not even at the end of it.
      const timer = setTimeout(() => socat.child.kill('SIGKILL'), taken ? DRAIN_AT_MOST_MS : 0)
      await closed
      clearTimeout(timer)
    },
  }
}

interface Socat {
  child: ChildProcessByStdio<Writable, null, Readable>
  /** The kernel's name of the device. */
  named: Promise<string>
  /** Somebody opened it. */
  taken: Promise<string>
  ended: Promise<{ lastWords: string }>
}

function startSocat(): Socat {
  const address = `PTY,wait-slave,pty-interval=${LOOK_EVERY_S}`
  // In both directions, because only a socat that also reads notices that its reader went away.
  const command = ['socat', '-d', '-d', '-t', '0', '-', address]
  // --pdeathsig: while it waits for its first reader it would outlive a parent that is killed.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], { stdio: ['pipe', 'ignore', 'pipe'] })
  child.stdin.on('error', () => undefined) // the write that fails tells
  const lines = createInterface({ input: child.stderr })
  lines.on('error', () => undefined) // the pipe's: `ended` tells
  let lastWords = ''
  lines.on('line', (line) => (lastWords = line))
  return {
    child,
    named: lineWith(lines, ' PTY is '),
    taken: lineWith(lines, ' starting data transfer loop'),
    ended: new Promise((resolve) => {
      child.once('close', () => resolve({ lastWords }))
      child.once('error', (error) => resolve({ lastWords: error.message }))
    }),
  }
}

/** What follows `words` in the first line that has them. */
function lineWith(lines: Interface, words: string): Promise<string> {
  return new Promise((resolve) => {
    lines.on('line', (line) => {
      const at = line.indexOf(words)
      if (at >= 0) resolve(line.slice(at + words.length))
    })
  })
}

/** Resolves when a reader has set the line's speed, or when that can no longer be seen. */
async function speedIsSet(device: string): Promise<void> {
  const run = promisify(execFile)
  for (let waitedMs = 0; waitedMs < SETTLE_AT_MOST_MS; waitedMs += SETTLE_MS) {
    const speed = await run('stty', ['-F', device, 'speed']).then(
      ({ stdout }) => Number(stdout),
      () => Number.NaN, // gone again, or opened for one program only
    )
    await pause(SETTLE_MS)
    if (speed !== UNTOUCHED_BAUD) return
  }
}

/** Replaces a link that an earlier run left, in one step; never anything that is not a link. */
function placeLink(path: string, device: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === false) {
    throw new Error('there is something else under that name')
  }
  const fresh = `${path}.${process.pid}`
  symlinkSync(device, fresh)
  renameSync(fresh, path)
}

/** Unless it leads to another device by now. */
function removeLink(path: string, device: string): void {
  const isOurs = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() && readlinkSync(path) === device
  if (isOurs) unlinkSync(path)
}

function plugFault(path: string, found: string): Fault {
  return new Fault({
    code: 'GL-SIM-01',
    op: 'make a pseudo-terminal',
    subject: path,
    found,
    hint: 'It takes socat (sudo apt install socat), setpriv, and a folder for the link that you may write to.',
    recovery: 'user',
  })
}
