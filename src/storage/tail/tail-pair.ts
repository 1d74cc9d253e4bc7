/**
 * Tail pair: the two tails of a vault. While the chunks of one become a segment, the other takes the new ones.
 */
import type { ChunkWriter } from './chunk.js'
import { PAGE_BYTES } from './chunk.js'
import { TAIL_BYTES, Tail, lastSequenceIn } from './tail.js'
import type { Vault } from '../vault/vault.js'

/** A tail with less room than this is nearly full: what is in it should become a segment (bytes). */
const NEARLY_FULL_BYTES = TAIL_BYTES / 4

export class TailPair {
  #current: Tail
  #other: Tail
  /** Chunks up to here are in segments. */
  #committed: number

  /** Opens both for writing; what they held must have been recovered, up to chunk `committed`. */
  constructor(vault: Vault, committed: number) {
    const [newer, older] = [vault.tailPath(0), vault.tailPath(1)].toSorted(
      (a, b) => lastSequenceIn(b) - lastSequenceIn(a),
    )
    this.#current = Tail.open(newer!)
    this.#other = Tail.open(older!)
    vault.syncNames()
    this.#committed = committed
    this.#clear(this.#current)
  }

  /** Chunks up to this one are in segments. */
  get committedSequence(): number {
    return this.#committed
  }

  /** The current tail should be emptied, whatever its records are worth as a segment. */
  get isNearlyFull(): boolean {
    return this.#current.room < NEARLY_FULL_BYTES
  }

  /** Makes the chunk durable; false where neither tail has room for it. Errors: the tail's Fault. */
  append(chunk: ChunkWriter, sequence: number): boolean {
    if (this.#isFree(this.#current)) this.#clear(this.#current)
    if (this.#current.room < chunk.mostPages * PAGE_BYTES && !this.switch()) return false
    this.#current.append(chunk, sequence)
    return true
  }

  /** Goes on in the other tail, if all that it holds is in segments; says whether it is. */
  switch(): boolean {
    if (this.#other.lastSequence > this.#committed) return false
    const next = this.#other
    if (this.#isFree(next)) this.#clear(next)
    this.#other = this.#current
    this.#current = next
    return true
  }

  /** Chunks up to `sequence` are in segments. */
  committed(sequence: number): void {
    this.#committed = sequence
  }

  /** Lets go of the files; those that hold nothing but what segments hold are marked so. */
  close(): void {
    for (const tail of [this.#current, this.#other]) {
      if (this.#isFree(tail)) this.#clear(tail)
    }
    this.#current.close()
    this.#other.close()
  }

  /**
   * Marks the tail as empty. It may hold the vault's last number, and a power cut may tear the page that replaces it: so
   * the number is in the other tail before, unless that one has a higher one.
   */
  #clear(tail: Tail): void {
    const beside = tail === this.#current ? this.#other : this.#current
    if (beside.lastSequence <= this.#committed) beside.restart(this.#committed)
    tail.restart(this.#committed)
  }

  #isFree(tail: Tail): boolean {
    return tail.lastSequence > 0 && tail.lastSequence <= this.#committed
  }
}
