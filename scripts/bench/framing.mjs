/**
 * Framing: bytes to frames with a right checksum, ours and node-mavlink's; counted, or decoded to objects as well.
 * Each function returns MB/s and what it found. Bytes are given in pieces, as a port gives them.
 */
import { once } from 'node:events'
import {
  MavLinkPacketParser,
  MavLinkPacketSplitter,
  ardupilotmega,
  common,
  icarous,
  minimal,
  standard,
  uavionix,
} from 'node-mavlink'
import { coreMs } from './core-time.mjs'
import { createSplitter } from '../../dist/link/frame-splitter.js'
import { HEADER_V1_BYTES, HEADER_V2_BYTES, STX_V1, msgidAt } from '../../dist/link/frame.js'
import { decoderFor } from '../../dist/mavlink/decode.js'
import { crcTable, loadDialect } from '../../dist/mavlink/dialect.js'

/** Loops are warm after this many bytes: V8 compiles them while it runs (bytes). */
const WARM_BYTES = 4e6
/** Ours is repeated until it has taken so long: a shorter time says little (ms). */
const LEAST_MS = 300

/** Our splitter over the whole dialect. */
export function frameOurs({ bytes, pieceBytes, decode = false }) {
  pushOurs(piecesOf(bytes.subarray(0, WARM_BYTES), pieceBytes), decode)
  const pieces = piecesOf(bytes, pieceBytes)
  const startMs = coreMs()
  let [found, pushedBytes] = [null, 0]
  do {
    found = pushOurs(pieces, decode)
    pushedBytes += bytes.length
  } while (coreMs() - startMs < LEAST_MS)
  return { mbPerS: pushedBytes / 1000 / (coreMs() - startMs), ...found }
}

/** The bytes as a port gives them: cut before the clock runs. */
export function piecesOf(bytes, pieceBytes) {
  const count = Math.ceil(bytes.length / pieceBytes)
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes))
}

function pushOurs(pieces, decode) {
  const found = { frames: 0, fields: 0 }
  const count = () => void found.frames++
  const sink = { frame: decode ? decoding(found) : count, noise: () => {} }
  const splitter = createSplitter(crcTable(loadDialect()), sink)
  for (const piece of pieces) splitter.push(piece)
  splitter.end()
  return found
}

/** A sink that makes an object of each frame, 64-bit integers exact, and looks at it. */
function decoding(found) {
  const { byId } = loadDialect()
  const decoders = new Map([...byId].map(([msgid, layout]) => [msgid, decoderFor(layout)]))
  let view = new DataView(new ArrayBuffer(0))
  return (bytes, at) => {
    if (view.buffer !== bytes.buffer) view = new DataView(bytes.buffer)
    const headerBytes = bytes[at] === STX_V1 ? HEADER_V1_BYTES : HEADER_V2_BYTES
    const decode = decoders.get(msgidAt(bytes, at))
    if (decode === undefined) return
    if (decode(view, bytes.byteOffset + at + headerBytes, bytes[at + 1]) !== null) found.fields++
    found.frames++
  }
}

/** Every message that node-mavlink has a class for in its dialects of this kind, by id. */
const CLASSES = {
  ...uavionix.REGISTRY,
  ...icarous.REGISTRY,
  ...common.REGISTRY,
  ...standard.REGISTRY,
  ...minimal.REGISTRY,
  ...ardupilotmega.REGISTRY,
}

/** node-mavlink as its README uses it: a splitter and a parser, two streams, and `data` of the parser's protocol. */
export async function frameReference({ bytes, pieceBytes, decode = false }) {
  await pushReference(piecesOf(bytes.subarray(0, bytes.length / 2), pieceBytes), decode)
  const pieces = piecesOf(bytes, pieceBytes)
  const startMs = coreMs()
  const found = await pushReference(pieces, decode)
  return { mbPerS: bytes.length / 1000 / (coreMs() - startMs), ...found }
}

async function pushReference(pieces, decode) {
  const found = { frames: 0, fields: 0 }
  await parseReference(pieces, (frame) => {
    found.frames++
    if (decode && messageOf(frame) !== null) found.fields++
  })
  return found
}

/** Calls `take` with each frame that node-mavlink finds, as its parser gives it. */
export async function parseReference(pieces, take) {
  const splitter = new MavLinkPacketSplitter()
  const parser = splitter.pipe(new MavLinkPacketParser())
  parser.on('data', take)
  for (const piece of pieces) if (!splitter.write(piece)) await once(splitter, 'drain')
  splitter.end()
  await once(parser, 'end')
}

/** The message as node-mavlink's object, or null where it has no class for it. */
export function messageOf({ header, payload, protocol }) {
  return header.msgid in CLASSES ? protocol.data(payload, CLASSES[header.msgid]) : null
}
