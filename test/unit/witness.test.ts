/** What the witness makes of the kernel's counts: growth is named once, and no device that is made anew hides or invents any. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseSentPackets, readSentPackets } from '../../src/hw/witness/sent-packets.js'
import { compare, openWitness } from '../../src/hw/witness/witness.js'

const HEAD = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
`

const eth0 = { ifindex: 2, name: 'eth0' }
const wlan0 = { ifindex: 3, name: 'wlan0' }

describe('the kernel’s table', () => {
  it('gives what each device sent', () => {
    const lines = `    lo:    1    2    0    0    0     0          0         0        1       2    0    0    0     0       0          0
wwan0.100:11111111 22 0 0 0 0 0 0 333 44 0 0 0 0 0 0
`
    expect(parseSentPackets(HEAD + lines)).toEqual(
      new Map([
        ['lo', 2],
        ['wwan0.100', 44],
      ]),
    )
  })

  it('is read as this machine writes it', () => {
    expect([...readSentPackets().keys()]).toContain('lo')
    expect(readFileSync('/proc/self/net/dev', 'utf8').startsWith(HEAD)).toBe(true)
  })

  it.each([
    ['nothing', ''],
    ['another head', HEAD.replace('Transmit', 'Sent') + ' lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n'],
    ['columns in another order', HEAD.replace('|bytes    packets errs drop fifo colls', '|packets bytes')],
    ['a column less', `${HEAD} lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n`],
    ['a line without a name', `${HEAD} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n`],
  ])('is not believed with %s', (_, text) => expect(parseSentPackets(text)).toBeNull())
})

describe('a local interface', () => {
  it('may send, and what it sent until it became an uplink is no growth', async () => {
    let sentBy = new Map([
      ['eth0', 0],
      ['wlan0', 100],
    ])
    const witness = openWitness(() => sentBy)
    witness.shut([eth0])
    expect(await witness.look([eth0], ['wlan0'])).toEqual([])
    sentBy = new Map([
      ['eth0', 0],
      ['wlan0', 250],
    ])
    // Another address was found on it: it is an uplink from now on.
    expect(await witness.look([eth0, wlan0], [])).toEqual([])
    sentBy.set('wlan0', 253)
    expect(await witness.look([eth0, wlan0], [])).toEqual([{ ...wlan0, packets: 3 }])
  })
})

describe('what grew', () => {
  const counts = (...all: [string, number][]) => new Map(all)

  it('is named with its device and how much', () => {
    const before = new Map([
      [2, 10],
      [3, 5],
    ])
    const { growths } = compare(before, [eth0, wlan0], counts(['eth0', 13], ['wlan0', 5]))
    expect(growths).toEqual([{ ...eth0, packets: 3 }])
  })

  it('a device that appears has sent all it ever sent while shut', () => {
    expect(compare(new Map([[2, 10]]), [eth0, wlan0], counts(['eth0', 10], ['wlan0', 4])).growths).toEqual([
      { ...wlan0, packets: 4 },
    ])
  })

  it('a device made again counts from nothing: 10 sent before hide no 4 sent now, and none sent are none', () => {
    const again = { ifindex: 7, name: 'eth0' }
    expect(compare(new Map([[2, 10]]), [again], counts(['eth0', 4])).growths).toEqual([
      { ...again, packets: 4 },
    ])
    expect(compare(new Map([[2, 10]]), [again], counts(['eth0', 0])).growths).toEqual([])
  })

  it('a count that went back began anew', () => {
    expect(compare(new Map([[2, 10]]), [eth0], counts(['eth0', 4])).growths).toEqual([
      { ...eth0, packets: 4 },
    ])
    expect(compare(new Map([[2, 10]]), [eth0], counts(['eth0', 0])).growths).toEqual([])
  })

  it('a device that was renamed is the same', () => {
    const renamed = { ifindex: 2, name: 'up9' }
    expect(compare(new Map([[2, 10]]), [renamed], counts(['up9', 11])).growths).toEqual([
      { ...renamed, packets: 1 },
    ])
    // Listed under its old name, read under its new one: the next look sees it.
    const { growths, after } = compare(new Map([[2, 10]]), [eth0], counts(['up9', 11]))
    expect(growths).toEqual([])
    expect(compare(after, [renamed], counts(['up9', 11])).growths).toEqual([{ ...renamed, packets: 1 }])
  })

  it('a device that went away and came back is the same', () => {
    const { after } = compare(new Map([[2, 10]]), [eth0], counts())
    expect(compare(after, [eth0], counts(['eth0', 12])).growths).toEqual([{ ...eth0, packets: 2 }])
  })
})

describe('a witness', () => {
  const sent = new Map<string, number>()
  const reads = () => new Map(sent)

  it('watches from the shutting to the next permit, and tells each packet once', async () => {
    const witness = openWitness(reads)
    sent.set('eth0', 100)
    expect(await witness.look([eth0])).toEqual([])
    witness.shut([eth0])
    expect(await witness.look([eth0])).toEqual([])
    sent.set('eth0', 102)
    expect(await witness.look([eth0])).toEqual([{ ...eth0, packets: 2 }])
    expect(await witness.look([eth0])).toEqual([])
    witness.permitted()
    sent.set('eth0', 1000)
    expect(await witness.look([eth0])).toEqual([])
    witness.shut([eth0])
    expect(await witness.look([eth0])).toEqual([])
  })

  it('does not forget what grew when a shut door is shut again', async () => {
    const witness = openWitness(reads)
    sent.set('eth0', 5)
    witness.shut([eth0])
    sent.set('eth0', 6)
    witness.shut([eth0])
    expect(await witness.look([eth0])).toEqual([{ ...eth0, packets: 1 }])
  })

  it('that cannot read says so', async () => {
    let fails = false
    const witness = openWitness(() => {
      if (fails) throw new Error('no such file')
      return reads()
    })
    witness.shut([eth0])
    fails = true
    await expect(witness.look([eth0])).rejects.toThrow('no such file')
  })
})
