/**
 * What leaves a shut door while devices come and go and rules are swept away: no IP, ARP or bridged frame ever, and no raw
 * frame of an uplink that is covered. How long a device that has just appeared can send raw frames is measured.
 */
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { Resident } from '../support/lab/resident.js'
import { LeakLab } from '../support/leak-lab.js'
import { LeakTable, percentiles } from '../support/leak-table.js'
import { ALL_ROWS, ipFrames, rawFrames, sumOf } from '../support/leak-traffic.js'
import { LOCAL_MAC } from '../support/network-lab.js'
import type { Sent } from '../support/network-lab.js'
import { SOAK_TIMEOUT_MS, amount, say } from '../support/soak.js'
import { describeNetwork } from '../support/lab/describe-network.js'

const FRAMES = 5
const FLUSHES = amount(20, 1000)
const APPEARANCES = amount(3, 100)
/** A frame as often as one program can (ms): to see how long it gets through. */
const DENSE_MS = 0.1

/** So long a new device is tried (ms): several times what a door takes on a busy machine. */
const WATCHED_MS = 500

interface Appeared {
  tried: number
  raw: number
  /** From its making to the last raw frame that came out. */
  windowMs: number
  /** Frames that came out and are not the raw ones, as hex. */
  other: string[]
}

const table = new LeakTable()
const windowsMs: number[] = []
let windowFrames = 0

/** The door took the link down while it was made ready: that is its work, and `force` takes it up again. */
const takenDown = () => undefined

describeNetwork('while the door is shut', () => {
  let lab: LeakLab

  beforeEach(async () => {
    lab = await LeakLab.make()
  })

  afterEach(() => lab.close())

  afterAll(() => {
    table.print('What leaves a shut door, whatever is done to it')
    say(
      `raw frames from a device that has just appeared: ${windowFrames} in windows of ${percentiles(windowsMs)}`,
    )
  })

  /** All that was sent on a covered uplink from here on; nothing of it may arrive. */
  async function expectNothingOf(row: string, sent: number): Promise<void> {
    const arrived = await lab.net.capture.take()
    table.add(row, 'shut', sent, arrived.total)
    expect({ row, sent: sent > 0, arrived: arrived.total, frames: arrived.frames }).toEqual({
      row,
      sent: true,
      arrived: 0,
      frames: [],
    })
  }

  async function covered(name: string): Promise<void> {
    const { uplinks, kernel } = await lab.read()
    expect({ kernel, uplink: uplinks.find((each) => each.name === name) }).toMatchObject({
      kernel: 'shut',
      uplink: { isCovered: true },
    })
  }

  /** Sends IP and raw frames on `name` as fast as it can while `change` makes that device; only raw ones may get out. */
  async function expectNoIpWhile(
    row: string,
    name: string,
    via: number,
    change: () => Promise<unknown>,
  ): Promise<void> {
    await lab.net.capture.take()
    await lab.hammer(['raw', 'udp', 'raw bypass', 'icmp', 'udp6', 'raw arp'], DENSE_MS, { device: name, via })
    await change()
    await covered(name)
    const { tried } = await lab.rest()
    const arrived = await lab.net.capture.take()
    const raw = rawFrames(arrived)
    table.add(`${row}: IP and ARP`, 'shut', tried, ipFrames(arrived))
    table.add(`${row}: raw, before it is covered (measured)`, 'permitted', tried, raw)
    windowFrames += raw
    if (raw > 0) windowsMs.push(arrived.lastMs! - arrived.firstMs!)
    expect({
      row,
      ip: ipFrames(arrived),
      frames: arrived.frames.filter((each) => !each.includes('88b5')),
    }).toMatchObject({
      row,
      ip: 0,
    })
    await expectNothingOf(
      `${row}: everything, when it is covered`,
      sumOf(await lab.force(ALL_ROWS, FRAMES, { number: via, name })),
    )
  }

  test(
    'a device that appears sends no IP and no ARP, and nothing once it is covered',
    async () => {
      await lab.open()
      for (let i = 0; i < APPEARANCES; i++) {
        await expectNoIpWhile('a device that appears', 'up1', 1, () => lab.net.addUplink(1).catch(takenDown))
        await lab.net.station.run('ip', 'link', 'delete', 'up1')
      }
    },
    SOAK_TIMEOUT_MS,
  )

  test(
    'a device that is up and sends as soon as it is there sends no IP and no ARP; its raw frames are measured',
    async () => {
      await lab.open()
      for (let i = 0; i < APPEARANCES; i++) {
        const order = { op: 'appear', device: `tap${i}`, ms: WATCHED_MS }
        const { tried, raw, windowMs, other } = await lab.ask<Appeared>(order)
        table.add('a device that appears: raw, before it is covered (measured)', 'permitted', tried, raw)
        table.add('a device that appears: IP and ARP', 'shut', tried, other.length)
        windowFrames += raw
        windowsMs.push(windowMs)
        expect(other).toEqual([])
      }
    },
    SOAK_TIMEOUT_MS,
  )

  test('one that is deleted and made again, or gets another name, neither', async () => {
    await lab.open()
    await expectNoIpWhile('one deleted and re-made', 'up0', 0, async () => {
      await lab.net.station.run('ip', 'link', 'delete', 'up0')
      await lab.net.addUplink().catch(takenDown)
    })
    await expectNoIpWhile('one renamed', 'tether0', 0, async () => {
      await lab.net.station.shell(
        'ip link set up0 down; ip link set up0 name tether0; ip link set tether0 up',
      )
    })
    await expectNoIpWhile('one renamed while it is up', 'wwan0', 0, async () => {
      await lab.net.station.shell('ip link set tether0 up; ip link set tether0 name wwan0')
    })
  })

  test(
    `nft flush ruleset ${FLUSHES} times lets no IP and no ARP out`,
    async () => {
      await lab.open()
      await lab.net.capture.take()
      await lab.hammer(['udp', 'icmp', 'udp6', 'icmpv6', 'tcp new', 'broadcast', 'raw'], DENSE_MS)
      for (let i = 0; i < FLUSHES; i++) {
        if (i % 5 === 0) await lab.net.dress().catch(takenDown)
        await lab.net.station.run('nft', 'flush', 'ruleset')
      }
      await expect.poll(async () => (await lab.read()).problems, { timeout: 5000 }).toEqual([])
      const { tried } = await lab.rest()
      const arrived = await lab.net.capture.take()
      table.add(`nft flush ruleset ${FLUSHES} times: IP and ARP`, 'shut', tried, ipFrames(arrived))
      say(
        `nft flush ruleset ${FLUSHES} times, link taken up by force: ${rawFrames(arrived)} raw frames of a covered uplink left`,
      )
      expect({ ip: ipFrames(arrived), kinds: arrived.kinds }).toMatchObject({ ip: 0 })
      await expectNothingOf('after nft flush ruleset: everything', sumOf(await lab.force(ALL_ROWS, FRAMES)))
    },
    SOAK_TIMEOUT_MS,
  )

  test('a slow uplink with a full queue sends none of it after the answer', async () => {
    await lab.open()
    await lab.permit()
    await lab.net.station.run(...(['tc', 'qdisc', 'add', 'dev', 'up0', 'root', 'tbf'] as const), ...SLOW)
    await lab.net.capture.take()
    const queued = sumOf(await lab.sendAll(['fragments'], 40))
    const backlog = Number(
      /backlog \S+ (\d+)p/.exec(await lab.net.station.run('tc', '-s', 'qdisc', 'show', 'dev', 'up0'))?.[1],
    )
    const span = await lab.shut()
    const until = await lab.net.capture.take()
    expect(backlog).toBeGreaterThan(20)
    expect(until.lastMs!).toBeLessThanOrEqual(span.toMs)
    await lab.net.dress()
    await expectNothingOf(
      'a slow uplink with a full queue',
      queued + sumOf(await lab.force(ALL_ROWS, FRAMES)),
    )
  })

  test('a macvlan on an uplink and a tun device are uplinks like any other', async () => {
    const { station, capture } = lab.net
    await station.ip(`link add mv0 link up0 type macvlan mode bridge\nlink set mv0 up`)
    await lab.ask({ op: 'tun', device: 'tun0' })
    await station.ip('address add 198.18.9.2/24 dev tun0\nlink set tun0 up')
    const onMacvlan = ['raw', 'raw ip', 'multicast', 'multicast6'] as const
    const toTun = { to: '198.18.9.1' }
    const tunSeen = async () => (await lab.ask<Sent>({ op: 'tun seen', device: 'tun0' })).tried
    await capture.take()
    await lab.sendAll(onMacvlan, FRAMES, { device: 'mv0' })
    await lab.sendAll(['to'], FRAMES, toTun)
    expect((await capture.take()).total).toBeGreaterThanOrEqual(FRAMES)
    expect(await tunSeen()).toBeGreaterThanOrEqual(FRAMES)

    await lab.open()
    await tunSeen()
    await capture.take()
    await lab.net.dress()
    await station.ip('link set mv0 up\nlink set tun0 up')
    await expectNothingOf(
      'a macvlan on an uplink',
      sumOf(await lab.sendAll(onMacvlan, FRAMES, { device: 'mv0' })),
    )
    await station.ip('link set tun0 up\naddress replace 198.18.9.2/24 dev tun0')
    const sent = sumOf(await lab.sendAll(['to'], FRAMES, toTun))
    const seen = await tunSeen()
    table.add('a tun device', 'shut', sent, seen)
    expect({ sent: sent > 0, seen }).toEqual({ sent: true, seen: 0 })
  })

  test.each([
    [
      'bridged',
      'raw arp',
      'link add br0 type bridge\nlink set br0 up\nlink set loc0 master br0\nlink set up0 master br0',
    ],
    ['forwarded', 'udp', 'route replace 198.18.0.0/24 dev up0'],
  ])('nothing of a local client is %s, shut or permitted', async (how, row, ip) => {
    const { station, local, capture } = lab.net
    const client = await Resident.start(local, 'traffic.py')
    const send = async () =>
      (await client.ask<Sent>({ op: 'send', row, mark: 'client', count: FRAMES, device: 'cli0', via: 0 }))
        .tried
    await station.shell('sysctl -qw net.ipv4.ip_forward=1')
    await station.ip(ip)
    await capture.take()
    await send()
    expect((await capture.least(FRAMES)).marks['client']).toBe(FRAMES)

    await lab.open()
    await lab.net.dress()
    await station.run('ip', 'link', 'set', 'loc0', 'up')
    await capture.take()
    const shut = await send()
    table.add(`${how} for a local client`, 'shut', shut, (await capture.take()).total)
    await lab.permit()
    await capture.take()
    const permitted = await send()
    const { marks } = await capture.take()
    table.add(`${how} for a local client`, 'permitted', permitted, marks['client'] ?? 0)
    expect(marks['client'] ?? 0).toBe(0)
    expect(table.leaks()).toEqual([])
  })

  test('a local interface carries our ports inside its network, and no default route of a tethered phone', async () => {
    const { station, localCapture } = lab.net
    await station.shell('sysctl -qw net.ipv6.conf.loc0.accept_ra=0')
    const policy = {
      locals: [{ name: 'loc0', mac: LOCAL_MAC, path: null, subnet: '192.168.77.0/24' }],
      ports: [{ protocol: 'udp', port: 14550 }],
    }
    const { locals } = await lab.open(policy)
    expect(locals).toMatchObject([{ name: 'loc0', mismatch: null }])
    const ours = { to: '192.168.77.2', from: 14550 }
    await localCapture.take()
    await lab.sendAll(['to'], FRAMES, ours)
    expect((await localCapture.least(FRAMES)).marks['to']).toBe(FRAMES)
    for (const more of [{ to: '192.168.77.2' }, { to: '203.0.113.9' }, { to: '203.0.113.9', from: 14550 }]) {
      // With such a route it is no local interface any more, and is taken down: as often as it takes.
      let sent = 0
      for (let round = 0; sent < FRAMES && round < 8; round++) {
        await station.shell('ip link set loc0 up; ip route replace 203.0.113.0/24 via 192.168.77.2 || true')
        sent += sumOf(await lab.sendAll(['to'], FRAMES, { ...more, mark: 'beyond' }))
      }
      const { marks } = await localCapture.take()
      table.add('a default route on a local interface', 'shut', sent, marks['beyond'] ?? 0)
      expect({ more, sent: sent > 0, arrived: marks['beyond'] ?? 0 }).toEqual({
        more,
        sent: true,
        arrived: 0,
      })
      await station.shell('ip route delete 203.0.113.0/24 || true')
    }
  })
})

/** 1 Mbit/s, as a bad mobile network. */
const SLOW = ['rate', '1mbit', 'burst', '3000', 'latency', '2s']
