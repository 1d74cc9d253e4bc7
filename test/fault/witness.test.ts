/** The witness on real devices: it stands still while nothing is sent, and names who sent, whatever was done to the device. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Growth } from '../../src/hw/witness/witness.js'
import { Resident } from '../support/lab/resident.js'
import { NetworkLab } from '../support/network-lab.js'
import { describeNetwork } from '../support/lab/describe-network.js'

/** Everything from the station is dropped on up0, as the door's layers do: above the count. */
const DROP = `nft 'table inet t { chain c { type filter hook output priority 0; policy drop; }; }
  table netdev t { chain c { type filter hook egress device "up0" priority 0; policy drop; }; }'`

/** The kernel speaks IPv6 by itself, whenever it likes; where packets are counted it does not. */
const ONLY_IPV4 = "nft 'table ip6 t { chain c { type filter hook output priority 0; policy drop; }; }'"

describeNetwork('the witness', () => {
  let lab: NetworkLab
  let witness: Resident

  const tell = async (op: 'permitted' | 'shut') => void (await witness.ask({ op }))
  const look = async () => {
    const { grew } = await witness.ask<{ grew: Growth[] }>({ op: 'look' })
    return grew.map(({ name, packets }) => `${name} ${packets}`)
  }

  beforeAll(async () => {
    lab = await NetworkLab.make()
  })

  beforeEach(async () => {
    await lab.addUplink()
    witness = await Resident.start(lab.station, 'witness-driver.mjs')
  })

  afterEach(async () => {
    await witness.stop()
    await lab.station.shell('nft flush ruleset; ip link delete up1 2>/dev/null || true')
    await lab.station.shell('ip link delete up0 2>/dev/null || ip link delete tether0')
  })

  afterAll(() => lab.close())

  test('stands still over everything that a firewall drops, and the outside saw as much', async () => {
    await lab.station.shell(DROP)
    await lab.capture.take()
    await tell('shut')
    for (const row of [
      'udp',
      'tcp new',
      'icmp',
      'multicast',
      'udp6',
      'fragments',
      'raw',
      'raw bypass',
      'arp',
    ]) {
      await lab.send(row, 3)
    }
    expect(await look()).toEqual([])
    expect((await lab.capture.take()).total).toBe(0)
  })

  test.each(['udp', 'raw', 'raw bypass'])('names the device and counts what was sent by %s', async (row) => {
    await lab.station.shell(ONLY_IPV4)
    await tell('shut')
    await lab.send(row, 3)
    expect(await look()).toEqual(['up0 3'])
    expect(await look()).toEqual([])
  })

  test('names the right one of two', async () => {
    await lab.addUplink(1)
    await lab.station.shell(ONLY_IPV4)
    await tell('shut')
    await lab.send('raw', 2, { device: 'up1', via: 1 })
    expect(await look()).toEqual(['up1 2'])
  })

  test('a renamed device that sends is named by its new name', async () => {
    await lab.station.shell(ONLY_IPV4)
    await tell('shut')
    await lab.station.run('ip', 'link', 'set', 'up0', 'name', 'tether0')
    expect(await look()).toEqual([])
    await lab.send('raw', 2, { device: 'tether0' })
    expect(await look()).toEqual(['tether0 2'])
  })

  test('a device that is deleted and made again hides nothing and invents nothing', async () => {
    await lab.send('raw', 50)
    await tell('shut')
    await lab.station.run('ip', 'link', 'delete', 'up0')
    expect(await look()).toEqual([])
    await lab.station.shell(DROP.replaceAll('egress device "up0"', 'egress device "lo"'))
    await lab.addUplink()
    expect(await look()).toEqual([])
    await lab.send('raw', 2)
    expect(await look()).toEqual(['up0 2'])
  })

  test('a device set down and up sends nothing by that which a firewall drops', async () => {
    await lab.station.shell(DROP)
    await tell('shut')
    await lab.station.run('ip', 'link', 'set', 'up0', 'down')
    await lab.dress()
    expect(await look()).toEqual([])
  })
})
