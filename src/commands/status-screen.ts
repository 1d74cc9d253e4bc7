/**
 * Status screen: door, why, since when, contacts, links, recording, witness and layers on one screen.
 * Pure. What is old is never shown as now, what is not known is said to be so, and colour only repeats what a word says.
 */
import { doorWord, type GuardStatus } from '../base/guard-status.js'
import { JOIN_STATION_GROUP } from '../base/station-group.js'
import type { FoundStatus, StationReport } from '../doctor/status-file.js'
import { countText, durationText, percentText, pluralText, sizeText } from './quantity-text.js'
import { plain } from './plain-text.js'

export interface Snapshot {
  /** Monotonic clock (µs since boot). */
  nowUs: number
  guard: FoundStatus<GuardStatus>
  station: FoundStatus<StationReport>
  /** What is configured to be driven; a simulated switch has neither. */
  outputs: { isSimulated: boolean; lampLine: number | null; relayLine: number | null }
  /** Why the defaults stand in for the configuration; null where it is used. */
  configurationTrouble: string | null
}

type Tone = 'good' | 'warning' | 'bad'

/** SGR parameters, bold with each, for those who do not see the colours apart. */
const SGR: Readonly<Record<Tone, string>> = { good: '1;32', warning: '1;33', bad: '1;31' }

/** Of the guard's last events (count). */
const EVENTS_SHOWN = 5
/** Width of the first column (characters). */
const LABEL_COLUMNS = 10

/** The screen as text; `isColoured` adds colour to the words that matter most. */
export function statusScreen(snapshot: Snapshot, isColoured: boolean): string {
  const paint = (tone: Tone, text: string) => (isColoured ? `\x1b[${SGR[tone]}m${text}\x1b[0m` : text)
  return [
    ...doorRows(snapshot, paint),
    ...configurationRows(snapshot, paint),
    ...guardRows(snapshot, paint),
    ...stationRows(snapshot, paint),
    ...eventRows(snapshot),
  ].join('\n')
}

type Paint = (tone: Tone, text: string) => string

/** How long ago; what was written a moment after we looked at the clock is now. */
function agoText(nowUs: number, thenUs: number): string {
  return durationText(Math.max(0, nowUs - thenUs))
}

function row(label: string, text: string): string {
  return `${label.padEnd(LABEL_COLUMNS)}${text}`
}

const DOOR_WORDS = {
  blocked: { tone: 'good', meaning: 'nothing leaves over an uplink' },
  permitted: { tone: 'warning', meaning: 'traffic may leave over the uplinks' },
  fault: { tone: 'bad', meaning: 'kept shut until SHUT is seen and everything is verified' },
  shutting: { tone: 'warning', meaning: 'told to be shut, not yet read back as shut' },
} as const

/** Rows of the decision table that are a fault in which the kernel was read as shut; in any other nothing says that it is. */
const SHUT_FAULTS: ReadonlySet<string> = new Set([
  'fault: token in doubt',
  'fault: switch in doubt',
  'fault: waits for SHUT',
])

const OPEN_FAULT = {
  tone: 'bad',
  meaning: 'NOT read back as shut: if it stays so, pull the uplink’s plug',
} as const

function doorRows({ nowUs, guard }: Snapshot, paint: Paint): string[] {
  const { status } = guard
  if (guard.state === 'live' && status !== null) {
    const door = doorWord(status)
    const { tone, meaning } = door === 'fault' && !SHUT_FAULTS.has(status.row) ? OPEN_FAULT : DOOR_WORDS[door]
    const since = agoText(nowUs, status.sinceUs)
    return [
      row('Door', `${paint(tone, door.toUpperCase())}  ${meaning}; for ${since}`),
      row('', `why: ${plain(status.reason)}`),
    ]
  }
  const last = status === null ? '' : `; it last said: ${status.door}, ${plain(status.reason)}`
  return [
    row('Door', `${paint('bad', 'NOT KNOWN')}  the guard does not say`),
    row('', `why: ${plain(guard.why)}${last}`),
    row(
      '',
      'a permit lapses 3 s after the last one by itself, and what was loaded at boot, if anything, stays shut;',
    ),
    row('', 'look: systemctl status groundlock-guard; sudo groundlock doctor'),
  ]
}

/** Of lamp and relay nothing is read back: what is told is what is configured. */
function configurationRows({ outputs, configurationTrouble }: Snapshot, paint: Paint): string[] {
  if (configurationTrouble !== null) {
    const trouble = `${paint('warning', 'DEFAULTS')}  ${plain(configurationTrouble)}; the default folders are looked at`
    return [row('Config', trouble)]
  }
  const { isSimulated, lampLine, relayLine } = outputs
  if (isSimulated) return [row('Outputs', 'no lamp and no relay: the switch is simulated')]
  const lamp = lampLine === null ? 'no lamp' : `lamp on GPIO ${lampLine}`
  const relay = relayLine === null ? 'no relay' : `relay on GPIO ${relayLine}`
  return [row('Outputs', `${lamp}, ${relay}, as configured`)]
}

function guardRows({ nowUs, guard }: Snapshot, paint: Paint): string[] {
  const { status } = guard
  if (guard.state !== 'live' || status === null)
    return [row('Guard', paint('bad', guard.state.toUpperCase()))]
  return [
    row('Switch', switchText(status)),
    ...witnessRows(status, paint),
    ...readingRows(status, paint),
    row('Token', tokenText(status)),
    row('Guard', `runs for ${agoText(nowUs, status.startedUs)} as process ${status.pid}`),
  ]
}

const POSITION_WORDS = { shut: 'SHUT', permit: 'PERMIT', doubt: 'IN DOUBT' } as const

function switchText({ switch: reading, reason }: GuardStatus): string {
  const { permit, shut } = reading.contacts
  const contacts =
    permit === null ? 'contacts: not known' : `contacts: permit ${permit}, shut ${shut ?? 'not wired'}`
  const why = reading.reason === reason ? '' : `; ${plain(reading.reason)}`
  const seen = reading.shutSeen ? '' : '; SHUT not yet seen since the guard started'
  return `${POSITION_WORDS[reading.position]}  ${contacts} (${plain(reading.backend)})${why}${seen}`
}

function witnessRows({ witness, canary, door }: GuardStatus, paint: Paint): string[] {
  const grew = witness.growth
    .map(({ name, packets }) => `${plain(name)} sent ${pluralText(packets, 'packet')}`)
    .join(', ')
  const text =
    witness.state === 'grew'
      ? `${paint('bad', 'GREW')}  while shut: ${grew === '' ? 'which is not known' : grew}`
      : door === 'permitted'
        ? 'rests while permitted'
        : 'still  no uplink has sent a packet since it was shut'
  const canaryText = canary === null ? 'not yet tested' : canary
  return [row('Witness', `${text}; canary: ${canaryText}`)]
}

type Reading = NonNullable<GuardStatus['reading']>

function readingRows({ reading, door }: GuardStatus, paint: Paint): string[] {
  if (reading === null) return [row('Kernel', 'not read back yet')]
  const uplinks = reading.uplinks.map((uplink) => row('Uplink', uplinkText(uplink, reading.isRead, paint)))
  const none = reading.isRead ? 'none plugged in' : NOT_READ
  return [
    row('Kernel', kernelText(reading, paint)),
    row('Layers', reading.isRead ? layersText(reading.layers, door, paint) : NOT_READ),
    ...(uplinks.length === 0 ? [row('Uplink', none)] : uplinks),
    ...reading.locals.map((local) => row('Local', localText(local, paint))),
    ...reading.problems.map((problem) => row('Problem', plain(problem))),
  ]
}

/** What nobody could look at is neither there nor missing. */
const NOT_READ = 'not read'

function kernelText({ kernel, isRead }: Reading, paint: Paint): string {
  if (!isRead) return `${paint('bad', 'NOT READ')}  what is loaded is not known`
  if (kernel === 'shut') return 'shut  read back as it should be'
  if (kernel === 'leased')
    return 'permitted  a lease of 3 s for each uplink, renewed while the switch says so'
  return `${paint('bad', 'DIFFERS')}  what is loaded is not what should be`
}

function layersText(layers: Reading['layers'], door: GuardStatus['door'], paint: Paint): string {
  const mark = (name: string, holds: boolean | null) =>
    holds === null ? `${name}: no radio` : `${name}: ${holds ? 'yes' : paint('bad', 'NO')}`
  /** Of a layer that is lifted while permitted, on purpose. */
  const lifted = (name: string, holds: boolean | null) =>
    door === 'permitted' && holds === false ? `${name}: ${paint('warning', 'lifted')}` : mark(name, holds)
  return [
    mark('base', layers.base),
    mark('netdev', layers.netdev),
    lifted('twin', layers.twin),
    lifted('link down', layers.linkDown),
    lifted('rfkill', layers.rfkill),
  ].join('  ')
}

/** Without a lease it is shut by its cover, and by that alone. */
function uplinkText(uplink: Reading['uplinks'][number], isRead: boolean, paint: Paint): string {
  if (!isRead) return `${plain(uplink.name)}  ${NOT_READ}`
  const parts = [
    uplink.isUp ? 'up' : 'link down',
    uplink.isCovered ? 'covered' : paint('bad', 'NOT COVERED'),
    ...(uplink.isLeased ? [paint('warning', 'PERMITTED')] : uplink.isCovered ? ['shut'] : []),
  ]
  return `${plain(uplink.name)}  ${parts.join(', ')}`
}

function localText({ name, isThere, mismatch }: Reading['locals'][number], paint: Paint): string {
  if (mismatch !== null)
    return `${plain(name)}  ${paint('bad', `NOT AS CONFIGURED, so an uplink: ${plain(mismatch)}`)}`
  return `${plain(name)}  ${isThere ? 'there' : 'not plugged in'}`
}

function tokenText({ token }: GuardStatus): string {
  return {
    free: 'free  nobody holds the link',
    mine: 'held by the guard',
    other: 'held by the station',
    doubt: 'IN DOUBT  the file is not the one that is locked',
  }[token]
}

function stationRows({ nowUs, guard, station }: Snapshot, paint: Paint): string[] {
  const told = guard.state === 'live' && guard.status !== null ? stationSaid(guard.status) : ''
  const { status } = station
  if (station.state === 'stopped' && station.ageMs !== null && status !== null) {
    const text = `${paint('warning', 'STOPPED')}  ${agoText(nowUs, status.nowUs)} ago, as it was told to`
    return [row('Station', `${text}${told}`)]
  }
  if (station.state !== 'live' || status === null) {
    const word = station.state === 'unreadable' ? 'NOT READABLE' : station.state.toUpperCase()
    const hint = /may not read/.test(station.why) ? `; ${JOIN_STATION_GROUP}` : ''
    return [row('Station', `${paint('bad', word)}  ${plain(station.why)}${hint}${told}`)]
  }
  const guarded = status.guard === 'none' ? `; ${paint('bad', 'NOTHING GUARDS')} as far as it knows` : ''
  const waits = status.waitingFor === null ? [] : [row('', `its links wait: ${plain(status.waitingFor)}`)]
  return [
    row('Station', `${plain(status.station)}, process ${status.pid}${guarded}${told}`),
    ...waits,
    row('Record', recordText(status, paint)),
    ...status.links.map((link) => row('Link', linkText(link, paint))),
  ]
}

function stationSaid({ station }: GuardStatus): string {
  if (station.state === 'absent') return '; the guard does not hear it'
  const link = station.link === null ? '' : `, link ${station.link}`
  const vehicle = station.vehicle === null ? '' : `, vehicle ${station.vehicle}`
  return `; to the guard: ${station.state}${link}${vehicle}`
}

function recordText({ flight, stored, backlogBytes, recovered }: StationReport, paint: Paint): string {
  const on = flight === null ? 'no flight is on' : `${paint('good', 'RECORDING')} ${plain(flight)}`
  const last =
    stored === null
      ? 'nothing stored yet'
      : `stored: ${sizeText(stored.bytes)}, chunk ${countText(stored.sequence)}, last flush ${Math.round(stored.flushMs)} ms`
  const slow = stored !== null && stored.slowFlushes > 0 ? `, ${countText(stored.slowFlushes)} slow` : ''
  const waits = backlogBytes === 0 ? '' : `; ${sizeText(backlogBytes)} wait in memory`
  return `${on}; ${last}${slow}${waits}${recovered ? '' : '; the last run is still being recovered'}`
}

function linkText(link: StationReport['links'][number], paint: Paint): string {
  const state = link.state === 'open' ? 'open' : paint('warning', link.state.toUpperCase())
  const noise = link.bytesIn === 0 ? 0 : link.noiseBytes / link.bytesIn
  const counts = `${pluralText(link.frames, 'frame')}, ${percentText(noise)} noise, ${pluralText(link.lostBytes, 'byte')} lost`
  const fault = link.fault === null ? '' : `: ${plain(link.fault)}`
  return `${plain(link.name)}  ${state}${fault}; ${counts}`
}

function eventRows({ nowUs, guard }: Snapshot): string[] {
  if (guard.state !== 'live' || guard.status === null) return []
  return guard.status.events
    .slice(-EVENTS_SHOWN)
    .map(({ atUs, text }, at) => row(at === 0 ? 'Events' : '', `${agoText(nowUs, atUs)} ago  ${plain(text)}`))
}
