/**
 * What `nft list ruleset` says, read as text: by nft 1.0.6, as it was listed in a namespace, and by 1.1, as its release notes, its
 * source and its own tests have it.
 */
import { describe, expect, it } from 'vitest'
import { parseListing } from '../../../src/hw/door/listing.js'
import type { Table } from '../../../src/hw/door/listing.js'

/** A table as nft lists it, with tabs for each two spaces here. */
const listed = (text: string) => text.replace(/^(?: {2})+/gm, (indent) => '\t'.repeat(indent.length / 2))

const BASE = listed(`table inet groundlock {
  counter canary {
    packets 3 bytes 252
  }

  set leased {
    type iface_index
    timeout 3s
    elements = { "up0" expires 2s984ms, "up1" expires 2s984ms }
  }

  map opening {
    type iface_index : mark
    timeout 3s
    elements = { "up0" expires 2s984ms : 0x0000004d, "up1" expires 2s984ms : 0x0000004d }
  }

  set opened {
    type iface_index . mark
    timeout 3s
    elements = { "up0" . 0x0000004d expires 2s984ms,
           "up1" . 0x0000004d expires 2s984ms }
  }

  set locals {
    typeof iif . ip saddr
    flags interval
    elements = { "up0" . 192.168.7.0/24 }
  }

  chain input {
    type filter hook input priority filter - 10; policy drop;
    iif @leased ct state related meta l4proto { icmp, ipv6-icmp } accept
  }
}
`)
const COVER = listed(`table netdev groundlock_7 {
  set leased {
    type iface_index
    timeout 3s
    elements = { "up0" expires 2s984ms }
  }

  chain egress {
    type filter hook egress device "up0" priority filter; policy drop;
    oif @leased accept
  }
}
`)
const FOREIGN = listed(`table ip filter {
  chain x {
    type filter hook input priority filter; policy accept;
  }
}
`)

function table(text: string, name = 'inet groundlock'): Table {
  return parseListing(text)!.ours.get(name)!
}

/** The base with other elements in `leased`. */
const leasing = (elements: string) =>
  table(
    BASE.replace(
      '"up0" expires 2s984ms, "up1" expires 2s984ms }\n\t}\n\n\tmap',
      `${elements} }\n\t}\n\n\tmap`,
    ),
  )

describe('a listing', () => {
  it('is our tables by family and name, and the names of all others', () => {
    const { ours, foreign } = parseListing(BASE + FOREIGN + COVER)!
    expect([[...ours.keys()], foreign]).toEqual([['inet groundlock', 'netdev groundlock_7'], ['ip filter']])
    expect(ours.get('inet groundlock')).toMatchObject({ family: 'inet', name: 'groundlock' })
  })

  it('may be empty, and may have empty lines between tables', () => {
    expect(parseListing('')).toEqual({ ours: new Map(), foreign: [] })
    expect(parseListing(`\n${FOREIGN}\n${COVER}`)!.ours.size).toBe(1)
  })

  it.each([
    ['cut in a table', BASE.slice(0, -3)],
    ['an error of nft', 'Error: Could not process rule: Operation not permitted\n'],
    ['JSON', '{"nftables": []}'],
    ['a table without a name', 'table inet {\n}\n'],
    ['something behind a table', `${FOREIGN}chain x {\n}\n`],
    ['something before a table', `x${FOREIGN}`],
    ['a table that opens otherwise', 'table ip filter { flags owner\n}\n'],
  ])('is nothing that we know where it is %s', (_, text) => expect(parseListing(text)).toBeNull())

  it('may name the program that owns a table', () => {
    const twin = listed(`table inet groundlock_twin { # progname nft
  flags owner

  chain forward {
    type filter hook forward priority filter - 5; policy drop;
  }
}
`)
    expect(table(twin, 'inet groundlock_twin')).toEqual({
      family: 'inet',
      name: 'groundlock_twin',
      structure: '\tchain forward {\n\t\ttype filter hook forward priority filter - 5; policy drop;\n\t}',
      flagCount: 1,
      devices: [],
      leased: [],
      locals: [],
      hasLongLease: false,
    })
  })
})

describe('the structure of a table', () => {
  it('is all but flags, names of devices, counts of the canary, and what is in the sets', () => {
    expect(table(BASE).structure.split('\n')).toEqual(
      listed(`  counter canary {
  }
  set leased {
    type iface_index
    timeout 3s
  }
  map opening {
    type iface_index : mark
    timeout 3s
  }
  set opened {
    type iface_index . mark
    timeout 3s
  }
  set locals {
    typeof iif . ip saddr
    flags interval
  }
  chain input {
    type filter hook input priority filter - 10; policy drop;
    iif @leased ct state related meta l4proto { icmp, ipv6-icmp } accept
  }`).split('\n'),
    )
  })

  it('does not change with what comes and goes by itself', () => {
    const other = BASE.replace('packets 3 bytes 252', 'packets 4 bytes 336')
      .replaceAll('2s984ms', '12ms')
      .replace(/^\t+elements = \{[^}]*\}\n/gm, '')
    expect(table(other).structure).toBe(table(BASE).structure)
  })

  it.each([
    ['a rule more', (text: string) => text.replace('\t\tiif @leased', '\t\taccept\n\t\tiif @leased')],
    ['a rule less', (text: string) => text.replace(/^\t\tiif @leased.*\n/m, '')],
    ['another policy', (text: string) => text.replace('policy drop', 'policy accept')],
    ['another time', (text: string) => text.replace('timeout 3s', 'timeout 30s')],
    ['a counter in a rule', (text: string) => text.replace('} accept', '} counter packets 0 bytes 0 accept')],
    ['counts elsewhere', (text: string) => text.replace('\t\ttypeof', '\t\tpackets 0 bytes 0\n\t\ttypeof')],
    ['counts with more', (text: string) => text.replace('bytes 252', 'bytes 252 over 10')],
    ['a set of another name', (text: string) => text.replace('set locals', 'set others')],
    [
      'elements of a set that is none of ours',
      (text: string) => text.replace('\tchain', '\tset more {\n\t\telements = { 1 }\n\t}\n\n\tchain'),
    ],
  ])('changes with %s', (_, change) => {
    expect(table(change(BASE)).structure).not.toBe(table(BASE).structure)
  })

  it('of a cover holds its hook without its device, which is listed beside it', () => {
    const cover = table(COVER, 'netdev groundlock_7')
    expect(cover.structure).toContain('\t\ttype filter hook egress priority filter; policy drop;')
    expect(cover).toMatchObject({ devices: ['up0'], leased: ['up0'], hasLongLease: false })
  })

  it.each([
    ['devices = { "up0" }', ['up0']],
    ['devices = { up0 }', ['up0']],
    ['devices = { "up0", "up1" }', ['up0', 'up1']],
    ['device up0', ['up0']],
  ])('of a cover is the same where nft writes %s', (devices, names) => {
    const cover = table(COVER.replace('device "up0"', devices), 'netdev groundlock_7')
    expect(cover.devices).toEqual(names)
    expect(cover.structure).toBe(table(COVER, 'netdev groundlock_7').structure)
  })

  it('without a device any more has none', () => {
    const gone = table(COVER.replace(' device "up0"', ''), 'netdev groundlock_7')
    expect(gone.devices).toEqual([])
  })

  it.each([
    ['flags owner', 1],
    ['flags dormant', 1],
    ['flags owner,dormant', 2],
  ])('leaves out %s, which is counted', (flags, count) => {
    const flagged = table(BASE.replace('{\n', `{\n\t${flags}\n\n`))
    expect(flagged).toMatchObject({ flagCount: count, structure: table(BASE).structure })
    expect(table(BASE).flagCount).toBe(0)
  })
})

describe('the elements', () => {
  it('are those of leased and locals, as words', () => {
    expect(table(BASE)).toMatchObject({
      leased: ['up0', 'up1'],
      locals: ['up0 192.168.7.0/24'],
      hasLongLease: false,
    })
  })

  it('may go on over several lines, the last of them not the last of the table', () => {
    const lines = ['"up0" expires 1s,', '\t\t\t     "up1" expires 2s,', '\t\t\t     "up2" expires 3s'].join(
      '\n',
    )
    expect(leasing(lines)).toMatchObject({ leased: ['up0', 'up1', 'up2'], hasLongLease: false })
    expect(leasing(lines).structure).toBe(table(BASE).structure)
  })

  it.each([
    ['without an end', '"up0"', true],
    ['with a time of its own', '"up0" timeout 5s expires 2s', true],
    ['with a time of its own and no end yet', '"up0" timeout 5s', true],
    ['for a minute', '"up0" expires 1m2s', true],
    ['for an hour', '"up0" expires 1h', true],
    ['for a day', '"up0" expires 1d', true],
    ['for a little longer than a lease', '"up0" expires 3s1ms', true],
    ['in words that nobody knows', '"up0" expires soon', true],
    ['with something behind its time', '"up0" expires 2s9', true],
    ['beside a short one', '"up1" expires 2s, "up0"', true],
    ['for a lease', '"up0" expires 3s', false],
    ['for less', '"up0" expires 2s996ms', false],
    ['for a moment', '"up0" expires 4ms', false],
  ])('a lease %s: too long %s', (_, elements, isLong) => {
    expect(leasing(elements).hasLongLease).toBe(isLong)
    expect(leasing(elements).leased.at(-1)).toBe('up0')
  })
})
