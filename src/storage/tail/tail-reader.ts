/**
 * Tail reader: what of a flight that is being recorded lies in the tails and in no segment yet.
 */
import type { Chunk, ItemSink } from './chunk.js'
import type { ClockAnchor, FlightEvent, FlightHead, Gap } from '../flight/flight.js'
import { Records } from '../segment/records.js'
import { readTail } from './tail.js'
import type { Vault } from '../vault/vault.js'

/** Chunks of one flight as if they were a segment, in order. */
export interface TailPart {
  head: FlightHead
  firstChunk: number
  lastChunk: number
  records: Records
  gaps: Gap[]
  events: FlightEvent[]
  anchors: ClockAnchor[]
}

/** All chunks that were in the tails at one moment. */
export type TailSnapshot = readonly Chunk[]

/** Takes the tails as they are. Do it before a flight file is read: a chunk leaves them only when a segment holds it. */
export function snapshotTails(vault: Vault): TailSnapshot {
  const chunks = [...readTail(vault.tailPath(0)), ...readTail(vault.tailPath(1))]
  return chunks.toSorted((a, b) => a.sequence - b.sequence)
}

/** The flights that have chunks in the tails, oldest first. One that is new has no flight file yet. */
export function flightsIn(snapshot: TailSnapshot): FlightHead[] {
  return [...new Map(snapshot.map(({ head }) => [head.id, head])).values()]
}

/** The chunks of flight `id` behind chunk `after`, or undefined where there is none. */
export function tailPartOf(snapshot: TailSnapshot, id: string, after: number): TailPart | undefined {
  const chunks = snapshot.filter(({ head, sequence }) => head.id === id && sequence > after)
  const [first] = chunks
  if (first === undefined) return undefined
  const part: TailPart = {
    head: first.head,
    firstChunk: first.sequence,
    lastChunk: chunks.at(-1)!.sequence,
    records: new Records(),
    gaps: [],
    events: [],
    anchors: [],
  }
  const sink: ItemSink = {
    record: (kind, link, timeUs, bytes, start, end) =>
      part.records.append(kind, link, timeUs, bytes, start, end),
    gap: (gap) => part.gaps.push(gap),
    event: (event) => part.events.push(event),
    anchor: (anchor) => part.anchors.push(anchor),
    close: () => {},
  }
  for (const chunk of chunks) chunk.read(sink)
  return part
}
