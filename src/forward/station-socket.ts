/**
 * Station socket: how other programs of this machine talk to the running station: a unix socket, one JSON object a line.
 *
 *     {"op":"status"} → {"ok":true, …}      {"op":"close"} → {"ok":true,"closed":"<flight id>"}
 */
import { chmodSync, rmSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { Fault, errnoOf, reasonOf } from '../base/fault.js'

/** Clients at once: commands that a person types, not a service. */
const MAX_CLIENTS = 16
/** Longest request (bytes); a client that sends more without an end of line is cut off. */
const MAX_REQUEST_BYTES = 4096
/** How long a command waits for the station's answer (ms): closing a flight ends with its last flush. */
const ANSWER_MS = 30_000

/** Answers a request, already known to be an object with this `op`. Errors become `{"ok":false,"error":…}`. */
export type Answer = (op: string) => Promise<object>

/** A client that says nothing for so long is let go (ms): sixteen of them would lock everybody out. */
const IDLE_CLIENT_MS = 60_000

export interface StationSocket {
  /** Lets go of all clients and of the path. */
  close(): void
}

/** Serves `path` until it is closed. Errors: a Fault where another station serves it or the folder cannot be written. */
export async function serveStationSocket(path: string, answer: Answer): Promise<StationSocket> {
  await removeStale(path)
  const clients = new Set<Socket>()
  const server = createServer((client) => {
    clients.add(client)
    client.once('close', () => clients.delete(client))
    client.setTimeout(IDLE_CLIENT_MS, () => client.destroy())
    serve(client, answer)
  })
  server.maxConnections = MAX_CLIENTS
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(socketFault(path, reasonOf(cause), cause)))
    server.listen(path, resolve)
  })
  chmodSync(path, 0o660)
  return {
    close() {
      server.close()
      for (const client of clients) client.destroy()
    },
  }
}

function serve(client: Socket, answer: Answer): void {
  client.on('error', () => client.destroy())
  let pendingBytes = 0
  client.on('data', (bytes) => {
    pendingBytes = bytes.includes(10) ? 0 : pendingBytes + bytes.length
    if (pendingBytes > MAX_REQUEST_BYTES) client.destroy()
  })
  createInterface({ input: client }).on('line', (line) => {
    void respond(line, answer).then(
      (response) => client.writable && client.write(`${JSON.stringify(response)}\n`),
    )
  })
}

async function respond(line: string, answer: Answer): Promise<object> {
  try {
    const request: unknown = JSON.parse(line)
    if (
      typeof request === 'object' &&
      request !== null &&
      'op' in request &&
      typeof request.op === 'string'
    ) {
      return { ok: true, ...(await answer(request.op)) }
    }
    return { ok: false, error: 'a request is an object with "op"' }
  } catch (error) {
    return { ok: false, error: reasonOf(error) }
  }
}

/** A socket that nobody serves is left by a station that was killed. */
async function removeStale(path: string): Promise<void> {
  const alive = await connect(path).then(
    (socket) => {
      socket.destroy()
      return true
    },
    (error: unknown) => errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ECONNREFUSED',
  )
  if (alive) throw socketFault(path, 'a station is running already', undefined)
  rmSync(path, { force: true })
}

/** Asks the station that serves `path`. Errors: a Fault where none runs or it does not answer. */
export async function askStation(path: string, op: string): Promise<Record<string, unknown>> {
  const socket = await connect(path).catch((cause: unknown) => {
    throw noStationFault(
      path,
      errnoOf(cause) === 'EACCES' ? 'permission denied' : 'no station is running',
      cause,
    )
  })
  try {
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error(`no answer for ${ANSWER_MS / 1000} s`)))
    socket.write(`${JSON.stringify({ op })}\n`)
    for await (const line of createInterface({ input: socket })) {
      const response: unknown = JSON.parse(line)
      if (typeof response === 'object' && response !== null) return { ...response }
    }
    throw new Error('the station hung up')
  } catch (cause) {
    throw noStationFault(path, reasonOf(cause), cause)
  } finally {
    socket.destroy()
  }
}

function connect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path, () => resolve(socket))
    socket.once('error', reject)
  })
}

function socketFault(path: string, found: string, cause: unknown): Fault {
  return new Fault({
    code: 'GL-STATION-01',
    op: 'serve the station socket',
    subject: path,
    found,
    hint: 'Only one station may use a run_dir. The folder must be there and writable: [station] run_dir.',
    recovery: 'stop',
    cause,
  })
}

function noStationFault(path: string, found: string, cause: unknown): Fault {
  return new Fault({
    code: 'GL-STATION-02',
    op: 'ask the station at',
    subject: path,
    found,
    hint: 'Start it with `groundlock run`, or name its configuration with --config.',
    recovery: 'user',
    cause,
  })
}
