/**
 * File header: the first 100 bytes of a flight's SQLite file, held against what they are in all of ours.
 * Source: sqlite.org/fileformat2.html, "The Database Header"
 */
import { APPLICATION_ID, FORMAT_VERSION, PAGE_BYTES } from '../flight/schema.js'

export const HEADER_BYTES = 100

/** Fields that never differ: offset, bytes, what stands there, what it is. */
const FIXED: readonly (readonly [at: number, bytes: number, value: number, what: string])[] = [
  [16, 2, PAGE_BYTES, 'the page size'],
  [20, 1, 0, 'the reserved space of a page'],
  [21, 1, 64, 'the largest payload fraction'],
  [22, 1, 32, 'the smallest payload fraction'],
  [23, 1, 32, 'the leaf payload fraction'],
  [44, 4, 4, 'the schema format'],
  [48, 4, 0, 'the default cache size'],
  [52, 4, 0, 'the largest root page'],
  [56, 4, 1, 'the text encoding'],
  [60, 4, FORMAT_VERSION, 'the version'],
  [64, 4, 0, 'the vacuum mode'],
  [68, 4, APPLICATION_ID, 'the application id'],
]

/** Two bytes say who may write and read it: 1 is one file, 2 is one with a -wal. */
const JOURNAL_BYTES = [1, 2]

/**
 * What is wrong with the header of a file of `fileBytes`. The counters of the schema and of SQLite's version say nothing.
 * `hasWal`: the size in the header is then that of an earlier moment.
 */
export function headerProblems(header: Uint8Array, fileBytes: number, hasWal: boolean): string[] {
  if (header.length < HEADER_BYTES) return [`it has ${fileBytes} bytes, fewer than a header`]
  const bytes = Buffer.from(header.buffer, header.byteOffset, HEADER_BYTES)
  const problems: string[] = []
  if (bytes.toString('latin1', 0, 16) !== 'SQLite format 3\0')
    problems.push('it does not begin as a SQLite file')
  for (const [at, length, value, what] of FIXED) {
    const found = bytes.readUIntBE(at, length)
    if (found !== value) problems.push(`${what} (byte ${at}) is ${found}, not ${value}`)
  }
  if (bytes[18] !== bytes[19] || !JOURNAL_BYTES.includes(bytes[18]!))
    problems.push(`the journal mode (bytes 18 and 19) is ${bytes[18]} and ${bytes[19]}`)
  if (bytes.subarray(72, 92).some((byte) => byte !== 0)) problems.push('bytes 72 to 91 are not all zero')
  if (bytes.readUInt32BE(24) !== bytes.readUInt32BE(92))
    problems.push('its two change counters differ (bytes 24 and 92)')
  const pages = bytes.readUInt32BE(28)
  if (!hasWal && pages * PAGE_BYTES !== fileBytes)
    problems.push(`it has ${fileBytes} bytes, and should have ${pages} pages of ${PAGE_BYTES}`)
  return problems
}
