/** IPv4 networks as numbers: what is one, what lies in another. */
import { describe, expect, it } from 'vitest'
import { isInside, networkText, parseSubnet } from '../../src/base/ipv4-network.js'

describe('an IPv4 network', () => {
  it.each([
    'a192.168.7.0',
    '192.168.7.0a',
    '192.168.7.0/024',
    '192.168.7.0/08',
    '192.168.07.0/24',
    '192.168.7.0/33',
    '192.168.7.0/2a',
    '192.168.7',
    '1.2.3.4.5',
    '.',
    '/24',
  ])('%s is none', (text) => expect(parseSubnet(text)).toBeNull())

  it.each([
    ['0.0.0.0', 0],
    ['10.20.30.255', 0x0a141eff],
    ['255.255.255.255', 0xffffffff],
    ['256.0.0.0', null],
    ['0.0.0.1000', null],
    ['x0.0.0.1', null],
    ['0.0.0.1x', null],
  ])('the address %s as a number: %s', (text, number) =>
    expect(parseSubnet(text)?.first ?? null).toBe(number),
  )

  it('is numbers', () => expect(parseSubnet('192.168.7.0/24')).toEqual({ first: 0xc0a80700, bits: 24 }))

  it.each([
    ['192.168.7.1/24', '192.168.7.0/24'],
    ['255.254.253.252/31', '255.254.253.252/31'],
    ['10.200.255.3/9', '10.128.0.0/9'],
    ['1.2.3.4', '1.2.3.4/32'],
    ['200.1.1.1/0', '0.0.0.0/0'],
  ])('the network of %s is %s', (text, network) => expect(networkText(parseSubnet(text)!)).toBe(network))

  it('lies inside one that is wider, or itself; never inside a narrower one', () => {
    const [wide, narrow] = [parseSubnet('192.168.0.0/16')!, parseSubnet('192.168.0.0/24')!]
    expect([isInside(narrow, wide), isInside(wide, wide), isInside(wide, narrow)]).toEqual([
      true,
      true,
      false,
    ])
  })
})
