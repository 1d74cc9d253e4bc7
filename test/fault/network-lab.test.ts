/** The network lab itself: its capture sees what is sent, it stops nothing by itself, and nothing of it stays behind. */
import { readlinkSync, readdirSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MACHINE, namespaceOf } from '../support/lab/place.js'
import type { Place } from '../support/lab/place.js'
import { NetworkLab } from '../support/network-lab.js'
import { describeNetwork } from '../support/lab/describe-network.js'

const ROWS: readonly (readonly [row: string, kind: string])[] = [
  ['udp', 'ipv4/udp'],
  ['icmp', 'ipv4/icmp'],
  ['multicast', 'ipv4/udp'],
  ['broadcast', 'ipv4/udp'],
  ['igmp', 'ipv4/igmp'],
  ['fragments', 'ipv4/udp'],
  ['arp', 'arp'],
  ['tcp new', 'ipv4/tcp'],
  ['udp6', 'ipv6/udp'],
  ['icmpv6', 'ipv6/icmpv6'],
  ['multicast6', 'ipv6/udp'],
  ['fragments6', 'ipv6/fragment'],
  ['tcp6 new', 'ipv6/tcp'],
  ['raw', 'ethertype 88b5'],
  ['raw bypass', 'ethertype 88b5'],
  ['raw ip', 'ipv4/udp'],
  ['raw vlan', 'vlan'],
  ['raw arp', 'arp'],
]

describeNetwork('the network lab', () => {
  let lab: NetworkLab

  beforeEach(async () => {
    lab = await NetworkLab.make()
  })

  afterEach(() => lab.close())

  test('the capture sees every kind of frame when nothing keeps it in', async () => {
    await lab.addUplink()
    await lab.capture.take()
    for (const [row, kind] of ROWS) {
      const { errors } = await lab.send(row, 2)
      expect({ row, errors }).toEqual({ row, errors: {} })
      // What the kernel sends by itself (who is it, who listens) comes when it comes.
      const least = row === 'igmp' || row === 'arp' ? 1 : 2
      await expect
        .poll(async () => (await lab.capture.seen()).kinds[kind] ?? 0, { message: row })
        .toBeGreaterThanOrEqual(least)
      await lab.capture.take()
    }
  })

  test('the capture counts exactly as the device does, at full speed', async () => {
    await lab.addUplink()
    // The kernel speaks IPv6 by itself, whenever it likes: also between a count and the next.
    await lab.station.shell(
      "nft 'table ip6 t { chain c { type filter hook output priority 0; policy drop; }; }'",
    )
    await lab.capture.take()
    const before = await lab.txPackets('up0')
    await lab.send('udp', 5000)
    const arrived = await lab.capture.take()
    expect(arrived.marks['udp']).toBe(5000)
    expect(arrived.total).toBe((await lab.txPackets('up0')) - before)
  })

  test("a rule of the station's own keeps everything in, and the capture sees none", async () => {
    await lab.addUplink()
    await lab.station.shell(`nft -f - <<'RULES'
    table netdev t { chain c { type filter hook egress device "up0" priority 0; policy drop; }; }
RULES`)
    await lab.capture.take()
    for (const [row] of ROWS) await lab.send(row, 2)
    expect(await lab.capture.take()).toMatchObject({ total: 0, kinds: {} })
  })

  test('what is sent to a local client arrives there and nowhere else', async () => {
    await lab.addUplink()
    await lab.addLocal()
    await Promise.all([lab.capture.take(), lab.localCapture.take()])
    await lab.send('to', 3, { to: '192.168.77.2' })
    expect((await lab.localCapture.take()).marks).toEqual({ to: 3 })
    expect((await lab.capture.take()).marks).toEqual({})
  })

  test('a place has devices and a /sys of its own, and a process in it is the command itself', async () => {
    await lab.addUplink()
    const devices = await lab.station.run('ls', '/sys/class/net')
    expect(devices.trim().split('\n')).toEqual(['lo', 'up0'])
    const sleeper = lab.station.start('sleep', ['60'])
    await expect.poll(() => lab.station.processes()).toContain(sleeper.pid)
    expect(namespaceOf(sleeper.pid!)).toBe(lab.station.namespace)
  })

  test('a command that would not run in its place is refused', async () => {
    const elsewhere = Object.create(lab.station, { pid: { value: process.pid } }) as Place
    await expect(elsewhere.run('ip', 'link')).rejects.toThrow('refused')
    const machine = Object.create(lab.station, { namespace: { value: MACHINE } }) as Place
    expect(() => machine.around('ip')).toThrow('refused')
  })

  test("nothing of it stays, and the machine's own network is as it was", async () => {
    const before = readdirSync('/sys/class/net')
    await lab.addUplink()
    const sleeper = lab.station.start('setsid', ['sleep', '60'])
    const place = readlinkSync(`/proc/${lab.station.pid}/ns/net`)
    await lab.close()
    await expect.poll(() => namespaceOf(sleeper.pid!)).toBe('')
    const left = readdirSync('/proc').filter((each) => namespaceOf(Number(each)) === place)
    expect(left).toEqual([])
    expect(readdirSync('/sys/class/net')).toEqual(before)
  })
})
