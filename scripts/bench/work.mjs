#!/usr/bin/env node
/**
 * Work: one measurement in a process of its own, so that none warms up or clutters another: `work.mjs NAME ARGUMENTS`,
 * ARGUMENTS and the result as JSON. Recordings are read before the clock runs.
 */
import { readFileSync } from 'node:fs'
import { wireOf } from './recordings.mjs'

/** Each loads only what it measures. */
const WORKS = {
  frameOurs: async (request) => (await import('./framing.mjs')).frameOurs(withBytes(request)),
  frameReference: async (request) => (await import('./framing.mjs')).frameReference(withBytes(request)),
  importOurs: async (request) => (await import('./storing.mjs')).importOurs(request),
  importReference: async (request) => (await import('./storing.mjs')).importReference(request),
  readMessage: async (request) => (await import('./reading.mjs')).readMessage(request),
  exportFlight: async (request) => (await import('./reading.mjs')).exportFlight(request),
  encodeAndDecode: async (request) => (await import('./encoding.mjs')).encodeAndDecode(request),
}

/** A tlog is longer than what was on the wire, by 8 bytes a frame of 17 and more: this much of it is enough. */
const TLOG_TO_WIRE = 1.5

/** What was on the wire in the recordings, one after the other: of each the first `sliceBytes`. */
function withBytes({ paths, sliceBytes = Infinity, ...request }) {
  const parts = paths.map((path) => {
    const tlog = readFileSync(path).subarray(0, sliceBytes * TLOG_TO_WIRE)
    return wireOf(tlog).bytes.subarray(0, sliceBytes)
  })
  return { ...request, bytes: parts.length === 1 ? parts[0] : Buffer.concat(parts) }
}

const [, , name, request] = process.argv
console.log(JSON.stringify(await WORKS[name](JSON.parse(request))))
