/**
 * Plans: what is measured, each with its goal; `--only` names one. A plan returns its rows.
 * `context`: rounds, quick, flight (a tlog), flightBytes, captures, dir (an empty folder on the disk that counts), say.
 */
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { median, rowOf } from './row.mjs'
import { repeat, sideBySide, work } from './rounds.mjs'

/** As much of the recording as the reference gets: it is slow (bytes). */
const FRAMING_SLICE_BYTES = { quick: 1e6, full: 4e6 }
const STORING_SLICE_BYTES = { quick: 1e6, full: 5e6 }

/** As much of it is framed by us as fits a process comfortably (bytes). */
const FRAMED_BYTES = { quick: 4e6, full: 32e6 }

const KIB = 1024
const PIECES = [64 * KIB, 512]

export const PLANS = { framing, decoding, storing, size, reading, start, rates }

async function framing(context) {
  return framingRows(context, {
    decode: false,
    goal: { of: 'ratio', atLeast: 50 },
    label: 'framing and checksums',
  })
}

async function decoding(context) {
  return framingRows(context, {
    decode: true,
    goal: { of: 'ratio', atLeast: 12 },
    label: 'framing and decoding',
  })
}

async function framingRows(context, { decode, goal, label }) {
  const { quick, flight, captures, rounds, say } = context
  const kinds = { generated: [flight] }
  if (captures.length > 0)
    kinds.captures = captures.filter(({ kind }) => kind !== 'raw').map(({ path }) => path)
  const rows = []
  for (const [kind, paths] of Object.entries(kinds)) {
    const amount = quick ? 'quick' : 'full'
    const sliceOf = (bytes) => Math.floor(bytes[amount] / paths.length)
    const slices = { ours: sliceOf(FRAMED_BYTES), reference: sliceOf(FRAMING_SLICE_BYTES) }
    for (const pieceBytes of PIECES) {
      const pieces = pieceBytes >= KIB ? `${pieceBytes / KIB} KiB` : `${pieceBytes} B`
      say(`${label}, ${kind}, ${pieces}`)
      const results = await sideBySide(rounds, {
        ours: () => work('frameOurs', { paths, pieceBytes, decode, sliceBytes: slices.ours }),
        reference: () => work('frameReference', { paths, pieceBytes, decode, sliceBytes: slices.reference }),
      })
      rows.push(
        rowOf({
          name: `${decode ? 'decoding' : 'framing'}-${kind}-${pieceBytes}`,
          what: `${label}, ${kind}, ${pieces} pieces`,
          unit: 'MB/s',
          samples: results.map(({ ours, reference }) => ({ ours: ours.mbPerS, reference: reference.mbPerS })),
          goal,
        }),
      )
    }
  }
  return rows
}

async function storing({ quick, flight, flightBytes, rounds, dir, say }) {
  say('durable import')
  const sliceBytes = STORING_SLICE_BYTES[quick ? 'quick' : 'full']
  const into = async (name, request) => {
    const folder = join(dir, 'storing')
    const result = await work(name, { path: flight, dir: folder, ...request })
    rmSync(folder, { recursive: true })
    return result
  }
  const results = await sideBySide(rounds, {
    ours: () => into('importOurs', {}),
    reference: async () => ({
      single: await into('importReference', { sliceBytes, several: false }),
      several: await into('importReference', { sliceBytes, several: true }),
    }),
  })
  const against = (how) =>
    results.map(({ ours, reference }) => ({ ours: ours.mbPerS, reference: reference[how].mbPerS }))
  const length = `${Math.round(flightBytes / 1e6)} MB`
  return [
    rowOf({
      name: 'import',
      what: `durable import of ${length}, a row a message`,
      unit: 'MB/s',
      samples: against('single'),
      goal: { of: 'ratio', atLeast: 20 },
    }),
    rowOf({
      name: 'import-several',
      what: 'the same, 500 rows an INSERT',
      unit: 'MB/s',
      samples: against('several'),
    }),
    rowOf({
      name: 'import-memory',
      what: 'memory of that import, at most',
      unit: 'MiB',
      samples: results.map(({ ours }) => ({ ours: ours.peakMib })),
      better: 'lower',
      clock: false,
    }),
  ]
}

/** Sizes are those of one import: they are the same each time. */
async function size({ flight, captures, dir, say }) {
  say('size of flight files')
  const share = async ({ path, bytes }) => {
    const vault = join(dir, 'size')
    const { storedBytes } = await work('importOurs', { path, dir: vault })
    rmSync(vault, { recursive: true })
    return { ours: storedBytes, reference: bytes }
  }
  const shares = []
  for (const capture of captures) shares.push({ ...capture, ...(await share(capture)) })
  const common = { unit: 'bytes', better: 'lower', clock: false }
  const each = shares.map(({ name, kind, ours, reference }) =>
    rowOf({
      ...common,
      name: `size-${name}`,
      what: `flight file of its ${kind === 'raw' ? 'raw stream' : 'tlog'}: ${name}${kind === 'damaged' ? ' (damaged)' : ''}`,
      samples: [{ ours, reference }],
      goal: kind === 'raw' || kind === 'damaged' ? null : { of: 'ratio', atMost: 0.22 },
      note: kind === 'noisy' ? 'less than 1 % of it is noise' : '',
    }),
  )
  const generated = await share({ path: flight, bytes: statSync(flight).size })
  const rows = [
    ...each,
    rowOf({
      ...common,
      name: 'size-generated',
      what: 'flight file of its tlog: generated',
      samples: [generated],
    }),
  ]
  const judged = shares.filter(({ kind }) => kind === 'clean' || kind === 'noisy')
  if (judged.length === 0) return rows
  const ratio = median(judged.map(({ ours, reference }) => ours / reference))
  const middle = rowOf({
    ...common,
    name: 'size-median',
    what: 'flight file of its tlog: median of those with a goal',
    unit: '',
    samples: [{ ours: ratio }],
    goal: { of: 'ours', atMost: 0.18 },
  })
  return [...rows, middle]
}

/** A frequent message, one with less to store of each, one a second; and one that hardly comes at all, for information. */
const MESSAGES = {
  ATTITUDE: { rows: true, bytes: true },
  GLOBAL_POSITION_INT: { rows: true, bytes: true },
  HEARTBEAT: { rows: false, bytes: true },
  STATUSTEXT: { rows: false, bytes: false },
}

async function reading({ flight, rounds, quick, dir, say }) {
  const vault = join(dir, 'reading')
  say('import to read from')
  await work('importOurs', { path: flight, dir: vault })
  const rows = []
  for (const [message, judged] of Object.entries(MESSAGES)) {
    say(`reading ${message}`)
    const results = await repeat(rounds, () => work('readMessage', { dir: vault, message }))
    rows.push(
      rowOf({
        name: `read-bytes-${message}`,
        what: `bytes read for ${message} of its stored bytes`,
        unit: 'bytes',
        // Not the vault's clock: what is read does not differ between rounds.
        samples: results.map(({ readBytes, groupBytes }) => ({ ours: readBytes, reference: groupBytes })),
        // A short flight is not what the goal is about: what opening it reads is the larger part.
        goal: judged.bytes && !(quick && !judged.rows) ? { of: 'ratio', atMost: 1.2 } : null,
        better: 'lower',
        clock: false,
      }),
      rowOf({
        name: `read-rows-${message}`,
        what: `values of ${message} (${results[0].rows} rows), all cores' time`,
        unit: 'M rows/s',
        samples: results.map(({ mRowsPerCpuS }) => ({ ours: mRowsPerCpuS })),
        goal: judged.rows ? { of: 'ours', atLeast: 1 } : null,
      }),
      rowOf({
        name: `read-wait-${message}`,
        what: `values of ${message}, time that passes`,
        unit: 'M rows/s',
        samples: results.map(({ mRowsPerS }) => ({ ours: mRowsPerS })),
      }),
    )
    if (!judged.rows) continue
    const exports = await repeat(rounds, () =>
      work('exportFlight', { dir: vault, format: 'csv', messages: [message] }),
    )
    rows.push(
      rowOf({
        name: `csv-${message}`,
        what: `CSV of ${message}, to the disk`,
        unit: 'M rows/s',
        samples: exports.map(({ mRowsPerS }) => ({ ours: mRowsPerS })),
      }),
    )
  }
  rmSync(vault, { recursive: true })
  return rows
}

async function start(context) {
  context.say('start to first byte')
  const { startRows } = await import('./start.mjs')
  return startRows(context)
}

async function rates({ flight, rounds, dir, say }) {
  const vault = join(dir, 'rates')
  say('import to export from')
  await work('importOurs', { path: flight, dir: vault })
  const rows = []
  for (const format of ['raw', 'original', 'tlog', 'csv']) {
    say(`export ${format}`)
    const results = await repeat(rounds, () => work('exportFlight', { dir: vault, format }))
    const samples = results.map(({ mbPerS }) => ({ ours: mbPerS }))
    rows.push(
      rowOf({ name: `export-${format}`, what: `export as ${format}, to the disk`, unit: 'MB/s', samples }),
    )
  }
  rmSync(vault, { recursive: true })
  say('segments')
  const results = await repeat(rounds, () => work('encodeAndDecode', { path: flight }))
  for (const way of ['encode', 'decode']) {
    const samples = results.map((result) => ({ ours: result[`${way}MsPerMb`] }))
    rows.push(
      rowOf({ name: `segment-${way}`, what: `${way} a segment`, unit: 'ms/MB', samples, better: 'lower' }),
    )
  }
  return rows
}
