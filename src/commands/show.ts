/** Command `show`: all that is known of one flight. */
import { Command } from 'commander'
import { TIMESTAMP_BYTES } from '../storage/import/tlog.js'
import { FLIGHT_HELP, vaultOption, withFlight } from './flight-argument.js'
import { reportOf } from './flight-report.js'
import type { FlightMoment, FlightReport } from './flight-report.js'
import { countText, durationText, percentText, pluralText, sizeText } from './quantity-text.js'
import { left, right, tableLines } from './table.js'

/** Gaps and events that are shown (lines); `--json` has all. */
const MAX_LINES = 20

export function showCommand(): Command {
  return new Command('show')
    .description('show a flight: summary, messages, loss, gaps, events')
    .argument('<flight>', FLIGHT_HELP)
    .addOption(vaultOption())
    .option('--json', 'print all of it as one JSON object')
    .addHelpText(
      'after',
      `
RATE is messages a second over the whole flight. Times like +1:05 are minutes and seconds after its start.

Example: groundlock show last --vault ./vault`,
    )
    .action(show)
}

async function show(word: string, options: { vault: string; json?: boolean }): Promise<void> {
  const report = await withFlight(options.vault, word, reportOf)
  if (options.json) console.log(JSON.stringify(report, null, 2))
  else console.log(reportText(report))
}

function reportText(report: FlightReport): string {
  return [
    summarySection(report),
    section('Messages', messageTable(report)),
    section('Senders', senderTable(report)),
    section('Frames with a wrong checksum', mismatchTable(report)),
    section('Gaps: received and not stored', gapLines(report)),
    section('Armed', armedLines(report)),
    section('Events', eventLines(report)),
  ]
    .flat()
    .join('\n')
}

/** A heading with its lines; nothing where there are none. */
function section(heading: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', heading, ...lines.map((line) => `  ${line}`)]
}

/** Where UTC comes from, for people. */
const CLOCKS: Readonly<Record<string, string>> = {
  recorded: 'the recording’s timestamps',
  gps: 'GPS',
  ntp: 'the system clock, set by NTP',
  system: 'the system clock',
}

function summarySection({ flight, damaged, anchors }: FlightReport): string[] {
  const { source, openedUtc, durationS, previousPart, redactions } = flight
  const rows: [string, string][] = [['state', stateText(flight)]]
  if (source !== null) {
    rows.push(['source', `${source.name}, ${source.format}, ${sizeText(source.bytes)}`])
    if (source.sha256 !== null) rows.push(['SHA-256', source.sha256])
  }
  if (previousPart !== null) rows.push(['goes on from', previousPart])
  const clock = `UTC by ${CLOCKS[flight.utcSource ?? ''] ?? '?'}, ${pluralText(anchors.length, 'anchor')}`
  rows.push(['started', openedUtc === null ? 'UTC is not known' : `${openedUtc} (${clock})`])
  rows.push(['lasted', durationText(durationS === null ? null : durationS * 1e6)])
  rows.push([flight.links.length === 1 ? 'link' : 'links', flight.links.join(', ')])
  rows.push(['bytes', bytesText(flight)])
  rows.push([
    'damage',
    `${pluralText(damaged.runs, 'stretch', 'stretches')}, ${countText(damaged.bytes)} bytes`,
  ])
  if (redactions > 0) rows.push(['zeroed', pluralText(redactions, 'signing key')])
  rows.push(['loss', `${pluralText(flight.lostFrames, 'frame')}, ${percentText(flight.loss)}`])
  rows.push(['file', sizeText(flight.fileBytes)])
  const [, ...lines] = tableLines([left(''), left('')], rows)
  return [`Flight ${flight.id}`, ...lines.map((line) => `  ${line}`)]
}

function stateText({ state, origin, closeReason }: FlightReport['flight']): string {
  if (origin === 'import') return `${state}, imported`
  return closeReason === null ? state : `${state}: ${closeReason}`
}

/** in = framed + noise + lost; of a whole tlog the timestamps came in too. */
function bytesText({
  bytesIn,
  framedBytes,
  noiseBytes,
  lostBytes,
  frames,
  source,
}: FlightReport['flight']): string {
  const timestampBytes = source?.format === 'tlog' && source.sha256 !== null ? frames * TIMESTAMP_BYTES : 0
  const parts = [
    `${countText(framedBytes)} framed`,
    ...(timestampBytes > 0 ? [`${countText(timestampBytes)} timestamps`] : []),
    `${countText(noiseBytes)} noise`,
    `${countText(lostBytes)} lost`,
  ]
  return `${countText(bytesIn)} in = ${parts.join(' + ')}`
}

function messageTable({ messages }: FlightReport): string[] {
  const columns = [right('SYSID'), right('COMPID'), left('NAME'), right('COUNT'), right('RATE')]
  return tableLines(
    columns,
    messages.map(({ sysid, compid, name, count, rateHz }) => [
      String(sysid),
      String(compid),
      name,
      countText(count),
      rateText(rateHz),
    ]),
  )
}

/** Two digits behind the point; of what is rarer one that is not zero. */
function rateText(rateHz: number | null): string {
  if (rateHz === null) return '-'
  return rateHz < 0.1 ? String(Number(rateHz.toPrecision(1))) : rateHz.toFixed(rateHz < 10 ? 2 : 1)
}

function senderTable({ components }: FlightReport): string[] {
  const numbers = ['SYSID', 'COMPID', 'FRAMES', 'LOST', 'LOSS', 'TWICE', 'LATE', 'RESTARTS'].map(right)
  return tableLines(
    [left('LINK'), ...numbers],
    components.map((c) => [
      c.link,
      ...[c.sysid, c.compid].map(String),
      ...[c.frames, c.lost].map(countText),
      percentText(c.loss),
      ...[c.duplicates, c.reordered, c.restarts].map(countText),
    ]),
  )
}

function mismatchTable({ crcMismatches }: FlightReport): string[] {
  if (crcMismatches.length === 0) return []
  return tableLines(
    [left('NAME'), right('COUNT')],
    crcMismatches.map(({ name, count }) => [name, countText(count)]),
  )
}

function gapLines({ gaps }: FlightReport): string[] {
  return shortened(
    gaps.map(
      ({ link, from, to, bytes, reason }) =>
        `${momentText(from)} to ${momentText(to)}  ${link}: ${countText(bytes)} bytes, ${reason}`,
    ),
  )
}

function armedLines({ armed }: FlightReport): string[] {
  return shortened(
    armed.map(
      ({ vehicle, from, to }) =>
        `${vehicle}: ${momentText(from)} to ${to === null ? 'the end' : momentText(to)}`,
    ),
  )
}

/** Arming is told by its intervals. */
function eventLines({ events }: FlightReport): string[] {
  const others = events.filter(({ kind }) => kind !== 'armed' && kind !== 'disarmed')
  return shortened(others.map(({ at, kind, detail }) => `${momentText(at)}  ${kind}: ${detail}`))
}

function shortened(lines: readonly string[]): string[] {
  if (lines.length <= MAX_LINES) return [...lines]
  return [...lines.slice(0, MAX_LINES), `… and ${lines.length - MAX_LINES} more (--json has all)`]
}

function momentText({ afterStartS, utc }: FlightMoment): string {
  const clock = utc === null ? '' : ` (${utc.slice(11, 19)})`
  if (afterStartS === null) return utc ?? '-'
  const sign = afterStartS < 0 ? '-' : '+'
  return `${sign}${durationText(Math.abs(afterStartS) * 1e6)}${clock}`
}
