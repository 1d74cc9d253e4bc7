/**
 * Encoding: a segment of about a megabyte by column and back, in memory.
 */
import { readFileSync } from 'node:fs'
import { loadDialect } from '../../dist/mavlink/dialect.js'
import { Vehicles } from '../../dist/mavlink/vehicles.js'
import { SEGMENT_BYTES } from '../../dist/storage/flight/flight-builder.js'
import { Intake } from '../../dist/storage/intake/intake.js'
import { Records } from '../../dist/storage/segment/records.js'
import { decodeSegment, encodeSegment } from '../../dist/storage/segment/segment.js'

/** Segments that are measured, after one to warm up. */
const SEGMENTS = 4

/** Milliseconds a megabyte of frames takes each way. */
export async function encodeAndDecode({ path }) {
  const dialect = loadDialect()
  const layoutOf = (msgid) => dialect.byId.get(msgid)
  const ms = { encode: 0, decode: 0 }
  let bytes = 0
  for (const [i, records] of segmentsOf(path, dialect).entries()) {
    const startMs = performance.now()
    const segment = await encodeSegment(records, layoutOf)
    const encodedMs = performance.now()
    const back = await decodeSegment(segment.pieces)
    const decodedMs = performance.now()
    if (back.count !== records.count) throw new Error('a segment does not come back whole')
    if (i === 0) continue
    ms.encode += encodedMs - startMs
    ms.decode += decodedMs - encodedMs
    bytes += records.byteLength
  }
  return { encodeMsPerMb: ms.encode / (bytes / 1e6), decodeMsPerMb: ms.decode / (bytes / 1e6) }
}

function segmentsOf(path, dialect) {
  const segments = []
  let records = new Records()
  const sink = (kind, link, timeUs, bytes, start, end) => {
    records.append(kind, link, timeUs, bytes, start, end)
    if (records.byteLength < SEGMENT_BYTES) return
    segments.push(records)
    records = new Records()
  }
  const vehicles = new Vehicles(dialect, { heartbeat() {}, event() {}, utc() {} })
  const onRedaction = () => {}
  const intake = new Intake({ link: 0, dialect, vehicles, sink, timestamped: true, onRedaction })
  const bytes = readFileSync(path)
  const step = SEGMENT_BYTES / 4
  for (let at = 0; at < bytes.length && segments.length <= SEGMENTS; at += step)
    intake.push(bytes.subarray(at, at + step), 0)
  return segments
}
