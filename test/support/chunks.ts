/** Chunks: small ones for tests of what holds them. */
import type { ItemSink } from '../../src/storage/tail/chunk.js'
import { ChunkWriter } from '../../src/storage/tail/chunk.js'
import type { FlightHead } from '../../src/storage/flight/flight.js'
import { FRAME, NOISE } from '../../src/storage/segment/records.js'
import { filler } from './frames.js'

export const HEAD: FlightHead = {
  id: 'hangar-1a2b-00c0ffee-1',
  station: 'hangar-1a2b',
  bootId: '00c0ffee-0000-0000-0000-000000000000',
  origin: 'live',
  previousPart: null,
  links: ['radio', 'spare'],
  openedUs: 1_000_000,
}

/** A chunk that holds `noiseBytes` bytes of noise, in one record. */
export function chunkOf(noiseBytes: number, seed = 1, head = HEAD): ChunkWriter {
  const chunk = new ChunkWriter()
  chunk.begin(head)
  chunk.record(NOISE, 0, 5_000_000, filler(noiseBytes, seed), 0, noiseBytes)
  return chunk
}

/** One line an item, in order. */
export class ItemLines implements ItemSink {
  readonly lines: string[] = []

  record(kind: number, link: number, timeUs: bigint, bytes: Uint8Array, start: number, end: number): void {
    const hex = Buffer.from(bytes.subarray(start, end)).toString('hex')
    this.lines.push(`${kind === FRAME ? 'frame' : 'noise'} link ${link} at ${timeUs}: ${hex}`)
  }

  gap(gap: object): void {
    this.lines.push(`gap ${JSON.stringify(gap)}`)
  }

  event(event: object): void {
    this.lines.push(`event ${JSON.stringify(event)}`)
  }

  anchor(anchor: object): void {
    this.lines.push(`anchor ${JSON.stringify(anchor)}`)
  }

  close(closing: object): void {
    this.lines.push(`close ${JSON.stringify(closing)}`)
  }
}
