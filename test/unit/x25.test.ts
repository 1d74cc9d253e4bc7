/** X25: the checksum of MAVLink, held against its published value and against another way to compute it. */
import { expect, test } from 'vitest'
import { X25_START, x25, x25Byte, x25ImpliedByte } from '../../src/link/x25.js'
import { crc16, filler } from '../support/frames.js'

test('X.25 gives the published check value of CRC-16/MCRF4XX', () => {
  const check = new TextEncoder().encode('123456789')
  expect(x25(check, 0, check.length, X25_START)).toBe(0x6f91)
})

test('eight bytes at once give what one bit at a time gives, at every length and in two halves', () => {
  const data = filler(300)
  for (let length = 0; length <= data.length; length++) {
    const middle = length >>> 1
    const halves = x25(data, middle, length, x25(data, 0, middle, X25_START))
    expect(halves).toBe(crc16(data.subarray(0, length)))
  }
})

test('the byte between two checksums is found where there is one, and only there', () => {
  const before = 0x1234
  const after = new Map(Array.from({ length: 256 }, (_, byte) => [x25Byte(before, byte), byte]))
  expect(after.size).toBe(256)
  const all = Array.from({ length: 0x10000 }, (_, crc) => crc)
  expect(all.filter((crc) => x25ImpliedByte(before, crc) !== (after.get(crc) ?? -1))).toEqual([])
})
