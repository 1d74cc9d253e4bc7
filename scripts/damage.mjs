#!/usr/bin/env node
/**
 * Damages a stream as a bad line would, by a seed, and says which of its frames stayed intact. Its core is
 * src/simulator/damage.ts, which the tests of the splitter use too. Runs what is built: scripts/build.mjs first.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { createSplitter } from '../dist/link/frame-splitter.js'
import { msgidAt } from '../dist/link/frame.js'
import { loadDialect } from '../dist/mavlink/dialect.js'
import { damage, intactFrames } from '../dist/simulator/damage.js'
import { FormatGuess } from '../dist/storage/import/recording-format.js'
import { TIMESTAMP_BYTES } from '../dist/storage/import/tlog.js'

const program = new Command('damage')
  .description('damage a MAVLink stream by a seed, and say which frames stayed intact')
  .argument('<file>', 'a raw stream or a tlog')
  .requiredOption('--out <file>', 'where the damaged stream goes')
  .option('--report <file>', 'which frames stayed intact, as JSON')
  .option('--seed <number>', 'the same seed does the same damage', wholeNumber, 1)
  .option('--loss <probability>', 'of each byte to be lost', probability, 0)
  .option('--flip <probability>', 'of each byte to be changed', probability, 0)
  .option('--junk <probability>', 'of random bytes before each byte', probability, 0)
  .option('--max-junk <bytes>', 'the longest run of them', wholeNumber, 40)
  .addOption(
    new Option('--format <format>', 'what the file is; auto looks at it')
      .choices(['auto', 'tlog', 'raw'])
      .default('auto'),
  )
  .option('--keep-timestamps', 'damage a tlog as a file; without it, its frames as they were on the wire')
  .addHelpText(
    'after',
    `
The report: { source, output, seed, loss, flip, junk, lostBytes, flippedBytes, junkBytes, frames, intact }, where
frames counts those of the source and intact lists those that came through whole: { msgid, source, output, bytes },
with the offset of the frame's first byte in the file that was read and in the one that was written.

Example: node scripts/damage.mjs flight.tlog --loss 0.002 --seed 7 --out damaged.raw --report intact.json`,
  )

program.action((path, options, command) => {
  if (resolve(path) === resolve(options.out)) command.error('error: --out is the stream itself')
  const file = read(path)
  const format = options.format === 'auto' ? formatOf(file) : options.format
  const wire = readWire(file, format === 'tlog' ? TIMESTAMP_BYTES : 0, options.keepTimestamps === true)
  const damaged = damage(wire.bytes, {
    seed: options.seed,
    lossPerByte: options.loss,
    flipPerByte: options.flip,
    junkPerByte: options.junk,
    maxJunkBytes: options.maxJunk,
  })
  const starts = intactFrames(Int32Array.from(wire.frames.flatMap(({ from, to }) => [from, to])), damaged)
  const intact = wire.frames.flatMap(({ msgid, from, to, source }, i) =>
    starts[i] < 0 ? [] : [{ msgid, source, output: starts[i], bytes: to - from }],
  )
  const { lostBytes, flippedBytes, junkBytes } = damaged
  writeFileSync(options.out, damaged.bytes)
  if (options.report !== undefined) {
    const { seed, loss, flip, junk } = options
    const counts = { lostBytes, flippedBytes, junkBytes, frames: wire.frames.length }
    const report = { source: path, output: options.out, seed, loss, flip, junk, ...counts, intact }
    writeFileSync(options.report, `${JSON.stringify(report)}\n`)
  }
  console.log(
    `${wire.bytes.length} bytes of ${format}: ${lostBytes} lost, ${flippedBytes} changed, ${junkBytes} of junk; ` +
      `${intact.length} of ${wire.frames.length} frames intact`,
  )
})
program.parse()

function read(path) {
  try {
    return readFileSync(path)
  } catch (error) {
    return program.error(`cannot read ${path}: ${error.message}`)
  }
}

/** The bytes to damage, and the frames in them: where each begins and ends there, and where it begins in the file. */
function readWire(file, prefixBytes, keepTimestamps) {
  const parts = []
  const frames = []
  let length = 0
  let done = 0
  const take = (bytes) => {
    parts.push(Uint8Array.from(bytes))
    length += bytes.length
  }
  const splitter = createSplitter(
    loadDialect().byId,
    {
      frame(bytes, start, end) {
        const at = start + prefixBytes
        if (keepTimestamps) take(bytes.subarray(start, at))
        frames.push({
          msgid: msgidAt(bytes, at),
          from: length,
          to: length + end - at,
          source: done + prefixBytes,
        })
        take(bytes.subarray(at, end))
        done += end - start
      },
      noise(bytes, start, end) {
        take(bytes.subarray(start, end))
        done += end - start
      },
    },
    { prefixBytes },
  )
  splitter.push(file)
  splitter.end()
  return { bytes: Buffer.concat(parts), frames }
}

function formatOf(file) {
  const guess = new FormatGuess(loadDialect().byId)
  guess.push(file)
  return guess.end()
}

function probability(text) {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value <= 1)) throw new InvalidArgumentError('it is 0 to 1.')
  return value
}

function wholeNumber(text) {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('it is a whole number.')
  return Number(text)
}
