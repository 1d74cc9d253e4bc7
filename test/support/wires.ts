/**
 * Wires: streams as vehicles send them, undamaged, with the places of their frames: of the recordings, where those are
 * here, and made ones, so that there are some everywhere and of kinds that no recording has (signed frames).
 */
import { readFileSync } from 'node:fs'
import type { CrcExtraTable } from '../../src/link/crc-extra.js'
import { loadDialect } from '../../src/mavlink/dialect.js'
import { createCopter } from '../../src/simulator/copter.js'
import { createRandom } from '../../src/simulator/random.js'
import { captures } from './captures.js'
import type { Oracle } from './captures.js'
import { checksum, markerScan } from './marker-scan.js'

export interface Wire {
  name: string
  bytes: Uint8Array
  /** Start and end of each frame, in order; what is between them is noise that was there from the beginning. */
  frames: Int32Array
  /** What an independent decoder found in the recording. */
  oracle?: Oracle
}

const table: CrcExtraTable = loadDialect().byId

/** Of each recording the frames, one behind the other, and of one that is no tlog also the stream as it was recorded. */
export function capturedWires(): Wire[] {
  return captures().flatMap(({ name, path, oracle }) => {
    const file = Uint8Array.from(readFileSync(path))
    const frames = markerScan(file, table)
    const whole = { name: `${name} as recorded`, bytes: file, frames, oracle }
    const wire = { ...joined(name, file, frames), oracle }
    return oracle.format === 'raw' ? [wire, whole] : [wire]
  })
}

/** Flights of the simulator: of either version, and signed. */
export async function madeWires(durationS: number): Promise<Wire[]> {
  const [v1, v2] = [await flown(1, durationS), await flown(2, durationS)]
  return [
    wireOf('simulated, MAVLink 1', v1),
    wireOf('simulated, MAVLink 2', v2),
    wireOf('simulated, signed', v2.map(sign)),
  ]
}

async function flown(version: 1 | 2, durationS: number): Promise<Uint8Array[]> {
  const copter = await createCopter({ seed: 12, durationS, version })
  return Array.from(copter.frames(), ({ bytes }) => Uint8Array.from(bytes))
}

function wireOf(name: string, parts: readonly Uint8Array[]): Wire {
  const frames = new Int32Array(2 * parts.length)
  let end = 0
  parts.forEach((part, i) => {
    frames[2 * i] = end
    end += part.length
    frames[2 * i + 1] = end
  })
  return { name, bytes: Uint8Array.from(Buffer.concat(parts)), frames }
}

function joined(name: string, file: Uint8Array, frames: Int32Array): Wire {
  const parts = Array.from({ length: frames.length / 2 }, (_, i) =>
    file.subarray(frames[2 * i], frames[2 * i + 1]),
  )
  return wireOf(name, parts)
}

const signatureBytes = createRandom(6)

/** The frame as a sender with a key sends it: link id 1, time in steps of 10 µs, and six bytes that look random. */
function sign(frame: Uint8Array, index: number): Uint8Array {
  const signed = new Uint8Array(frame.length + 13)
  signed.set(frame)
  signed[2] = 1
  const crcAt = frame.length - 2
  const { crcExtra } = table.get(frame[7]! + 256 * frame[8]! + 65536 * frame[9]!)!
  const view = new DataView(signed.buffer)
  view.setUint16(crcAt, checksum(signed, 1, crcAt, crcExtra), true)
  signed[crcAt + 2] = 1
  view.setUint32(crcAt + 3, 0x1f4d_2000 + 1000 * index, true)
  view.setUint16(crcAt + 7, 0x4a21, true)
  for (let i = crcAt + 9; i < signed.length; i++) signed[i] = Math.floor(256 * signatureBytes())
  return signed
}
