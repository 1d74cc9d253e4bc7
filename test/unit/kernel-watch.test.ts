/**
 * What the guard takes for the kernel's state: what was read before the last change is void, and a witness that is blind or a
 * canary that came through outweigh a read-back that says shut. Door, witness and canary are stand-ins: only what is
 * made of their answers is looked at here.
 */
import { expect, it } from 'vitest'
import { Fault } from '../../src/base/fault.js'
import type { DoorReading } from '../../src/hw/door/reading.js'
import { KernelWatch } from '../../src/hw/watch/kernel-watch.js'

const SHUT: DoorReading = {
  atMs: 1000,
  kernel: 'shut',
  isRead: true,
  problems: [],
  uplinks: [{ ifindex: 2, name: 'eth0', isUp: false, isCovered: true, isLeased: false }],
  locals: [],
  layers: { base: true, netdev: true, twin: true, linkDown: true, rfkill: null },
}

const BLIND = new Fault({
  code: 'GL-WITNESS-01',
  op: 'read what was sent from',
  subject: '/proc/self/net/dev',
  found: 'permission denied',
  hint: '',
  recovery: 'retry',
})

interface Answers {
  isBlind?: () => boolean
  canary?: 'dropped' | 'passed'
}

function watchOf({ isBlind = () => false, canary = 'dropped' }: Answers = {}) {
  const reads: ((reading: DoorReading) => void)[] = []
  const told: string[] = []
  const log = { info: () => {}, warn: () => {}, error: (text: string) => void told.push(text) }
  const door = {
    read: () => new Promise<DoorReading>((resolve) => reads.push(resolve)),
    shut: () => Promise.resolve(SHUT),
    permit: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
  const witness = {
    permitted: () => {},
    shut: () => {},
    look: () => (isBlind() ? Promise.reject(BLIND) : Promise.resolve([])),
  }
  const pair = { test: () => Promise.resolve(canary), close: () => Promise.resolve() }
  return { watch: new KernelWatch({ door, witness, canary: pair, log }), reads, told }
}

it('before the first reading the kernel is in doubt', () => {
  expect(watchOf().watch.kernel).toBe('differs')
})

it.each(['shuts', 'permits'] as const)(
  'a reading that was begun before the door %s is void',
  async (change) => {
    const { watch, reads } = watchOf()
    const reading = watch.read()
    watch[change]()
    reads[0]!(SHUT)
    await reading
    expect(watch.reading).toBeUndefined()
  },
)

it('a reading that spans renewals counts; one that spans another opening does not', async () => {
  const { watch, reads } = watchOf()
  watch.permits()
  const spanning = watch.read()
  watch.permits()
  watch.permits()
  reads[0]!({ ...SHUT, kernel: 'leased' })
  await spanning
  expect(watch.kernel).toBe('leased')
  const old = watch.read()
  watch.shuts()
  watch.permits()
  reads[1]!(SHUT)
  await old
  expect(watch.kernel).toBe('leased')
})

it('a reading under way is not begun again', async () => {
  const { watch, reads } = watchOf()
  const first = watch.read()
  await watch.read()
  expect(reads).toHaveLength(1)
  reads[0]!(SHUT)
  await first
  expect(watch.kernel).toBe('shut')
})

it('reading anew waits for the reading under way, which may have looked before', async () => {
  const { watch, reads } = watchOf()
  void watch.read()
  const anew = watch.readAnew()
  reads[0]!({ ...SHUT, atMs: 1000 })
  await expect.poll(() => reads.length).toBe(2)
  reads[1]!({ ...SHUT, atMs: 2000 })
  await anew
  expect(watch.readAtMs).toBe(2000)
})

it('a witness that cannot see makes a shut kernel differ, is told once, and may see again', async () => {
  let isBlind = true
  const { watch, reads, told } = watchOf({ isBlind: () => isBlind })
  for (const i of [0, 1]) {
    const reading = watch.read()
    reads[i]!(SHUT)
    await reading
    expect(watch.kernel).toBe('differs')
    expect(watch.problem).toContain('the witness cannot see')
  }
  expect(told).toHaveLength(1)
  isBlind = false
  const reading = watch.read()
  reads[2]!(SHUT)
  await reading
  expect(watch.kernel).toBe('shut')
})

it('a canary that came through knows better than the read-back', async () => {
  const { watch, reads } = watchOf({ canary: 'passed' })
  const reading = watch.read()
  reads[0]!(SHUT)
  await reading
  await watch.flyCanary()
  expect(watch.kernel).toBe('differs')
  expect(watch.problem).toBe('the canary came through')
})
