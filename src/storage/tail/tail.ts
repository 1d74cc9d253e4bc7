/**
 * Tail: a file of fixed size into which chunks are written one behind the other, each durable when `append` returns.
 * It is made once and overwritten in place for ever: appending to a file makes the file system commit its journal with
 * every flush, eight bytes on the card for one of telemetry.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { Fault, reasonOf } from '../../base/fault.js'
import { PAGE_BYTES, SEQUENCE_OFFSET, chunkAt } from './chunk.js'
import type { Chunk, ChunkPlace, ChunkWriter } from './chunk.js'
import { syncFolderOf } from '../vault/vault.js'

/**
 * Size of a tail, and the most that the items in it have before they are compressed, as they are gathered in memory for a
 * segment (bytes): 40 s of a full 921600-baud line, time enough for a segment to be encoded and committed.
 */
export const TAIL_BYTES = 4 * 1024 * 1024

/** The tail cannot be written or opened. */
export const TAIL_FAULT = 'GL-TAIL-01'

export class Tail {
  readonly path: string
  readonly #file: number
  #at = 0
  /** Bytes of the items in it, before they were compressed. */
  #itemBytes = 0
  /** Of this round of use; random, so that no older round, whose end may be lost, can have had the same. */
  #generation = randomGeneration()
  /** Sequence of the last chunk in it; 0 where there is none. */
  lastSequence = 0

  private constructor(path: string, file: number) {
    this.path = path
    this.#file = file
  }

  /** Opens the tail for writing, from its front; makes it where there is none. What is in it must have been recovered. */
  static open(path: string): Tail {
    try {
      if (!existsSync(path)) makeTail(path)
      return new Tail(path, openSync(path, 'r+'))
    } catch (cause) {
      throw tailFault('open', path, cause)
    }
  }

  /** Bytes that are free for chunks, or, where that is less, for their items. */
  get room(): number {
    return TAIL_BYTES - Math.max(this.#at, this.#itemBytes)
  }

  /** Writes the chunk behind the last one. When it returns the chunk is on the card. */
  append(writer: ChunkWriter, sequence: number): void {
    const chunk = writer.finish({ generation: this.#generation, sequence })
    try {
      for (let done = 0; done < chunk.length;) {
        done += writeSync(this.#file, chunk, done, chunk.length - done, this.#at + done)
      }
      fdatasyncSync(this.#file)
    } catch (cause) {
      throw tailFault('write', this.path, cause)
    }
    this.#at += chunk.length
    this.#itemBytes += writer.length
    this.lastSequence = sequence
  }

  /**
   * Begins again at the front: all its chunks are committed elsewhere. The card is told, too: recovery must not bring
   * back a flight that was closed, handed over and deleted. `sequence`: of the last chunk of the vault; the empty page
   * keeps it, so that numbers go on.
   */
  restart(sequence: number): void {
    const page = new Uint8Array(PAGE_BYTES)
    new DataView(page.buffer).setBigUint64(SEQUENCE_OFFSET, BigInt(sequence), true)
    try {
      writeSync(this.#file, page, 0, PAGE_BYTES, 0)
      fdatasyncSync(this.#file)
    } catch (cause) {
      throw tailFault('clear', this.path, cause)
    }
    this.#at = 0
    this.#itemBytes = 0
    this.lastSequence = 0
    this.#generation = randomGeneration()
  }

  close(): void {
    closeSync(this.#file)
  }
}

/** A generation: any number of 32 bits but 0. */
function randomGeneration(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! || 1
}

/** Zeros, on the card before anybody sees the name: a hole would be allocated, and journalled, at each write. */
function makeTail(path: string): void {
  const aside = `${path}.new`
  const file = openSync(aside, 'w', 0o640)
  try {
    const zeros = new Uint8Array(TAIL_BYTES)
    for (let done = 0; done < TAIL_BYTES;) done += writeSync(file, zeros, done)
    fsyncSync(file)
  } catch (error) {
    rmSync(aside, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
  renameSync(aside, path)
  syncFolderOf(path)
}

/**
 * The chunks of the tail's current round of use, in order: those from its front on that have one generation and follow
 * each other. Chunks of earlier rounds lie behind them; a segment holds those.
 */
export function readTail(path: string): Chunk[] {
  const bytes = existsSync(path) ? readFileSync(path) : new Uint8Array(0)
  const chunks: Chunk[] = []
  for (let at = 0; ;) {
    const chunk = chunkAt(bytes, at)
    const before = chunks.at(-1)
    if (chunk === undefined || (before !== undefined && !follows(chunk, before))) return chunks
    chunks.push(chunk)
    at += Math.ceil(chunk.length / PAGE_BYTES) * PAGE_BYTES
  }
}

/** Sequence of the last chunk that the tail holds or, empty, held; 0 where there never was one. */
export function lastSequenceIn(path: string): number {
  const last = readTail(path).at(-1)
  if (last !== undefined || !existsSync(path)) return last?.sequence ?? 0
  const page = readFileSync(path).subarray(0, PAGE_BYTES)
  const view = new DataView(page.buffer, page.byteOffset, page.length)
  const isEmpty = page.length === PAGE_BYTES && view.getUint32(0, true) === 0
  return isEmpty ? Number(view.getBigUint64(SEQUENCE_OFFSET, true)) : 0
}

function follows(chunk: ChunkPlace, before: ChunkPlace): boolean {
  return chunk.generation === before.generation && chunk.sequence === before.sequence + 1
}

function tailFault(op: string, path: string, cause: unknown): Fault {
  return new Fault({
    code: TAIL_FAULT,
    op: `${op} the tail`,
    subject: path,
    found: reasonOf(cause),
    hint: 'Nothing can be stored durably until the disk takes writes again: check its space, health and permissions.',
    recovery: 'retry',
    cause,
  })
}
