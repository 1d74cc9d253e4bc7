/** The canary in a kernel: it sings when the base drops, falls silent when something passes, and says when it is none itself. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { rulesetText } from '../../src/hw/door/ruleset.js'
import { Resident } from '../support/lab/resident.js'
import { NetworkLab } from '../support/network-lab.js'
import { describeNetwork } from '../support/lab/describe-network.js'

describeNetwork('the canary', () => {
  let lab: NetworkLab
  let canary: Resident

  const nft = (text: string) => lab.station.run('sh', '-c', 'echo "$0" | nft -f -', text)
  const sing = () => canary.ask<{ result: string | null; words: string[] }>({ op: 'test' })
  /** With a raw frame of another program during each of the first tries; and how often the count was read, twice a try. */
  const singAmong = (frames: number, more: { lost?: boolean } = {}) =>
    canary.ask<{ result: string; reads: number; words: string[] }>({ op: 'test', frames, ...more })

  beforeAll(async () => {
    lab = await NetworkLab.make()
  })

  beforeEach(async () => {
    await nft(rulesetText({ locals: [], ports: [] }))
    canary = await Resident.start(lab.station, 'canary-driver.mjs')
  })

  afterEach(async () => {
    await canary.stop()
    await lab.station.run('nft', 'flush', 'ruleset')
  })

  afterAll(() => lab.close())

  test('behind the base as it is loaded: dropped, again and again', async () => {
    for (let i = 0; i < 3; i++) expect(await sing()).toMatchObject({ result: 'dropped', words: [] })
  })

  test('while others send raw frames on its device: dropped all the same, but where they always do', async () => {
    expect(await singAmong(1)).toMatchObject({ result: 'dropped', reads: 4 })
    expect(await singAmong(2)).toMatchObject({ result: 'dropped', reads: 6 })
    expect(await singAmong(3)).toMatchObject({ result: 'passed', reads: 6 })
  })

  test('where something left, and then nothing can be tried any more: passed', async () => {
    expect(await singAmong(1, { lost: true })).toMatchObject({
      result: 'passed',
      words: ['the canary is broken: there is no device glcanary0'],
    })
  })

  test('with a rule that lets everything out: passed', async () => {
    await nft('insert rule inet groundlock output accept\ninsert rule inet groundlock postrouting accept')
    expect((await sing()).result).toBe('passed')
  })

  test('with a lease for its own device: passed', async () => {
    await nft('add element inet groundlock leased { "glcanary0" }')
    expect((await sing()).result).toBe('passed')
  })

  test('with another program’s drop before the base: broken, for the base was not tried', async () => {
    await nft('table ip t { chain c { type filter hook output priority -300; policy drop; }; }')
    expect(await sing()).toMatchObject({
      result: 'broken',
      words: [expect.stringContaining('0 of 2 packets')],
    })
  })

  test('without a base: what is sent passes, and nobody counts it', async () => {
    await nft('flush ruleset')
    expect((await sing()).result).toBe('broken')
  })

  test('without its devices: broken; and a new one replaces what is left of the last', async () => {
    await lab.station.run('ip', 'link', 'delete', 'glcanary1')
    expect((await sing()).result).toBe('broken')
    const again = await Resident.start(lab.station, 'canary-driver.mjs')
    const another = await Resident.start(lab.station, 'canary-driver.mjs')
    expect((await another.ask<{ result: string }>({ op: 'test' })).result).toBe('dropped')
    await another.ask({ op: 'close' })
    expect(await lab.station.run('ls', '/sys/class/net')).not.toContain('glcanary')
    await Promise.all([again.stop(), another.stop()])
  })

  test('with every port of this machine taken by somebody: broken, with the reason; whole again when one is free', async () => {
    const hog = await Resident.start(lab.station, 'port-hog.py')
    expect(await sing()).toMatchObject({ result: 'broken', words: [expect.stringContaining('EADDRINUSE')] })
    expect(await sing()).toMatchObject({ result: 'broken', words: [] })
    await hog.stop()
    expect(await sing()).toMatchObject({ result: 'dropped', words: [] })
  })

  test('does not see a rule for one uplink: that is for the witness and the read-back', async () => {
    await lab.addUplink()
    await nft('insert rule inet groundlock output oifname "up0" accept')
    expect((await sing()).result).toBe('dropped')
  })
})
