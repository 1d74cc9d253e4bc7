/**
 * Time span: from when to when a recording goes, though damage made some of its timestamps wrong by years.
 */
import { isBelievable } from './tlog.js'

/** Timestamps that lie together. */
interface Cluster {
  fromUs: number
  toUs: number
  frames: number
}

/** A timestamp this far from all others begins a cluster of its own (µs): recordings pause, but seldom for so long. */
const APART_US = 3600e6
/** Clusters that are told apart: damage makes single ones, and it must not take the memory (clusters). */
const MAX_CLUSTERS = 64
/** A cluster counts if it has this share of the frames: a second flight has it, wrong timestamps do not. */
const MIN_SHARE = 0.01

export class TimeSpan {
  readonly #clusters: Cluster[] = []
  #frames = 0

  /** Takes a frame's timestamp (µs since 1970). */
  add(timeUs: number): void {
    if (!isBelievable(timeUs)) return
    this.#frames++
    const near = ({ fromUs, toUs }: Cluster): boolean =>
      timeUs > fromUs - APART_US && timeUs < toUs + APART_US
    const cluster = this.#clusters.find(near)
    if (cluster !== undefined) {
      cluster.frames++
      if (timeUs < cluster.fromUs) cluster.fromUs = timeUs
      if (timeUs > cluster.toUs) cluster.toUs = timeUs
    } else if (this.#clusters.length < MAX_CLUSTERS) {
      this.#clusters.push({ fromUs: timeUs, toUs: timeUs, frames: 1 })
    }
  }

  /** The span (µs), or null where no timestamp can be believed. */
  get span(): { fromUs: number; toUs: number } | null {
    const believed = this.#clusters.filter(({ frames }) => frames >= this.#frames * MIN_SHARE)
    if (believed.length === 0) return null
    return {
      fromUs: Math.min(...believed.map(({ fromUs }) => fromUs)),
      toUs: Math.max(...believed.map(({ toUs }) => toUs)),
    }
  }
}
