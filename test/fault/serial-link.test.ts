/**
 * What a person may rely on of a serial link, on real pseudo-terminals: every byte, in order, and each fault of a
 * device told once and outlived.
 */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { monotonicUs } from '../../src/base/clock.js'
import { createLog } from '../../src/base/log.js'
import { createSerialLink, type LinkState, type SerialLink } from '../../src/link/serial-link.js'
import { openPseudoTerminal, type PseudoTerminal } from '../../src/simulator/pseudo-terminal.js'

let dir: string
let device: string
let ends: (() => Promise<void>)[]

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'serial-link-'))
  device = join(dir, 'radio')
  ends = []
})

afterEach(async () => {
  for (const end of ends.toReversed()) await end()
  rmSync(dir, { recursive: true })
})

test('every byte arrives, in order, with the time it was read', async () => {
  const link = listen()
  const radio = await plugIn()
  link.start()
  await radio.opened
  const beforeUs = monotonicUs()
  const sent = pattern(200_000)
  await writeAll(radio, sent)
  await link.until(() => link.received().length >= sent.length)
  expect(link.received().equals(sent)).toBe(true)
  expect(link.serial.counts).toEqual({ bytes: sent.length, reads: link.reads.length, opens: 1, hangUps: 0 })
  const times = link.reads.map((read) => read.recvTimeUs)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(times[0]).toBeGreaterThan(beforeUs)
  expect(times.at(-1)).toBeLessThanOrEqual(monotonicUs())
})

test('a full line at 921600 baud is read before the kernel has to drop anything', async () => {
  const link = listen({ baud: 921_600 })
  const radio = await plugIn()
  link.start()
  await radio.opened
  await pause(100) // so that it starts from the slow pace of a silent line
  const sent = pattern(92_160)
  const startUs = monotonicUs()
  for (let at = 0; at < sent.length; await pause(1)) {
    const due = Math.floor(((monotonicUs() - startUs) / 1e6) * 92_160)
    await radio.write(sent.subarray(at, due))
    at = due
  }
  await link.until(() => link.received().length >= sent.length)
  expect(link.received().equals(sent)).toBe(true)
  const sizes = link.reads.map((read) => read.bytes.length).toSorted((a, b) => a - b)
  // The median: on a busy machine the sender itself comes late, and then with more at once.
  const kernelHolds = 4095
  expect(sizes[Math.floor(sizes.length / 2)]).toBeLessThan(kernelHolds / 2)
})

test('a disk that stalls and blocks the whole thread pool does not stop the reading', async () => {
  const link = listen()
  const radio = await plugIn()
  link.start()
  await radio.opened
  const fifo = join(dir, 'stalled')
  execFileSync('mkfifo', [fifo])
  const stuck = Array.from({ length: 32 }, () => open(fifo, 'r')) // each holds a thread until somebody writes
  const sent = pattern(50_000)
  await writeAll(radio, sent)
  await link.until(() => link.received().length >= sent.length)
  expect(link.received().equals(sent)).toBe(true)
  const release = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  for (const handle of await Promise.all(stuck)) await handle.close()
  closeSync(release)
})

test.each([
  ['while bytes flow', true],
  ['on a silent line', false],
])(
  'an unplug %s is seen within 100 ms, and bytes flow again within 1 s of the replug',
  async (_, flowing) => {
    const lanes = Array.from({ length: 5 }, (_lane, index) => join(dir, `radio${index}`))
    const unplugs: number[] = []
    const replugs: number[] = []
    const fly = async (path: string) => {
      const link = listen({ device: path })
      link.start()
      for (let round = 0; round < 3; round++) {
        const radio = await plugIn(path)
        const pluggedUs = monotonicUs()
        await link.until(() => link.serial.state.kind === 'open')
        replugs.push(monotonicUs() - pluggedUs)
        await radio.opened
        const sent = pattern(30 + Math.floor(Math.random() * 3000))
        link.forget()
        await writeAll(radio, sent)
        await link.until(() => link.received().length >= sent.length)
        expect(link.received().equals(sent)).toBe(true)
        if (!flowing) await link.until(() => link.idles.length === round + 1) // it reads less often then
        await pause(Math.random() * 60)
        const flow = flowing ? writeAll(radio, pattern(5_000)) : Promise.resolve()
        const pulledUs = monotonicUs()
        await Promise.all([radio.unplug(), link.until(() => link.serial.state.kind === 'waiting'), flow])
        unplugs.push(link.states.at(-1)!.atUs - pulledUs)
        expect(faultCode(link.serial.state)).toBe('GL-LINK-02')
      }
      expect(link.serial.counts).toMatchObject({ opens: 3, hangUps: 3 })
    }
    await Promise.all(lanes.map(fly))
    expect(unplugs).toHaveLength(15)
    expect(Math.max(...unplugs)).toBeLessThan(100_000)
    expect(Math.max(...replugs)).toBeLessThan(1_000_000)
  },
  30_000,
)

test('a device that is late is waited for, and that is told once', async () => {
  const link = listen()
  link.start()
  await link.until(() => link.serial.state.kind === 'waiting')
  expect(faultCode(link.serial.state)).toBe('GL-LINK-01')
  await pause(600) // two more attempts
  expect(link.states).toHaveLength(1)
  expect(link.log.join('')).toMatch(
    /GL-LINK-01 {2}cannot open \S+radio: no such device\.\n.*opened as soon as/,
  )
  expect(link.log).toHaveLength(1)
  const radio = await plugIn()
  await radio.opened
  expect(link.serial.state.kind).toBe('open')
})

test('a name that leads to another device after the replug is followed there', async () => {
  const byId = join(dir, 'usb-Radio_0001-if00-port0')
  symlinkSync(join(dir, 'ttyUSB0'), byId)
  const link = listen({ device: byId })
  link.start()
  const first = await plugIn(join(dir, 'ttyUSB0'))
  await first.opened
  await first.write(Buffer.from('first'))
  await link.until(() => link.received().length === 5)
  await first.unplug()
  rmSync(byId)
  symlinkSync(join(dir, 'ttyUSB1'), byId)
  const second = await plugIn(join(dir, 'ttyUSB1'))
  await second.opened
  await second.write(Buffer.from('second'))
  await link.until(() => link.received().length === 11)
  expect(link.received().toString()).toBe('firstsecond')
})

test('a device without permission: the fault names whose it is', async () => {
  const radio = await plugIn()
  chmodSync(radio.path, 0)
  const link = listen()
  await asPlainUser(async () => {
    const user = userInfo().username
    link.start()
    await link.until(() => link.serial.state.kind === 'waiting')
    expect(faultCode(link.serial.state)).toBe('GL-LINK-03')
    expect(link.log.join('')).toContain(`cannot open ${device}: permission denied.`)
    expect(link.log.join('')).toContain(`with mode 000, which keeps '${user}' out.`)
  })
  chmodSync(radio.path, 0o660)
  await link.until(() => link.serial.state.kind === 'open')
})

test('a port that another program holds: the fault says so, and the link takes it when it is free', async () => {
  const radio = await plugIn()
  const [first, second] = [listen(), listen()]
  first.start()
  await radio.opened
  second.start()
  await second.until(() => second.serial.state.kind === 'waiting')
  expect(faultCode(second.serial.state)).toBe('GL-LINK-04')
  expect(second.log.join('')).toMatch(/another program holds it\.\n.*sudo fuser -v .*\n.*ModemManager/)
  await first.serial.stop()
  await radio.closed // a pseudo-terminal ends with its reader
  await plugIn()
  await second.until(() => second.serial.state.kind === 'open')
})

test.each([
  ['a regular file', () => writeFileSync(device, 'not a radio')],
  ['a folder', () => symlinkSync('/tmp', device)],
  ['a device that is no terminal', () => symlinkSync('/dev/null', device)],
])('%s is not a serial device', async (_, make) => {
  make()
  const link = listen()
  link.start()
  await link.until(() => link.serial.state.kind === 'waiting')
  expect(faultCode(link.serial.state)).toBe('GL-LINK-05')
  expect(link.log.join('')).toContain(`cannot open ${device}: not a serial device.`)
})

test('the end of each burst is told once, half a second after it', async () => {
  const link = listen()
  const radio = await plugIn()
  link.start()
  await radio.opened
  for (const burst of [1, 2]) {
    await radio.write(Buffer.from('burst'))
    await link.until(() => link.idles.length === burst)
    const silenceUs = link.idles.at(-1)! - link.reads.at(-1)!.recvTimeUs
    expect(silenceUs).toBeGreaterThanOrEqual(500_000)
    expect(link.reads).toHaveLength(burst)
    await pause(600)
    expect(link.idles).toHaveLength(burst)
  }
})

test.each(['open', 'waiting'] as const)(
  'a link that is %s and silent costs next to nothing',
  async (kind) => {
    const link = listen()
    const radio = kind === 'open' ? await plugIn() : null
    link.start()
    await radio?.opened
    await link.until(() => link.serial.state.kind === kind)
    const before = process.cpuUsage()
    await pause(1000)
    const { user, system } = process.cpuUsage(before)
    const aTenthOfACoreUs = 100_000
    expect(user + system).toBeLessThan(aTenthOfACoreUs)
  },
)

test('stop gives the device back and ends the callbacks, whenever it comes', async () => {
  for (const untilStopMs of [0, 1, 30]) {
    const radio = await plugIn()
    const terminal = readlinkSync(device)
    const link = listen()
    link.start()
    await pause(untilStopMs)
    await link.serial.stop()
    expect(link.serial.state.kind).toBe('closed')
    const heard = link.states.length
    expect(openFiles()).not.toContain(terminal)
    await radio.unplug()
    await pause(300)
    expect(link.states).toHaveLength(heard)
  }
})

/** A link whose every callback is written down, and that can be waited for. */
function listen(change: { device?: string; baud?: number } = {}) {
  const reads: { bytes: Buffer; recvTimeUs: number }[] = []
  const states: { state: LinkState; atUs: number }[] = []
  const idles: number[] = []
  const log: string[] = []
  const waiting = new Set<() => void>()
  const changed = () => waiting.forEach((look) => look())
  const serial: SerialLink = createSerialLink({
    name: 'radio',
    device,
    baud: 57_600,
    ...change,
    log: createLog((text) => void log.push(text)),
    onBytes: (bytes, recvTimeUs) => (reads.push({ bytes: Buffer.from(bytes), recvTimeUs }), changed()),
    onIdle: () => (idles.push(monotonicUs()), changed()),
    onState: (state) => (states.push({ state, atUs: monotonicUs() }), changed()),
  })
  ends.push(() => serial.stop())
  return {
    serial,
    reads,
    states,
    idles,
    log,
    start: () => serial.start(),
    received: () => Buffer.concat(reads.map((read) => read.bytes)),
    forget: () => void reads.splice(0),
    until: (isSo: () => boolean) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (!isSo()) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
  }
}

async function plugIn(link = device): Promise<PseudoTerminal> {
  const radio = await openPseudoTerminal({ link })
  ends.push(() => radio.unplug())
  return radio
}

async function writeAll(radio: PseudoTerminal, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; at += 1000) await radio.write(bytes.subarray(at, at + 1000))
}

/** Bytes in which a loss, a doubling or a swap shows: all values, none of a short period. */
function pattern(byteCount: number): Buffer {
  return Buffer.from(Array.from({ length: byteCount }, (_, index) => (index * 7 + (index >> 8) * 13) & 0xff))
}

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      return [readlinkSync(`/proc/self/fd/${name}`)]
    } catch {
      return [] // the descriptor of this very listing
    }
  })
}

function faultCode(state: LinkState): string {
  return state.kind === 'waiting' ? state.fault.code : state.kind
}

/** Root may open anything: for the time of `work` the process has the rights of nobody. */
async function asPlainUser(work: () => Promise<void>): Promise<void> {
  if (process.geteuid!() !== 0) return work()
  chmodSync(dir, 0o755)
  process.seteuid!('nobody')
  try {
    await work()
  } finally {
    process.seteuid!(0)
  }
}
