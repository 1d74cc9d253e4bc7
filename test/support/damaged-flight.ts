/** Damaged flight: a flight of three segments for tests of what damage costs, and ways to damage its file. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { FlightFile } from '../../src/storage/flight/flight-file.js'
import type { Gap } from '../../src/storage/flight/flight.js'
import { Sqlite } from '../../src/storage/flight/sqlite.js'
import { FRAME, NOISE } from '../../src/storage/segment/records.js'
import type { Vault } from '../../src/storage/vault/vault.js'
import { ATTITUDE, HEARTBEAT, filler, known } from './frames.js'
import { linesOf } from './recordings.js'
import type { TestRecord } from './recordings.js'
import { storeFlight } from './stored-flight.js'

/** Enough of the frequent message that it fills a piece of its own. */
const PER_SEGMENT = 1600

/** What came in during a segment: messages that get a piece of their own, few ones of the same sender and of another that
 * share one, and noise. */
export function records(segment: number): TestRecord[] {
  return Array.from({ length: PER_SEGMENT }, (_, i): TestRecord[] => {
    const n = PER_SEGMENT * segment + i
    const timeUs = BigInt(1_000_000 + n * 5_000)
    const attitude = known(ATTITUDE, { seq: (2 * n) & 0xff, payload: filler(28, n + 1) })
    const heartbeat = known(HEARTBEAT, { seq: n & 0xff, sysid: 2 })
    const own = known(HEARTBEAT, { seq: (2 * n + 1) & 0xff })
    return [
      { kind: FRAME, link: 0, timeUs, bytes: attitude },
      ...(i % 8 === 1 ? [{ kind: FRAME, link: 0, timeUs, bytes: own }] : []),
      ...(i % 16 === 0 ? [{ kind: FRAME, link: 1, timeUs, bytes: heartbeat }] : []),
      ...(i % 200 === 14 * segment ? [{ kind: NOISE, link: 0, timeUs, bytes: filler(9 + i, n) }] : []),
    ] as TestRecord[]
  }).flat()
}

/** Stores it, with two events, two clock anchors and these gaps. */
export function storeThreeSegments(vault: Vault, id: string, gaps: readonly Gap[] = []): Promise<string> {
  return storeFlight(vault, {
    head: { id },
    segments: [records(0), records(1), records(2)],
    happened: {
      gaps: [...gaps],
      events: [
        { recvTimeUs: 1_000_000, kind: 'armed', detail: 'vehicle 1/1' },
        { recvTimeUs: 2_000_000, kind: 'disarmed', detail: 'vehicle 1/1' },
      ],
      anchors: [
        { recvTimeUs: 1_000_000, utcUs: 1_704_067_200_000_000, source: 'gps' },
        { recvTimeUs: 5_000_000, utcUs: 1_704_067_204_000_000, source: 'gps' },
      ],
    },
  })
}

/** Flips a bit in the middle of what a piece holds; the file stays as it is otherwise. */
export async function damagePiece(path: string, where: string): Promise<number> {
  const db = await Sqlite.open(path, 'read')
  const [row] = await db.all(`SELECT id, body FROM piece WHERE ${where} ORDER BY id`)
  await db.close()
  const body = Buffer.from(row!['body'] as Uint8Array)
  damageBytes(path, body.subarray(body.length - 24, body.length - 8))
  return Number(row!['id'])
}

/** Flips a bit where these bytes lie. */
export function damageBytes(path: string, bytes: Uint8Array): void {
  const file = readFileSync(path)
  const at = file.indexOf(bytes)
  if (at < 0) throw new Error('the bytes are not in the file in one')
  file[at + 1]! ^= 0x10
  overwrite(path, file)
}

export function overwrite(path: string, file: Uint8Array): void {
  chmodSync(path, 0o640)
  writeFileSync(path, file)
}

/** Changes the file with SQL, as no damage would, but with every page as it should be. */
export async function change(path: string, sql: string): Promise<void> {
  chmodSync(path, 0o640)
  const db = await Sqlite.open(path, 'write')
  await db.script(sql)
  await db.close()
}

/** One line a record. */
export async function linesIn(path: string): Promise<string[]> {
  const { file } = await FlightFile.open(path)
  try {
    const lines: string[] = []
    for (const segment of file.segments) lines.push(...linesOf(await segment.records()))
    return lines
  } finally {
    await file.close()
  }
}
