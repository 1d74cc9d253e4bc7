/**
 * Row checksum: what a row of a flight file says of itself in its column `crc32`, so that no flipped bit in a number goes
 * unseen. Specified in docs/flight-file.md, "Checksums".
 */
import { crc32 } from 'node:zlib'
import type { SqlRow, SqlValue } from './sqlite.js'

/** CRC-32 of values: each as a netstring (`5:radio`), NULL as `-`. `before`: that of the values in front of them. */
export function valuesCrc32(values: readonly SqlValue[], before = 0): number {
  let crc = before
  for (const value of values) {
    if (value === null) crc = crc32('-', crc)
    else {
      const bytes = value instanceof Uint8Array ? value : Buffer.from(String(value))
      crc = crc32(bytes, crc32(`${bytes.length}:`, crc))
    }
  }
  return crc
}

/** The row with its checksum behind it. */
export function withChecksum(values: readonly SqlValue[]): SqlValue[] {
  return [...values, valuesCrc32(values)]
}

/** The checksum that a whole row should have: of all its columns but `crc32`, in the table's order. */
export function rowCrc32(row: SqlRow): number {
  return valuesCrc32(
    Object.entries(row)
      .filter(([column]) => column !== 'crc32')
      .map(([, value]) => value),
  )
}

/** Whether a whole row is as it was written. */
export function isIntact(row: SqlRow): boolean {
  return row['crc32'] === rowCrc32(row)
}
