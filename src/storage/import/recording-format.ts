/**
 * Recording format: whether a file is a tlog or a raw byte stream, and what it looks like when it is neither.
 */
import type { CrcExtraTable } from '../../link/crc-extra.js'
import { createSplitter } from '../../link/frame-splitter.js'
import { TIMESTAMP_BYTES, isBelievable, timestampAt } from './tlog.js'

export type RecordingFormat = 'tlog' | 'raw'

/** A file is clearly of a format if this share of its frames is: damage takes some. */
const CLEAR_SHARE = 0.9

/**
 * Of the frames of a tlog so many stand behind 8 bytes, damaged as it may be (a share); with less, half of what stands there
 * must be believable times: behind damage and unknown messages there is more than a timestamp. In doubt the answer is
 * 'raw', which loses nothing: of a noisy stream read as a tlog, frames with less than 8 bytes before them would be noise.
 */
const LEAST_SHARE = 0.25

/** Tells the formats apart as the file goes by: in a tlog 8 bytes stand between frames, in a raw stream none. */
export class FormatGuess {
  frames = 0
  #directly = 0
  #behindTimestamp = 0
  #believable = 0
  /** The noise before the next frame, as far as it may be a timestamp. */
  readonly #stamp = new Uint8Array(TIMESTAMP_BYTES)
  #noise = 0
  readonly #splitter

  constructor(table: CrcExtraTable) {
    this.#splitter = createSplitter(table, {
      frame: () => {
        this.frames++
        if (this.#noise === TIMESTAMP_BYTES) this.#countTimestamp()
        else if (this.#noise === 0) this.#directly++
        this.#noise = 0
      },
      noise: (bytes, start, end) => {
        for (let i = start; i < end && this.#noise + i - start < TIMESTAMP_BYTES; i++)
          this.#stamp[this.#noise + i - start] = bytes[i]!
        this.#noise += end - start
      },
    })
  }

  /** Whether nearly all frames say the same. */
  get isClear(): boolean {
    return Math.max(this.#directly, this.#behindTimestamp) >= CLEAR_SHARE * this.frames
  }

  push(bytes: Uint8Array): void {
    this.#splitter.push(bytes)
  }

  /** The file is over: what it is. Without a frame the answer is 'raw' and means nothing. */
  end(): RecordingFormat {
    this.#splitter.end()
    const stamps = this.#behindTimestamp
    const isUsual = stamps >= LEAST_SHARE * this.frames || 2 * this.#believable >= stamps
    return stamps > this.#directly && isUsual ? 'tlog' : 'raw'
  }

  #countTimestamp(): void {
    this.#behindTimestamp++
    if (isBelievable(Number(timestampAt(this.#stamp, 0)))) this.#believable++
  }
}

/** First bytes of files that people take for telemetry, and what they are. */
const LOOKS: readonly [first: readonly number[], name: string][] = [
  [[0xa3, 0x95], 'an ArduPilot DataFlash log (.bin) from the autopilot’s own card; it holds no MAVLink'],
  [[0x55, 0x4c, 0x6f, 0x67], 'a PX4 ULog from the autopilot’s own card; it holds no MAVLink'],
  [[0x1f, 0x8b], 'a gzip file; unpack it first'],
  [[0x50, 0x4b, 0x03, 0x04], 'a zip archive; unpack it first'],
  [[0x37, 0x7a, 0xbc, 0xaf], 'a 7-zip archive; unpack it first'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'a zstd file; unpack it first'],
  [[0xfd, 0x37, 0x7a, 0x58], 'an xz file; unpack it first'],
  [[0xd4, 0xc3, 0xb2, 0xa1], 'a pcap capture; extract the payload of its packets first'],
  [[0x0a, 0x0d, 0x0d, 0x0a], 'a pcapng capture; extract the payload of its packets first'],
  [
    [0x53, 0x51, 0x4c, 0x69, 0x74, 0x65],
    'a SQLite database; a flight file (.glk) is read as it is, not imported',
  ],
  [[0x89, 0x50, 0x4e, 0x47], 'a PNG picture'],
  [[0xff, 0xd8, 0xff], 'a JPEG picture'],
  [[0x25, 0x50, 0x44, 0x46], 'a PDF document'],
]

/** In words what a file without a frame looks like, from its first bytes. */
export function looksLike(head: Uint8Array): string {
  if (head.length === 0) return 'an empty file'
  const known = LOOKS.find(([first]) => first.every((byte, i) => head[i] === byte))
  if (known !== undefined) return known[1]
  if (head.every((byte) => byte === 0)) return 'nothing but zeros'
  const printable = head.filter((byte) => (byte >= 0x20 && byte < 0x7f) || (byte >= 9 && byte <= 13)).length
  if (printable === head.length) return textLooksLike(new TextDecoder('latin1').decode(head))
  return 'binary data of no kind that is known here'
}

function textLooksLike(text: string): string {
  if (/^\s*[[{]/.test(text)) return 'JSON text'
  if (text.startsWith('QGC WPL')) return 'a waypoint file (QGC WPL), not a recording'
  if (/^FMT,\s*\d+/m.test(text)) return 'an ArduPilot DataFlash log as text (.log); it holds no MAVLink'
  if (/^[\w.-]+[,\t ]+-?[\d.]+\s*$/m.test(text)) return 'a parameter file or a table as text, not a recording'
  return 'text'
}
