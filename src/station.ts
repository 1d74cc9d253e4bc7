/**
 * Station: the composition root of `groundlock run`. A byte's way from here:
 *
 *     SerialLink ──▶ Intake (splitter, redaction, vehicles) ──▶ FlightGate ──▶ Recorder ══ring══▶ storage worker
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { bootId, monotonicUs } from './base/clock.js'
import type { Configuration, LinkConfiguration } from './base/configuration.js'
import type { Log } from './base/log.js'
import { ServiceNotice } from './base/service-notice.js'
import { StatusFile } from './base/status-file.js'
import { serveStationSocket } from './forward/station-socket.js'
import type { StationSocket } from './forward/station-socket.js'
import { makeRunDir, statusLine } from './forward/station-status.js'
import type { LinkStatus, StationStatus } from './forward/station-status.js'
import { LinkToken } from './hw/token/link-token.js'
import { LinkTurn } from './hw/token/link-turn.js'
import { createSerialLink } from './link/serial-link.js'
import type { LinkState, SerialLink } from './link/serial-link.js'
import { loadDialect } from './mavlink/dialect.js'
import { Vehicles } from './mavlink/vehicles.js'
import { ClockAnchors } from './storage/flight/clock-anchors.js'
import { FlightGate } from './storage/intake/flight-gate.js'
import { FlightIds } from './storage/flight/flight-id.js'
import { REDACTED_EVENT } from './storage/flight/flight.js'
import type { ClockAnchor, CloseReason } from './storage/flight/flight.js'
import { Intake } from './storage/intake/intake.js'
import { VehicleState } from './storage/intake/vehicle-state.js'
import { Closings } from './storage/recorder/closings.js'
import { Recorder } from './storage/recorder/recorder.js'
import type { Closing } from './storage/tail/chunk.js'
import { Vault } from './storage/vault/vault.js'
import type { Stored } from './storage/recorder/vault-writer.js'

/** How often the rules look at the time, the system clock is noted and the status is written (ms). */
const TICK_MS = 1000
/** One line about how it goes this often (ticks). */
const STATUS_LINE_TICKS = 60
/** How long a stop tries to end a flight while memory is full, and how often (ms); systemd waits 20 s for all of it. */
const END_AT_MOST_MS = 5000
const END_EVERY_MS = 100
/** What systemd-timesyncd touches once the clock is right. */
const CLOCK_SYNCHRONIZED = '/run/systemd/timesync/synchronized'

export const STATUS_FILE = 'station.json'
export const SOCKET_FILE = 'station.sock'

/** One link with all that belongs to it. */
interface StationLink {
  serial: SerialLink
  intake: Intake
  index: number
}

export interface Station {
  /** Ends the flight, stores everything and lets go of the devices. */
  stop(): Promise<void>
}

/**
 * Starts recording. Errors: a Fault where the vault or the run_dir cannot be used; a device that is missing is none.
 * `onFatal` is called when it cannot go on; the process should end, and be started again.
 */
export async function startStation(
  configuration: Configuration,
  log: Log,
  onFatal: (error: unknown) => void,
): Promise<Station> {
  const token = new LinkToken(configuration.guard.token)
  // A child does it, while the rest begins here.
  if (existsSync(token.path)) void token.take()
  const vault = Vault.openOrCreate(configuration.vault.dir)
  const { runDir } = configuration.station
  makeRunDir(runDir)
  // The socket first: it tells whether another station uses this folder before anything of it is touched.
  const socket = await serveStationSocket(join(runDir, SOCKET_FILE), async (op) => station.answer(op))
  let station: RunningStation
  try {
    station = new RunningStation(configuration, token, vault, socket, log, onFatal)
    await station.start()
    return station
  } catch (error) {
    // What stays open would keep the process, and a process that cannot record would not be started again.
    socket.close()
    throw error
  }
}

class RunningStation implements Station {
  readonly #configuration: Configuration
  readonly #log: Log
  readonly #ids: FlightIds
  readonly #stationId: string
  readonly #bootId = bootId()
  readonly #recorder: Recorder
  readonly #gate: FlightGate
  readonly #anchors = new ClockAnchors()
  readonly #links: StationLink[]
  readonly #startedUs = monotonicUs()
  #flightId: string | null = null
  #stored: Stored | null = null
  #ready = false
  #ended = false
  #ticks = 0
  readonly #statusFile: StatusFile
  #timer: NodeJS.Timeout | undefined
  readonly #socket: StationSocket
  /** The flight whose last clock anchors were told. */
  #anchored: string | null = null
  readonly #closings = new Closings()
  readonly #turn: LinkTurn
  readonly #vehicleState = new VehicleState()
  readonly #notice = new ServiceNotice()
  /** A chunk became durable since the last tick. */
  #storedSince = false

  constructor(
    configuration: Configuration,
    token: LinkToken,
    vault: Vault,
    socket: StationSocket,
    log: Log,
    onFatal: (error: unknown) => void,
  ) {
    this.#configuration = configuration
    this.#socket = socket
    this.#log = log
    this.#statusFile = new StatusFile(join(configuration.station.runDir, STATUS_FILE), log)
    this.#stationId = vault.stationId(configuration.station.name)
    this.#ids = new FlightIds(vault, this.#stationId, this.#bootId)
    this.#recorder = new Recorder({
      vaultDir: vault.dir,
      onReady: () => (this.#ready = true),
      onStored: (stored) => this.#onStored(stored),
      onClosed: (flightId, reason) => this.#onClosed(flightId, reason),
      onFatal,
    })
    this.#gate = new FlightGate({
      open: (openedUs, previousPart) => this.#openFlight(openedUs, previousPart),
      record: (kind, link, timeUs, bytes, start, end) =>
        this.#recorder.record(kind, link, Number(timeUs), bytes, start, end),
      event: (event) => this.#recorder.event(event),
      close: (closing) => this.#closeFlight(closing),
    })
    this.#links = configuration.links.map((link, index) => this.#createLink(link, index))
    this.#turn = new LinkTurn({
      token,
      guardDir: configuration.guard.runDir,
      log,
      vehicle: () => this.#vehicleState.at(monotonicUs()),
      open: () => this.#links.forEach(({ serial }) => serial.start()),
      close: (atMostMs) => this.#giveWay(atMostMs),
      onChange: () => this.#statusFile.write(this.#status()),
    })
  }

  async start(): Promise<void> {
    const begun = Promise.all([this.#turn.start(), this.#startStoring()])
    this.#log.info(`station ${this.#stationId} records into ${this.#configuration.vault.dir}`)
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    await begun
    this.#statusFile.write(this.#status())
    this.#notice.ready()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#turn.halt()
    await this.#closeLinks()
    await this.#endFlight()
    this.#turn.end()
    const leftBytes = await this.#recorder.stop()
    this.#ended = true
    this.#statusFile.write(this.#status())
    this.#log.info(statusLine(this.#status()))
    this.#tellStopped(leftBytes)
    this.#socket.close()
  }

  #tellStopped(leftBytes: number): void {
    if (leftBytes > 0)
      this.#log.error(`stopped: ${leftBytes} bytes in memory could not be stored any more, and are lost`)
    else if (this.#gate.isOpen)
      this.#log.error('stopped: the end of the flight could not be stored; the next start closes it')
    else this.#log.info('stopped: all flights are stored and closed')
  }

  /** Behind the opening of the ports, which goes on meanwhile. */
  async #startStoring(): Promise<void> {
    await nextTurn()
    this.#recorder.start()
  }

  /** When it resolves the ports are closed, and all that came is with the recorder. */
  async #closeLinks(): Promise<void> {
    await Promise.all(this.#links.map(({ serial }) => serial.stop()))
    for (const { intake } of this.#links) intake.end()
  }

  /** Closes the links and ends the flight; whether that one is closed and all of it stored within the time. */
  async #giveWay(atMostMs: number): Promise<boolean> {
    const lateAt = performance.now() + atMostMs
    await this.#closeLinks()
    const flightId = this.#flightId
    this.#gate.close('gave way', monotonicUs())
    const stored = flightId === null ? true : this.#closings.until(flightId).then(() => true)
    const isDone = await Promise.race([stored, pause(Math.max(0, lateAt - performance.now()), false)])
    if (isDone) this.#vehicleState.forget()
    return isDone
  }

  /** Where memory is full the worker first has to make room: also the flight's last gap wants to be told. */
  async #endFlight(): Promise<void> {
    this.#gate.close('shutdown', monotonicUs())
    for (let waitedMs = 0; this.#gate.isOpen && waitedMs < END_AT_MOST_MS; waitedMs += END_EVERY_MS) {
      await pause(END_EVERY_MS)
      this.#gate.tick(monotonicUs())
    }
  }

  #createLink({ name, device, baud }: LinkConfiguration, index: number): StationLink {
    const vehicles = new Vehicles(loadDialect(), {
      heartbeat: (sysid, armed, recvTimeUs) => {
        this.#gate.heartbeat(sysid, armed, recvTimeUs)
        this.#vehicleState.heartbeat(sysid, armed, recvTimeUs)
        this.#turn.changed()
      },
      event: (kind, detail, recvTimeUs) => this.#gate.event(kind, detail, recvTimeUs),
      utc: (utcUs, recvTimeUs) => this.#observeClock({ source: 'gps', utcUs, recvTimeUs }),
    })
    const intake = new Intake({
      link: index,
      dialect: loadDialect(),
      vehicles,
      sink: this.#gate.record,
      onRedaction: (recvTimeUs) =>
        this.#gate.event(REDACTED_EVENT, `a signing key on link ${name}`, recvTimeUs),
    })
    const serial = createSerialLink({
      name,
      device,
      baud,
      log: this.#log,
      onBytes: (bytes, recvTimeUs) => intake.push(bytes, recvTimeUs),
      onIdle: () => intake.idle(),
      onState: (state) => this.#linkChanged(name, intake, state),
    })
    return { serial, intake, index }
  }

  /** What was held when the cable came off will not be completed by what another plug brings. */
  #linkChanged(name: string, intake: Intake, state: LinkState): void {
    if (state.kind !== 'open') intake.end()
    if (state.kind === 'closed') return
    const detail = state.kind === 'open' ? name : `${name}: ${state.fault.message}`
    this.#gate.event(state.kind === 'open' ? 'link open' : 'link lost', detail, state.sinceUs)
  }

  #openFlight(openedUs: number, isNextPart: boolean): boolean {
    const id = this.#ids.next()
    const previousPart = isNextPart ? this.#flightId : null
    const links = this.#configuration.links.map(({ name }) => name)
    const head = {
      station: this.#stationId,
      bootId: this.#bootId,
      origin: 'live' as const,
      previousPart,
      links,
      openedUs,
    }
    if (!this.#recorder.open({ ...head, id })) return false
    this.#flightId = id
    this.#log.info(`flight ${id} began${previousPart === null ? '' : `, going on from ${previousPart}`}`)
    this.#noteSystemClock()
    for (const anchor of this.#anchors.bests) this.#recorder.anchor(anchor)
    return true
  }

  /** The window of the clock anchors that is on ends with the flight, however often its end is tried. */
  #closeFlight(closing: Closing): boolean {
    if (this.#anchored !== this.#flightId)
      for (const anchor of this.#anchors.bests) this.#recorder.anchor(anchor)
    this.#anchored = this.#flightId
    return this.#recorder.close(closing)
  }

  #onStored(stored: Stored): void {
    this.#stored = stored
    this.#storedSince = true
    this.#statusFile.write(this.#status())
  }

  #onClosed(flightId: string, reason: string): void {
    this.#log.info(`flight ${flightId} is closed (${reason})`)
    if (this.#flightId === flightId) this.#flightId = null
    this.#closings.closed(flightId)
  }

  #observeClock(seen: ClockAnchor): void {
    const anchor = this.#anchors.observe(seen)
    if (anchor !== undefined && this.#gate.isOpen) this.#recorder.anchor(anchor)
  }

  #noteSystemClock(): void {
    const source = existsSync(CLOCK_SYNCHRONIZED) ? 'ntp' : 'system'
    this.#observeClock({ source, recvTimeUs: monotonicUs(), utcUs: Date.now() * 1000 })
  }

  #tick(): void {
    this.#ids.look()
    this.#gate.tick(monotonicUs())
    this.#noteSystemClock()
    this.#statusFile.write(this.#status())
    this.#tellProgress()
    if (++this.#ticks % STATUS_LINE_TICKS === 0) this.#log.info(statusLine(this.#status()))
  }

  /** The watchdog is fed by what is stored, not by the time: records that wait, and none that becomes durable, is no progress. */
  #tellProgress(): void {
    if (this.#storedSince || !this.#ready || this.#recorder.backlogBytes === 0) this.#notice.progress()
    this.#storedSince = false
  }

  /** Answers a request of the station socket. */
  async answer(op: string): Promise<object> {
    if (op === 'status') return this.#status()
    if (op !== 'close') throw new Error(`"op" is "status" or "close", not "${op}"`)
    return { closed: await this.#closeNow('asked') }
  }

  /** Ends the flight that is on; resolves with its id when its file is closed, or with null where none is on. */
  async #closeNow(reason: CloseReason): Promise<string | null> {
    const id = this.#flightId
    if (id === null || !this.#gate.close(reason, monotonicUs())) return null
    await this.#closings.until(id)
    return id
  }

  #status(): StationStatus {
    const stored = this.#stored
    return {
      pid: process.pid,
      station: this.#stationId,
      bootId: this.#bootId,
      nowUs: monotonicUs(),
      startedUs: this.#startedUs,
      ended: this.#ended,
      recovered: this.#ready,
      flight: this.#flightId,
      stored: stored && {
        flight: stored.flightId,
        sequence: stored.sequence,
        bytes: stored.bytes,
        flushMs: stored.flushUs / 1000,
        slowFlushes: stored.slowFlushes,
      },
      backlogBytes: this.#recorder.backlogBytes,
      ...this.#turn.status,
      links: this.#links.map((link) => this.#linkStatus(link)),
    }
  }

  #linkStatus({ serial, intake, index }: StationLink): LinkStatus {
    const { waitingFor } = this.#turn.status
    const state = serial.state.kind === 'waiting' ? serial.state : { kind: serial.state.kind, fault: null }
    return {
      name: serial.name,
      device: this.#configuration.links[index]!.device,
      state: waitingFor === null ? state.kind : 'waiting',
      fault: waitingFor ?? state.fault?.message ?? null,
      bytesIn: intake.counts.bytesIn,
      frames: intake.counts.frames,
      ...this.#gate.ledger(index),
      heldBytes: intake.heldBytes,
    }
  }
}
