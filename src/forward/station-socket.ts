/**
 * Station socket: how other programs of this machine talk to the running station: a unix socket, one JSON object a line.
 *
 *     {"op":"status"} → {"ok":true, …}      {"op":"close"} → {"ok":true,"closed":"<flight id>"}
 *
 * Guarantees: nothing that a client sends, leaves unread or does to its connection ends the station or grows without bound.
 */
import { chmodSync, rmSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Fault, errnoOf, reasonOf } from '../base/fault.js'
import { LineSplitter } from '../base/line-splitter.js'
import { writeLine } from '../base/line-writer.js'
import { JOIN_STATION_GROUP } from '../base/station-group.js'

/** Clients at once: commands that a person types, not a service. */
const MAX_CLIENTS = 16
/** Longest request (bytes): a hundred times what one needs; a client with a longer line is cut off. */
const MAX_REQUEST_BYTES = 4096
/** Longest answer (bytes): the status of a hundred links and more. */
const MAX_ANSWER_BYTES = 64 * 1024
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
  // Half open: who asks and ends its half (a pipe into socat, say) still has its answers.
  const server = createServer({ allowHalfOpen: true }, (client) => {
    clients.add(client)
    client.once('close', () => clients.delete(client))
    client.setTimeout(IDLE_CLIENT_MS, () => client.destroy())
    void serve(client, answer)
  })
  server.maxConnections = MAX_CLIENTS
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(socketFault(path, reasonOf(cause), cause)))
    server.listen(path, resolve)
  })
  // From now on what fails is one client's accept: too many files, and the like. It is gone, the station is not.
  server.on('error', () => undefined)
  chmodSync(path, 0o660)
  return {
    close() {
      server.close()
      for (const client of clients) client.destroy()
    },
  }
}

/**
 * One request at a time: what a client sends meanwhile waits with the kernel. Never rejects.
 * No readline here: it hands on the connection's errors as its own, and one that nobody hears ends the process.
 */
async function serve(client: Socket, answer: Answer): Promise<void> {
  client.on('error', () => client.destroy())
  const lines = new LineSplitter(MAX_REQUEST_BYTES)
  try {
    for await (const bytes of client.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      for (const line of lines.push(bytes)) {
        if (line === null) return
        writeLine(client, `${JSON.stringify(await respond(line, answer))}\n`)
        if (client.destroyed) return
        // Links are read on this thread as well: whoever asks on and on has one answer in each of its turns.
        await nextTurn()
      }
    }
    client.end()
  } catch {
    // The connection broke, or was cut.
  } finally {
    if (!client.writableEnded) client.destroy()
  }
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
    throw errnoOf(cause) === 'EACCES'
      ? noStationFault(path, 'permission denied', cause, JOIN)
      : noStationFault(path, 'no station is running', cause)
  })
  try {
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error(`no answer for ${ANSWER_MS / 1000} s`)))
    socket.write(`${JSON.stringify({ op })}\n`)
    const response: unknown = JSON.parse(await firstLine(socket))
    if (typeof response !== 'object' || response === null) throw new Error('its answer is no object')
    return { ...response }
  } catch (cause) {
    throw noStationFault(path, reasonOf(cause), cause)
  } finally {
    socket.destroy()
  }
}

async function firstLine(socket: Socket): Promise<string> {
  const lines = new LineSplitter(MAX_ANSWER_BYTES)
  for await (const bytes of socket as AsyncIterable<Buffer>) {
    for (const line of lines.push(bytes)) {
      if (line === null) throw new Error('its answer is too long')
      return line
    }
  }
  throw new Error('the station hung up')
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

const START = 'Start it with `groundlock run`, or name its configuration with --config.'
const JOIN = `Its socket is for the group groundlock: ${JOIN_STATION_GROUP}.`

function noStationFault(path: string, found: string, cause: unknown, hint = START): Fault {
  return new Fault({
    code: 'GL-STATION-02',
    op: 'ask the station at',
    subject: path,
    found,
    hint,
    recovery: 'user',
    cause,
  })
}
