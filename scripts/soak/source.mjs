#!/usr/bin/env node
/**
 * Source: a copter's bytes at a steady rate, in pieces of PERIOD ms, on pseudo-terminals that all carry the same.
 * A process of its own, so that what it costs is nobody else's:
 *
 *     source.mjs RATE SECONDS PERIOD LINK…      bytes/s, s, ms; links: where the devices appear
 *
 * Says on stdout, one JSON a line: {plugged}, {started} when every device has its reader, {done} with what was sent.
 * The devices stay until its stdin ends.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createCopter } from '../../dist/simulator/copter.js'
import { openPseudoTerminal } from '../../dist/simulator/pseudo-terminal.js'

/** Length of one mission (s of the copter): 32 bits of microseconds since its start, which it sends, end after 71 min. */
const MISSION_S = 3600

const [rate, seconds, periodMs] = process.argv.slice(2, 5).map(Number)
const links = process.argv.slice(5)
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)

const copter = await createCopter({ seed: 7, durationS: MISSION_S })
const terminals = await Promise.all(links.map((link) => openPseudoTerminal({ link })))
say({ plugged: links })
await Promise.all(terminals.map(({ opened }) => opened))
say({ started: true })
say({ done: await send(bytesOf(missions()), rate * seconds) })
process.stdin.resume()
await once(process.stdin, 'end')
await Promise.all(terminals.map((terminal) => terminal.unplug()))

/** One mission after the other: the copter is switched off and on between them. */
function* missions() {
  for (;;) yield* copter.frames()
}

/** Gives the next `count` bytes of the frames at each call, or up to the end of the frame that holds the last of them. */
function bytesOf(frames) {
  let held = Buffer.alloc(0)
  return (count, wholeFrame) => {
    const parts = [held]
    let have = held.length
    for (; have < count; have += parts.at(-1).length) parts.push(frames.next().value.bytes)
    const all = Buffer.concat(parts)
    const end = wholeFrame ? have : count
    held = all.subarray(end)
    return all.subarray(0, end)
  }
}

/** Sends `total` bytes and the rest of the last frame; what is late is sent in its own pieces, at once. */
function send(next, total) {
  const hash = createHash('sha256')
  const startMs = performance.now()
  const sent = { bytes: 0, pieces: 0, latestMs: 0, unheard: 0 }
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const nowMs = performance.now() - startMs
      sent.latestMs = Math.max(sent.latestMs, nowMs - (sent.pieces + 1) * periodMs)
      while ((sent.pieces + 1) * periodMs <= nowMs && sent.bytes < total) {
        const upTo = Math.min(total, Math.round((++sent.pieces * periodMs * rate) / 1000))
        const piece = next(upTo - sent.bytes, upTo === total)
        sent.bytes += piece.length
        hash.update(piece)
        for (const terminal of terminals) void terminal.write(piece).then((taken) => taken || sent.unheard++)
      }
      if (sent.bytes < total) return
      clearInterval(timer)
      resolve({ ...sent, sha256: hash.digest('hex'), seconds: nowMs / 1000 })
    }, periodMs)
  })
}
