/** What `nft monitor` says (1.0.6, in a namespace), gathered to who did what to tables of ours. */
import { describe, expect, it } from 'vitest'
import { ChangeGatherer, changeText } from '../../../src/hw/door/changes.js'

/** The changes that these lines tell of, in their order. */
function changes(...lines: string[]) {
  const gatherer = new ChangeGatherer()
  return lines.map((line) => gatherer.line(line)).filter((change) => change !== null)
}

const FLUSHED = [
  'delete rule inet groundlock output handle 19',
  'delete set inet groundlock leased',
  'delete counter inet groundlock canary',
  'delete chain inet groundlock output',
  'delete table inet groundlock',
  'delete rule arp groundlock input handle 5',
  'delete table arp groundlock',
  'delete rule netdev groundlock_8 egress handle 3',
  'delete table netdev groundlock_8',
  'delete chain ip filter x',
  'delete table ip filter',
]

describe('a change', () => {
  it.each([
    ['a rule that was added', 'add rule inet groundlock input counter packets 0 bytes 0', 'inet groundlock'],
    ['a rule that was taken out', 'delete rule inet groundlock input handle 10', 'inet groundlock'],
    ['a chain', 'delete chain bridge groundlock forward', 'bridge groundlock'],
    ['a set', 'delete set arp groundlock leased', 'arp groundlock'],
    ['an element, given by hand', 'add element bridge groundlock locals { "up0" }', 'bridge groundlock'],
    ['a map', 'add map inet groundlock opening { type iface_index : mark; timeout 3s; } ', 'inet groundlock'],
    ['a counter', 'add counter inet groundlock canary { packets 0 bytes 0 } ', 'inet groundlock'],
    ['a cover', 'delete table netdev groundlock_7', 'netdev groundlock_7'],
  ])('is %s', (_, line, table) => {
    expect(changes(line, '# new generation 4 by process 8960 (nft)')).toEqual([
      { pid: 8960, program: 'nft', tables: [table], first: line },
    ])
  })

  it('is all that one transaction did: each table once, the first line for a person', () => {
    expect(changes(...FLUSHED, '# new generation 10 by process 8970 (nft)')).toEqual([
      {
        pid: 8970,
        program: 'nft',
        tables: ['inet groundlock', 'arp groundlock', 'netdev groundlock_8'],
        first: 'delete rule inet groundlock output handle 19',
      },
    ])
  })

  it('is known when its transaction is complete, and the next one begins anew', () => {
    const gatherer = new ChangeGatherer()
    expect(gatherer.line('delete table netdev groundlock_7')).toBeNull()
    expect(gatherer.line('# new generation 6 by process 8963 (nft)')?.tables).toEqual(['netdev groundlock_7'])
    expect(gatherer.line('# new generation 7 by process 8965 (nft)')).toBeNull()
    gatherer.line('delete chain inet groundlock input')
    expect(gatherer.line('# new generation 8 by process 8966 (dockerd)')).toEqual({
      pid: 8966,
      program: 'dockerd',
      tables: ['inet groundlock'],
      first: 'delete chain inet groundlock input',
    })
  })

  it('of a program whose name has a bracket is its own', () => {
    const [change] = changes('add table inet groundlock', '# new generation 5 by process 7 (a (b) c)')
    expect(change).toMatchObject({ pid: 7, program: 'a (b) c' })
  })

  it.each([
    ['a table of others', 'add table ip mine'],
    ['one that is named alike', 'add rule inet groundlocks input accept'],
    ['the twin, which only its owner can change', 'add table inet groundlock_twin'],
    [
      'a pattern, which only its owner can change',
      'add chain inet groundlock_pattern input { policy drop; }',
    ],
    ['a line of another kind', 'W: Received event for an unknown set.'],
    ['a trace of a packet', 'trace id 7 inet groundlock input packet: iif "lo"'],
    ['our name behind something else', '# add table inet groundlock'],
    ['nothing', ''],
  ])('is not %s', (_, line) => {
    expect(changes(line, '# new generation 4 by process 8960 (nft)')).toEqual([])
  })

  it.each([
    '# new generation x by process 1 (nft)',
    'x# new generation 4 by process 1 (nft)',
    '# new generation 4 by process 1 (nft) and more',
  ])('does not end with %j', (line) => {
    expect(changes('add table inet groundlock', line)).toEqual([])
  })

  it('shows no more than 120 characters of a line', () => {
    const line = `add rule inet groundlock input ip saddr { ${'192.0.2.1, '.repeat(40)}} accept`
    const [change] = changes(line, '# new generation 4 by process 8960 (nft)')
    expect(change!.first).toBe(line.slice(0, 120))
  })
})

describe('a change as a line', () => {
  const change = {
    pid: 8960,
    program: 'nft',
    tables: ['inet groundlock', 'netdev groundlock_7'],
    first: 'add it',
  }

  it('says who changed what', () => {
    expect(changeText(change)).toBe('nft (process 8960) changed inet groundlock, netdev groundlock_7: add it')
  })

  it('says of covers alone that udev does so as well', () => {
    expect(changeText({ ...change, tables: ['netdev groundlock_7'] })).toBe(
      'nft (process 8960) changed netdev groundlock_7: add it (udev does so where a device appears or is renamed)',
    )
  })
})
