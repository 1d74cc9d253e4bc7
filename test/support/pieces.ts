/** Pieces: what a splitter made of a stream, to be compared. */
import { expect } from 'vitest'
import type { CrcExtraTable } from '../../src/link/crc-extra.js'
import type { FrameSplitter } from '../../src/link/frame-splitter.js'
import { createSplitter } from '../../src/link/frame-splitter.js'
import type { FrameParts } from './frames.js'
import { ATTITUDE, HEARTBEAT, KNOWN, concat, frame, known } from './frames.js'

export interface Piece {
  kind: 'frame' | 'noise'
  hex: string
}

export const hex = (of: Uint8Array): string => Buffer.from(of).toString('hex')
export const isFrame = (of: Uint8Array): Piece => ({ kind: 'frame', hex: hex(of) })
export const isNoise = (of: Uint8Array): Piece => ({ kind: 'noise', hex: hex(of) })

/** A splitter that keeps its pieces, neighbouring noise as one. */
export class Collector {
  readonly pieces: Piece[] = []
  mostHeld = 0
  readonly splitter: FrameSplitter

  constructor(prefixBytes = 0, table: CrcExtraTable = KNOWN) {
    const take = (kind: Piece['kind']) => (from: Uint8Array, start: number, end: number) => {
      expect(end).toBeGreaterThan(start)
      const text = hex(from.subarray(start, end))
      const last = this.pieces.at(-1)
      if (kind === 'noise' && last?.kind === 'noise') last.hex += text
      else this.pieces.push({ kind, hex: text })
    }
    this.splitter = createSplitter(table, { frame: take('frame'), noise: take('noise') }, { prefixBytes })
  }

  push(...parts: Uint8Array[]): this {
    for (const part of parts) {
      this.splitter.push(part)
      this.mostHeld = Math.max(this.mostHeld, this.splitter.heldBytes)
    }
    return this
  }

  end(): this {
    this.splitter.end()
    return this
  }

  get frames(): string[] {
    return this.pieces.filter(({ kind }) => kind === 'frame').map((piece) => piece.hex)
  }

  get all(): string {
    return this.pieces.map((piece) => piece.hex).join('')
  }
}

/** The pieces of a stream that is pushed at once and ends. */
export const split = (...parts: Uint8Array[]): Piece[] => new Collector().push(concat(parts)).end().pieces

/** The stream in parts of these sizes, over and over. */
export function cut(stream: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let at = 0, i = 0; at < stream.length; i++) {
    const size = sizes[i % sizes.length]!
    parts.push(stream.slice(at, at + size))
    at += size
  }
  return parts
}

export const heartbeat = (parts: FrameParts = {}): Uint8Array => known(HEARTBEAT, parts)
export const attitude = (parts: FrameParts = {}): Uint8Array => known(ATTITUDE, parts)

/** A frame of an id that the table lacks, with this CRC_EXTRA. */
export const stranger = (crcExtra: number, parts: FrameParts = {}): Uint8Array =>
  frame({ msgid: 410, payload: [1, 2, 3, 4], crcExtra, ...parts })
